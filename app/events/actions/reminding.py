"""Being reminded of a sale: asked for with an address, confirmed by a mailed button, taken back; and that a sale has opened."""

from datetime import datetime

from sqlalchemy import delete, or_, update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import activity
from app.core.db import add_unless_there, changed
from app.core.i18n import language
from app.events import reminders
from app.events.models import Event
from app.events.reminders import Opening, Reminder


async def ask(tx: AsyncSession, event: Event, email: str, *, now: datetime) -> None:
    """Somebody typed an address: its owner is asked by mail, also once more, and nothing else happens before they say yes.

    A reminder that nobody has answered, or that has done its work, begins anew: who asks again waits for another opening.
    """
    event_id = event.id or 0
    if not await add_unless_there(tx, Reminder(event_id=event_id, email=email, language=language(), created_at=now)):
        same = col(Reminder.event_id) == event_id, col(Reminder.email) == email
        anew = update(Reminder).where(*same, or_(col(Reminder.confirmed_at).is_(None), reminders.was_told()))
        await changed(tx, anew.values(created_at=now, confirmed_at=None))
    found = await reminders.of_address(tx, event_id, email)
    await activity.record(tx, "reminder.asked", about=f"event:{event_id}", by=None, reminder=found.id if found else 0)


async def confirm(tx: AsyncSession, reminder: Reminder, *, now: datetime) -> None:
    """The owner of the address says yes; a second time changes nothing."""
    open_one = update(Reminder).where(col(Reminder.id) == reminder.id, col(Reminder.confirmed_at).is_(None))
    if await changed(tx, open_one.values(confirmed_at=now)):
        await activity.record(tx, "reminder.confirmed", about=f"event:{reminder.event_id}", by=None, reminder=reminder.id)


async def stop(tx: AsyncSession, reminder: Reminder) -> None:
    """Nobody is reminded any more, and the address is forgotten."""
    if await changed(tx, delete(Reminder).where(col(Reminder.id) == reminder.id)):
        await activity.record(tx, "reminder.stopped", about=f"event:{reminder.event_id}", by=None, reminder=reminder.id)


async def open_sale(tx: AsyncSession, event_id: int, phase: str, since: datetime, *, now: datetime) -> bool:
    """Writes down that a sale is open since then, and so tells whoever waits for it. False when another process was faster."""
    if not await is_first(tx, Opening(event_id=event_id, phase=phase, at=now), since):
        return False
    await activity.record(tx, "event.sale_opened", about=f"event:{event_id}", by=None, phase=phase)
    return True


async def is_first(tx: AsyncSession, opening: Opening, since: datetime) -> bool:
    """The guard: of all who write the same down, one does; what an earlier opening left there is written over."""
    same = col(Opening.event_id) == opening.event_id, col(Opening.phase) == opening.phase
    again = update(Opening).where(*same, col(Opening.at) < since).values(at=opening.at)
    return bool(await changed(tx, again)) or await add_unless_there(tx, opening)
