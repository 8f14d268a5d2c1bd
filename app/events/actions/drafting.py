"""An event begins as a draft that only its manager sees, and a draft can go again."""

from datetime import datetime

from sqlalchemy import delete
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import activity
from app.core.db import changed
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.events import queries
from app.events.actions.revising import columns_of, revise_types
from app.events.models import Event, Favourite, Helper, Quota, Revision, TicketType, WishedChange
from app.events.rules import proposing
from app.events.rules.proposing import EventWish


async def draft(tx: AsyncSession, wish: EventWish, *, by: int, now: datetime) -> Event:
    """A new event that only its manager sees."""
    slug = proposing.slug_of(wish.title)
    columns = await columns_of(tx, wish)
    event = Event(slug=proposing.free_slug(slug, await queries.slugs_like(tx, slug)), manager_id=by, created_at=now, **columns)
    tx.add(event)
    await tx.flush()
    types = await revise_types(tx, event, wish.types, booked=set())
    await activity.record(tx, "event.drafted", about=f"event:{event.id}", by=by, types=types)
    return event


async def draft_for(tx: AsyncSession, wish: EventWish, *, manager_id: int, by: int, now: datetime) -> Event:
    """The same, written by an admin and owned by a manager."""
    event = await draft(tx, wish, by=by, now=now)
    event.manager_id = manager_id
    await tx.flush()
    await activity.record(tx, "event.handed_over", about=f"event:{event.id}", by=by, manager=manager_id)
    return event


async def delete_draft(tx: AsyncSession, event: Event, *, by: int) -> None:
    """Removes a draft with its types, quotas, hearts, team, and what an admin wished or kept of it. Codes must be gone before."""
    await changed(tx, delete(Favourite).where(col(Favourite.event_id) == event.id))
    await changed(tx, delete(Helper).where(col(Helper.event_id) == event.id))
    await changed(tx, delete(WishedChange).where(col(WishedChange.event_id) == event.id))
    await changed(tx, delete(Revision).where(col(Revision.event_id) == event.id))
    await changed(tx, delete(TicketType).where(col(TicketType.event_id) == event.id))
    await changed(tx, delete(Quota).where(col(Quota.event_id) == event.id))
    if not await changed(tx, delete(Event).where(col(Event.id) == event.id, col(Event.state) == "draft")):
        raise Refused(_("Only a draft can be deleted."))
    await activity.record(tx, "event.deleted", about=f"event:{event.id}", by=by)
