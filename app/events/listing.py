"""Which events a list for everybody shows: one page of those that match what a visitor looks for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import UnaryExpression, and_, false, func, or_
from sqlalchemy.sql.operators import custom_op
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core.db import database
from app.core.money import CURRENCIES, exponent
from app.events.models import Category, Event, TicketType, Venue
from app.events.queries import NOBODY, EventCard, Watcher, cards_of, columns
from app.events.rules import searching
from app.events.search import with_words

PER_PAGE = 12
# So many are counted: beyond that nobody turns pages, and counting further would cost more than the list itself.
MOST_COUNTED = 20 * PER_PAGE

DEFAULT_ZONE = "Europe/Rome"


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
    db: AsyncSession,
    wanted: searching.Search,
    *,
    now: datetime,
    zone: str = DEFAULT_ZONE,
    watcher: Watcher = NOBODY,
    since: datetime | None = None,
) -> Results:
    """One page of the upcoming events that match, the soonest first; beyond the last page the first. Two queries.

    `since` is when the earliest of those that are not over begins, if that is known: nothing before it is looked at.
    """
    ahead = [Event.state == "published", _only(Event.ends_at) > now, *([Event.starts_at >= since] if since else [])]
    conditions = [*ahead, *_matching(wanted, zone=zone, now=now)]
    some = columns(Event.id).where(*conditions).order_by(Event.starts_at, Event.id).limit(MOST_COUNTED + 1).cte("some")
    present = min(wanted.page, MOST_COUNTED // PER_PAGE)
    cards, counted = await _page(db, some, present, now=now, watcher=watcher)
    if not cards and present > 1:
        present = 1
        cards, counted = await _page(db, some, present, now=now, watcher=watcher)
    return Results(cards, min(counted, MOST_COUNTED), present, is_cut=counted > MOST_COUNTED)


async def _page(db: AsyncSession, some: Any, number: int, *, now: datetime, watcher: Watcher) -> tuple[list[EventCard], int]:
    """The cards of a page, and how many events there are; both come of one walk through the events in their order."""
    ids = columns(some.c.id).limit(PER_PAGE).offset((number - 1) * PER_PAGE)
    total = columns(func.count()).select_from(some).scalar_subquery()
    cards, rows = await cards_of(db, col(Event.id).in_(ids), also=total, watcher=watcher, now=now)
    return cards, rows[0][-1] if rows else 0


def _matching(wanted: searching.Search, *, zone: str, now: datetime) -> Iterable[Any]:
    """Conditions for the filters that are set, about the event alone."""
    if wanted.q:
        yield _only(Event.id).in_(with_words(wanted.words)) if wanted.words else false()
    if wanted.category:
        yield _only(Event.category_id).in_(select(Category.id).where(Category.slug == wanted.category))
    if wanted.city:
        yield _only(Event.venue_id).in_(select(Venue.id).where(Venue.city == wanted.city))
    if wanted.price == "free":
        yield _only(Event.id).in_(select(TicketType.event_id).where(TicketType.price_minor == 0))
    elif wanted.price:
        yield or_(*(_below(currency, 20 * 10 ** exponent(currency)) for currency in CURRENCIES))
    start, end = searching.span(wanted, zone=zone, now=now)
    if start:
        yield Event.starts_at >= start
    if end:
        yield Event.starts_at < end


def _below(currency: str, most: int) -> Any:
    """The event has a ticket type of less than so many minor units of its currency."""
    ids = select(TicketType.event_id).where(TicketType.price_minor < most)
    return and_(col(Event.currency) == currency, col(Event.id).in_(ids))


def _only(column: Any) -> Any:
    """The column where it may decide what matches, and not how the events are walked through.

    SQLite keeps no statistics of its own accord: it would rather fetch ten thousand events of a city, one by one, and put them
    in order, than take the first twelve from the index that has them in order. PostgreSQL knows better.
    """
    return UnaryExpression(column, operator=custom_op("+"), type_=column.type) if database().is_sqlite else column
