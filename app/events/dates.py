"""Questions about the dates of a series."""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts import queries as accounts
from app.events.models import Event, TicketType
from app.events.series import Series


async def by_slug(db: AsyncSession, slug: str) -> Series | None:
    return (await db.exec(select(Series).where(Series.slug == slug))).first()


async def series_of(db: AsyncSession, event: Event) -> Series | None:
    """The series that the event is a date of."""
    return await db.get(Series, event.series_id) if event.series_id else None


async def of_series(db: AsyncSession, series_id: int | None, *states: str) -> Sequence[Event]:
    """The dates of a series, the soonest first: in some states, or in all."""
    dates = select(Event).where(Event.series_id == series_id, *([col(Event.state).in_(states)] if states else []))
    return (await db.exec(dates.order_by(col(Event.starts_at), col(Event.id)))).all() if series_id else []


async def unsent(db: AsyncSession, event: Event) -> Sequence[Event]:
    """The drafts among the dates of the event's series that can be sent, itself included; none without a series."""
    return [date for date in await of_series(db, event.series_id, "draft") if not date.is_rejected]


async def types_of(db: AsyncSession, events: Sequence[Event]) -> dict[int, list[TicketType]]:
    """The ticket types of several dates by the ids of their events, in the order of the form."""
    found: dict[int, list[TicketType]] = {event.id or 0: [] for event in events}
    kinds = select(TicketType).where(col(TicketType.event_id).in_(found))
    for kind in (await db.exec(kinds.order_by(col(TicketType.position), col(TicketType.id)))).all():
        found[kind.event_id].append(kind)
    return found


async def starts_of(db: AsyncSession, event: Event) -> set[datetime]:
    """When the dates of the event's series begin, its own included."""
    return {event.starts_at, *(date.starts_at for date in await of_series(db, event.series_id))}


async def may_still_change(db: AsyncSession, event: Event, user_id: int) -> bool:
    """Whether somebody may still do to the event what they have started a job for: its manager, or an admin."""
    user = await accounts.by_id(db, user_id)
    if not user or user.disabled_at:
        return False
    return user.role == "admin" or (user.role == "manager" and event.manager_id == user_id)
