"""An event and its ticket types are changed, as drafts and when they are published."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import activity
from app.core.db import add_unless_there, changed
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.events import queries
from app.events.actions.deciding import guarded
from app.events.models import Category, Event, TicketType, Venue
from app.events.rules import changes, proposing
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


async def revise(tx: AsyncSession, event: Event, wish: EventWish, *, by: int, booked: set[int], now: datetime) -> list[str]:
    """Changes an event and its ticket types; returns the names of what is different now.

    `booked` are the ids of its ticket types that stand on some booking. Raises Refused when the event cannot be changed
    in its state, the currency is fixed, a booked type would go, or a capacity falls below what is held and sold.
    """
    if not event.is_editable:
        raise Refused(_("This event cannot be changed now."))
    if booked and wish.currency != event.currency:
        raise Refused(_("The currency is fixed since the first booking."))
    columns = await columns_of(tx, wish)
    differing = [name for name, value in columns.items() if getattr(event, name) != value and name != "search_text"]
    differing = ["venue" if name == "venue_id" else name for name in differing]
    fields = changes.differences(event, columns)
    types = await revise_types(tx, event, wish.types, booked=booked)
    if types:
        differing.append("types")
    if not differing:
        return []
    # A new date of a postponed event lets its sale go on, and starts the days in which everything goes back.
    redated = {"postponed_at": None, "redated_at": now} if event.is_postponed and "starts_at" in differing else {}
    await guarded(tx, event, event.state, **columns, **redated, changed_at=now)
    details = {"changed": differing, "fields": fields, "types": types, "redated": bool(redated)}
    await activity.record(tx, "event.revised", about=f"event:{event.id}", by=by, **details)
    return differing


async def columns_of(tx: AsyncSession, wish: EventWish) -> dict[str, Any]:
    kind = (await tx.exec(select(Category).where(Category.id == wish.category_id))).one()
    text = proposing.search_text(title=wish.title, summary=wish.summary, venue=wish.venue, city=wish.city, category=kind.name)
    return {name: getattr(wish, name) for name in _SAME_NAME} | {"venue_id": await _venue_id(tx, wish), "search_text": text}


def _type_columns(wanted: TypeWish) -> dict[str, Any]:
    needs_code = wanted.needs_code or bool(wanted.access_code)
    return {name: getattr(wanted, name) for name in _SAME_NAME_OF_TYPE} | {"needs_code": needs_code}


async def revise_types(tx: AsyncSession, event: Event, wanted: Sequence[TypeWish], *, booked: set[int]) -> list[dict[str, Any]]:
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
    fits = col(TicketType.held) + col(TicketType.sold) + col(TicketType.aside) <= columns["capacity"]
    presale = columns["presale_places"]
    fits_presale = col(TicketType.presale_taken) <= presale if presale is not None else col(TicketType.id).is_not(None)
    fitting = update(TicketType).where(col(TicketType.id) == ticket_type.id, fits, fits_presale)
    if await changed(tx, fitting.values(**columns)):
        return
    taken = ticket_type.held + ticket_type.sold + ticket_type.aside
    names = {"name": ticket_type.name, "number": taken, "presale": ticket_type.presale_taken}
    if taken > columns["capacity"]:
        raise Refused(_("%(number)s places of %(name)s are taken, so its capacity cannot be less.") % names)
    raise Refused(_("The pre-sale of %(name)s has taken %(presale)s places, so it cannot have fewer.") % names)


async def _remove_type(tx: AsyncSession, ticket_type: TicketType, *, booked: set[int]) -> None:
    unused = delete(TicketType).where(col(TicketType.id) == ticket_type.id, col(TicketType.held) == 0, col(TicketType.sold) == 0)
    if ticket_type.id in booked or not await changed(tx, unused):
        raise Refused(_("%(name)s has bookings, so it stays. End its sale instead.") % {"name": ticket_type.name})
    tx.expunge(ticket_type)


async def _venue_id(tx: AsyncSession, wish: EventWish) -> int | None:
    """The venue of that name and address, made when it is new; a corrected address makes another, so past events keep theirs."""
    if not wish.venue:
        return None
    same = select(Venue).where(Venue.name == wish.venue, Venue.address == wish.address, Venue.city == wish.city)
    if not (found := (await tx.exec(same)).first()):
        await add_unless_there(tx, Venue(name=wish.venue, address=wish.address, city=wish.city))
        found = (await tx.exec(same)).one()
    return found.id
