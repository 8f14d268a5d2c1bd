"""A published event does not take place when it was to, and nobody knows yet when it will; or it does after all."""

from datetime import datetime

from sqlalchemy import update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import activity
from app.core.db import changed
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.events import reviews
from app.events.actions import revising, waiting
from app.events.models import Event


async def postpone(tx: AsyncSession, event: Event, *, reason: str, return_days: int, by: int, now: datetime) -> None:
    """The sale pauses until a new date is known; so many days after that, who booked before may still give everything back.

    Raises Refused when it is not public, over, or postponed already.
    """
    if not event.takes_payments(now):
        raise Refused(_("Only a public event that is still ahead can be postponed."))
    here = update(Event).where(col(Event.id) == event.id, col(Event.state) == "published", col(Event.postponed_at).is_(None))
    told = {"postponed_reason": reason, "return_days": return_days, "redated_at": None, "changed_at": now}
    if not await changed(tx, here.values(postponed_at=now, **told)):
        raise Refused(_("The event has moved on, so nothing was changed. Load its page again."))
    await tx.refresh(event)
    details = {"states": ["published", "postponed"], "days": return_days}
    await activity.record(tx, "event.postponed", about=f"event:{event.id}", by=by, **details)


async def keep_date(tx: AsyncSession, event: Event, *, by: int, now: datetime) -> None:
    """The event takes place when it was to after all, and its sale goes on.

    Buyers were promised that everything goes back whole for some days after the date is known, and that holds. The reason goes
    with what it was given for. Raises Refused when the event is not postponed, that date has passed or another one waits for an
    admin, and Overtaken when somebody else changed the event in the same moment.
    """
    if not event.is_postponed:
        raise Refused(_("This event is not postponed, so nothing was changed."))
    if event.starts_at <= now:
        raise Refused(_("That date has passed. Set the new date, or call the event off."))
    await waiting.lock(tx, event)
    change = await reviews.waiting(tx, event)
    if change and "starts_at" in change.changes.get("event", {}):
        raise Refused(_("A new date waits for an admin. Take that change back first."))
    await revising.keep(tx, event, postponed_at=None, postponed_reason="", redated_at=now, changed_at=now)
    states = ["postponed", "published"]
    await activity.record(tx, "event.date_kept", about=f"event:{event.id}", by=by, states=states, days=event.return_days)
