"""What the tests of changes of a public event say again and again."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlmodel import col, select

from app.accounts.models import Visitor
from app.bookings import actions as bookings
from app.bookings import queries as booking_queries
from app.bookings.models import Booking
from app.core import clock
from app.core.activity import Activity
from app.core.db import reading, writing
from app.events import reviews
from app.events.actions import reviewing, revising, ticket_types
from app.events.decisions import Revision
from app.events.models import Event, TicketType
from tests import world

DAY = timedelta(days=1)


async def public(**columns: Any) -> Event:
    async with writing() as tx:
        await world.dora(tx)
        return await world.event(tx, **columns)


async def now_is(event: Event) -> Event:
    async with reading() as db:
        return await db.get_one(Event, event.id)


async def kind_of(event: Event) -> TicketType:
    async with reading() as db:
        return await world.only_type(db, event)


async def saves(event: Event, by: str = "alice", **columns: Any) -> None:
    """Somebody saves a section of the form."""
    async with writing() as tx:
        who, present = await getattr(world, by)(tx), await tx.get_one(Event, event.id)
        booked = bool(await booking_queries.booked_types(tx, event.id or 0))
        await revising.revise(tx, present, columns, section="basics", by=who.id or 0, booked=booked, now=clock.now())


async def postponed_by(event: Event, days: int, by: str = "alice") -> None:
    """Somebody moves the event by so many days, and its end with it."""
    present = await now_is(event)
    await saves(event, by, starts_at=present.starts_at + days * DAY, ends_at=present.ends_at + days * DAY)


async def prices(event: Event, by: str = "alice", **values: Any) -> None:
    """Somebody saves the page of the one ticket type."""
    async with writing() as tx:
        who, present = await getattr(world, by)(tx), await tx.get_one(Event, event.id)
        kind = await world.only_type(tx, event)
        wish = replace(ticket_types.wish_of(kind), **values)
        await ticket_types.change_type(tx, present, kind, wish, by=who.id or 0, now=clock.now())


async def waits(event: Event) -> dict[str, Any]:
    """What waits for an admin."""
    async with reading() as db:
        found = await reviews.waiting(db, event)
    return found.changes if found else {}


async def agrees(event: Event) -> None:
    async with writing() as tx:
        present = await tx.get_one(Event, event.id)
        revision = await reviews.waiting(tx, present)
        assert revision
        await agree(tx, present, revision)


async def agree(tx: Any, event: Event, revision: Revision) -> None:
    booked = bool(await booking_queries.booked_types(tx, event.id or 0))
    dora = await world.dora(tx)
    await reviewing.approve_change(tx, event, revision, by=dora.id or 0, booked=booked, now=clock.now())


async def states(event: Event) -> list[str]:
    async with reading() as db:
        rows = (await db.exec(select(Revision).where(Revision.event_id == event.id).order_by(col(Revision.id)))).all()
    return [row.state for row in rows]


async def kinds() -> list[str]:
    async with reading() as db:
        rows = (await db.exec(select(Activity).order_by(col(Activity.id)))).all()
    return [row.kind.removeprefix("event.") for row in rows if row.about.startswith("event:")]


async def hold(event: Event, key: str = "carols-browser") -> Booking:
    async with writing() as tx:
        kind = await world.only_type(tx, event)
        return await bookings.hold(tx, event, {kind.id or 0: 2}, by=Visitor(key=key), now=clock.now())
