"""A month of events as a calendar on the wall shows it."""

from calendar import Calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import formats
from app.events.listing import matching, values_of
from app.events.models import Event
from app.events.queries import columns, rows_of, told
from app.events.rules import searching

# A day shows so many, and says how many more there are.
SHOWN = 3
# So many are read of one month; a day beyond that says less than there is.
MOST = 3_000
# Nobody turns further, and a crawler shall not turn for ever.
MONTHS_AROUND = 24
# No zone is further from another than this.
ELSEWHERE = timedelta(hours=15)


@dataclass(frozen=True)
class Day:
    """A day, and the events that begin on it where they take place; the first few are shown."""

    date: date
    events: Sequence[Any]

    @property
    def shown(self) -> Sequence[Any]:
        return self.events[:SHOWN]

    @property
    def more(self) -> int:
        return max(0, len(self.events) - SHOWN)


@dataclass(frozen=True)
class Month:
    """Weeks of seven, with None for the days of other months; `before` and `after` are months such as "2026-11", or empty."""

    first: date
    weeks: Sequence[Sequence[Day | None]]
    before: str
    after: str

    @property
    def total(self) -> int:
        return sum(len(day.events) for week in self.weeks for day in week if day)


async def month(db: AsyncSession, wanted: searching.Search, *, zone: str, now: datetime) -> Month:
    """The month that is wanted, or the present one, with the events that the other filters leave. One query."""
    today = now.astimezone(ZoneInfo(zone)).date()
    first = date.fromisoformat(f"{wanted.month}-01") if wanted.month else today.replace(day=1)
    last = _moved(first, 1) - timedelta(days=1)
    start, end = searching.between(first, last, zone=zone)
    found = columns(Event.slug, Event.title, Event.starts_at, Event.zone, *told()).where(Event.state == "published")
    values = values_of(wanted, zone=zone, now=now)
    found = found.where(col(Event.postponed_at).is_(None), *matching(values))
    if start and end:
        found = found.where(Event.starts_at >= start - ELSEWHERE, Event.starts_at < end + ELSEWHERE)
    days: dict[date, list[Any]] = {}
    for event in await rows_of(db, found.order_by(Event.starts_at, Event.id).limit(MOST), values | {"now": now}):
        days.setdefault(event.starts_at.astimezone(ZoneInfo(event.zone)).date(), []).append(event)
    return Month(first, _weeks(first, days), _turned(first, -1, today), _turned(first, 1, today))


def _weeks(first: date, days: dict[date, list[Any]]) -> list[list[Day | None]]:
    weeks = Calendar(formats.first_weekday()).monthdatescalendar(first.year, first.month)
    return [[Day(day, days.get(day, [])) if day.month == first.month else None for day in week] for week in weeks]


def _moved(first: date, months: int) -> date:
    number = first.year * 12 + first.month - 1 + months
    return date(number // 12, number % 12 + 1, 1)


def _turned(first: date, months: int, today: date) -> str:
    to = _moved(first, months)
    is_near = abs((to.year - today.year) * 12 + to.month - today.month) <= MONTHS_AROUND
    return f"{to:%Y-%m}" if is_near else ""
