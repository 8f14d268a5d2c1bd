"""Which events a list for everybody shows: one page of those that match what a visitor looks for."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Float, and_, bindparam, case, exists, false, func, or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core.money import CURRENCIES, exponent
from app.core.prepared import prepared
from app.events.conditions import NOW, earliest, in_order, only
from app.events.filters import NOTHING_KNOWN, Facets
from app.events.models import Category, Event, TicketType, Venue
from app.events.queries import NOBODY, EventCard, Watcher, cards, cards_of, columns
from app.events.rules import searching
from app.events.search import query_of, with_words

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
    values = values_of(wanted, zone=facets.zone, now=now)
    centre = facets.centres.get(wanted.near) if wanted.near else None
    if centre:
        values |= _values_around(centre)
    elif wanted.near:
        values["nothing"] = True
    if wanted.when != "past" and facets.since:
        values["since"] = facets.since
    question = _page(frozenset(values), is_user=watcher.is_user)
    for present in sorted({min(wanted.page, MOST_COUNTED // PER_PAGE), 1}, reverse=True):
        values |= {"now": now, "skipped": (present - 1) * PER_PAGE}
        found, rows = await cards_of(db, question, values, watcher=watcher, now=now)
        if found:
            break
    if centre:
        found = [card._replace(km=searching.km(centre, row[-3:-1])) for card, row in zip(found, rows, strict=True)]
    counted = rows[0][-1] if rows else 0
    return Results(found, min(counted, MOST_COUNTED), present, is_cut=counted > MOST_COUNTED)


@prepared
def _page(asked: frozenset[str], *, is_user: bool) -> Any:
    """The cards of a page, the first of all left out that are `skipped`, each with how many there are on all pages."""
    order, also = _BY_START, tuple[Any, ...]()
    found = columns(Event.id).where(*matching(asked))
    if "past" in asked:
        order = (col(Event.starts_at).desc(), col(Event.id).desc())
        found = found.where(*_over(NOW))
    else:
        found = found.where(*in_order(NOW, since=bindparam("since") if "since" in asked else None))
    if "north" in asked:
        found = found.join(Venue, col(Venue.id) == Event.venue_id).where(*_around())
        order, also = (_distance(), *order), (Venue.latitude, Venue.longitude)
    some = found.order_by(*order).limit(MOST_COUNTED + 1).cte("some")
    ids = col(Event.id).in_(columns(some.c.id).limit(PER_PAGE).offset(bindparam("skipped")))
    total = columns(func.count()).select_from(some).scalar_subquery()
    return cards(ids, is_user=is_user, order=order).add_columns(*also, total)


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
        question = cards(shown, is_user=watcher.is_user).add_columns(total, over)
        found, rows = await cards_of(db, question, {}, watcher=watcher, now=now)
        ahead = [card for card, row in zip(found, rows, strict=True) if not row[-1]]
        if ahead:
            break
    past = [card for card, row in zip(found, rows, strict=True) if row[-1]][::-1]
    counted = rows[0][-2] if rows else 0
    results = Results(ahead, min(counted, MOST_COUNTED), present, is_cut=counted > MOST_COUNTED)
    return About(results, past if present == 1 else [])


def values_of(wanted: searching.Search, *, zone: str, now: datetime) -> dict[str, Any]:
    """What is asked by the filters that are set, by name: matching() takes the names, and the question the values.

    `near` is none of them: it orders as well.
    """
    start, end = searching.span(wanted, zone=zone, now=now)
    flags = {
        "nothing": bool(wanted.q) and not wanted.words,
        "free": wanted.price == "free",
        "under20": wanted.price == "under20",
        "places": bool(wanted.places),
        "past": wanted.when == "past",
    }
    most = int(wanted.price) if wanted.price.isdecimal() else None
    texts = {"words": query_of(wanted.words), "category": wanted.category, "city": wanted.city}
    values = {**flags, **texts, "most": most, "start": start, "end": end}
    return {name: value for name, value in values.items() if value}


def matching(asked: Collection[str]) -> Iterable[Any]:
    """The conditions about the event alone."""
    if "nothing" in asked:
        yield false()
    if "words" in asked:
        yield only(Event.id).in_(with_words())
    if "category" in asked:
        yield only(Event.category_id).in_(select(Category.id).where(Category.slug == bindparam("category")))
    if "city" in asked:
        yield only(Event.venue_id).in_(select(Venue.id).where(Venue.city == bindparam("city")))
    if "free" in asked:
        yield only(Event.id).in_(select(TicketType.event_id).where(TicketType.price_minor == 0))
    if "under20" in asked:
        yield or_(*(_costs(currency, TicketType.price_minor < 20 * 10 ** exponent(currency)) for currency in CURRENCIES))
    if "most" in asked:
        most = bindparam("most", type_=BigInteger)
        yield or_(*(_costs(currency, TicketType.price_minor <= most * 10 ** exponent(currency)) for currency in CURRENCIES))
    if "places" in asked:
        yield exists().where(col(TicketType.event_id) == Event.id, *_has_places(NOW))
        yield col(Event.postponed_at).is_(None)
    if "start" in asked:
        yield Event.starts_at >= bindparam("start")
    if "end" in asked:
        yield Event.starts_at < bindparam("end")


def _costs(currency: str, price: Any) -> Any:
    """The event has this currency and a ticket type with such a price."""
    return and_(col(Event.currency) == currency, col(Event.id).in_(select(TicketType.event_id).where(price)))


def _has_places(now: Any) -> Iterable[Any]:
    """A ticket type is on sale and has places that are free for everybody, as TicketType.left_now says."""
    free = col(TicketType.capacity) - TicketType.held - TicketType.sold - TicketType.aside - TicketType.waiting
    yield free > 0
    yield or_(TicketType.quota_left.is_(None), TicketType.quota_left > 0)
    taken = col(TicketType.presale_places) - TicketType.presale_taken
    in_general = and_(col(TicketType.sale_from) <= now, col(TicketType.sale_to) > now)
    in_presale = and_(col(TicketType.presale_from) <= now, col(TicketType.sale_from) > now)
    yield or_(in_general, and_(in_presale, or_(col(TicketType.presale_places).is_(None), taken > 0)))


def _over(now: Any) -> Iterable[Any]:
    """The event is over, and everybody may see it."""
    yield from (only(Event.state).in_(("published", "called_off")), col(Event.published_at).is_not(None))
    yield from (Event.starts_at < now, only(Event.ends_at) <= now, col(Event.postponed_at).is_(None))


def _values_around(centre: tuple[float, float]) -> dict[str, float]:
    """A middle and its surroundings, as _around() and _distance() ask for them."""
    (south, north), (west, east) = searching.box(centre)
    around = {"south": south, "north": north, "west": west, "east": east}
    return {**around, "latitude": centre[0], "longitude": centre[1], "narrowing": searching.narrowing(centre)}


def _around() -> Iterable[Any]:
    """The venue lies in a box of FAR kilometres to each side."""
    yield col(Venue.latitude).between(bindparam("south"), bindparam("north"))
    yield col(Venue.longitude).between(bindparam("west"), bindparam("east"))


def _distance() -> Any:
    """The square of the distance, as on a flat map: in a box of this size the order is the same as on the globe."""
    north = col(Venue.latitude) - bindparam("latitude")
    east = (col(Venue.longitude) - bindparam("longitude")) * bindparam("narrowing", type_=Float)
    return north * north + east * east
