"""Which events a list for everybody shows: one page of those that match what a visitor looks for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import and_, case, exists, false, func, or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core.money import CURRENCIES, exponent
from app.events.conditions import earliest, in_order, only
from app.events.filters import NOTHING_KNOWN, Facets
from app.events.models import Category, Event, TicketType, Venue
from app.events.queries import NOBODY, EventCard, Watcher, cards_of, columns
from app.events.rules import searching
from app.events.search import with_words

PER_PAGE = 12
# So many are counted: beyond that nobody turns pages, and counting further would cost more than the list itself.
MOST_COUNTED = 20 * PER_PAGE

_BY_START: tuple[Any, ...] = (Event.starts_at, Event.id)


@dataclass(frozen=True)
class Results:
    """One page of cards. `total` is how many events there are on all pages, as far as they are counted."""

    cards: Sequence[EventCard]
    total: int
    page: int
    is_cut: bool = False

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // PER_PAGE))

    @property
    def more(self) -> int:
        """How many the next page adds."""
        return max(0, min(PER_PAGE, self.total - self.page * PER_PAGE))

    @property
    def first(self) -> int:
        return (self.page - 1) * PER_PAGE + 1

    @property
    def last(self) -> int:
        return self.first + len(self.cards) - 1


async def search(
    db: AsyncSession, wanted: searching.Search, *, now: datetime, facets: Facets = NOTHING_KNOWN, watcher: Watcher = NOBODY
) -> Results:
    """One page of the events that match; beyond the last page the first. Two queries.

    The soonest first; those that are over the latest first; near a city the nearest first.
    """
    found = columns(Event.id).where(*matching(wanted, zone=facets.zone, now=now))
    order, also = _BY_START, tuple[Any, ...]()
    if wanted.when == "past":
        order = (col(Event.starts_at).desc(), col(Event.id).desc())
        found = found.where(*_over(now))
    else:
        found = found.where(*in_order(now, since=facets.since))
    centre = facets.centres.get(wanted.near) if wanted.near else None
    if wanted.near:
        found = found.join(Venue, col(Venue.id) == Event.venue_id).where(*(_around(centre) if centre else [false()]))
        order, also = (_distance(centre or (0, 0)), *order), (Venue.latitude, Venue.longitude)
    some = found.order_by(*order).limit(MOST_COUNTED + 1).cte("some")
    for present in sorted({min(wanted.page, MOST_COUNTED // PER_PAGE), 1}, reverse=True):
        ids = col(Event.id).in_(columns(some.c.id).limit(PER_PAGE).offset((present - 1) * PER_PAGE))
        total = columns(func.count()).select_from(some).scalar_subquery()
        cards, rows = await cards_of(db, ids, also=(*also, total), order=order, watcher=watcher, now=now)
        if cards:
            break
    if centre:
        cards = [replace(card, km=searching.km(centre, row[-3:-1])) for card, row in zip(cards, rows, strict=True)]
    counted = rows[0][-1] if rows else 0
    return Results(cards, min(counted, MOST_COUNTED), present, is_cut=counted > MOST_COUNTED)


@dataclass(frozen=True)
class About:
    """The events of a topic: a page of those ahead, and with the first page some that are over, the last one first."""

    ahead: Results
    past: Sequence[EventCard]


async def about(db: AsyncSession, where: Any, *, page: int, now: datetime, watcher: Watcher = NOBODY) -> About:
    """What a topic has to show. Two queries; beyond the last page the first is shown."""
    coming = columns(Event.id).where(where, *in_order(now, since=earliest(now))).order_by(Event.starts_at, Event.id)
    some = coming.limit(MOST_COUNTED + 1).cte("some")
    ended = columns(Event.id).where(where, *_over(now)).order_by(col(Event.starts_at).desc()).limit(PER_PAGE).subquery()
    total = columns(func.count()).select_from(some).scalar_subquery()
    over = case((col(Event.ends_at) <= now, 1), else_=0)
    number = min(page, MOST_COUNTED // PER_PAGE)
    for present in sorted({number, 1}, reverse=True):
        ids = columns(some.c.id).limit(PER_PAGE).offset((present - 1) * PER_PAGE).subquery()
        shown = col(Event.id).in_(columns(ids.c.id).union_all(columns(ended.c.id)))
        cards, rows = await cards_of(db, shown, also=(total, over), watcher=watcher, now=now)
        ahead = [card for card, row in zip(cards, rows, strict=True) if not row[-1]]
        if ahead:
            break
    past = [card for card, row in zip(cards, rows, strict=True) if row[-1]][::-1]
    counted = rows[0][-2] if rows else 0
    results = Results(ahead, min(counted, MOST_COUNTED), present, is_cut=counted > MOST_COUNTED)
    return About(results, past if present == 1 else [])


def matching(wanted: searching.Search, *, zone: str, now: datetime) -> Iterable[Any]:
    """Conditions for the filters that are set, about the event alone. `near` is none of them: it orders as well."""
    if wanted.q:
        yield only(Event.id).in_(with_words(wanted.words)) if wanted.words else false()
    if wanted.category:
        yield only(Event.category_id).in_(select(Category.id).where(Category.slug == wanted.category))
    if wanted.city:
        yield only(Event.venue_id).in_(select(Venue.id).where(Venue.city == wanted.city))
    if wanted.price == "free":
        yield only(Event.id).in_(select(TicketType.event_id).where(TicketType.price_minor == 0))
    elif wanted.price == "under20":
        yield or_(*(_costs(currency, TicketType.price_minor < 20 * 10 ** exponent(currency)) for currency in CURRENCIES))
    elif wanted.price:
        most = int(wanted.price)
        yield or_(*(_costs(currency, TicketType.price_minor <= most * 10 ** exponent(currency)) for currency in CURRENCIES))
    if wanted.places:
        yield exists().where(col(TicketType.event_id) == Event.id, *_has_places(now))
        yield col(Event.postponed_at).is_(None)
    start, end = searching.span(wanted, zone=zone, now=now)
    if start:
        yield Event.starts_at >= start
    if end:
        yield Event.starts_at < end


def _costs(currency: str, price: Any) -> Any:
    """The event has this currency and a ticket type with such a price."""
    return and_(col(Event.currency) == currency, col(Event.id).in_(select(TicketType.event_id).where(price)))


def _has_places(now: datetime) -> Iterable[Any]:
    """A ticket type is on sale and has places that are free for everybody, as TicketType.left_now says."""
    free = col(TicketType.capacity) - TicketType.held - TicketType.sold - TicketType.aside - TicketType.waiting
    yield free > 0
    yield or_(TicketType.quota_left.is_(None), TicketType.quota_left > 0)
    taken = col(TicketType.presale_places) - TicketType.presale_taken
    in_general = and_(col(TicketType.sale_from) <= now, col(TicketType.sale_to) > now)
    in_presale = and_(col(TicketType.presale_from) <= now, col(TicketType.sale_from) > now)
    yield or_(in_general, and_(in_presale, or_(col(TicketType.presale_places).is_(None), taken > 0)))


def _over(now: datetime) -> Iterable[Any]:
    """The event is over, and everybody may see it."""
    yield from (only(Event.state).in_(("published", "called_off")), col(Event.published_at).is_not(None))
    yield from (Event.starts_at < now, only(Event.ends_at) <= now, col(Event.postponed_at).is_(None))


def _around(centre: tuple[float, float]) -> Iterable[Any]:
    """The venue lies in a box of FAR kilometres to each side."""
    (south, north), (west, east) = searching.box(centre)
    yield col(Venue.latitude).between(south, north)
    yield col(Venue.longitude).between(west, east)


def _distance(centre: tuple[float, float]) -> Any:
    """The square of the distance, as on a flat map: in a box of this size the order is the same as on the globe."""
    north, east = col(Venue.latitude) - centre[0], (col(Venue.longitude) - centre[1]) * searching.narrowing(centre)
    return north * north + east * east
