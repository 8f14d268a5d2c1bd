"""What is done to events: proposed, changed, decided, called off, marked. Every act is written down."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, or_, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import activity
from app.core.db import changed
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.events import queries
from app.events.models import Category, Event, Favourite, TicketType, Venue
from app.events.rules import changes, proposing, searching
from app.events.rules.proposing import EventWish, TypeWish

# The columns that a wish holds under the same name.
_SAME_NAME = (
    "title", "summary", "description", "category_id", "starts_at", "ends_at", "doors_at", "zone", "currency", "hue",
    "tone", "motif", "picture", "access", "per_buyer", "presale_hours", "presale_per_buyer", "publish_at",
    "refund_hours", "refund_fee_minor",
)  # fmt: skip
_SAME_NAME_OF_TYPE = (
    "name", "note", "price_minor", "capacity", "per_booking", "sale_from", "sale_to", "presale_from", "presale_places",
)  # fmt: skip


async def draft(tx: AsyncSession, wish: EventWish, *, by: int, now: datetime) -> Event:
    """A new event that only its manager sees."""
    slug = proposing.slug_of(wish.title)
    columns = await _columns(tx, wish)
    event = Event(slug=proposing.free_slug(slug, await queries.slugs_like(tx, slug)), manager_id=by, created_at=now, **columns)
    tx.add(event)
    await tx.flush()
    types = await _revise_types(tx, event, wish.types, booked=set())
    await activity.record(tx, "event.drafted", about=f"event:{event.id}", by=by, types=types)
    return event


async def revise(tx: AsyncSession, event: Event, wish: EventWish, *, by: int, booked: set[int], now: datetime) -> list[str]:
    """Changes an event and its ticket types; returns the names of what is different now.

    `booked` are the ids of its ticket types that stand on some booking. Raises Refused when the event cannot be changed
    in its state, the currency is fixed, a booked type would go, or a capacity falls below what is held and sold.
    """
    if not event.is_editable:
        raise Refused(_("This event cannot be changed now."))
    if booked and wish.currency != event.currency:
        raise Refused(_("The currency is fixed since the first booking."))
    columns = await _columns(tx, wish)
    differing = [name for name, value in columns.items() if getattr(event, name) != value and name != "search_text"]
    differing = ["venue" if name == "venue_id" else name for name in differing]
    fields = changes.differences(event, columns)
    types = await _revise_types(tx, event, wish.types, booked=booked)
    if types:
        differing.append("types")
    if not differing:
        return []
    await _guarded(tx, event, event.state, **columns, changed_at=now)
    details = {"changed": differing, "fields": fields, "types": types}
    await activity.record(tx, "event.revised", about=f"event:{event.id}", by=by, **details)
    return differing


async def delete_draft(tx: AsyncSession, event: Event, *, by: int) -> None:
    """Removes a draft with its ticket types and hearts. Access codes must be gone before."""
    await changed(tx, delete(Favourite).where(col(Favourite.event_id) == event.id))
    await changed(tx, delete(TicketType).where(col(TicketType.event_id) == event.id))
    if not await changed(tx, delete(Event).where(col(Event.id) == event.id, col(Event.state) == "draft")):
        raise Refused(_("Only a draft can be deleted."))
    await activity.record(tx, "event.deleted", about=f"event:{event.id}", by=by)


async def submit(tx: AsyncSession, event: Event, *, by: int, now: datetime) -> None:
    """Sends a complete draft to the admins. Raises Refused with what is missing."""
    lacking = proposing.missing(event, await queries.venue(tx, event), await queries.ticket_types(tx, event.id), now=now)
    if event.state == "draft" and lacking:
        raise Refused(" ".join(lacking))
    await _move(tx, event, "submitted", submitted_at=now, wished_changes="")
    await activity.record(tx, "event.submitted", about=f"event:{event.id}", by=by, states=["draft", "submitted"])


async def approve(tx: AsyncSession, event: Event, *, by: int, now: datetime) -> None:
    """Lets a submitted event out: at its publish_at, or at once. Raises Refused when it has begun already."""
    if event.starts_at <= now:
        raise Refused(_("The event has begun. Ask its manager for another date."))
    at_once = event.publish_at is None or event.publish_at <= now
    state = "published" if at_once else "approved"
    await _move(tx, event, state, **({"published_at": now} if at_once else {}))
    await activity.record(tx, "event.approved", about=f"event:{event.id}", by=by, states=["submitted", state])
    if at_once:
        await activity.record(tx, "event.published", about=f"event:{event.id}", by=by, states=["submitted", "published"])


async def publish(tx: AsyncSession, event_id: int, *, now: datetime) -> bool:
    """Publishes an approved event whose moment has come; False when somebody was faster or it is not due any more."""
    due = or_(col(Event.publish_at).is_(None), col(Event.publish_at) <= now)
    approved = update(Event).where(col(Event.id) == event_id, col(Event.state) == "approved", due)
    if not await changed(tx, approved.values(state="published", published_at=now)):
        return False
    await activity.record(tx, "event.published", about=f"event:{event_id}", by=None, states=["approved", "published"])
    return True


async def return_for_changes(tx: AsyncSession, event: Event, *, reason: str, by: int) -> None:
    """Gives a submitted event back to its manager with what the admin wishes changed."""
    await _move(tx, event, "draft", wished_changes=reason)
    await activity.record(tx, "event.returned", about=f"event:{event.id}", by=by, states=["submitted", "draft"])


async def call_off(tx: AsyncSession, event: Event, *, reason: str, by: int, now: datetime) -> None:
    """Ends an event at once for holds and captures; its bookings are wound down afterwards."""
    if event.is_over(now):
        raise Refused(_("The event is over, so it cannot be called off."))
    before = event.state
    await _move(tx, event, "called_off", called_off_reason=reason, called_off_at=now)
    await activity.record(tx, "event.called_off", about=f"event:{event.id}", by=by, states=[before, "called_off"])


# ---------- favourites ----------


async def toggle_favourite(
    tx: AsyncSession, user_id: int, *, now: datetime, event_id: int | None = None, category_id: int | None = None
) -> bool:
    """Marks an event or a category, or takes the mark away; returns whether it is marked now."""
    same = col(Favourite.event_id) == event_id if event_id else col(Favourite.category_id) == category_id
    if await changed(tx, delete(Favourite).where(col(Favourite.user_id) == user_id, same)):
        return False
    await _unless_there(tx, Favourite(user_id=user_id, event_id=event_id, category_id=category_id, created_at=now))
    return True


async def set_favourite_categories(tx: AsyncSession, user_id: int, wanted: set[int], *, now: datetime) -> None:
    """Makes exactly these the user's favourite categories."""
    present = await queries.favourite_categories(tx, user_id)
    unwanted = col(Favourite.category_id).in_(present - wanted)
    await changed(tx, delete(Favourite).where(col(Favourite.user_id) == user_id, unwanted))
    for category_id in sorted(wanted - present):
        await _unless_there(tx, Favourite(user_id=user_id, category_id=category_id, created_at=now))


async def adopt_favourites(tx: AsyncSession, user_id: int, value: Any, now: datetime) -> None:
    """A client's hearts, the unsigned value of the cookie, join the account at login. What no longer exists is passed over."""
    marks = searching.marks(value)
    slugs = {kind: [mark[2:] for mark in marks if mark[0] == kind] for kind in "ce"}
    kinds = (await tx.exec(select(Category.id).where(col(Category.slug).in_(slugs["c"])))).all()
    events = (await tx.exec(select(Event).where(col(Event.slug).in_(slugs["e"])))).all()
    present = await queries.favourite_categories(tx, user_id), await queries.favourite_events(tx, user_id)
    for category_id in set(kinds) - present[0]:
        await _unless_there(tx, Favourite(user_id=user_id, category_id=category_id, created_at=now))
    for event_id in {event.id for event in events if event.is_public} - present[1]:
        await _unless_there(tx, Favourite(user_id=user_id, event_id=event_id, created_at=now))


# ---------- parts ----------


async def _columns(tx: AsyncSession, wish: EventWish) -> dict[str, Any]:
    kind = (await tx.exec(select(Category).where(Category.id == wish.category_id))).one()
    text = proposing.search_text(title=wish.title, summary=wish.summary, venue=wish.venue, city=wish.city, category=kind.name)
    return {name: getattr(wish, name) for name in _SAME_NAME} | {"venue_id": await _venue_id(tx, wish), "search_text": text}


async def _venue_id(tx: AsyncSession, wish: EventWish) -> int | None:
    """The venue of that name and address, made when it is new; a corrected address makes another, so past events keep theirs."""
    if not wish.venue:
        return None
    same = select(Venue).where(Venue.name == wish.venue, Venue.address == wish.address, Venue.city == wish.city)
    if not (found := (await tx.exec(same)).first()):
        await _unless_there(tx, Venue(name=wish.venue, address=wish.address, city=wish.city))
        found = (await tx.exec(same)).one()
    return found.id


def _type_columns(wanted: TypeWish) -> dict[str, Any]:
    needs_code = wanted.needs_code or bool(wanted.access_code)
    return {name: getattr(wanted, name) for name in _SAME_NAME_OF_TYPE} | {"needs_code": needs_code}


async def _revise_types(tx: AsyncSession, event: Event, wanted: Sequence[TypeWish], *, booked: set[int]) -> list[dict[str, Any]]:
    """What is different about the ticket types now, one entry for each that was added, changed or removed."""
    present = {ticket_type.code: ticket_type for ticket_type in await queries.ticket_types(tx, event.id)}
    done: list[tuple[TicketType, str, dict[str, Any]]] = []
    for code in present.keys() - {wish.code for wish in wanted}:
        await _remove_type(tx, present[code], booked=booked)
        done.append((present[code], "removed", {}))
    for position, wish in enumerate(wanted):
        columns = _type_columns(wish) | {"position": position}
        ticket_type = present.get(wish.code)
        if ticket_type is None:
            tx.add(added := TicketType(event_id=event.id or 0, **columns))
            done.append((added, "added", changes.differences(None, columns)))
        elif any(getattr(ticket_type, name) != value for name, value in columns.items()):
            done.append((ticket_type, "changed", changes.differences(ticket_type, columns)))
            await _change_type(tx, ticket_type, columns)
    await tx.flush()
    return [{"type": ticket_type.id, "done": word, "fields": fields} for ticket_type, word, fields in done]


async def _change_type(tx: AsyncSession, ticket_type: TicketType, columns: dict[str, Any]) -> None:
    """The guard decides about the capacity: holds go on while the manager types. Holds keep the price of their moment."""
    fits = col(TicketType.held) + col(TicketType.sold) <= columns["capacity"]
    presale = columns["presale_places"]
    fits_presale = col(TicketType.presale_taken) <= presale if presale is not None else col(TicketType.id).is_not(None)
    fitting = update(TicketType).where(col(TicketType.id) == ticket_type.id, fits, fits_presale)
    if await changed(tx, fitting.values(**columns)):
        return
    names = {"name": ticket_type.name, "number": ticket_type.held + ticket_type.sold, "presale": ticket_type.presale_taken}
    if ticket_type.held + ticket_type.sold > columns["capacity"]:
        raise Refused(_("%(number)s places of %(name)s are held or sold, so its capacity cannot be less.") % names)
    raise Refused(_("The pre-sale of %(name)s has taken %(presale)s places, so it cannot have fewer.") % names)


async def _remove_type(tx: AsyncSession, ticket_type: TicketType, *, booked: set[int]) -> None:
    unused = delete(TicketType).where(col(TicketType.id) == ticket_type.id, col(TicketType.held) == 0, col(TicketType.sold) == 0)
    if ticket_type.id in booked or not await changed(tx, unused):
        raise Refused(_("%(name)s has bookings, so it stays. End its sale instead.") % {"name": ticket_type.name})
    tx.expunge(ticket_type)


async def _move(tx: AsyncSession, event: Event, state: str, **values: Any) -> None:
    if not event.may_become(state):
        raise Refused(_("The event has moved on, so nothing was changed. Load its page again."))
    await _guarded(tx, event, event.state, state=state, **values)


async def _guarded(tx: AsyncSession, event: Event, source: str, **values: Any) -> None:
    """Changes the event unless its state is another by now, and brings the instance up to date."""
    moved = update(Event).where(col(Event.id) == event.id, col(Event.state) == source).values(**values)
    if not await changed(tx, moved):
        raise Refused(_("The event has moved on, so nothing was changed. Load its page again."))
    if event in tx:
        await tx.refresh(event)


async def _unless_there(tx: AsyncSession, row: Any) -> None:
    """Adds a row; when another request has just added the same, that one stays."""
    try:
        async with tx.begin_nested():
            tx.add(row)
    except IntegrityError:
        return
