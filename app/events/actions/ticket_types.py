"""The kinds of places of an event are added, changed and removed, guarded by what is held and sold."""

from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from sqlalchemy import delete, update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import activity
from app.core.db import changed
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.core.i18n import ngettext
from app.events import queries
from app.events.actions import waiting
from app.events.actions.revising import keep
from app.events.models import Event, TicketType
from app.events.rules import changes, languages, proposing
from app.events.rules.proposing import MOST_TYPES, TypeWish


async def add_type(tx: AsyncSession, event: Event, wish: TypeWish, *, by: int, now: datetime) -> TicketType | None:
    """A new ticket type at the end of the list; None when it waits for an admin, as at a public event, because of its price.

    Raises Refused when there are as many as an event may have.
    """
    await _change_event(tx, event, now)
    present = await queries.ticket_types(tx, event.id)
    if len(present) >= MOST_TYPES:
        raise Refused(
            _("An event has %(number)s ticket types at most. Remove one that nobody has booked.") % {"number": MOST_TYPES}
        )
    columns = asdict(wish)
    if await waiting.hold_back_new_type(tx, event, columns, by=by, now=now):
        return None
    added = TicketType(event_id=event.id or 0, position=max((kind.position for kind in present), default=-1) + 1, **columns)
    tx.add(added)
    await tx.flush()
    await _record(tx, event, added, "added", by=by, fields=changes.differences(None, columns))
    return added


async def change_type(tx: AsyncSession, event: Event, kind: TicketType, wish: TypeWish, *, by: int, now: datetime) -> bool:
    """Whether anything is different now: of a public event another price and fewer places wait for an admin.

    Raises Refused when its places would be fewer than are taken.
    """
    columns = await waiting.hold_back_type(tx, event, kind, asdict(wish), by=by, now=now)
    differing = changes.differences(kind, columns)
    if not differing:
        return False
    texts = languages.carried(event.texts, kind, columns, await queries.ticket_types(tx, event.id))
    await _change_event(tx, event, now, **({"texts": texts} if texts != event.texts else {}))
    await _change(tx, kind, columns)
    await _record(tx, event, kind, "changed", by=by, fields=differing)
    return True


async def remove_type(tx: AsyncSession, event: Event, kind: TicketType, *, booked: set[int], by: int, now: datetime) -> None:
    """Its access codes must be gone before. `booked` are the ids of the types that stand on some booking."""
    await _change_event(tx, event, now)
    taken = col(TicketType.held) + col(TicketType.sold) + col(TicketType.aside)
    unused = delete(TicketType).where(col(TicketType.id) == kind.id, taken == 0)
    if kind.id in booked or not await changed(tx, unused):
        raise Refused(_("%(name)s has bookings, so it stays. End its sale instead.") % {"name": kind.name})
    tx.expunge(kind)
    await _record(tx, event, kind, "removed", by=by, fields={})


def wish_of(kind: TicketType) -> TypeWish:
    """A ticket type as it is, for whoever changes a part of it."""
    return TypeWish(**{field.name: getattr(kind, field.name) for field in fields(TypeWish)})


async def _change_event(tx: AsyncSession, event: Event, now: datetime, **columns: Any) -> None:
    if not event.is_editable:
        raise Refused(_("This event cannot be changed now."))
    await keep(tx, event, saved_sections=proposing.with_saved(event, "tickets"), changed_at=now, **columns)


async def _change(tx: AsyncSession, kind: TicketType, columns: dict[str, Any]) -> None:
    """The guard decides about the capacity: holds go on while the manager types. Holds keep the price of their moment."""
    fits = col(TicketType.held) + col(TicketType.sold) + col(TicketType.aside) <= columns["capacity"]
    presale = columns["presale_places"]
    fits_presale = col(TicketType.presale_taken) <= presale if presale is not None else col(TicketType.id).is_not(None)
    fitting = update(TicketType).where(col(TicketType.id) == kind.id, fits, fits_presale)
    if await changed(tx, fitting.values(**columns)):
        await tx.refresh(kind)
        return
    await tx.refresh(kind)
    taken = kind.held + kind.sold + kind.aside
    if taken > columns["capacity"]:
        text = ngettext(
            "%(num)s place of %(name)s is taken, so its capacity cannot be less.",
            "%(num)s places of %(name)s are taken, so its capacity cannot be less.",
            taken,
        )
        raise Refused(text % {"name": kind.name, "num": taken})
    text = ngettext(
        "The pre-sale of %(name)s has taken %(num)s place, so it cannot have fewer.",
        "The pre-sale of %(name)s has taken %(num)s places, so it cannot have fewer.",
        kind.presale_taken,
    )
    raise Refused(text % {"name": kind.name, "num": kind.presale_taken})


async def _record(tx: AsyncSession, event: Event, kind: TicketType, done: str, *, by: int, fields: dict[str, list[Any]]) -> None:
    types = [{"type": kind.id, "done": done, "fields": fields}]
    await activity.record(tx, "event.revised", about=f"event:{event.id}", by=by, changed=["types"], fields={}, types=types)
