"""What was said about tickets given back moves out of the activities that a shop has already."""

import json
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from app.core import migrate
from tests.test_migrations import EMPTY, NOON, rows_into

WORDS = "The singer is ill."


async def test_words_in_old_activities_become_rows_that_can_be_erased(empty_url: str) -> None:
    await migrate.upgrade(empty_url, "0005")
    # SQLite reflects a moment as text of the kind that the shop writes.
    EMPTY[datetime] = NOON.replace(tzinfo=None) if empty_url.startswith("sqlite") else NOON
    EMPTY[object] = {}
    over = EMPTY[datetime] + timedelta(hours=3)  # type: ignore[operator]
    await rows_into(empty_url, "users", {"id": 1, "email": "alice@example.org", "role": "manager", "code": "a"})
    await rows_into(empty_url, "categories", {"id": 1, "slug": "music", "name": "Music"})
    event = {"id": 1, "slug": "late-show", "manager_id": 1, "category_id": 1, "state": "published", "per_buyer": 6}
    await rows_into(empty_url, "events", event | {"ends_at": over})
    booking = {"id": 1, "event_id": 1, "code": "a", "kind": "purchase", "state": "refunded", "currency": "EUR"}
    await rows_into(empty_url, "bookings", booking)
    returned = {"kind": "booking.tickets_returned", "about": "booking:1"}
    await rows_into(
        empty_url,
        "activities",
        returned | {"details": {"places": 1, "minor": 0, "note": WORDS}},
        returned | {"details": {"places": 1, "minor": 0, "note": ""}},
    )
    await migrate.upgrade(empty_url)
    engine = create_async_engine(empty_url)
    async with engine.connect() as connection:
        notes = (await connection.execute(sa.text("SELECT id, booking_id, words FROM return_notes"))).all()
        found = (await connection.execute(sa.text("SELECT details FROM activities ORDER BY id"))).scalars().all()
    await engine.dispose()
    details = [json.loads(one) if isinstance(one, str) else one for one in found]
    assert [(note.booking_id, note.words) for note in notes] == [(1, WORDS)]
    assert [one["note"] for one in details] == [notes[0].id, ""]
