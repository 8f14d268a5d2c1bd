"""Hearts: the categories and events that somebody marked."""

from datetime import datetime
from typing import Any

from sqlalchemy import delete
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core.db import add_unless_there, changed
from app.events import queries
from app.events.models import Category, Event, Favourite
from app.events.moved import Moved
from app.events.rules import searching


async def toggle_favourite(
    tx: AsyncSession, user_id: int, *, now: datetime, event_id: int | None = None, category_id: int | None = None
) -> bool:
    """Marks an event or a category, or takes the mark away; returns whether it is marked now."""
    same = col(Favourite.event_id) == event_id if event_id else col(Favourite.category_id) == category_id
    if await changed(tx, delete(Favourite).where(col(Favourite.user_id) == user_id, same)):
        return False
    await add_unless_there(tx, Favourite(user_id=user_id, event_id=event_id, category_id=category_id, created_at=now))
    return True


async def save_event(tx: AsyncSession, user_id: int, event_id: int, *, now: datetime) -> None:
    """Marks an event; one that is marked stays so."""
    await add_unless_there(tx, Favourite(user_id=user_id, event_id=event_id, created_at=now))


async def set_favourite_categories(tx: AsyncSession, user_id: int, wanted: set[int], *, now: datetime) -> None:
    """Makes exactly these the user's favourite categories."""
    present = await queries.favourite_categories(tx, user_id)
    unwanted = col(Favourite.category_id).in_(present - wanted)
    await changed(tx, delete(Favourite).where(col(Favourite.user_id) == user_id, unwanted))
    for category_id in sorted(wanted - present):
        await add_unless_there(tx, Favourite(user_id=user_id, category_id=category_id, created_at=now))


async def adopt_favourites(tx: AsyncSession, user_id: int, value: Any, now: datetime) -> None:
    """A client's hearts, the unsigned value of the cookie, join the account at login. What no longer exists is passed over."""
    marks = searching.marks(value)
    slugs = {kind: [mark[2:] for mark in marks if mark[0] == kind] for kind in "ce"}
    kinds = [*(await tx.exec(select(Category.id).where(col(Category.slug).in_(slugs["c"])))).all()]
    moved = select(Moved.category_id).where(Moved.kind == "categories", col(Moved.slug).in_(slugs["c"]))
    kinds += (await tx.exec(moved)).all()
    events = (await tx.exec(select(Event).where(col(Event.slug).in_(slugs["e"])))).all()
    present = await queries.favourite_categories(tx, user_id), await queries.favourite_events(tx, user_id)
    for category_id in set(kinds) - present[0]:
        await add_unless_there(tx, Favourite(user_id=user_id, category_id=category_id, created_at=now))
    for event_id in {event.id for event in events if event.is_public} - present[1]:
        await add_unless_there(tx, Favourite(user_id=user_id, event_id=event_id, created_at=now))
