"""Questions about the dates of a series."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import exists
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts import queries as accounts
from app.core.i18n import language
from app.events.conditions import public, upcoming
from app.events.models import Event, Question, Quota, TicketType
from app.events.rules.repeating import Parts
from app.events.series import Series


async def by_slug(db: AsyncSession, slug: str) -> Series | None:
    return (await db.exec(select(Series).where(Series.slug == slug))).first()


async def public_series(db: AsyncSession, slug: str) -> Series | None:
    """The series, when everybody may see at least one of its dates; also when all of them are over.

    It is a copy with the title of a date that is called the same, where that is written in the reader's language.
    """
    seen = col(Event.series_id) == Series.id, *public()
    written: Any = col(Event.texts)[language()]["title"].as_string()
    same = select(written).where(*seen, Event.title == Series.title, written != "").order_by(col(Event.id)).limit(1)
    wanted = select(Series, same.scalar_subquery()).where(Series.slug == slug, exists().where(*seen))
    series, title = (await db.exec(wanted)).first() or (None, "")
    return Series(**series.model_dump() | {"title": title}) if series and title else series


async def series_of(db: AsyncSession, event: Event) -> Series | None:
    """The series that the event is a date of."""
    return await db.get(Series, event.series_id) if event.series_id else None


async def others(db: AsyncSession, event: Event, *, now: datetime, most: int = 4) -> Sequence[Event]:
    """The next dates of the event's series that take place and that everybody may see, besides itself. One query, or none."""
    if not event.series_id:
        return []
    same = Event.series_id == event.series_id, Event.id != event.id, col(Event.postponed_at).is_(None)
    return (await db.exec(select(Event).where(*upcoming(now), *same).order_by(col(Event.starts_at)).limit(most))).all()


async def of_series(db: AsyncSession, series_id: int | None, *states: str) -> Sequence[Event]:
    """The dates of a series, the soonest first: in some states, or in all."""
    dates = select(Event).where(Event.series_id == series_id, *([col(Event.state).in_(states)] if states else []))
    return (await db.exec(dates.order_by(col(Event.starts_at), col(Event.id)))).all() if series_id else []


async def unsent(db: AsyncSession, event: Event) -> Sequence[Event]:
    """The drafts among the dates of the event's series that can be sent, itself included; none without a series."""
    return [date for date in await of_series(db, event.series_id, "draft") if not date.is_rejected]


async def parts_of(db: AsyncSession, events: Sequence[Event]) -> dict[int, Parts]:
    """What belongs to several dates, by the ids of their events, in the order of the form."""
    found = {event.id or 0: Parts([], [], []) for event in events}
    kinds = select(TicketType).where(col(TicketType.event_id).in_(found))
    for kind in (await db.exec(kinds.order_by(col(TicketType.position), col(TicketType.id)))).all():
        found[kind.event_id].types.append(kind)
    asked = select(Question).where(col(Question.event_id).in_(found), col(Question.ended_at).is_(None))
    for question in (await db.exec(asked.order_by(col(Question.position), col(Question.id)))).all():
        found[question.event_id].questions.append(question)
    for quota in (await db.exec(select(Quota).where(col(Quota.event_id).in_(found)).order_by(col(Quota.id)))).all():
        found[quota.event_id].quotas.append(quota)
    return found


async def others_ahead(db: AsyncSession, event: Event, *, now: datetime) -> Sequence[Event]:
    """The other dates of the event's series that are ahead and not called off, the soonest first."""
    found = await of_series(db, event.series_id, "draft", "submitted", "approved", "published")
    return [date for date in found if date.id != event.id and date.starts_at > now and not date.is_rejected]


async def starts_of(db: AsyncSession, event: Event) -> set[datetime]:
    """When the dates of the event's series begin, its own included."""
    return {event.starts_at, *(date.starts_at for date in await of_series(db, event.series_id))}


async def may_still_change(db: AsyncSession, event: Event, user_id: int) -> bool:
    """Whether somebody may still do to the event what they have started a job for: its manager, or an admin."""
    user = await accounts.by_id(db, user_id)
    if not user or user.disabled_at:
        return False
    return user.role == "admin" or (user.role == "manager" and event.manager_id == user_id)
