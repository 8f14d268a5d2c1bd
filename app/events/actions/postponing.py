"""A published event does not take place when it was to, and nobody knows yet when it will."""

from datetime import datetime

from sqlalchemy import update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import activity
from app.core.db import changed
from app.core.errors import Refused
from app.core.i18n import gettext as _
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
