"""A section of an event is saved, as a draft and when it is published. Nobody overwrites what they have not seen."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import activity
from app.core.db import add_unless_there, changed
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.core.money import exponent
from app.events import queries
from app.events.actions import finding, waiting
from app.events.models import Event, TicketType, Venue
from app.events.rules import changes, proposing
from app.events.rules.proposing import Place


class Overtaken(Refused):
    """Somebody else has saved what the visitor was writing."""


async def revise(
    tx: AsyncSession,
    event: Event,
    wanted: Mapping[str, Any],
    *,
    section: str,
    by: int,
    booked: bool,
    now: datetime,
    place: Place | None = None,
) -> list[str]:
    """Saves one section: the columns `wanted`, and the place if there is one. Returns the names of what is different now.
    An empty `section` completes none.

    `booked` says whether a booking stands, which fixes the currency. What hangs on the event follows: a sale that ended at the
    start ends at the new one, prices keep their amount in another currency. Of a public event another date, place or currency
    waits for an admin, unless who saves needs no review. Raises Refused when that cannot be, Overtaken
    when the event has changed since this transaction read it.
    """
    if not event.is_editable:
        raise Refused(_("This event cannot be changed now."))
    columns = {**wanted, **({"venue_id": await _venue_id(tx, place)} if place else {})}
    if booked and columns.get("currency", event.currency) != event.currency:
        raise Refused(_("The currency is fixed since the first booking."))
    columns = await waiting.hold_back(tx, event, columns, by=by, now=now)
    differing = [name for name, value in columns.items() if getattr(event, name) != value]
    if not differing and (not section or proposing.has_saved(event, section)):
        return []
    fields = changes.differences(event, columns)
    types = await _types_follow(tx, event, columns)
    # A new date of a postponed event lets its sale go on, and starts the days in which everything goes back.
    moved = {"postponed_at": None, "redated_at": now} if event.is_postponed and "starts_at" in differing else {}
    if event.is_public and "starts_at" in differing:
        moved["previous_starts_at"] = event.starts_at
    await keep(tx, event, saved_sections=proposing.with_saved(event, section), changed_at=now, **columns, **moved)
    differing = ["venue" if name == "venue_id" else name for name in differing] + (["types"] if types else [])
    if differing:
        details = {"changed": differing, "fields": fields, "types": types, "redated": "redated_at" in moved}
        await activity.record(tx, "event.revised", about=f"event:{event.id}", by=by, **details)
    return differing


async def keep(tx: AsyncSession, event: Event, **values: Any) -> None:
    """Changes the event unless somebody else has since it was read, and counts its version up.

    Also whoever changes its ticket types comes through here, so they take turns.
    """
    same = update(Event).where(col(Event.id) == event.id, col(Event.version) == event.version, col(Event.state) == event.state)
    if not await changed(tx, same.values(version=col(Event.version) + 1, **values)):
        raise Overtaken(_("Somebody else saved this event in the same moment, so nothing was changed. Try again."))
    if finding.SEARCHED & values.keys():
        await finding.index(tx, [event.id])
    if event in tx:
        await tx.refresh(event)


async def _venue_id(tx: AsyncSession, place: Place) -> int | None:
    """The venue of that name and address, made when it is new; a corrected address makes another, so past events keep theirs."""
    if not place.name:
        return None
    same = select(Venue).where(Venue.name == place.name, Venue.address == place.address, Venue.city == place.city)
    if not (found := (await tx.exec(same)).first()):
        await add_unless_there(tx, Venue(name=place.name, address=place.address, city=place.city))
        found = (await tx.exec(same)).one()
    return found.id


async def _types_follow(tx: AsyncSession, event: Event, columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What is different about the ticket types because the start or the currency is another."""
    starts_at, currency = columns.get("starts_at", event.starts_at), columns.get("currency", event.currency)
    if starts_at == event.starts_at and currency == event.currency:
        return []
    done = []
    for kind in await queries.ticket_types(tx, event.id):
        values: dict[str, Any] = {"price_minor": _in_currency(kind, event.currency, currency)}
        if kind.sale_to == event.starts_at:
            values["sale_to"] = starts_at
            if starts_at <= kind.sale_from:
                raise Refused(
                    _("%(name)s would go on sale after the event has begun. Change its sale first.") % {"name": kind.name}
                )
        if fields := changes.differences(kind, values):
            done.append({"type": kind.id, "done": "changed", "fields": fields})
            await changed(tx, update(TicketType).where(col(TicketType.id) == kind.id).values(**values))
    return done


def _in_currency(kind: TicketType, before: str, after: str) -> int:
    """The same amount in another currency: 18.00 stays 18, and 18.50 cannot be an amount of yen."""
    down, up = 10 ** exponent(before), 10 ** exponent(after)
    minor, rest = divmod(kind.price_minor * int(up), int(down))
    if rest:
        names = {"name": kind.name, "currency": after}
        raise Refused(_("The price of %(name)s has decimals, and %(currency)s has none. Change the price first.") % names)
    return int(minor)
