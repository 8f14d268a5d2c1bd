"""What the upcoming events can be filtered by."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import String, func, literal, union_all
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core.money import exponent
from app.core.settings import settings
from app.events import queries
from app.events.conditions import upcoming
from app.events.models import Category, Event, Venue


@dataclass(frozen=True)
class Facets:
    """What can be filtered by among the upcoming events. `zone` is where most of them take place."""

    categories: Sequence[Category]
    cities: Sequence[str]
    currencies: Sequence[str]
    zone: str

    @property
    def twenty_minor(self) -> int | None:
        """Twenty in the one currency there is; None while there are several."""
        return 20 * 10 ** exponent(self.currencies[0]) if len(self.currencies) == 1 else None


async def facets(db: AsyncSession, now: datetime) -> Facets:
    """Categories, cities, currencies and the usual zone, in one query."""
    of_categories = queries.columns(literal("category", String), Category.slug, Category.name, Category.id, Category.position)
    both = Event.currency + " " + Event.zone
    places = queries.columns(literal("place", String), func.coalesce(Venue.city, ""), both, literal(0), func.count()).select_from(
        Event
    )
    of_events = places.outerjoin(Venue, col(Venue.id) == Event.venue_id).where(*upcoming(now))
    rows = await queries.rows_of(db, union_all(of_categories, of_events.group_by(Venue.city, Event.currency, Event.zone)))
    kinds = [
        Category(id=key, slug=slug, name=name, position=order) for what, slug, name, key, order in rows if what == "category"
    ]
    found = [(city, *both.split(" ", 1), count) for what, city, both, _id, count in rows if what == "place"]
    zones: Counter[str] = Counter()
    for _city, _currency, zone, count in found:
        zones[zone] += count
    return Facets(
        categories=sorted(kinds, key=lambda kind: (kind.position, kind.name)),
        cities=sorted({city for city, *_rest in found if city}),
        currencies=sorted({currency for _city, currency, *_rest in found}),
        zone=zones.most_common(1)[0][0] if zones else settings().default_zone,
    )
