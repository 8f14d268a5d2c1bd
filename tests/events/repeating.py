"""What the tests of series share: days, and how an event comes to have several dates."""

import re
from datetime import date, timedelta
from typing import Any

import httpx
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import User
from app.bookings import repeating as making
from app.core import clock
from app.core.db import reading, writing
from app.events.actions import repeating
from app.events.models import Event
from app.events.rules.repeating import day_of
from tests import world

UNSENT: dict[str, Any] = {"state": "draft", "published_at": None, "submitted_at": None}
# The clock stands on Monday 16 November 2026, so the event of world.event is on Monday 14 December.
TODAY, FIRST = date(2026, 11, 16), date(2026, 12, 14)
WEEKS = [FIRST + timedelta(days=7 * number) for number in range(1, 4)]


async def all_events(*states: str) -> list[Event]:
    async with reading() as db:
        events = select(Event).order_by(col(Event.starts_at))
        return [event for event in (await db.exec(events)).all() if not states or event.state in states]


async def repeated(event: Event, days: list[date], *, by: int | None = None) -> int:
    async with writing() as tx:
        here = await tx.get_one(Event, event.id)
        return await making.make(tx, here, days, quiet=False, by=by or here.manager_id, now=clock.now())


def mark_in(page: httpx.Response) -> str:
    found = re.search(r'name="seen" type="hidden" value="(\w+)"', page.text)
    assert found, page.text
    return found[1]


async def made(tx: AsyncSession, alice: User) -> dict[str, str]:
    """For the town: two dates that everybody may see, and two that nobody may but Alice."""
    for title, columns in (("Every Monday", {}), ("Every Sunday", UNSENT)):
        first = await world.event(tx, manager=alice, title=title, **columns)
        await repeating.repeat(tx, first, day_of(first) + timedelta(days=7), quiet=True, by=alice.id or 0, now=clock.now())
    return {"series": "every-monday", "unseen series": "every-sunday"}
