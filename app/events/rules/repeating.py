"""Pure rules about the dates of a series: on which days an event takes place again, and what is odd about them."""

import calendar
import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

from app.core.errors import Refused
from app.core.formats import clock_time
from app.core.i18n import gettext as _
from app.events.models import Event, Question, Quota, TicketType
from app.events.rules import copying
from app.events.rules.snapshots import EVENT_FIELDS, TYPE_FIELDS

# So many dates are made in one go at most, and so many of them in one transaction; more are a job.
MOST_DATES = 60
AT_ONCE = 12

STEPS = {"day": timedelta(days=1), "week": timedelta(days=7), "two_weeks": timedelta(days=14)}
EVERY = (*STEPS, "month", "dates")
_LATEST = date(2100, 12, 31)
_OF_TYPE = [name for name in TYPE_FIELDS if name not in copying.MOVED_OF_TYPE]


@dataclass(frozen=True)
class Parts:
    """What belongs to a date besides its own columns, in the order of the form."""

    types: list[TicketType]
    questions: list[Question]
    quotas: list[Quota]

    def shared(self) -> list[tuple[str, int, list[str]]]:
        """The quotas, each with the names of the types in it."""
        names = {quota.id: [kind.name for kind in self.types if kind.quota_id == quota.id] for quota in self.quotas}
        return [(quota.name, quota.capacity, names[quota.id]) for quota in self.quotas]


@dataclass(frozen=True)
class Date:
    """A day on which the event takes place again. `oddity` is about clocks (copying.Placed); `is_there`: the series has it."""

    day: date
    starts_at: datetime
    oddity: str
    is_there: bool

    def said(self, zone: str) -> str:
        """What is odd about it, in a sentence; empty when nothing is."""
        if self.is_there:
            return _("The series has this date already, so it is left out.")
        at = {"time": clock_time(self.starts_at, zone)}
        if self.oddity == "skipped":
            return _("Clocks skip this hour on that day, so it starts at %(time)s.") % at
        if self.oddity == "twice":
            return _("Clocks show %(time)s twice on that day; it starts the first time.") % at
        return ""


def day_of(event: Event) -> date:
    """The day on which the event begins, where it takes place."""
    return in_zone(event.starts_at, event.zone).date()


def may_repeat(event: Event) -> str:
    """Why the event cannot be repeated now; empty when it can."""
    if event.state == "submitted":
        return _("An admin looks at this event. Take it back first, or wait until it is decided.")
    return "" if event.is_editable else _("This event is closed. Copy it to a new draft instead.")


def days(every: str, first: date, *, after: date, times: int | None, until: date | None) -> list[date]:
    """The days of a rule that come after `after`: so many of them, or all until a last one. `first` is the event's own day.

    Raises Refused for more than a series may get in one go.
    """
    last = until or _LATEST
    found: list[date] = []
    for day in takewhile(lambda day: day <= last, _following(every, first)):
        if day <= after:
            continue
        if times and len(found) >= times:
            break
        if len(found) >= MOST_DATES:
            raise Refused(too_many())
        found.append(day)
    return found


def typed(text: str, *, after: date) -> list[date]:
    """Days that were typed, one on each line, the soonest first. Raises Refused with the first line that is none."""
    found = set()
    for line in filter(None, (line.strip() for line in text.splitlines())):
        try:
            day = datetime.combine(date.fromisoformat(line), time()).date()
        except ValueError:
            raise Refused(_("“%(line)s” is no date such as 2026-12-24.") % {"line": line[:40]}) from None
        if not after < day <= _LATEST:
            raise Refused(_("%(line)s is not ahead. Leave out days that are over.") % {"line": line})
        found.add(day)
    if len(found) > MOST_DATES:
        raise Refused(too_many())
    return sorted(found)


def planned(event: Event, wanted: Sequence[date], there: Collection[datetime]) -> list[Date]:
    """The dates as they will be: at the event's time on the wall. `there` are the starts that the series has."""
    dates = []
    for day in wanted:
        found = copying.on_the_wall(event.starts_at, days=(day - day_of(event)).days, zone=event.zone)
        dates.append(Date(day, found.moment, found.oddity, found.moment in there))
    return dates


def other(event: Event, first: Event, parts: Mapping[int, Parts]) -> list[str]:
    """Names of what is another at one date than at the first: fields of the form but the day, ticket types, quotas, questions."""
    columns = {name: {"category": "category_id", "venue": "venue_id"}.get(name, name) for name in EVENT_FIELDS}
    found = [
        str(EVENT_FIELDS[name].label)
        for name, column in columns.items()
        if name not in copying.MOVED and getattr(event, column) != getattr(first, column)
    ]
    if in_zone(event.starts_at, event.zone).time() != in_zone(first.starts_at, first.zone).time():
        found.append(str(EVENT_FIELDS["starts_at"].label))
    mine, theirs = parts[event.id or 0], parts[first.id or 0]
    if _as_copied(mine.types, _OF_TYPE) != _as_copied(theirs.types, _OF_TYPE):
        found.append(_("Ticket types"))
    if mine.shared() != theirs.shared():
        found.append(_("Quotas"))
    if _as_copied(mine.questions, copying.COPIED_OF_QUESTION) != _as_copied(theirs.questions, copying.COPIED_OF_QUESTION):
        found.append(_("Questions"))
    return found


def mark(values: object) -> str:
    """What a page carries of what it has shown, to be compared with what is there when its button is pressed."""
    return hashlib.sha256(repr(values).encode()).hexdigest()[:16]


def too_many() -> str:
    return _("A series gets %(number)s dates in one go at most. Make the others afterwards.") % {"number": MOST_DATES}


def in_zone(moment: datetime, zone: str) -> datetime:
    return moment.astimezone(ZoneInfo(zone))


def _as_copied(rows: Sequence[object], names: Sequence[str]) -> list[dict[str, object]]:
    return [copying.copied(row, names) for row in rows]


def _following(every: str, first: date) -> Iterator[date]:
    """The days of the rule after the first. Months without its day are left out."""
    if every in STEPS:
        day = first
        while day < _LATEST:
            day += STEPS[every]
            yield day
    year, month = first.year, first.month
    while year <= _LATEST.year:
        year, month = year + month // 12, month % 12 + 1
        if first.day <= calendar.monthrange(year, month)[1]:
            yield date(year, month, first.day)
