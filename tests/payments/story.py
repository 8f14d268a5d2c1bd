"""What the tests of payments say again and again."""

from typing import Any

from app.accounts.models import Visitor
from app.bookings import actions, queries
from app.bookings import flows as bookings
from app.bookings.models import Booking
from app.core import alarms, clock
from app.core.db import reading, writing
from app.events.actions import deciding
from app.events.models import Event, TicketType
from app.payments import queries as payment_queries
from app.payments.actions import paying
from app.payments.flows import lists, notices, sweeps
from app.payments.flows.checkout import checkout
from app.payments.flows.converge import converge
from app.payments.models import Payment, Refund
from app.sandbox.app import Sandbox
from app.tickets.queries import TicketView, of_booking
from tests import invariants, world

BOB = Visitor(key="bobs-browser")
CAROL = BOB.with_key("carols-browser")


async def held(*, capacity: int = 10, qty: int = 2, price_minor: int = 1850, by: Visitor = BOB) -> Booking:
    """A booking of Bob, who holds two places of a new event as a guest."""
    async with writing() as tx:
        event = await world.event(tx, capacity=capacity, price_minor=price_minor)
        kind = await world.only_type(tx, event)
        return await actions.hold(tx, event, {kind.id or 0: qty}, by=by, now=clock.now())


async def pays(booking: Booking) -> str:
    """Bob fills in the two fields and presses Pay; the address he is sent to."""
    return await checkout(booking.id or 0, email="bob@example.com", name="Bob Buyer", by=BOB)


async def now_is(booking: Booking) -> Booking:
    """The booking as the database has it now; the invariants hold."""
    async with reading() as db:
        assert await invariants.broken(db) == []
        found = await queries.by_id(db, booking.id or 0)
    assert found
    return found


async def payment_of(booking: Booking) -> Payment:
    async with reading() as db:
        found = await payment_queries.latest(db, booking.id or 0)
    assert found
    return found


async def refunds_of(booking: Booking) -> list[Refund]:
    async with reading() as db:
        return await payment_queries.refunds_of_booking(db, booking.id or 0)


async def tickets_of(booking: Booking) -> list[TicketView]:
    async with reading() as db:
        return await of_booking(db, booking.id or 0)


async def stock_of(booking: Booking) -> tuple[int, int]:
    async with reading() as db:
        event = await db.get(Event, booking.event_id)
        assert event
        kind: TicketType = await world.only_type(db, event)
    return kind.held, kind.sold


async def alarms_of(kind: str) -> list[str]:
    """What the open alarms of a kind are about."""
    async with reading() as db:
        return sorted(alarm.about for alarm in await alarms.open_ones(db) if alarm.kind == kind)


async def card_is_charged(fake: Sandbox, booking: Booking) -> str:
    """Bob pays on Stripe's page; nobody tells the shop. The session's id."""
    payment = await payment_of(booking)
    assert payment.session_id
    fake.stripe.pay(payment.session_id, "paid")
    return payment.session_id


async def paid(fake: Sandbox, **wanted: Any) -> Booking:
    """A booking whose money has come and whose tickets are there."""
    booking = await held(**wanted)
    await pays(booking)
    await converge(await card_is_charged(fake, booking))
    return booking


async def intent_of(booking: Booking) -> str:
    """Where Stripe keeps the booking's money."""
    return (await payment_of(booking)).payment_intent or ""


async def listen() -> None:
    """No webhook has come: the shop reads what Stripe has told, and acts on it."""
    await lists.read_events()
    await notices.work_notices()


async def call_off(booking: Booking) -> None:
    """Alice calls the event off; its bookings are wound down."""
    async with writing() as tx:
        event = await tx.get_one(Event, booking.event_id)
        await deciding.call_off(tx, event, reason="The stage is flooded.", by=event.manager_id, now=clock.now())
    await sweeps.wind_down()


async def end_hold(booking: Booking) -> None:
    """The wrong way round on purpose, as after a restore: our rows let go of places while Stripe may still take money."""
    async with writing() as tx:
        fresh = await tx.get_one(Booking, booking.id)
        await paying.end_payment_soon(tx, fresh.id or 0, now=clock.now())
        await actions.stop_paying(tx, fresh, now=clock.now())
    await bookings.expire_due()


def sent_back(fake: Sandbox, payment_intent: str) -> int:
    """What Stripe has really sent back of a payment, in minor units."""
    known = fake.stripe.refunds({"payment_intent": payment_intent, "limit": 100})["data"]
    return sum(refund["amount"] for refund in known if refund["status"] != "failed")


def sessions_at(fake: Sandbox, *, status: str = "") -> list[str]:
    """The sessions that Stripe has, all or those with a status."""
    known = fake.stripe.sessions({"limit": 100})["data"]
    return [session["id"] for session in known if status in ("", session["status"])]


async def another(booking: Booking, *, by: Visitor = CAROL, qty: int = 2) -> Booking:
    """A second booking of the same event."""
    async with writing() as tx:
        event = await tx.get_one(Event, booking.event_id)
        kind = await world.only_type(tx, event)
        return await actions.hold(tx, event, {kind.id or 0: qty}, by=by, now=clock.now())


async def pays_as(booking: Booking, email: str) -> str:
    """Somebody else presses Pay."""
    return await checkout(booking.id or 0, email=email, name="A Buyer", by=Visitor(key="x"))
