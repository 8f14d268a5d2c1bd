"""Categories and venues: added, renamed, put in order, merged, deleted. Whatever hangs on them goes along.

What the search looks into holds their names, so events are written anew: at once, or by a job where there are many.
"""

from typing import Any

from sqlalchemy import delete, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import activity, jobs
from app.core.db import changed
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.core.i18n import lazy
from app.events import queries
from app.events.actions import finding
from app.events.models import Category, Event, Favourite, Venue
from app.events.moved import Moved
from app.events.rules import proposing
from app.events.rules.snapshots import place

# So many events are written anew in the transaction of the change itself.
AT_ONCE = 200


async def add_category(tx: AsyncSession, name: str, *, by: int) -> Category:
    """A new one at the end of the order. Raises Refused when the name is taken."""
    await _check_name(tx, name)
    last = (await tx.exec(select(func.max(Category.position)))).one()
    slug = proposing.slug_of(name)[:50]
    moved = select(Moved.slug).where(Moved.kind == "categories")
    taken = {*(await tx.exec(select(Category.slug))).all(), *(await tx.exec(moved)).all()}
    made = Category(name=name, slug=proposing.free_slug(slug, taken), position=0 if last is None else last + 1)
    await _flushed(tx, made, _("Somebody else has just added a category with this name."))
    await activity.record(tx, "category.added", about=f"category:{made.id}", by=by, names=["", name])
    return made


async def rename_category(tx: AsyncSession, category: Category, name: str, *, by: int) -> None:
    """Its address stays, so links to it do too. Raises Refused when the name is taken, or somebody else has renamed it."""
    await _check_name(tx, name, but=category.id)
    before = category.name
    await finding.hold_still(tx, Event.category_id == category.id)
    same = update(Category).where(col(Category.id) == category.id, col(Category.name) == before)
    if not await changed(tx, same.values(name=name)):
        raise Refused(_("Somebody else has just changed this category. Look at it again."))
    await _find_anew(tx, Event.category_id == category.id, about=f"category:{category.id}", by=by)
    await activity.record(tx, "category.renamed", about=f"category:{category.id}", by=by, names=[before, name])


async def move_category(tx: AsyncSession, category: Category, *, up: bool, by: int) -> None:
    """One place up or down in the order that everybody sees; at the end of it nothing happens."""
    # Two admins who move at once stand in line.
    rows = (await tx.exec(select(Category).order_by(col(Category.id)).with_for_update())).all()
    order = sorted(rows, key=lambda kind: (kind.position, kind.name))
    at = next(number for number, kind in enumerate(order) if kind.id == category.id)
    other = at - 1 if up else at + 1
    if not 0 <= other < len(order):
        return
    order[at], order[other] = order[other], order[at]
    for number, kind in enumerate(order):
        await changed(tx, update(Category).where(col(Category.id) == kind.id).values(position=number))
    places = [at + 1, other + 1]
    await activity.record(tx, "category.moved", about=f"category:{category.id}", by=by, places=places)


async def merge_categories(tx: AsyncSession, gone: Category, into: Category, *, by: int) -> None:
    """Events and favourites move, and the address of the one that goes leads to the other."""
    if gone.id == into.id:
        raise Refused(_("Choose another category to merge it into."))
    await finding.hold_still(tx, col(Event.category_id).in_((gone.id, into.id)))
    locked = select(Category.id).where(col(Category.id).in_((gone.id, into.id))).order_by(col(Category.id)).with_for_update()
    if len((await tx.exec(locked)).all()) != 2:
        raise Refused(_("Somebody else has just merged one of the two."))
    events = await changed(tx, update(Event).where(col(Event.category_id) == gone.id).values(category_id=into.id))
    await _move_favourites(tx, gone, into)
    await changed(tx, update(Moved).where(col(Moved.category_id) == gone.id).values(category_id=into.id))
    name, slug = gone.name, gone.slug
    await changed(tx, delete(Category).where(col(Category.id) == gone.id))
    tx.add(Moved(kind="categories", slug=slug, category_id=into.id))
    await _find_anew(tx, Event.category_id == into.id, about=f"category:{into.id}", by=by)
    await activity.record(tx, "category.merged", about=f"category:{into.id}", by=by, names=[name, into.name], events=events)


async def delete_category(tx: AsyncSession, category: Category, *, by: int) -> None:
    """Only one without events; hearts on it go. Raises Refused otherwise."""
    await changed(tx, delete(Favourite).where(col(Favourite.category_id) == category.id))
    await changed(tx, delete(Moved).where(col(Moved.category_id) == category.id))
    unused = ~select(Event.id).where(col(Event.category_id) == category.id).exists()
    await _deleted(
        tx,
        delete(Category).where(col(Category.id) == category.id, unused),
        _("This category has events, so it stays. Merge it into another instead."),
    )
    await activity.record(tx, "category.deleted", about=f"category:{category.id}", by=by, names=[category.name, ""])


async def add_venue(
    tx: AsyncSession,
    *,
    name: str,
    address: str,
    city: str,
    by: int,
    latitude: float | None = None,
    longitude: float | None = None,
) -> Venue:
    """One that events can name from now on. Raises Refused when the city has a venue of this name, however it is spelt."""
    known = (await tx.exec(select(Venue.name, Venue.city))).all()
    wanted = proposing.folded(name), proposing.folded(city)
    if any((proposing.folded(title), proposing.folded(where)) == wanted for title, where in known):
        raise Refused(_("%(city)s has a venue of this name already. Correct its address instead.") % {"city": city})
    made = Venue(name=name, address=address, city=city, latitude=latitude, longitude=longitude)
    await _flushed(tx, made, _("Somebody else has just added this venue."))
    await activity.record(tx, "venue.added", about=f"venue:{made.id}", by=by, names=["", place(made)])
    return made


async def change_venue(
    tx: AsyncSession,
    venue: Venue,
    *,
    name: str,
    address: str,
    city: str,
    by: int,
    latitude: float | None = None,
    longitude: float | None = None,
) -> None:
    """Corrects a name or an address for all its events; nobody is told. Raises Refused when there is such a venue already."""
    before = (venue.name, venue.address, venue.city)
    await finding.hold_still(tx, Event.venue_id == venue.id)
    same = update(Venue).where(col(Venue.id) == venue.id, col(Venue.name) == before[0], col(Venue.address) == before[1])
    try:
        async with tx.begin_nested():
            values = {"name": name, "address": address, "city": city, "latitude": latitude, "longitude": longitude}
            found = await changed(tx, same.values(**values))
    except IntegrityError:
        raise Refused(_("There is a venue with this name and address. Merge the two instead.")) from None
    if not found:
        raise Refused(_("Somebody else has just changed this venue. Look at it again."))
    await _find_anew(tx, Event.venue_id == venue.id, about=f"venue:{venue.id}", by=by)
    await activity.record(
        tx, "venue.changed", about=f"venue:{venue.id}", by=by, names=[", ".join(before), ", ".join((name, address, city))]
    )


async def merge_venues(tx: AsyncSession, gone: Venue, into: Venue, *, by: int) -> None:
    """Events move to the other venue, whose name and address they have from now on; the page of the one that goes leads to it."""
    if gone.id == into.id:
        raise Refused(_("Choose another venue to merge it into."))
    await finding.hold_still(tx, col(Event.venue_id).in_((gone.id, into.id)))
    locked = select(Venue.id).where(col(Venue.id).in_((gone.id, into.id))).order_by(col(Venue.id)).with_for_update()
    if len((await tx.exec(locked)).all()) != 2:
        raise Refused(_("Somebody else has just merged one of the two."))
    events = await changed(tx, update(Event).where(col(Event.venue_id) == gone.id).values(venue_id=into.id))
    await changed(tx, update(Moved).where(col(Moved.venue_id) == gone.id).values(venue_id=into.id))
    name, slug = gone.name, gone.slug
    await changed(tx, delete(Venue).where(col(Venue.id) == gone.id))
    tx.add(Moved(kind="venues", slug=slug, venue_id=into.id))
    await _find_anew(tx, Event.venue_id == into.id, about=f"venue:{into.id}", by=by)
    await activity.record(tx, "venue.merged", about=f"venue:{into.id}", by=by, names=[name, into.name], events=events)


async def delete_venue(tx: AsyncSession, venue: Venue, *, by: int) -> None:
    """Only one without events. Raises Refused otherwise."""
    await changed(tx, delete(Moved).where(col(Moved.venue_id) == venue.id))
    unused = ~select(Event.id).where(col(Event.venue_id) == venue.id).exists()
    await _deleted(
        tx,
        delete(Venue).where(col(Venue.id) == venue.id, unused),
        _("This venue has events, so it stays. Merge it into another instead."),
    )
    await activity.record(tx, "venue.deleted", about=f"venue:{venue.id}", by=by, names=[venue.name, ""])


async def _find_anew(tx: AsyncSession, condition: Any, *, about: str, by: int) -> None:
    ids = await finding.hold_still(tx, condition)
    if len(ids) <= AT_ONCE:
        await finding.index(tx, ids)
        return
    kind, _colon, number = about.partition(":")
    title = lazy("The search learns the new name")
    wish, back = {kind: int(number)}, "/admin/categories" if kind == "category" else "/admin/venues"
    await jobs.start(tx, "events.find_anew", about=about, by=by, title=title, wish=wish, total=len(ids), back=back)


async def _move_favourites(tx: AsyncSession, gone: Category, into: Category) -> None:
    """Who has marked both keeps one heart."""
    has_both = select(Favourite.user_id).where(col(Favourite.category_id) == into.id)
    of_gone = col(Favourite.category_id) == gone.id
    await changed(tx, delete(Favourite).where(of_gone, col(Favourite.user_id).in_(has_both)))
    await changed(tx, update(Favourite).where(of_gone).values(category_id=into.id))


async def _check_name(tx: AsyncSession, name: str, *, but: int | None = None) -> None:
    kinds = await queries.categories(tx)
    if any(proposing.folded(kind.name) == proposing.folded(name) and kind.id != but for kind in kinds):
        raise Refused(_("There is a category with this name."))


async def _flushed(tx: AsyncSession, made: Category | Venue, taken: str) -> None:
    """Raises Refused with the sentence `taken` when somebody else was faster."""
    try:
        async with tx.begin_nested():
            tx.add(made)
            await tx.flush()
    except IntegrityError:
        raise Refused(taken) from None


async def _deleted(tx: AsyncSession, statement: Any, used: str) -> None:
    """Raises Refused with the sentence `used` when there are events."""
    try:
        async with tx.begin_nested():
            found = await changed(tx, statement)
    except IntegrityError:
        found = 0
    if not found:
        raise Refused(used)
