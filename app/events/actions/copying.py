"""An event is copied: everything that its form knows, and nothing that was sold, said or decided."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import activity
from app.core.i18n import gettext as _
from app.events import drafts, queries
from app.events.actions import finding
from app.events.models import Event, Question, Quota, TicketType
from app.events.rules import copying, proposing


@dataclass(frozen=True)
class Copied:
    """A copy, and its ticket types beside those they were made from."""

    event: Event
    types: list[tuple[TicketType, TicketType]]


async def duplicate(tx: AsyncSession, event: Event, *, by: int, now: datetime) -> Copied:
    """A new draft four weeks later. Its basics count as not saved: the date is only a suggestion, as a new draft's is."""
    days = copying.days_ahead(event, now)
    moments = copying.moved_event(event, days=days)
    if (moments["publish_at"] or now) <= now:
        moments["publish_at"] = None
    same = select(Event.id).where(Event.title == event.title, Event.manager_id == event.manager_id)
    is_taken = (await tx.exec(same.where(Event.starts_at == moments["starts_at"]).limit(1))).first() is not None
    title = copying.copied_title(event.title, _("(copy)")) if is_taken else event.title
    saved = " ".join(section for section in event.saved_sections.split() if section != "basics")
    made = await copy(tx, event, days=days, by=by, now=now, **moments, title=title, saved_sections=saved)
    await activity.record(tx, "event.copied", about=f"event:{made.event.id}", by=by, source=event.id)
    return made


async def copy(tx: AsyncSession, event: Event, *, days: int, now: datetime, by: int, **columns: Any) -> Copied:
    """A draft like the event in which the sales move by so many days; `columns` are what is another. The caller records it."""
    slug = proposing.slug_of(columns.get("title", event.title))
    values = copying.copied(event, copying.COPIED) | copying.moved_event(event, days=days) | columns
    made = Event(slug=proposing.free_slug(slug, await drafts.slugs_like(tx, slug)), created_at=now, **values)
    tx.add(made)
    await tx.flush()
    await finding.index(tx, [made.id])
    await _copy_questions(tx, event, made)
    return Copied(made, await _copy_types(tx, event, made, days=days))


async def _copy_types(tx: AsyncSession, event: Event, made: Event, *, days: int) -> list[tuple[TicketType, TicketType]]:
    """Quotas first, because types stand in them. A pre-sale that had places moved to the general sale keeps what it has now."""
    quotas = {}
    for quota in (await tx.exec(select(Quota).where(Quota.event_id == event.id).order_by(col(Quota.id)))).all():
        quotas[quota.id] = Quota(event_id=made.id or 0, **copying.copied(quota, copying.COPIED_OF_QUOTA))
    tx.add_all(quotas.values())
    await tx.flush()
    pairs = []
    for kind in await queries.ticket_types(tx, event.id):
        values = copying.copied(kind, copying.COPIED_OF_TYPE) | copying.moved_type(kind, event, days=days)
        quota_id = quotas[kind.quota_id].id if kind.quota_id else None
        pairs.append((kind, TicketType(event_id=made.id or 0, quota_id=quota_id, **values)))
    tx.add_all(new for _old, new in pairs)
    await tx.flush()
    return pairs


async def _copy_questions(tx: AsyncSession, event: Event, made: Event) -> None:
    """Those that are still asked."""
    asked = select(Question).where(Question.event_id == event.id, col(Question.ended_at).is_(None))
    found = (await tx.exec(asked.order_by(col(Question.position), col(Question.id)))).all()
    tx.add_all(Question(event_id=made.id or 0, **copying.copied(row, copying.COPIED_OF_QUESTION)) for row in found)
    await tx.flush()
