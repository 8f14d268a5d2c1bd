"""What the upcoming events can be filtered by."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import String, exists, func, literal, union_all
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core.money import exponent
from app.core.settings import settings
from app.events import queries
from app.events.conditions import upcoming
from app.events.models import Category, Event, Venue

# So many events say which currencies and zones are usual.
SAMPLE = 240
UTC_MOMENT: Any = Event.__table__.c.starts_at.type  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Facets:
    """What can be filtered by among the upcoming events. `zone` is where most take place, `since` when the first begins."""

    categories: Sequence[Category]
    cities: Sequence[str]
    currencies: Sequence[str]
    zone: str
    since: datetime | None = None

    @property
    def twenty_minor(self) -> int | None:
        """Twenty in the one currency there is; None while there are several."""
        return 20 * 10 ** exponent(self.currencies[0]) if len(self.currencies) == 1 else None


async def facets(db: AsyncSession, now: datetime) -> Facets:
    """Categories, cities, currencies, the usual zone and the earliest start, in one query that does not count events.

    Currencies and zone are those of the soonest SAMPLE events: how a filter is called is not worth a look at all.
    """
    blank, zero, never = literal("", String), literal(0), literal(None, type_=UTC_MOMENT)
    kinds = queries.columns(literal("category", String), Category.slug, Category.name, Category.id, Category.position, never)
    here = exists().where(col(Event.venue_id) == Venue.id, *upcoming(now))
    cities = queries.columns(literal("city", String), Venue.city, blank, zero, zero, never).where(here).distinct()
    soon = queries.columns(Event.currency, Event.zone).where(*upcoming(now)).order_by(Event.starts_at).limit(SAMPLE).subquery()
    usual = queries.columns(literal("usual", String), soon.c.currency, soon.c.zone, func.count(), zero, never)
    first = queries.columns(literal("first", String), blank, blank, zero, zero, func.min(Event.starts_at)).where(*upcoming(now))
    whole = union_all(kinds, cities, usual.group_by(soon.c.currency, soon.c.zone), first)
    rows = await queries.rows_of(db, whole)
    zones: Counter[str] = Counter()
    for what, _currency, zone, count, *_rest in rows:
        zones[zone] += count if what == "usual" else 0
    found = [
        Category(id=key, slug=slug, name=name, position=order) for what, slug, name, key, order, _at in rows if what == "category"
    ]
    return Facets(
        categories=sorted(found, key=lambda kind: (kind.position, kind.name)),
        cities=sorted(city for what, city, *_rest in rows if what == "city" and city),
        currencies=sorted({currency for what, currency, *_rest in rows if what == "usual"}),
        zone=zones.most_common(1)[0][0] if +zones else settings().default_zone,
        since=next((at for what, *_rest, at in rows if what == "first"), None),
    )
