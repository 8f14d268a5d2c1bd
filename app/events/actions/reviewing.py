"""An admin agrees to a change that waited, and it is made as if they made it: under the same guards."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import activity
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.events import drafts, queries, reviews
from app.events.actions import quotas, revising, ticket_types, waiting
from app.events.decisions import Revision
from app.events.models import Event
from app.events.rules import reviewing, sharing
from app.events.rules.proposing import TypeWish
from app.events.rules.sharing import QuotaWish


async def approve_change(tx: AsyncSession, event: Event, revision: Revision, *, by: int, booked: bool, now: datetime) -> None:
    """The change is live. `booked` says whether a booking stands, as for every change.

    Raises Refused when it does not wait any more, or when it cannot be made now: the date has passed, or more places are held
    and sold than would be left. A price counts from the next hold on.
    """
    await waiting.lock(tx, event)
    await tx.refresh(event)
    if not await waiting.end(tx, revision, "approved", by=by, now=now):
        raise Refused(reviewing.gone())
    columns = reviewing.revived(revision.changes.get("event", {}))
    if columns.get("starts_at", now) < now:
        raise Refused(_("The new date has passed. Decline the change, so that the manager chooses another."))
    who_and_when: dict[str, Any] = {"by": by, "now": now}
    if columns:
        await revising.revise(tx, event, columns, section="basics", booked=booked, **who_and_when)
    kinds = {kind.code: kind for kind in await queries.ticket_types(tx, event.id)}
    for code, values in revision.changes.get("types", {}).items():
        # A type that was removed meanwhile has no price any more.
        if kind := kinds.get(code):
            await ticket_types.change_type(tx, event, kind, replace(ticket_types.wish_of(kind), **values), **who_and_when)
    for values in revision.changes.get("added", ()):
        await ticket_types.add_type(tx, event, TypeWish(**reviewing.revived(values)), **who_and_when)
    shared = {each.quota.code: each for each in await drafts.shared(tx, event)}
    for code, values in revision.changes.get("quotas", {}).items():
        if present := shared.get(code):
            await quotas.change_quota(tx, event, present, replace(present.wish, **sharing.revived(values)), **who_and_when)
    for values in revision.changes.get("added_quotas", ()):
        await quotas.add_quota(tx, event, QuotaWish(**sharing.revived(values)), **who_and_when)
    revision.snapshot = await reviews.snapshot(tx, event)
    await activity.record(tx, "event.change_approved", about=f"event:{event.id}", by=by, revision=revision.id)
