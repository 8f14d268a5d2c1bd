"""What the tests about notifications begin with: something happens, and people are told."""

from sqlmodel import select

from app.accounts.models import User, Visitor
from app.bookings import actions as bookings
from app.bookings.models import Booking
from app.core import activity, clock
from app.core.activity import Activity
from app.core.db import reading, writing
from app.events.models import Event
from app.events.queries import ticket_types
from app.notifications.actions import tell
from app.notifications.models import Delivery, Notification
from app.tickets.actions import settle


async def happened(kind: str, about: str, *, by: int | None = None, **details: object) -> Activity:
    """Writes an activity down and tells whom it concerns, as the worker does."""
    async with writing() as tx:
        found = await activity.record(tx, kind, about=about, by=by, **details)
        await tell(tx, found)
    return found


async def told() -> list[Notification]:
    async with reading() as db:
        return list((await db.exec(select(Notification).order_by(Notification.id))).all())  # type: ignore[arg-type]


async def deliveries() -> list[Delivery]:
    async with reading() as db:
        return list((await db.exec(select(Delivery).order_by(Delivery.id))).all())  # type: ignore[arg-type]


async def kinds() -> list[tuple[str, str]]:
    """(kind, recipient) of everything told so far."""
    return [(notification.kind, notification.recipient) for notification in await told()]


async def held(event: Event, buyer: User, qty: int = 2) -> Booking:
    """The buyer holds places of the event's first ticket type."""
    async with writing() as tx:
        kind = (await ticket_types(tx, event.id or 0))[0]
        visitor = Visitor(buyer.id, buyer.email, buyer.name, buyer.role, key=f"{buyer.name}s-browser")
        return await bookings.hold(tx, event, {kind.id or 0: qty}, by=visitor, now=clock.now())


async def bought(event: Event, buyer: User, qty: int = 2) -> Booking:
    """The buyer has paid, and the tickets exist."""
    booking = await held(event, buyer, qty)
    async with writing() as tx:
        await settle(tx, booking, now=clock.now())
    return booking


async def bought_by_guest(event: Event, email: str, qty: int = 1) -> Booking:
    """Someone without an account has paid."""
    async with writing() as tx:
        kind = (await ticket_types(tx, event.id or 0))[0]
        booking = await bookings.hold(tx, event, {kind.id or 0: qty}, by=Visitor(key=email), now=clock.now())
        await bookings.fill_in(tx, booking, event, email=email, name="Gast", by=Visitor())
        await settle(tx, booking, now=clock.now())
    return booking
