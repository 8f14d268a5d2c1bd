"""How the tests change an event as its form does."""

from datetime import timedelta
from typing import Any

from app.core import clock
from app.events.actions import revising
from app.events.models import Event


async def dated(tx: Any, event: Event, *, later: timedelta, by: int) -> None:
    """The event starts and ends so much later."""
    moved = {"starts_at": event.starts_at + later, "ends_at": event.ends_at + later}
    await revising.revise(tx, event, moved, section="basics", by=by, booked=False, now=clock.now())
