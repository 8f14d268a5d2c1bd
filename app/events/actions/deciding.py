"""Where an event stands: sent in, taken back, approved, published, returned, rejected, called off. Every act is written down."""

from datetime import datetime
from typing import Any

from sqlalchemy import or_, update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import activity
from app.core.db import changed
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.events import queries, reviews
from app.events.actions import revisions, waiting
from app.events.models import Event
from app.events.rules import proposing
from app.events.rules.reviewing import Said


async def submit(tx: AsyncSession, event: Event, *, by: int, now: datetime, quiet: bool = False) -> None:
    """Sends a complete draft to the admins; what somebody sends who is trusted, or an admin, goes out without a review.

    `quiet`: nobody is told, because they are told of another date of the same act. Raises Refused with what is missing.
    """
    if event.is_rejected:
        raise Refused(_("An admin has rejected this draft, so it cannot be sent again."))
    lacking = proposing.missing(event, await queries.venue(tx, event), await queries.ticket_types(tx, event.id), now=now)
    if event.state == "draft" and lacking:
        raise Refused(" ".join(lacking))
    await revisions.forget_wishes(tx, event)
    if await reviews.is_trusted(tx, by):
        states = await _let_out(tx, event, by=by, now=now, submitted_at=now, wished_changes="")
        await activity.record(tx, "event.trusted", about=f"event:{event.id}", by=by, states=states)
        await _tell_when_public(tx, event, states, by=by, quiet=quiet)
        return
    await _move(tx, event, "submitted", submitted_at=now, wished_changes="")
    details = {"states": ["draft", "submitted"], **activity.hushed(quiet)}
    await activity.record(tx, "event.submitted", about=f"event:{event.id}", by=by, **details)


async def withdraw(tx: AsyncSession, event: Event, *, by: int) -> None:
    """The manager takes a submitted event back before an admin has decided about it."""
    if event.state != "submitted":
        raise Refused(_moved_on())
    await _move(tx, event, "draft")
    await activity.record(tx, "event.withdrawn", about=f"event:{event.id}", by=by, states=["submitted", "draft"])


async def approve(tx: AsyncSession, event: Event, *, by: int, now: datetime, quiet: bool = False) -> None:
    """Lets a submitted event out: at its publish_at, or at once. Raises Refused when it has begun already."""
    if event.state != "submitted":
        raise Refused(_moved_on())
    if event.starts_at <= now:
        raise Refused(_("The event has begun. Ask its manager for another date."))
    states = await _let_out(tx, event, by=by, now=now)
    await activity.record(tx, "event.approved", about=f"event:{event.id}", by=by, states=states, **activity.hushed(quiet))
    await _tell_when_public(tx, event, states, by=by, quiet=quiet)


async def publish(tx: AsyncSession, event_id: int, *, now: datetime, quiet: bool = False) -> bool:
    """Publishes an approved event whose moment has come; False when somebody was faster or it is not due any more."""
    due = or_(col(Event.publish_at).is_(None), col(Event.publish_at) <= now)
    approved = update(Event).where(col(Event.id) == event_id, col(Event.state) == "approved", due)
    if not await changed(tx, approved.values(state="published", published_at=now)):
        return False
    details = {"states": ["approved", "published"], **activity.hushed(quiet)}
    await activity.record(tx, "event.published", about=f"event:{event_id}", by=None, **details)
    return True


async def return_for_changes(tx: AsyncSession, event: Event, said: Said, *, by: int, now: datetime, quiet: bool = False) -> None:
    """Gives a submitted event back to its manager with what the admin wishes changed: in all, and by section of the form."""
    await _give_back(tx, event, said, by=by, now=now)
    details = {"states": ["submitted", "draft"], "sections": sorted(said.wishes), **activity.hushed(quiet)}
    await activity.record(tx, "event.returned", about=f"event:{event.id}", by=by, **details)


async def reject(tx: AsyncSession, event: Event, said: Said, *, by: int, now: datetime) -> None:
    """Gives a submitted event back for good: its manager may copy or delete the draft, and cannot send it again."""
    await _give_back(tx, event, said, by=by, now=now, rejected_at=now)
    details = {"states": ["submitted", "rejected"], "sections": sorted(said.wishes)}
    await activity.record(tx, "event.rejected", about=f"event:{event.id}", by=by, **details)


async def call_off(tx: AsyncSession, event: Event, *, reason: str, by: int, now: datetime) -> None:
    """Ends an event at once for holds and captures; its bookings are wound down afterwards."""
    if event.is_over(now):
        raise Refused(_("The event is over, so it cannot be called off."))
    before = event.state
    await _move(tx, event, "called_off", called_off_reason=reason, called_off_at=now)
    await waiting.drop(tx, event, by=by, now=now)
    await activity.record(tx, "event.called_off", about=f"event:{event.id}", by=by, states=[before, "called_off"])


async def guarded(tx: AsyncSession, event: Event, source: str, **values: Any) -> None:
    """Changes the event unless its state is another by now, and brings the instance up to date.

    One that was taken back and sent again meanwhile counts as another: an admin decides about what they have read.
    """
    same = update(Event).where(col(Event.id) == event.id, col(Event.state) == source)
    if source == "submitted":
        same = same.where(col(Event.submitted_at) == event.submitted_at)
    if not await changed(tx, same.values(**values)):
        raise Refused(_moved_on())
    if event in tx:
        await tx.refresh(event)


async def _let_out(tx: AsyncSession, event: Event, *, by: int, now: datetime, **values: Any) -> list[str]:
    """Publishes the event, or lets it wait for its moment; gives its state before and after."""
    before, at_once = event.state, event.publish_at is None or event.publish_at <= now
    state = "published" if at_once else "approved"
    await _move(tx, event, state, **values, **({"published_at": now} if at_once else {}))
    await revisions.keep(tx, event, "approved", by=by, now=now)
    return [before, state]


async def _tell_when_public(tx: AsyncSession, event: Event, states: list[str], *, by: int, quiet: bool) -> None:
    if states[-1] == "published":
        await activity.record(tx, "event.published", about=f"event:{event.id}", by=by, states=states, **activity.hushed(quiet))


async def _give_back(tx: AsyncSession, event: Event, said: Said, *, by: int, now: datetime, **values: Any) -> None:
    if event.state != "submitted":
        raise Refused(_moved_on())
    await _move(tx, event, "draft", wished_changes=said.reason, **values)
    await revisions.wish(tx, event, said.wishes)
    await revisions.keep(tx, event, "returned", by=by, now=now)


async def _move(tx: AsyncSession, event: Event, state: str, **values: Any) -> None:
    if not event.may_become(state):
        raise Refused(_moved_on())
    await guarded(tx, event, event.state, state=state, **values)


def _moved_on() -> str:
    return _("The event has moved on, so nothing was changed. Load its page again.")
