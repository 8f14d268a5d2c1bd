"""A manager changes the date, the place or a price of what an admin has let out: that waits until an admin agrees.

Everything else is live at once, and so is everything of somebody who needs no review. One change waits for an event; what the
manager changes next joins it, and what they set back to what is live leaves it.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import activity
from app.core.db import changed
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.events import reviews
from app.events.decisions import Revision
from app.events.models import Event, TicketType
from app.events.rules import reviewing, sharing
from app.events.rules.sharing import QuotaWish, Shared
from app.events.rules.snapshots import stored


async def hold_back(tx: AsyncSession, event: Event, columns: Mapping[str, Any], *, by: int, now: datetime) -> dict[str, Any]:
    """The columns of an event that may be written now; the others wait from here on."""
    if not await _is_reviewed(tx, event, by):
        return dict(columns)
    held = {name: stored(columns[name]) for name in reviewing.REVIEWED if name in columns}
    present = {name: stored(getattr(event, name)) for name in held}
    waiting = await _locked(tx, event)
    later = {**(waiting.changes if waiting else {})}
    later["event"] = reviewing.merged(later.get("event", {}), held, present)
    await _replace(tx, event, waiting, later, by=by, now=now)
    return {name: value for name, value in columns.items() if name not in held}


async def hold_back_type(
    tx: AsyncSession, event: Event, kind: TicketType, columns: Mapping[str, Any], *, by: int, now: datetime
) -> dict[str, Any]:
    """The same for a ticket type: another price waits, and so do fewer places; more of them are there at once."""
    if not await _is_reviewed(tx, event, by):
        return dict(columns)
    fewer = columns["capacity"] < kind.capacity
    held = {name: columns[name] for name in ("price_minor", *(("capacity",) if fewer else ()))}
    present = {"price_minor": kind.price_minor, "capacity": kind.capacity}
    waiting = await _locked(tx, event)
    later = {**(waiting.changes if waiting else {})}
    of_types = dict(later.get("types", {}))
    # Who asks for more places now does not want fewer later.
    before = {name: value for name, value in of_types.get(kind.code, {}).items() if name in held}
    of_types[kind.code] = reviewing.merged(before, held, present)
    later["types"] = {code: values for code, values in of_types.items() if values}
    await _replace(tx, event, waiting, later, by=by, now=now)
    return {**columns, **{name: present[name] for name in held}}


async def hold_back_new_type(tx: AsyncSession, event: Event, columns: Mapping[str, Any], *, by: int, now: datetime) -> bool:
    """Whether a new ticket type, which brings a price of its own, waits as a whole."""
    if not await _is_reviewed(tx, event, by):
        return False
    waiting = await _locked(tx, event)
    later = {**(waiting.changes if waiting else {})}
    later["added"] = [*later.get("added", ()), {name: stored(value) for name, value in columns.items()}]
    await _replace(tx, event, waiting, later, by=by, now=now)
    return True


async def hold_back_quota(
    tx: AsyncSession, event: Event, shared: Shared, wish: QuotaWish, *, by: int, now: datetime
) -> QuotaWish:
    """The same for a quota: fewer places wait, and so do types that join it, since fewer of theirs can be sold then."""
    if not await _is_reviewed(tx, event, by):
        return wish
    present, wanted = sharing.stored(shared.wish), sharing.stored(wish)
    waits = {"capacity": wish.capacity < shared.quota.capacity, "types": bool(wish.types - shared.wish.types)}
    held = {name: wanted[name] for name, does in waits.items() if does}
    waiting = await _locked(tx, event)
    later = {**(waiting.changes if waiting else {})}
    of_quotas = dict(later.get("quotas", {})) | {shared.quota.code: reviewing.merged({}, held, present)}
    later["quotas"] = {code: values for code, values in of_quotas.items() if values}
    await _replace(tx, event, waiting, later, by=by, now=now)
    return replace(wish, **{name: getattr(shared.wish, name) for name in held})


async def hold_back_new_quota(tx: AsyncSession, event: Event, wish: QuotaWish, *, by: int, now: datetime) -> bool:
    """Whether a new quota, which leaves its types fewer places, waits as a whole."""
    if not await _is_reviewed(tx, event, by):
        return False
    waiting = await _locked(tx, event)
    later = {**(waiting.changes if waiting else {})}
    later["added_quotas"] = [*later.get("added_quotas", ()), sharing.stored(wish)]
    await _replace(tx, event, waiting, later, by=by, now=now)
    return True


async def withdraw(tx: AsyncSession, event: Event, *, by: int, now: datetime) -> None:
    """The manager does not want the change any more. Raises Refused when an admin has decided about it meanwhile."""
    waiting = await _locked(tx, event)
    if not waiting or not await end(tx, waiting, "withdrawn", by=by, now=now):
        raise Refused(_("No change of this event waits any more."))
    await activity.record(tx, "event.change_withdrawn", about=f"event:{event.id}", by=by)


async def decline(tx: AsyncSession, event: Event, revision: Revision, *, reason: str, by: int, now: datetime) -> None:
    """An admin does not agree; the event stays as it is. Raises Refused when the change does not wait any more."""
    await lock(tx, event)
    if not await end(tx, revision, "declined", by=by, now=now, reason=reason):
        raise Refused(reviewing.gone())
    await activity.record(tx, "event.change_declined", about=f"event:{event.id}", by=by, revision=revision.id)


async def drop(tx: AsyncSession, event: Event, *, by: int, now: datetime) -> None:
    """The event ends, and what waited with it."""
    if waiting := await reviews.waiting(tx, event):
        await end(tx, waiting, "withdrawn", by=by, now=now)


async def end(tx: AsyncSession, revision: Revision, state: str, *, by: int, now: datetime, **values: Any) -> bool:
    """Whether the change still waited: of two who decide about it, one does."""
    waits = update(Revision).where(col(Revision.id) == revision.id, col(Revision.state) == "waiting")
    return await changed(tx, waits.values(state=state, decided_by=by, decided_at=now, **values)) == 1


async def _is_reviewed(tx: AsyncSession, event: Event, by: int) -> bool:
    return event.state in ("approved", "published") and not await reviews.is_trusted(tx, by)


async def lock(tx: AsyncSession, event: Event) -> None:
    """Whoever decides about a change or adds to it locks the event first, so that they take turns and never wait in a circle."""
    await tx.exec(select(Event.id).where(Event.id == event.id).with_for_update())


async def _locked(tx: AsyncSession, event: Event) -> Revision | None:
    """What waits, and nobody else adds to it or decides about it until the block ends."""
    await lock(tx, event)
    return await reviews.waiting(tx, event)


async def _replace(
    tx: AsyncSession, event: Event, waiting: Revision | None, later: dict[str, Any], *, by: int, now: datetime
) -> None:
    """The newer change takes the place of the older; one that changes nothing any more just ends the older."""
    later = {name: value for name, value in later.items() if value}
    if later == (waiting.changes if waiting else {}):
        return
    if waiting and not await end(tx, waiting, "replaced" if later else "withdrawn", by=by, now=now):
        raise Refused(_("An admin has decided about your last change in this moment. Look at the event again."))
    if later:
        tx.add(Revision(event_id=event.id or 0, state="waiting", changes=later, by_user_id=by, created_at=now))
        await tx.flush()
        await activity.record(tx, "event.change_asked", about=f"event:{event.id}", by=by)
    else:
        await activity.record(tx, "event.change_withdrawn", about=f"event:{event.id}", by=by)
