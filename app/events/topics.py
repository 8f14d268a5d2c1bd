"""What a page of events can be about: a category, a venue, a city, or the manager who offers them."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import exists
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import User
from app.core.i18n import to
from app.core.usual import category_name
from app.events import queries
from app.events.conditions import only, public
from app.events.models import Category, Event, Favourite, Venue
from app.events.queries import Watcher
from app.events.rules.words import address_of_city

KINDS = ("categories", "venues", "cities", "managers")


@dataclass(frozen=True)
class Topic:
    """`where` is the condition that an event belongs to it. `is_marked` says whether its category is a favourite."""

    kind: str
    slug: str
    name: str
    where: Any
    category: Category | None = None
    venue: Venue | None = None
    is_marked: bool = False

    @property
    def path(self) -> str:
        return f"/{self.kind}/{self.slug}"

    def url(self, *, page: int) -> str:
        """The address of a page of its cards, as a Search has one."""
        return to(self.path) + (f"?page={page}" if page > 1 else "")


async def topic(db: AsyncSession, kind: str, slug: str, *, watcher: Watcher = queries.NOBODY) -> Topic | None:
    """What the page at /kind/slug is about; None where there is nothing for the public. One query."""
    finders = {"categories": _category, "venues": _venue, "cities": _city, "managers": _manager}
    return await finders[kind](db, slug, watcher)


async def _category(db: AsyncSession, slug: str, watcher: Watcher) -> Topic | None:
    marked = exists().where(col(Favourite.category_id) == Category.id, col(Favourite.user_id) == watcher.user_id)
    found = (await db.exec(select(Category, marked).where(Category.slug == slug))).first()
    if not found:
        return None
    category, is_marked = found
    name, where = category_name(category.name), only(Event.category_id) == category.id
    return Topic("categories", slug, name, where, category=category, is_marked=is_marked)


async def _venue(db: AsyncSession, slug: str, _watcher: Watcher) -> Topic | None:
    here = exists().where(col(Event.venue_id) == Venue.id, *public())
    venue = (await db.exec(select(Venue).where(Venue.slug == slug, here))).first()
    return Topic("venues", slug, venue.name, only(Event.venue_id) == venue.id, venue=venue) if venue else None


async def _city(db: AsyncSession, slug: str, _watcher: Watcher) -> Topic | None:
    """A city has no row of its own: it is there as long as public events take place in it, however it is written."""
    here = exists().where(col(Event.venue_id) == Venue.id, *public())
    names = [name for name in (await db.exec(select(Venue.city).where(here).distinct())).all() if address_of_city(name) == slug]
    if not names:
        return None
    inside = select(Venue.id).where(col(Venue.city).in_(names))
    return Topic("cities", slug, min(names), only(Event.venue_id).in_(inside))


async def _manager(db: AsyncSession, slug: str, _watcher: Watcher) -> Topic | None:
    """Only who has published something has a page, and only under a name."""
    offers = exists().where(col(Event.manager_id) == User.id, *public())
    known = select(User.id, User.name).where(User.code == slug, User.name != "", offers)
    found = (await db.exec(known)).first()
    return Topic("managers", slug, found[1], Event.manager_id == found[0]) if found else None
