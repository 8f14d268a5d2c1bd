"""What is kept of an event beside it: how it was when an admin decided, and what they wished changed."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core.db import changed
from app.events import reviews
from app.events.decisions import Revision, WishedChange
from app.events.models import Event


async def keep(tx: AsyncSession, event: Event, state: str, *, by: int, now: datetime) -> None:
    """Writes down how the event is at this moment, in which it was "approved" or "returned"."""
    whole = await reviews.snapshot(tx, event)
    decided: dict[str, Any] = {"by_user_id": by, "decided_by": by, "created_at": now, "decided_at": now}
    tx.add(Revision(event_id=event.id or 0, state=state, snapshot=whole, **decided))
    await tx.flush()


async def wish(tx: AsyncSession, event: Event, wishes: Mapping[str, str]) -> None:
    """What an admin wishes changed now stands at these sections, and at no other."""
    await forget_wishes(tx, event)
    tx.add_all(WishedChange(event_id=event.id or 0, section=section, words=words) for section, words in wishes.items() if words)
    await tx.flush()


async def forget_wishes(tx: AsyncSession, event: Event) -> None:
    """The event is sent again, so what was wished is done or answered."""
    await changed(tx, delete(WishedChange).where(col(WishedChange.event_id) == event.id))
