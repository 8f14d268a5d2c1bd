"""What the search looks into is written anew, in the transaction that changes an event or the name of its category or venue."""

from collections.abc import Sequence
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.events import queries, search
from app.events.models import Category, Event, Venue
from app.events.rules.languages import in_others
from app.events.rules.words import found_by

# Columns of an event that say by which words it is found.
SEARCHED = frozenset({"title", "summary", "description", "texts", "venue_id", "category_id"})


async def index(tx: AsyncSession, event_ids: Sequence[int | None]) -> None:
    """Writes the words of these events as they are now.

    On PostgreSQL the events are locked first, and then the names are read under a lock that whoever renames waits for: of two
    who change an event and its category in the same moment, the later one sees what the earlier one did.
    """
    await hold_still(tx, col(Event.id).in_(event_ids))
    rows = (await tx.exec(_texts().where(col(Event.id).in_(event_ids)))).all()
    kinds = select(Category.id, Category.name).where(col(Category.id).in_({row.category_id for row in rows}))
    named = {number: [name] for number, name in (await tx.exec(kinds.with_for_update(read=True))).all()}
    places = select(Venue.id, Venue.name, Venue.city).where(col(Venue.id).in_({row.venue_id for row in rows}))
    placed = {number: [name, city] for number, name, city in (await tx.exec(places.with_for_update(read=True))).all()}
    await search.take_out(tx, event_ids)
    words = [
        {
            "event_id": row.id,
            "words": found_by(
                row.title,
                row.summary,
                *placed.get(row.venue_id, []),
                *named[row.category_id],
                row.description,
                *in_others(row.texts),
            ),
        }
        for row in rows
    ]
    await search.put_in(tx, words)


async def hold_still(tx: AsyncSession, condition: Any) -> list[int]:
    """Ids of the events, in order; nobody else changes them before this transaction ends."""
    await tx.flush()
    locked = select(Event.id).where(condition).order_by(col(Event.id)).with_for_update()
    return [number for number in (await tx.exec(locked)).all() if number]


def _texts() -> Any:
    return queries.columns(
        Event.id, Event.title, Event.summary, Event.description, Event.texts, Event.category_id, Event.venue_id
    )
