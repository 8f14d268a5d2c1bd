"""Where an event stands: sent in, approved, published, returned, called off. Every act is written down."""

from datetime import datetime
from typing import Any

from sqlalchemy import or_, update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import activity
from app.core.db import changed
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.events import queries
from app.events.models import Event
from app.events.rules import proposing


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


async def guarded(tx: AsyncSession, event: Event, source: str, **values: Any) -> None:
    """Changes the event unless its state is another by now, and brings the instance up to date."""
    moved = update(Event).where(col(Event.id) == event.id, col(Event.state) == source).values(**values)
    if not await changed(tx, moved):
        raise Refused(_("The event has moved on, so nothing was changed. Load its page again."))
    if event in tx:
        await tx.refresh(event)


async def _move(tx: AsyncSession, event: Event, state: str, **values: Any) -> None:
    if not event.may_become(state):
        raise Refused(_("The event has moved on, so nothing was changed. Load its page again."))
    await guarded(tx, event, event.state, state=state, **values)
