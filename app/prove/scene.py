"""What is fought over: one free event with so many places. How it is put up, counted, and removed without a trace."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import User
from app.bookings.models import Booking
from app.core import clock
from app.core.codes import random_id
from app.core.db import reading, writing
from app.events.actions import deciding
from app.events.models import Category, Event, TicketType
from app.tickets.models import Ticket

# So far ahead that it stands at the end of every list.
AHEAD = timedelta(days=3650)


@dataclass(frozen=True)
class Scene:
    """The event, the field of its form that says how many places, and what was made for it."""

    event_id: int
    slug: str
    field: str
    manager_id: int
    category_id: int | None


@dataclass(frozen=True)
class Counted:
    """What the database says afterwards: places by the stock's counters, and the codes of bookings and number of tickets."""

    held: int
    sold: int
    held_codes: frozenset[str]
    paid_codes: frozenset[str]
    valid_tickets: int


async def put_up(places: int) -> Scene:
    """A published event, on sale since yesterday, of a manager who cannot sign in."""
    now, mark = clock.now(), random_id()[:12]
    async with writing() as tx:
        manager = User(email=f"{mark}@prove.invalid", name="Proof", role="manager", disabled_at=now, created_at=now)
        known = (await tx.exec(select(Category).order_by(col(Category.id)))).first()
        category = known or Category(slug=mark, name="Proof")
        tx.add_all([manager, category])
        await tx.flush()
        event = Event(
            slug=f"proof-{mark}",
            manager_id=manager.id or 0,
            category_id=category.id or 0,
            title="Proof of stock",
            summary="Many buyers, few places.",
            state="published",
            starts_at=now + AHEAD,
            ends_at=now + AHEAD + timedelta(hours=3),
            created_at=now,
            published_at=now,
        )
        tx.add(event)
        await tx.flush()
        kind = TicketType(
            event_id=event.id or 0,
            name="Standing",
            price_minor=0,
            capacity=places,
            sale_from=now - timedelta(days=1),
            sale_to=event.ends_at,
        )
        tx.add(kind)
        await tx.flush()
    return Scene(event.id or 0, event.slug, f"q-{kind.code}", manager.id or 0, None if known else category.id)


async def count(scene: Scene) -> Counted:
    """Counters and rows, so that each can be compared with the other and with what the buyers were told."""
    async with reading() as db:
        kind = (await db.exec(select(TicketType).where(TicketType.event_id == scene.event_id))).one()
        codes = {
            state: (await db.exec(select(Booking.code).where(Booking.event_id == scene.event_id, Booking.state == state))).all()
            for state in ("held", "paid")
        }
        tickets = (await db.exec(select(Ticket.id).where(Ticket.event_id == scene.event_id, Ticket.state == "valid"))).all()
    return Counted(kind.held, kind.sold, frozenset(codes["held"]), frozenset(codes["paid"]), len(tickets))


# In an order in which no row loses what it points at. Nobody buys in the shop's own database, so there are no tickets.
# What was written down about the bookings stays: nothing leaves the activity log, and it may have been sealed by now.
_REMOVALS = (
    "DELETE FROM activity_work WHERE activity_id IN (SELECT a.id FROM activities a "
    "JOIN bookings b ON a.about = 'booking:' || b.id WHERE b.event_id = :event)",
    "DELETE FROM booking_lines WHERE booking_id IN (SELECT id FROM bookings WHERE event_id = :event)",
    "DELETE FROM bookings WHERE event_id = :event",
    "DELETE FROM buyer_limits WHERE event_id = :event",
    "DELETE FROM ticket_types WHERE event_id = :event",
    "DELETE FROM favourites WHERE event_id = :event",
    "DELETE FROM events WHERE id = :event",
    "DELETE FROM users WHERE id = :manager",
    "DELETE FROM limits WHERE key LIKE 'hold:198.18.%' OR key LIKE 'hold:198.19.%'",
)
_REMOVE_CATEGORY = "DELETE FROM categories WHERE id = :category"


async def remove(scene: Scene, known: frozenset[str]) -> bool:
    """Takes everything away again. A booking whose code is not known is somebody else's: then the event is called off instead.

    Whether everything is gone.
    """
    async with writing() as tx:
        event = await tx.get_one(Event, scene.event_id, with_for_update=True)
        bookings = (await tx.exec(select(Booking.code).where(Booking.event_id == scene.event_id))).all()
        if set(bookings) - known:
            await deciding.call_off(tx, event, reason="It was a test of this shop.", by=scene.manager_id, now=clock.now())
            return False
        await _remove_all(tx, scene)
    return True


async def _remove_all(tx: AsyncSession, scene: Scene) -> None:
    connection = await tx.connection()
    values = {"event": scene.event_id, "manager": scene.manager_id}
    for removal in _REMOVALS:
        await connection.execute(text(removal), {name: values[name] for name in values if f":{name}" in removal})
    if scene.category_id:
        await connection.execute(text(_REMOVE_CATEGORY), {"category": scene.category_id})
