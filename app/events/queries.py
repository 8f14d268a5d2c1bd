"""Questions about events. What is not public is found through who may see it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy
from sqlalchemy import ColumnElement, bindparam, case, exists, func, literal, or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import User, Visitor
from app.core.errors import NotFound
from app.core.i18n import gettext as _
from app.core.i18n import language
from app.core.prepared import prepared
from app.events import team
from app.events.conditions import NOW, in_order, is_ahead, only, public
from app.events.models import Category, Event, Favourite, Quota, TicketType, Venue
from app.events.rules import languages, offering
from app.events.series import Series

SIMILAR = 4
# What has run for longer is nothing that a buyer of something else would be led to.
RUNNING = timedelta(days=31)

# SQLModel's select() takes four columns; lists need more.
columns: Any = sqlalchemy.select
_NEVER: ColumnElement[bool] = literal(value=False)

# What a card takes from the event as it is; the long description stays in the database.
_SHOWN = ("id", "slug", "title", "summary", "hue", "tone", "motif", "picture", "starts_at", "zone", "currency")
SHOWN = tuple(getattr(Event, name) for name in _SHOWN)


class EventCard(NamedTuple):
    """An event as lists show it. `from_minor` is the cheapest type's price, None without types; `km` is how far a place is."""

    id: int
    slug: str
    title: str
    summary: str
    hue: str
    tone: str
    motif: str
    picture: str
    starts_at: datetime
    zone: str
    venue_name: str
    city: str
    from_minor: int | None
    currency: str
    badge: offering.Badge | None
    category_name: str
    is_favourite: bool
    is_buyable: bool
    is_moved: bool
    km: int | None = None
    language: str = ""


@dataclass(frozen=True)
class Proposal:
    """An event on its manager's or the admin's desk, with its stock over all ticket types."""

    event: Event
    manager: User
    category: str
    venue_name: str
    city: str
    capacity: int
    held: int
    sold: int

    def word(self, now: datetime) -> str:
        """Where it stands, as a word that ui.state knows."""
        is_sold_out = 0 < self.capacity == self.sold and not self.event.is_over(now) and self.event.state == "published"
        return "sold_out" if is_sold_out else offering.state_word(self.event, (), now=now)


@dataclass(frozen=True)
class Watcher:
    """Whose hearts a list shows: a user's rows, or the slugs in a client's cookie."""

    user_id: int | None = None
    slugs: frozenset[str] = frozenset()

    @property
    def is_user(self) -> bool:
        return self.user_id is not None


NOBODY = Watcher()


@dataclass(frozen=True)
class EventPage:
    """A public event with everything that its page says."""

    event: Event
    venue: Venue | None
    category: Category
    types: Sequence[TicketType]
    is_favourite: bool
    similar: Sequence[EventCard]
    series: Series | None = None
    takes_codes: bool = False
    # The name and the code of who offers it.
    manager: tuple[str, ...] = ("", "")


async def by_slug(db: AsyncSession, slug: str) -> Event | None:
    """The event in whatever state. Pages for the public use public_event."""
    return (await db.exec(select(Event).where(Event.slug == slug))).first()


async def public_event(db: AsyncSession, slug: str) -> Event | None:
    """The event when everybody may see it, in the reader's language; called-off ones keep their page."""
    event = await by_slug(db, slug)
    return languages.read_in(event, language()) if event and event.is_public else None


async def event_page(
    db: AsyncSession, slug: str, *, watcher: Watcher, now: datetime, takes_codes: ColumnElement[bool] = _NEVER
) -> EventPage | None:
    """Everything on the page of a public event. Three queries: the event, what is like it, and the ticket types of all.

    `takes_codes` is asked of the event along with the rest: whether it has codes is known above this feature.
    """
    asked: dict[str, Any] = {"slug": slug, "user": watcher.user_id}
    found = (await rows_of(db, _event(takes_codes, is_user=watcher.is_user), asked))[:1]
    if not found or not found[0][0].is_public:
        return None
    event, venue, category, series, is_marked, has_codes, *manager = found[0]
    asked = {"since": now - RUNNING, "category": event.category_id, "event": event.id, "series": event.series_id}
    like_it = _like_it(is_date=event.series_id is not None, is_user=watcher.is_user)
    rows = await rows_of(db, like_it, asked | {"now": now, "user": watcher.user_id})
    types = await _types_of(db, [event.id, *(row.id for row in rows)])
    cards = [_card(row, types.get(row.id, []), watcher, now=now) for row in rows]
    marked = bool(is_marked) or slug in watcher.slugs
    read = languages.read_in(event, language())
    series = series and languages.series_as(series, event, read)
    return EventPage(read, venue, category, types.get(event.id, []), marked, cards, series, bool(has_codes), tuple(manager))


@prepared
def _event(takes_codes: ColumnElement[bool], *, is_user: bool) -> Any:
    """The event that is called `slug`, with what belongs to it."""
    joined = columns(Event, Venue, Category, Series, _marked(is_user), takes_codes, User.name, User.code)
    joined = joined.join(Category, col(Category.id) == Event.category_id).join(User, col(User.id) == Event.manager_id)
    joined = joined.outerjoin(Venue, col(Venue.id) == Event.venue_id).outerjoin(Series, col(Series.id) == Event.series_id)
    return joined.where(Event.slug == bindparam("slug"))


@prepared
def _like_it(*, is_date: bool, is_user: bool) -> Any:
    """The next few of the `category`, without the `event` itself and, when it is a date, the others of its `series`."""
    ids = columns(Event.id).where(*in_order(NOW, since=bindparam("since")), only(Event.category_id) == bindparam("category"))
    ids = ids.where(Event.id != bindparam("event"))
    if is_date:
        ids = ids.where(or_(col(Event.series_id).is_(None), col(Event.series_id) != bindparam("series")))
    return cards(col(Event.id).in_(ids.order_by(Event.starts_at, Event.id).limit(SIMILAR)), is_user=is_user)


async def event_of(db: AsyncSession, slug: str, visitor: Visitor, *, right: str = "edit") -> Event:
    """The event for its manager, an admin, or whose row in the team opens `right` (OPENED_BY). NotFound for strangers."""
    event = await by_slug(db, slug)
    if not event or not (team.owns(event, visitor) or await team.admits(db, event, visitor, right=right)):
        raise NotFound(_("There is no such event among yours."))
    return event


async def ticket_types(db: AsyncSession, event_id: int | None) -> list[TicketType]:
    """The ticket types in the order the manager gave them."""
    return (await _types_of(db, [event_id or 0])).get(event_id or 0, [])


async def with_stock(db: AsyncSession, event_ids: Sequence[int]) -> list[tuple[Event, list[TicketType]]]:
    """Some events with their ticket types as they are in this moment. Two queries."""
    events = (await db.exec(select(Event).where(col(Event.id).in_(event_ids)))).all()
    types = await _types_of(db, event_ids)
    return [(event, types.get(event.id or 0, [])) for event in events]


async def venue(db: AsyncSession, event: Event) -> Venue | None:
    """Where it takes place; a draft may not know yet."""
    return await db.get(Venue, event.venue_id) if event.venue_id else None


async def latest_venues(db: AsyncSession) -> Sequence[Venue]:
    """The venues that the shop learned last, by name; at most 200, as a suggestion while somebody types."""
    latest = select(Venue.id).order_by(col(Venue.id).desc()).limit(200)
    return (await db.exec(select(Venue).where(col(Venue.id).in_(latest)).order_by(col(Venue.name), col(Venue.city)))).all()


async def category(db: AsyncSession, event: Event) -> Category:
    return (await db.exec(select(Category).where(Category.id == event.category_id))).one()


async def categories(db: AsyncSession) -> list[Category]:
    return list((await db.exec(select(Category).order_by(col(Category.position), col(Category.name)))).all())


async def category_by_slug(db: AsyncSession, slug: str) -> Category | None:
    return (await db.exec(select(Category).where(Category.slug == slug))).first()


# ---------- lists for everybody ----------


async def upcoming_cards(
    db: AsyncSession, now: datetime, *, watcher: Watcher = NOBODY, city: str = "", since: datetime | None = None
) -> list[EventCard]:
    """The next 25 events, the soonest first. Two queries."""
    question = _upcoming(in_city=bool(city), begun=since is not None, is_user=watcher.is_user)
    return (await cards_of(db, question, {"now": now, "since": since, "city": city}, watcher=watcher, now=now))[0]


@prepared
def _upcoming(*, in_city: bool, begun: bool, is_user: bool) -> Any:
    ids = columns(Event.id).where(*in_order(NOW, since=bindparam("since") if begun else None))
    if in_city:
        ids = ids.where(only(Event.venue_id).in_(select(Venue.id).where(Venue.city == bindparam("city"))))
    return cards(col(Event.id).in_(ids.order_by(Event.starts_at, Event.id).limit(25)), is_user=is_user)


async def dates_ahead(db: AsyncSession, series_id: int | None, *, now: datetime) -> list[EventCard]:
    """The dates of a series that are not over, also those that were called off; the soonest first. Two queries."""
    dates = cards(*public(), is_ahead(now), Event.series_id == series_id)
    return (await cards_of(db, dates, {}, watcher=NOBODY, now=now))[0]


async def cards_of(
    db: AsyncSession, question: Any, values: dict[str, Any], *, watcher: Watcher, now: datetime
) -> tuple[list[EventCard], list[Any]]:
    """The cards that a question of cards() finds with these values, and the rows that they were made of. Two queries."""
    rows = await rows_of(db, question, {"user": watcher.user_id, **values})
    types = await _types_of(db, [row.id for row in rows]) if rows else {}
    return [_card(row, types.get(row.id, []), watcher, now=now) for row in rows], rows


# ---------- favourites ----------


async def favourite_categories(db: AsyncSession, user_id: int | None) -> set[int]:
    """Ids of the categories that the user marked."""
    marked = select(Favourite.category_id).where(Favourite.user_id == user_id, col(Favourite.category_id).is_not(None))
    return {found for found in (await db.exec(marked)).all() if found}


async def favourite_events(db: AsyncSession, user_id: int | None) -> set[int]:
    """Ids of the events that the user marked."""
    marked = select(Favourite.event_id).where(Favourite.user_id == user_id, col(Favourite.event_id).is_not(None))
    return {found for found in (await db.exec(marked)).all() if found}


async def favourite_cards(db: AsyncSession, watcher: Watcher, now: datetime) -> list[EventCard]:
    """The events that somebody marked and that are not over, also those that were called off."""
    of_user = exists().where(col(Favourite.event_id) == Event.id, col(Favourite.user_id) == watcher.user_id)
    marked = of_user if watcher.user_id else col(Event.slug).in_(watcher.slugs)
    return (await cards_of(db, cards(*public(), is_ahead(now), marked, is_user=watcher.is_user), {}, watcher=watcher, now=now))[0]


async def followers(db: AsyncSession, category_id: int, event_id: int) -> list[User]:
    """Everybody with the category or the event as a favourite, each once, without closed accounts."""
    marked = or_(col(Favourite.category_id) == category_id, col(Favourite.event_id) == event_id)
    of_those = select(User).where(exists().where(col(Favourite.user_id) == User.id, marked), col(User.disabled_at).is_(None))
    return list((await db.exec(of_those.order_by(col(User.id)))).all())


# ---------- desks ----------


async def proposals(db: AsyncSession, *, manager_id: int | None = None, states: Sequence[str] = ()) -> list[Proposal]:
    """Events with their stock: of one manager or of all, in some states or in all.

    The soonest first; when only submitted ones are wanted they are a queue, and who waits longest comes first.
    """
    summed = _stock_of_events()
    numbers = [func.coalesce(summed.c[name], 0) for name in ("capacity", "held", "sold")]
    statement = columns(Event, User, Category.name, func.coalesce(Venue.name, ""), func.coalesce(Venue.city, ""), *numbers)
    statement = statement.join(User, col(User.id) == Event.manager_id).join(Category, col(Category.id) == Event.category_id)
    statement = statement.outerjoin(Venue, col(Venue.id) == Event.venue_id).outerjoin(summed, summed.c.event_id == Event.id)
    if manager_id is not None:
        statement = statement.where(Event.manager_id == manager_id)
    if states:
        statement = statement.where(col(Event.state).in_(states))
    order = Event.submitted_at if tuple(states) == ("submitted",) else Event.starts_at
    return [Proposal(*row) for row in await rows_of(db, statement.order_by(order, Event.id))]


async def state_counts(db: AsyncSession) -> dict[str, int]:
    """How many events stand in each state, of all managers."""
    return dict((await db.exec(select(Event.state, func.count()).group_by(Event.state))).all())


async def due_for_publishing(db: AsyncSession, *, now: datetime) -> list[tuple[int, int | None]]:
    """Ids of approved events whose publish_at has come, each with that of its series."""
    due = select(Event.id, Event.series_id).where(Event.state == "approved")
    due = due.where(or_(col(Event.publish_at).is_(None), col(Event.publish_at) <= now))
    rows = (await db.exec(due.order_by(col(Event.publish_at), col(Event.starts_at)))).all()
    return [(event_id or 0, series_id) for event_id, series_id in rows]


# ---------- parts ----------


def _stock_of_events() -> Any:
    """The counters of each event over its ticket types; those of one quota have no more places than it has."""
    counters = {"capacity": col(TicketType.capacity), "held": col(TicketType.held), "sold": col(TicketType.sold)}
    summed = (func.sum(counter).label(name) for name, counter in counters.items())
    each = columns(TicketType.event_id, col(Quota.capacity).label("most"), *summed)
    each = each.outerjoin(Quota, col(Quota.id) == TicketType.quota_id)
    quotas = each.group_by(TicketType.event_id, TicketType.quota_id, Quota.capacity).subquery()
    places = case((quotas.c.capacity > quotas.c.most, quotas.c.most), else_=quotas.c.capacity)
    sums = {"capacity": places, "held": quotas.c.held, "sold": quotas.c.sold}
    whole = columns(quotas.c.event_id, *(func.sum(counter).label(name) for name, counter in sums.items()))
    return whole.group_by(quotas.c.event_id).subquery()


async def rows_of(db: AsyncSession, statement: Any, values: dict[str, Any] | None = None) -> list[Any]:
    return list((await db.exec(statement, params=values)).all())


def cards(*conditions: Any, is_user: bool = False, order: Sequence[Any] = (Event.starts_at, Event.id)) -> Any:
    """What cards are made of, the soonest first; its hearts are those of `user`."""
    place = func.coalesce(Venue.name, "").label("venue_name"), func.coalesce(Venue.city, "").label("city")
    marked = _marked(is_user).label("is_marked")
    state = Event.state, Event.postponed_at, Event.previous_starts_at, Event.is_online
    wanted = columns(*SHOWN, *state, *place, *told(), col(Category.name).label("category_name"), marked)
    joined = wanted.join(Category, col(Category.id) == Event.category_id).outerjoin(Venue, col(Venue.id) == Event.venue_id)
    return joined.where(*conditions).order_by(*order)


def told() -> tuple[Any, ...]:
    """The language of the event's texts, and its title and summary in the reader's, where they are written."""
    written: Any = col(Event.texts)[language()]
    return Event.language, written["title"].as_string().label("told_title"), written["summary"].as_string().label("told_summary")


def _marked(is_user: bool) -> Any:
    return exists().where(col(Favourite.event_id) == Event.id, col(Favourite.user_id) == bindparam("user")) if is_user else _NEVER


async def _types_of(db: AsyncSession, event_ids: Sequence[int]) -> dict[int, list[TicketType]]:
    """Ticket types by event, in the order the manager gave them, with the stock of this moment."""
    types: dict[int, list[TicketType]] = {}
    for ticket_type in await rows_of(db, _types(), {"events": event_ids}):
        types.setdefault(ticket_type.event_id, []).append(ticket_type)
    return types


@prepared
def _types() -> Any:
    of_all = select(TicketType).where(col(TicketType.event_id).in_(bindparam("events", expanding=True)))
    return of_all.order_by(col(TicketType.position), col(TicketType.id)).execution_options(populate_existing=True)


def _card(row: Any, types: Sequence[TicketType], watcher: Watcher, *, now: datetime) -> EventCard:
    called_off = row.state == "called_off"
    postponed = not called_off and row.postponed_at is not None
    shown = {column.key: getattr(row, column.key) for column in SHOWN}
    shown |= {"title": row.told_title or row.title, "summary": row.told_summary or row.summary}
    return EventCard(
        **shown,
        language=language() if row.told_title else row.language,
        venue_name=_("Online") if row.is_online else row.venue_name,
        city=row.city,
        category_name=row.category_name,
        from_minor=min((t.price_minor for t in types), default=None),
        badge=offering.badge(types, called_off=called_off, postponed=postponed, zone=row.zone, now=now),
        is_favourite=bool(row.is_marked) or row.slug in watcher.slugs,
        is_buyable=not (called_off or postponed) and any(t.left_now(now) > 0 for t in types),
        is_moved=not (called_off or postponed) and row.previous_starts_at not in (None, row.starts_at),
    )
