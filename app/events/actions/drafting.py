"""An event begins as a draft that only its manager sees, and a draft can go again."""

from datetime import datetime

from sqlalchemy import delete
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import activity, i18n
from app.core.db import changed
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.core.settings import settings
from app.events import drafts, queries, search
from app.events.actions import finding, repeating
from app.events.decisions import Revision, WishedChange
from app.events.models import Event, Favourite, Helper, Question, Quota, TicketType
from app.events.rules import proposing


async def draft(tx: AsyncSession, title: str, *, by: int, now: datetime) -> Event:
    """A new event of which only the title is known; the rest is suggested, and no section counts as saved.

    Raises Refused in a shop that has no category yet.
    """
    last, kinds = await drafts.last_of_manager(tx, by), await queries.categories(tx)
    if not kinds:
        raise Refused(_("This shop has no categories yet. An admin adds the first one, then events can be proposed."))
    slug = proposing.slug_of(title)
    event = Event(
        slug=proposing.free_slug(slug, await drafts.slugs_like(tx, slug)),
        title=title,
        language=i18n.language(),
        manager_id=by,
        created_at=now,
        **proposing.suggested(last, kinds, title, zone=settings().default_zone, currency=settings().default_currency, now=now),
    )
    tx.add(event)
    await tx.flush()
    await finding.index(tx, [event.id])
    await activity.record(tx, "event.drafted", about=f"event:{event.id}", by=by)
    return event


async def draft_for(tx: AsyncSession, title: str, *, category_id: int, manager_id: int, by: int, now: datetime) -> Event:
    """The same, written by an admin and owned by a manager."""
    event = await draft(tx, title, by=by, now=now)
    event.manager_id, event.category_id = manager_id, category_id
    await finding.index(tx, [event.id])
    await activity.record(tx, "event.handed_over", about=f"event:{event.id}", by=by, manager=manager_id)
    return event


async def delete_draft(tx: AsyncSession, event: Event, *, by: int) -> None:
    """Removes a draft with its types, quotas, hearts, team, and what an admin wished or kept of it.

    Codes and gates must be gone before.
    """
    await search.take_out(tx, [event.id])
    for table in (Favourite, Helper, WishedChange, Revision, Question, TicketType, Quota):
        await changed(tx, delete(table).where(col(table.event_id) == event.id))
    if not await changed(tx, delete(Event).where(col(Event.id) == event.id, col(Event.state) == "draft")):
        raise Refused(_("Only a draft can be deleted."))
    await repeating.drop_if_empty(tx, event.series_id)
    await activity.record(tx, "event.deleted", about=f"event:{event.id}", by=by)
