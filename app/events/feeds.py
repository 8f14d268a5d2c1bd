"""What a feed of public events holds, and how it looks as Atom (RFC 4287) and for search engines (sitemaps.org)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from sqlalchemy import case, func, literal, union_all
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import User
from app.core import formats
from app.core.addresses import absolute
from app.core.i18n import LANGUAGES, address_in, language, to
from app.core.settings import settings
from app.core.usual import category_name
from app.events.conditions import earliest, only, public
from app.events.models import Category, Event, Venue
from app.events.queries import columns, rows_of
from app.events.rules import languages
from app.events.rules.words import address_of_city
from app.events.series import Series

ATOM = "http://www.w3.org/2005/Atom"
SITEMAP = "http://www.sitemaps.org/schemas/sitemap/0.9"
XHTML = "http://www.w3.org/1999/xhtml"

# A feed has the newest or the soonest so many; whoever reads it comes again.
MOST = 100
# For so long after its end an event stays in the calendar feed, so that a calling-off late in the evening still arrives.
KEPT = timedelta(days=7)
# Pages in one file of the map, each with an address in every language. The protocol allows 50,000 addresses and 50 MB; these are
# made before anybody else has to wait.
MOST_PAGES = 500

Told = tuple[Event, Venue | None, str]


@dataclass(frozen=True)
class Place:
    """A line of the site map: a path, and when what it shows changed last."""

    path: str
    changed_at: datetime | None = None


async def newest(db: AsyncSession, *conditions: Any) -> list[Told]:
    """Public events as they are read in the present language, with their venue and the name of their category, the last published
    first. One query."""
    return await _told(db, *conditions, order=(col(Event.published_at).desc(), col(Event.id).desc()))


async def ahead(db: AsyncSession, *conditions: Any, now: datetime) -> list[Told]:
    """Those that are not long over, also when they were called off or postponed; the soonest first. One query."""
    since, first = now - KEPT, earliest(now - KEPT)
    not_over = Event.starts_at >= case((first < since, first), else_=since), only(Event.ends_at) > since
    return await _told(db, *not_over, *conditions, order=(Event.starts_at, Event.id))


async def _told(db: AsyncSession, *conditions: Any, order: Sequence[Any]) -> list[Told]:
    wanted = columns(Event, Venue, Category.name).join(Category, col(Category.id) == Event.category_id)
    wanted = wanted.outerjoin(Venue, col(Venue.id) == Event.venue_id)
    seen = only(Event.state).in_(("published", "called_off")), col(Event.published_at).is_not(None)
    some = columns(Event.id).where(*seen, *conditions).order_by(*order).limit(MOST)
    wanted = wanted.where(col(Event.id).in_(some))
    rows = await rows_of(db, wanted.order_by(*order))
    return [(languages.read_in(event, language()), venue, name) for event, venue, name in rows]


def changed_at(event: Event) -> datetime:
    """When what its page says was last another."""
    moments = (event.published_at, event.changed_at, event.called_off_at, event.postponed_at, event.redated_at)
    return max((moment for moment in moments if moment), default=event.created_at)


def last_change(told: Sequence[Told]) -> datetime | None:
    return max((changed_at(event) for event, *_rest in told), default=None)


def atom(title: str, path: str, told: Sequence[Told]) -> bytes:
    """The feed of the page at `path`. Nothing in it depends on the moment, so it stays the same as long as its events do."""
    feed = Element("feed", {"xmlns": ATOM, "xml:lang": language()})
    SubElement(feed, "id").text = absolute(path)
    SubElement(feed, "title").text = title
    # RFC 4287 wants a moment also of a feed without entries.
    SubElement(feed, "updated").text = _moment(last_change(told) or datetime(2000, 1, 1, tzinfo=UTC))
    SubElement(SubElement(feed, "author"), "name").text = settings().site_name
    SubElement(feed, "link", {"rel": "alternate", "type": "text/html", "href": absolute(to(path))})
    SubElement(feed, "link", {"rel": "self", "type": "application/atom+xml", "href": absolute(to(f"{path}.atom"))})
    for event, venue, category in told:
        _entry(feed, event, venue, category)
    return _document(feed)


def _entry(feed: Element, event: Event, venue: Venue | None, category: str) -> None:
    entry, path = SubElement(feed, "entry"), f"/events/{event.slug}"
    where = f"{venue.name}, {venue.city}" if venue else ""
    when = formats.full_date(event.starts_at, event.zone)
    SubElement(entry, "id").text = absolute(path)
    SubElement(entry, "title").text = event.title
    SubElement(entry, "updated").text = _moment(changed_at(event))
    SubElement(entry, "published").text = _moment(event.published_at or event.created_at)
    SubElement(entry, "link", {"rel": "alternate", "type": "text/html", "href": absolute(to(path))})
    SubElement(entry, "category", {"term": category_name(category)})
    SubElement(entry, "summary").text = " · ".join(part for part in (when, where, event.summary) if part)


# ---------- the site map ----------


async def count(db: AsyncSession) -> int:
    """How many events have a public page."""
    return (await db.exec(select(func.count()).select_from(Event).where(*public()))).one()


async def event_places(db: AsyncSession, part: int) -> list[Place]:
    """One part of the pages of events, counted from 1. One query."""
    moments = (Event.published_at, Event.changed_at, Event.called_off_at, Event.postponed_at, Event.redated_at)
    wanted = columns(Event.slug, *moments).where(*public()).order_by(Event.id)
    rows = await rows_of(db, wanted.limit(MOST_PAGES).offset((part - 1) * MOST_PAGES))
    return [Place(f"/events/{slug}", max((at for at in when if at), default=None)) for slug, *when in rows]


async def other_places(db: AsyncSession) -> list[Place]:
    """The lists, the pages of what public events are about, and those of series. Three queries."""
    kinds = (await db.exec(select(Category.slug).order_by(col(Category.position), col(Category.id)))).all()
    here = select(Venue.slug, Venue.city).where(col(Venue.id).in_(select(Event.venue_id).where(*public())))
    venues = (await db.exec(here.order_by(col(Venue.id)))).all()
    offering = columns(User.code, literal("managers").label("kind"), col(User.id).label("number"))
    offering = offering.where(User.name != "", col(User.id).in_(select(Event.manager_id).where(*public())))
    cities = sorted({address_of_city(city) for _slug, city in venues})
    several = columns(Series.slug, literal("series"), Series.id)
    several = several.where(col(Series.id).in_(select(Event.series_id).where(*public())))
    rows = await rows_of(db, union_all(offering, several).order_by("kind", "number"))
    paths = ["/", "/events", *(f"/categories/{slug}" for slug in kinds), *(f"/cities/{slug}" for slug in cities)]
    paths += [*(f"/venues/{slug}" for slug, _city in venues), *(f"/{kind}/{name}" for name, kind, _number in rows)]
    return [Place(path) for path in paths]


def of_part(places: list[Place], part: int) -> list[Place]:
    """One part of some pages, counted from 1."""
    return places[(part - 1) * MOST_PAGES : part * MOST_PAGES]


def site_map(places: Iterable[Place]) -> bytes:
    """Each page once in every language; each of its addresses names all of them and itself, as Google wants it (hreflang)."""
    made = Element("urlset", {"xmlns": SITEMAP, "xmlns:xhtml": XHTML})
    for place in places:
        addresses = {code: absolute(address_in(code, place.path)) for code in LANGUAGES}
        for address in addresses.values():
            line = SubElement(made, "url")
            SubElement(line, "loc").text = address
            if place.changed_at:
                SubElement(line, "lastmod").text = _moment(place.changed_at)
            for code, other in (addresses | {"x-default": absolute(place.path)}).items():
                SubElement(line, "xhtml:link", {"rel": "alternate", "hreflang": code, "href": other})
    return _document(made)


def index_of_maps(*, others: int, events: int) -> bytes:
    """The index of a site map that is too long for one file: how many other pages and events it has."""
    made = Element("sitemapindex", {"xmlns": SITEMAP})
    for kind, pages in (("others", others), ("events", events)):
        for part in range(1, -(-pages // MOST_PAGES) + 1):
            SubElement(SubElement(made, "sitemap"), "loc").text = absolute(f"/sitemaps/{kind}-{part}.xml")
    return _document(made)


def _document(root: Element) -> bytes:
    return bytes(tostring(root, encoding="utf-8", xml_declaration=True))


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
