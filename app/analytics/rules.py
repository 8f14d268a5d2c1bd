"""How sales become a line: pure functions over days and numbers. No I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from app.events.models import TicketType

# A longer time is told week by week.
MOST_DAYS = 35
# The inside of the drawing, stretched to the width of the page; everything that must not be stretched stands in per cent.
WIDTH, HEIGHT = 720, 300
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Step:
    """What was sold in a day or a week, and what had been sold by its end. `first` is its first day."""

    first: date
    days: int
    sold: int
    total: int


@dataclass(frozen=True)
class Mark:
    """A point on the line that has a name; `x` and `y` in per cent from the upper left corner."""

    x: float
    y: float
    what: str
    day: date
    total: int


@dataclass(frozen=True)
class Chart:
    """A line from nothing sold to what is sold now. `top` is the number at its upper edge, `capacity` the dashed line.

    `line` and `area` are paths in a box of WIDTH by HEIGHT. `levels` and `dates` stand beside it: (per cent, what).
    """

    steps: Sequence[Step]
    line: str
    area: str
    top: int
    capacity: int
    capacity_y: float
    levels: Sequence[tuple[float, int]]
    dates: Sequence[tuple[float, date]]
    marks: Sequence[Mark]

    @property
    def is_weekly(self) -> bool:
        return any(step.days > 1 for step in self.steps)

    @property
    def sold(self) -> int:
        return self.steps[-1].total

    @property
    def first(self) -> date:
        return self.steps[0].first

    @property
    def last(self) -> date:
        return self.steps[-1].first + (self.steps[-1].days - 1) * DAY


@dataclass(frozen=True)
class Stock:
    """Places of an event over all its types; those of one quota together have no more than it has."""

    capacity: int
    held: int
    sold: int
    aside: int

    @property
    def left(self) -> int:
        return self.capacity - self.held - self.sold - self.aside


def stock(types: Sequence[TicketType]) -> Stock:
    """The places of all these types of one event."""
    capacity = sum(kind.capacity for kind in types if kind.quota_id is None)
    for quota_id in {kind.quota_id for kind in types if kind.quota_id is not None}:
        its = [kind for kind in types if kind.quota_id == quota_id]
        quota = sum(kind.held + kind.sold + kind.aside for kind in its) + its[0].quota_left
        capacity += min(quota, sum(kind.capacity for kind in its))
    taken = {name: sum(getattr(kind, name) for kind in types) for name in ("held", "sold", "aside")}
    return Stock(capacity, **taken)


def offsets(zone: str, first: datetime, last: datetime) -> list[tuple[datetime, int]]:
    """How many seconds a zone is ahead of UTC: (until when, seconds) in order, the last one with `last` or later.

    A database that knows no zones can then say on which day something was. Changes are found to the hour, when they happen.
    """
    local, spans = ZoneInfo(zone), list[tuple[datetime, int]]()
    moment = first.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    while moment <= last:
        nearly = moment + DAY
        if _ahead(nearly, local) != _ahead(moment, local):
            changed = next(
                hour for n in range(1, 25) if _ahead(hour := moment + timedelta(hours=n), local) != _ahead(moment, local)
            )
            spans.append((changed, _ahead(moment, local)))
        moment = nearly
    return [*spans, (moment, _ahead(moment, local))]


def _ahead(moment: datetime, zone: ZoneInfo) -> int:
    offset = moment.astimezone(zone).utcoffset()
    return int(offset.total_seconds()) if offset else 0


def chart(sold: Mapping[date, int], *, first: date, last: date, capacity: int, phases: Sequence[tuple[date, str]] = ()) -> Chart:
    """The line from the first day to the last one, or from the first sale to the last where these lie outside.

    `phases` are days with a name, such as the opening of a sale; those outside are left out.
    """
    first, last = min([first, *sold]), max([first, last, *sold])
    steps = _steps(sold, first, last)
    days, top = sum(step.days for step in steps), max(capacity, steps[-1].total, 1)
    points, reached = [(0.0, float(HEIGHT))], 0
    for step in steps:
        reached += step.days
        points.append((WIDTH * reached / days, HEIGHT * (1 - step.total / top)))
    line = "M" + " ".join(f"{x:.0f} {y:.0f}" for x, y in points)
    named = [_mark(day, what, steps[0].first, days, points, sold) for day, what in phases if first <= day <= last]
    level_ys = (0, 25, 50, 75, 100) if top >= 4 else (0, 100)
    middle = steps[0].first + (days // 2) * DAY
    return Chart(
        steps=steps,
        line=line,
        area=f"{line}V{HEIGHT}H0Z",
        top=top,
        capacity=capacity,
        capacity_y=HEIGHT * (1 - capacity / top),
        levels=[(y, round(top * (100 - y) / 100)) for y in level_ys],
        dates=[(0, steps[0].first), *([(50, middle)] if days > 2 else []), (100, last)],
        marks=named,
    )


def _steps(sold: Mapping[date, int], first: date, last: date) -> list[Step]:
    """Days, or weeks from Monday to Sunday when there would be too many."""
    size, start = 1, first
    if (last - first).days >= MOST_DAYS:
        size, start = 7, first - first.weekday() * DAY
    steps, total, day = list[Step](), 0, start
    while day <= last:
        days = min(size, (last - day).days + 1)
        count = sum(sold.get(day + n * DAY, 0) for n in range(days))
        total += count
        steps.append(Step(day, days, count, total))
        day += days * DAY
    return steps


def _mark(day: date, what: str, start: date, days: int, points: Sequence[tuple[float, float]], sold: Mapping[date, int]) -> Mark:
    """Where a day lies on the line: at its beginning, between the points around it."""
    x = WIDTH * (day - start).days / days
    (left, from_y), (right, to_y) = next((a, b) for a, b in pairwise(points) if a[0] <= x <= b[0] + 0.001)
    y = from_y + (to_y - from_y) * (x - left) / (right - left)
    total = sum(count for other, count in sold.items() if other < day)
    return Mark(100 * x / WIDTH, 100 * y / HEIGHT, what, day, total)
