"""What an admin asks about categories and venues: how many events stand in each, and what a merge would move."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import col, func, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.events.models import Event, Favourite, Venue

PER_PAGE = 50


@dataclass(frozen=True)
class Used:
    """What hangs on a category or a venue; the events are the soonest few, the numbers are whole."""

    events: Sequence[Event]
    event_count: int
    favourite_count: int = 0


async def events_by_category(db: AsyncSession) -> dict[int, int]:
    """How many events each category has, drafts and past ones too; those without any are left out."""
    return dict((await db.exec(select(Event.category_id, func.count()).group_by(col(Event.category_id)))).all())


async def used_category(db: AsyncSession, category_id: int) -> Used:
    hearts = select(func.count()).select_from(Favourite).where(Favourite.category_id == category_id)
    return await _used(db, Event.category_id == category_id, favourites=(await db.exec(hearts)).one())


async def used_venue(db: AsyncSession, venue_id: int) -> Used:
    return await _used(db, Event.venue_id == venue_id, favourites=0)


async def venues(db: AsyncSession, search: str, *, page: int) -> tuple[list[tuple[Venue, int]], int]:
    """One page of venues by name, each with how many events it has, and how many pages there are."""
    wanted = _named(search)
    count = (await db.exec(select(func.count()).select_from(Venue).where(wanted))).one()
    events = select(func.count()).where(Event.venue_id == Venue.id).correlate(Venue).scalar_subquery()
    rows = select(Venue, events).where(wanted).order_by(func.lower(Venue.name), col(Venue.id))
    found = (await db.exec(rows.limit(PER_PAGE).offset((page - 1) * PER_PAGE))).all()
    return [(venue, number) for venue, number in found], max(1, -(-count // PER_PAGE))


async def other_venue(db: AsyncSession, venue: Venue, number: int) -> Venue | None:
    """The venue of this number, if it is another one."""
    return (await db.exec(select(Venue).where(Venue.id == number, Venue.id != venue.id))).first()


async def other_venues(db: AsyncSession, venue: Venue) -> Sequence[Venue]:
    """Into which a venue can be merged without a second thought: all of its city, by name."""
    same = select(Venue).where(Venue.city == venue.city, Venue.id != venue.id)
    return (await db.exec(same.order_by(func.lower(Venue.name), col(Venue.id)).limit(500))).all()


async def venues_elsewhere(db: AsyncSession, venue: Venue, search: str) -> Sequence[Venue]:
    """Venues of other cities whose name, city or address has this word in it: the first fifty by city and name."""
    other = select(Venue).where(Venue.city != venue.city, _named(search))
    return (await db.exec(other.order_by(func.lower(Venue.city), func.lower(Venue.name), col(Venue.id)).limit(PER_PAGE))).all()


def _named(search: str) -> Any:
    word = search.lower()
    return or_(
        func.lower(Venue.name).contains(word, autoescape=True),
        func.lower(Venue.city).contains(word, autoescape=True),
        func.lower(Venue.address).contains(word, autoescape=True),
    )


async def _used(db: AsyncSession, condition: object, *, favourites: int) -> Used:
    events = select(Event).where(condition).order_by(col(Event.starts_at).desc()).limit(20)  # type: ignore[arg-type]
    count = select(func.count()).select_from(Event).where(condition)  # type: ignore[arg-type]
    return Used((await db.exec(events)).all(), (await db.exec(count)).one(), favourites)
