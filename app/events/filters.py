"""What the upcoming events can be filtered by."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Float, String, exists, func, literal, union_all
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import formats
from app.core.money import exponent
from app.core.prepared import prepared
from app.core.settings import settings
from app.events import queries
from app.events.conditions import NOW, in_order, upcoming
from app.events.models import Category, Event, Venue

# So many events say which currencies and zones are usual.
SAMPLE = 240
UTC_MOMENT: Any = Event.__table__.c.starts_at.type  # type: ignore[attr-defined]


class Kind(NamedTuple):
    """A category, as lists name it."""

    id: int
    slug: str
    name: str
    position: int


@dataclass(frozen=True)
class Facets:
    """What can be filtered by among the upcoming events. `zone` is where most take place, `since` when the first begins."""

    categories: Sequence[Kind]
    cities: Sequence[str]
    currencies: Sequence[str]
    zone: str
    since: datetime | None = None
    # Where cities lie that can be looked around in: (latitude, longitude), the middle of their venues.
    centres: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def written(self, amount: str) -> str:
        """So many of the one currency there is, or the bare number while there are several."""
        if len(self.currencies) != 1:
            return amount
        return formats.money(int(amount) * 10 ** exponent(self.currencies[0]), self.currencies[0], short=True)

    @property
    def twenty_minor(self) -> int | None:
        """Twenty in the one currency there is; None while there are several."""
        return 20 * 10 ** exponent(self.currencies[0]) if len(self.currencies) == 1 else None


NOTHING_KNOWN = Facets((), (), (), "Europe/Rome")


async def facets(db: AsyncSession, now: datetime) -> Facets:
    """Categories, cities, currencies, the usual zone and the earliest start, in one query that does not count events.

    Currencies and zone are those of the soonest SAMPLE events: how a filter is called is not worth a look at all.
    """
    found: dict[str, list[Any]] = {"category": [], "city": [], "usual": [], "first": []}
    for row in await queries.rows_of(db, _question(), {"now": now}):
        found[row.what].append(row)
    zones: Counter[str] = Counter()
    for row in found["usual"]:
        zones[row.other] += row.number
    cities = sorted((row for row in found["city"] if row.word), key=lambda row: row.word)
    kinds = [Kind(row.number, row.word, row.other, row.position) for row in found["category"]]
    return Facets(
        categories=sorted(kinds, key=lambda kind: (kind.position, kind.name)),
        cities=[row.word for row in cities],
        currencies=sorted({row.word for row in found["usual"]}),
        zone=zones.most_common(1)[0][0] if zones else settings().default_zone,
        since=found["first"][0].at if found["first"] else None,
        centres={row.word: (row.north, row.east) for row in cities if row.north is not None and row.east is not None},
    )


@prepared
def _question() -> Any:
    here = exists().where(col(Event.venue_id) == Venue.id, *upcoming(NOW))
    soon = queries.columns(Event.currency, Event.zone).where(*in_order(NOW)).order_by(Event.starts_at).limit(SAMPLE).subquery()
    middle = {"north": func.avg(Venue.latitude), "east": func.avg(Venue.longitude)}
    parts = (
        _part("category", word=Category.slug, other=Category.name, number=Category.id, position=Category.position),
        _part("city", word=Venue.city, **middle).where(here).group_by(Venue.city),
        _part("usual", word=soon.c.currency, other=soon.c.zone, number=func.count()).group_by(soon.c.currency, soon.c.zone),
        _part("first", at=func.min(Event.starts_at)).where(*upcoming(NOW)),
    )
    return union_all(*parts)


def _part(what: str, **given: Any) -> Any:
    """One part of the question; what it does not give is empty."""
    empty = {"word": literal("", String), "other": literal("", String), "number": literal(0), "position": literal(0)}
    nothing = {name: literal(None, type_=kind) for name, kind in (("at", UTC_MOMENT), ("north", Float), ("east", Float))}
    columns: dict[str, Any] = {"what": literal(what, String), **empty, **nothing, **given}
    return queries.columns(*(part.label(name) for name, part in columns.items()))
