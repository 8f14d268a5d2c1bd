"""What is done to quotas: which types are in them, and how many places they have. The guards decide, because sales go on.

Types are locked in ascending id and their quota after them, as every sale does it.
"""

from collections.abc import Sequence, Set
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import delete, exists, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import activity
from app.core.db import changed
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.core.i18n import ngettext
from app.events import drafts, queries
from app.events.actions import waiting
from app.events.actions.revising import keep
from app.events.models import Event, Quota, TicketType
from app.events.rules import changes, proposing
from app.events.rules.sharing import MOST_QUOTAS, QuotaWish, Shared


class TypeTaken(Refused):
    """Places of a ticket type are taken, so it stays in the quota in which they count."""


class TooSmall(Refused):
    """More places are taken than the quota would have."""


async def add_quota(tx: AsyncSession, event: Event, wish: QuotaWish, *, by: int, now: datetime) -> Quota | None:
    """A new quota with its types; None when it waits for an admin, as at a public event, because it leaves fewer places.

    Raises TypeTaken when places of a type are taken, Refused when there are as many quotas as an event may have.
    """
    await _change_event(tx, event, now)
    if len(await drafts.shared(tx, event)) >= MOST_QUOTAS:
        raise Refused(_("An event has %(number)s quotas at most. Remove another one first.") % {"number": MOST_QUOTAS})
    types = await queries.ticket_types(tx, event.id)
    _check_untaken([kind for kind in types if kind.code in wish.types])
    if await waiting.hold_back_new_quota(tx, event, wish, by=by, now=now):
        return None
    added = Quota(event_id=event.id or 0, name=wish.name, capacity=wish.capacity)
    tx.add(added)
    await tx.flush()
    moves = await _put(tx, types, wish.types, added)
    details = _details(added, changes.differences(None, {"name": wish.name, "capacity": wish.capacity}), moves)
    await activity.record(tx, "quota.added", about=f"event:{event.id}", by=by, **details)
    return added


async def change_quota(tx: AsyncSession, event: Event, shared: Shared, wish: QuotaWish, *, by: int, now: datetime) -> bool:
    """Whether anything is different now: at a public event fewer places, and types that join, wait for an admin.

    Raises TooSmall when more places are taken than it would have, TypeTaken when places of a type are that comes or goes.
    """
    quota, types = shared.quota, await queries.ticket_types(tx, event.id)
    _check_untaken([kind for kind in types if (kind.code in wish.types) != (kind.quota_id == quota.id)])
    if wish.capacity < quota.capacity - quota.left:
        raise _too_small(quota)
    wish = await waiting.hold_back_quota(tx, event, shared, wish, by=by, now=now)
    # A type that was removed while this waited cannot join any more.
    wish = replace(wish, types=wish.types & {kind.code for kind in types})
    if wish == shared.wish:
        return False
    await _change_event(tx, event, now)
    moves = await _put(tx, types, wish.types, quota)
    fields = changes.differences(quota, {"name": wish.name, "capacity": wish.capacity})
    if wish.capacity != quota.capacity:
        await resize(tx, quota, wish.capacity)
    await changed(tx, update(Quota).where(col(Quota.id) == quota.id).values(name=wish.name))
    await activity.record(tx, "quota.changed", about=f"event:{event.id}", by=by, **_details(quota, fields, moves))
    return True


async def remove_quota(tx: AsyncSession, event: Event, shared: Shared, *, by: int, now: datetime) -> None:
    """Its types are sold each by itself again. Raises TypeTaken when places of one are taken."""
    await _change_event(tx, event, now)
    moves = await _put(tx, shared.types, frozenset(), shared.quota)
    taken = col(Quota.held) + col(Quota.sold) + col(Quota.aside)
    if not await changed(tx, delete(Quota).where(col(Quota.id) == shared.quota.id, taken == 0)):
        raise Refused(_("Places of the quota %(name)s are taken, so it stays.") % {"name": shared.quota.name})
    tx.expunge(shared.quota)
    await activity.record(tx, "quota.removed", about=f"event:{event.id}", by=by, **_details(shared.quota, {}, moves))


async def put_into(tx: AsyncSession, ticket_type: TicketType, quota_id: int | None) -> None:
    """Puts a ticket type into a quota of its event, or out of the one it is in.

    Raises TypeTaken when places of it are taken: they would count in another quota from then on.
    """
    if ticket_type.quota_id == quota_id:
        return
    unused = (col(TicketType.id) == ticket_type.id, col(TicketType.held) + col(TicketType.sold) + col(TicketType.aside) == 0)
    of_event = exists().where(col(Quota.id) == quota_id, col(Quota.event_id) == col(TicketType.event_id))
    moved = update(TicketType).where(*unused, *([of_event] if quota_id else []))
    if not await changed(tx, moved.values(quota_id=quota_id)):
        raise _stays(ticket_type)


async def resize(tx: AsyncSession, quota: Quota, capacity: int) -> None:
    """How many places the types of a quota have together. Raises TooSmall when more are taken."""
    fitting = update(Quota).where(col(Quota.id) == quota.id, col(Quota.held) + col(Quota.sold) + col(Quota.aside) <= capacity)
    if not await changed(tx, fitting.values(capacity=capacity)):
        present = select(Quota).where(Quota.id == quota.id).execution_options(populate_existing=True)
        raise _too_small((await tx.exec(present)).one())


async def _put(tx: AsyncSession, types: Sequence[TicketType], inside: Set[str], quota: Quota) -> list[dict[str, Any]]:
    """From now on the types with these codes are in the quota, and no others; who moved, as the log keeps it."""
    moves: list[dict[str, Any]] = []
    for kind in sorted(types, key=lambda each: each.id or 0):
        if (kind.code in inside) != (kind.quota_id == quota.id):
            await put_into(tx, kind, quota.id if kind.code in inside else None)
            moves.append({"type": kind.id, "done": "put_in" if kind.code in inside else "taken_out", "fields": {}})
    return moves


def _check_untaken(kinds: Sequence[TicketType]) -> None:
    """Said at once, also about what would wait for an admin; the guard says it again when it is made."""
    if taken := next((kind for kind in kinds if kind.held + kind.sold + kind.aside), None):
        raise _stays(taken)


def _stays(kind: TicketType) -> TypeTaken:
    return TypeTaken(_("Places of %(name)s are taken, so it stays in its quota.") % {"name": kind.name})


def _too_small(quota: Quota) -> TooSmall:
    taken = quota.held + quota.sold + quota.aside
    text = ngettext(
        "%(num)s place of the quota %(name)s is taken, so it cannot be smaller.",
        "%(num)s places of the quota %(name)s are taken, so it cannot be smaller.",
        taken,
    )
    return TooSmall(text % {"name": quota.name, "num": taken})


async def _change_event(tx: AsyncSession, event: Event, now: datetime) -> None:
    if not event.is_editable:
        raise Refused(_("This event cannot be changed now."))
    await keep(tx, event, saved_sections=proposing.with_saved(event, "tickets"), changed_at=now)


def _details(quota: Quota, fields: dict[str, list[Any]], moves: list[dict[str, Any]]) -> dict[str, Any]:
    return {"quota": quota.id, "fields": fields, "types": moves}
