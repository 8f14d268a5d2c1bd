"""What the tests of payments say again and again."""

from app.accounts.models import Visitor
from app.bookings import actions, queries
from app.bookings.models import Booking
from app.core import clock
from app.core.db import reading, writing
from app.events.models import Event, TicketType
from app.payments import queries as payment_queries
from app.payments.flows.checkout import checkout
from app.payments.models import Payment, Refund
from app.sandbox.app import Sandbox
from app.tickets.queries import TicketView, of_booking
from tests import invariants, world

BOB = Visitor(key="bobs-browser")


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


async def card_is_charged(fake: Sandbox, booking: Booking) -> str:
    """Bob pays on Stripe's page; nobody tells the shop. The session's id."""
    payment = await payment_of(booking)
    assert payment.session_id
    fake.stripe.pay(payment.session_id, "paid")
    return payment.session_id
