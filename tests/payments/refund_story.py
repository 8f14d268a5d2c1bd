"""What the tests about giving back begin with: somebody has paid, and the money is there."""

from typing import Any

import httpx

from app.accounts.models import User, Visitor
from app.bookings import actions as bookings
from app.bookings.models import Booking
from app.core import clock
from app.core.db import reading, writing
from app.events.models import Event
from app.payments.actions import asking
from app.payments.models import Payment
from app.tickets import actions as tickets
from app.tickets.models import Ticket
from tests import world
from tests.payments.story import tickets_of

GUEST = Visitor(key="a-guests-browser")


async def an_event(**columns: Any) -> Event:
    """Alice's event in four weeks; tickets go back until two days before, for a fee of 2.00 each."""
    rule = {"refund_hours": 48, "refund_fee_minor": 200, "per_buyer": 50}
    async with writing() as tx:
        return await world.event(tx, price_minor=columns.pop("price_minor", 1850), **(rule | columns))


async def paid(
    event: Event, *, qty: int = 2, by: Visitor = GUEST, email: str = "bob@example.com", provider: str = "stripe"
) -> Booking:
    """A paid booking with its captured payment, as Stripe's page leaves it behind."""
    now = clock.now()
    async with writing() as tx:
        kind = await world.only_type(tx, event)
        booking = await bookings.hold(tx, event, {kind.id or 0: qty}, by=by, now=now)
        booking = await tx.get_one(Booking, booking.id, populate_existing=True)
        await bookings.fill_in(tx, booking, event, email=email, name="Bob Buyer", by=by)
        if booking.total_minor:
            tx.add(
                Payment(
                    booking_id=booking.id or 0,
                    provider=provider,
                    state="captured",
                    amount_minor=booking.total_minor,
                    captured_minor=booking.total_minor,
                    currency=booking.currency,
                    payment_intent=f"pi_{booking.reference}" if provider == "stripe" else None,
                    session_id=f"cs_{booking.reference}" if provider == "stripe" else None,
                    pay_until=now,
                    created_at=now,
                    captured_at=now,
                )
            )
        await tickets.settle(tx, booking, now=now)
    return await again(booking)


async def again(booking: Booking) -> Booking:
    """The booking as the database has it now."""
    async with reading() as db:
        return await db.get_one(Booking, booking.id)


async def valid_tickets(booking: Booking) -> list[Ticket]:
    return [view.ticket for view in await tickets_of(booking) if view.ticket.is_valid]


async def returned(booking: Booking, chosen: list[Ticket], *, fee: int = 0, reason: str = "manager") -> int:
    """A manager takes tickets back."""
    async with writing() as tx:
        ids = [ticket.id or 0 for ticket in chosen]
        return await asking.return_tickets(
            tx, booking, ids, reason=reason, by=None, note="The singer is ill.", fee_minor_each=fee, now=clock.now()
        )


async def given(booking: Booking, minor: int, *, out_of: int | None = None) -> None:
    """A manager gives money back, and the tickets stay."""
    async with writing() as tx:
        kept = (await again(booking)).kept_minor if out_of is None else out_of
        await asking.refund_money(
            tx, booking, minor, out_of_minor=kept, reason="manager", by=None, note="Bad seats.", now=clock.now()
        )


async def bobs(event: Event, *, qty: int = 2, provider: str = "stripe") -> tuple[User, Booking]:
    """Bob, who has an account, and his booking."""
    async with writing() as tx:
        bob = await world.bob(tx)
    booking = await paid(event, qty=qty, by=Visitor(bob.id, bob.email, bob.name, "user"), email=bob.email, provider=provider)
    return bob, booking


async def codes(booking: Booking) -> list[str]:
    return [ticket.short_code for ticket in await valid_tickets(booking)]


async def sign_in_as(name: str, client: httpx.AsyncClient, sign_in: Any) -> None:
    async with writing() as tx:
        user = await getattr(world, name)(tx)
    await sign_in(client, user)
