"""The same crowds with the defence off: read in a reading session, look at it in Python, write what was computed.

Each control goes wrong in nearly every round. If one day it does not, the race beside it proves nothing any more.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import func, insert, text, update
from sqlmodel import col, select

from app.accounts.models import MailedLink, User, Visitor
from app.bookings import actions as bookings
from app.bookings.models import AccessCode, Booking, BuyerLimit
from app.core import clock
from app.core.codes import random_id
from app.core.db import reading, writing
from app.core.leases import Lease
from app.events.models import Event, TicketType
from app.notifications.models import CHANNELS, Delivery, Notification
from app.payments.models import ACTIVE, Payment, Refund
from tests import world
from tests.torture.evidence import a_link
from tests.torture.races import CROWD

# As long as a page takes to be looked at and a form to be read.
PAUSE_SECONDS = 0.01

BY = Visitor(key="a-browser")

# Both look at what was read.
May = Callable[[Any], bool]
Write = Callable[[Any], Any]


@dataclass
class Scene:
    """The rows of one round."""

    number: int
    event: Event
    kind: TicketType
    booking: Booking
    payment: Payment
    user: User


async def scene(number: int) -> Scene:
    """An event with one place, a booking of another event that was paid, and a user."""
    now = clock.now()
    async with writing() as tx:
        event = await world.event(tx, title=f"Control {number}", capacity=1)
        kind = await world.only_type(tx, event)
        other = await world.event(tx, title=f"Control {number} beside", price_minor=1000)
        place = await world.only_type(tx, other)
        booking = await bookings.hold(tx, other, {place.id or 0: 1}, by=BY, now=now)
        payment = Payment(
            booking_id=booking.id or 0,
            state="captured",
            amount_minor=1000,
            captured_minor=1000,
            currency="EUR",
            pay_until=now,
            created_at=now,
        )
        tx.add(payment)
        user = await world.person(tx, f"Control{number}")
    return Scene(number, event, kind, booking, payment, user)


async def read_compare_write(read: Any, may: May, *write: Write) -> bool:
    """What a handler does that trusts its own eyes; whether it believes that it got what it wanted."""
    async with reading() as db:
        seen = (await db.exec(read)).first()
    await asyncio.sleep(PAUSE_SECONDS)
    if not may(seen):
        return False
    async with writing() as tx:
        for statement in write:
            await tx.exec(statement(seen))
    return True


async def more_than(allowed: int, read: Any, may: May, *write: Write, crowd: int = CROWD) -> bool:
    """Whether more of a crowd than may believe that they got what they wanted."""
    return sum(await asyncio.gather(*(read_compare_write(read, may, *write) for _one in range(crowd)))) > allowed


async def last_ticket(at: Scene) -> bool:
    mine = col(TicketType.id) == at.kind.id
    return await more_than(
        1,
        select(TicketType.held).where(mine),
        lambda held: held < 1,
        lambda held: update(TicketType).where(mine).values(held=held + 1),
    )


async def one_use(at: Scene) -> bool:
    async with writing() as tx:
        tx.add(AccessCode(ticket_type_id=at.kind.id or 0, code="ONCE", max_uses=1))
    mine = col(AccessCode.ticket_type_id) == at.kind.id
    return await more_than(
        1,
        select(AccessCode.used).where(mine),
        lambda used: used < 1,
        lambda used: update(AccessCode).where(mine).values(used=used + 1),
    )


async def buyers_limit(at: Scene) -> bool:
    async with writing() as tx:
        tx.add(BuyerLimit(event_id=at.event.id or 0, buyer_key="mail:mallory", qty=0, max_qty=3))
    mine = (col(BuyerLimit.event_id) == at.event.id, col(BuyerLimit.buyer_key) == "mail:mallory")
    return await more_than(
        3,
        select(BuyerLimit.qty).where(*mine),
        lambda qty: qty < 3,
        lambda qty: update(BuyerLimit).where(*mine).values(qty=qty + 1),
    )


async def double_pay(at: Scene) -> bool:
    """Without the index of one active payment a booking."""
    async with writing() as tx:
        await tx.exec(text("DROP INDEX IF EXISTS ix_payments_one_active"))
    running = select(func.count()).where(col(Payment.booking_id) == at.booking.id, col(Payment.state).in_(ACTIVE))
    return await more_than(1, running, lambda count: count == 0, lambda _count: _attempt_to_pay(at))


async def webhooks(at: Scene) -> bool:
    """Each that finds the payment not captured hands out tickets."""
    mine = col(Payment.id) == at.payment.id
    async with writing() as tx:
        await tx.exec(update(Payment).where(mine).values(state="open", captured_minor=0))
    return await more_than(
        1,
        select(Payment.state).where(mine),
        lambda state: state != "captured",
        lambda _state: update(Payment).where(mine).values(state="captured", captured_minor=1000),
    )


async def refund(at: Scene) -> bool:
    """Each that finds money left sends it back."""
    mine = col(Payment.id) == at.payment.id
    return await more_than(
        1,
        select(Payment.reserved_minor).where(mine),
        lambda reserved: reserved + 1000 <= 1000,
        lambda reserved: update(Payment).where(mine).values(reserved_minor=reserved + 1000),
        lambda _reserved: _refund_row(at),
    )


async def two_sweeps(at: Scene) -> bool:
    """Two workers, one mail that waits; nobody claims it before it is sent."""
    now = clock.now()
    async with writing() as tx:
        activity_id = (await tx.exec(text("SELECT MIN(id) FROM activities"))).scalar_one()
        told = Notification(
            activity_id=activity_id, kind="booking_paid", recipient=f"control-{at.number}", email="a@b", created_at=now
        )
        tx.add(told)
        await tx.flush()
        tx.add(Delivery(notification_id=told.id or 0, channel=CHANNELS[0], created_at=now, next_try_at=now))
    mine = col(Delivery.notification_id) == told.id
    return await more_than(
        1,
        select(Delivery.state).where(mine),
        lambda state: state == "queued",
        lambda _state: update(Delivery).where(mine).values(state="sent"),
        crowd=2,
    )


async def two_leases(at: Scene) -> bool:
    """Two workers look for the lease; it is free, and both take it."""
    now, name = clock.now(), f"control-{at.number}"
    async with writing() as tx:
        tx.add(Lease(name=name, holder="nobody", until=now))
    mine = col(Lease.name) == name
    return await more_than(
        1,
        select(Lease.until).where(mine),
        lambda until: until <= now,
        lambda _until: update(Lease).where(mine).values(holder=random_id(), until=now + timedelta(seconds=60)),
        crowd=2,
    )


async def one_reset(at: Scene) -> bool:
    async with writing() as tx:
        link = await a_link(tx, "reset", at.user.email, user_id=at.user.id)
    mine = col(MailedLink.id) == link
    return await more_than(
        1,
        select(MailedLink.used_at).where(mine),
        lambda used_at: used_at is None,
        lambda _used_at: update(MailedLink).where(mine).values(used_at=clock.now()),
    )


async def one_account(at: Scene) -> bool:
    """Without a unique address, in a table like that of the users."""
    async with writing() as tx:
        await tx.exec(text("CREATE TABLE IF NOT EXISTS people (email TEXT)"))
    email = f"'twenty-{at.number}@example.com'"
    return await more_than(
        1,
        text(f"SELECT email FROM people WHERE email = {email}"),
        lambda found: found is None,
        lambda _found: text(f"INSERT INTO people (email) VALUES ({email})"),
    )


async def second_hold(at: Scene) -> bool:
    """Each ends the hold that it has seen, and holds by itself."""
    mine = (col(Booking.event_id) == at.event.id, col(Booking.state) == "held")
    await more_than(
        1,
        select(Booking.id).where(*mine),
        lambda _first: True,
        lambda first: update(Booking).where(col(Booking.id) == first).values(state="released"),
        lambda _first: _hold_row(at),
    )
    async with reading() as db:
        return (await db.exec(select(func.count()).where(*mine))).one() > 1


CONTROLS = (
    last_ticket,
    one_use,
    buyers_limit,
    double_pay,
    webhooks,
    refund,
    two_sweeps,
    two_leases,
    one_reset,
    one_account,
    second_hold,
)


async def run_controls(*, rounds: int) -> dict[str, float]:
    """In which share of the rounds each control went wrong."""
    scenes = [await scene(number) for number in range(rounds)]
    return {control.__name__: sum([await control(each) for each in scenes]) / rounds for control in CONTROLS}


def _attempt_to_pay(at: Scene) -> Any:
    now = clock.now()
    attempt = {"id": random_id(), "booking_id": at.booking.id, "provider": "stripe", "state": "creating", "params": {}}
    money = {"amount_minor": 1000, "currency": "EUR", "captured_minor": 0, "reserved_minor": 0, "returned_minor": 0}
    return insert(Payment).values(**attempt, **money, session_url="", dispute="", pay_until=now, created_at=now)


def _refund_row(at: Scene) -> Any:
    now = clock.now()
    row = Refund(payment_id=at.payment.id, amount_minor=1000, reason="buyer", created_at=now, next_try_at=now)
    return insert(Refund).values(**row.model_dump())


def _hold_row(at: Scene) -> Any:
    now = clock.now()
    row = Booking(event_id=at.event.id or 0, buyer_key="browser", held_until=now, total_minor=0, currency="EUR", created_at=now)
    return insert(Booking).values(**row.model_dump(exclude={"id"}))
