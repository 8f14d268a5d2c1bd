"""Copies of one's own data: asked for, made, failed."""

from datetime import datetime, timedelta

from sqlalchemy import delete, update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import activity
from app.core.db import changed
from app.privacy import queries
from app.privacy.models import EXPORT_LIFE, Export

MOST_ATTEMPTS = 3
CLAIMED_FOR = timedelta(minutes=15)


async def ask(tx: AsyncSession, user_id: int, *, by: int, now: datetime) -> None:
    """A copy is to be made, which only its owner can download; it takes the place of an older one.

    While one is being made nothing new is asked for.
    """
    if await queries.is_being_exported(tx, user_id):
        return
    await changed(tx, delete(Export).where(col(Export.user_id) == user_id))
    tx.add(Export(user_id=user_id, asked_at=now, next_try_at=now, expires_at=now + EXPORT_LIFE))
    await activity.record(tx, "account.export_asked", about=f"user:{user_id}", by=by)


async def claim(tx: AsyncSession, export: Export, *, now: datetime) -> bool:
    """Whether this caller makes the copy now. Until it reports back nobody else does, for a quarter of an hour."""
    due = update(Export).where(col(Export.id) == export.id, col(Export.state) == "asked", col(Export.next_try_at) <= now)
    return await changed(tx, due.values(attempts=Export.attempts + 1, next_try_at=now + CLAIMED_FOR)) == 1


async def note_ready(tx: AsyncSession, export: Export, *, file: str, size_bytes: int, now: datetime) -> None:
    """The file lies there; its owner is told by mail."""
    values = {"state": "ready", "file": file, "size_bytes": size_bytes, "ready_at": now, "expires_at": now + EXPORT_LIFE}
    if await changed(tx, update(Export).where(col(Export.id) == export.id, col(Export.state) == "asked").values(**values)):
        await activity.record(tx, "account.export_ready", about=f"user:{export.user_id}", by=None)


async def note_failure(tx: AsyncSession, export: Export, *, now: datetime) -> None:
    """Tried again in five minutes; after three times the page says that it did not work."""
    over = export.attempts + 1 >= MOST_ATTEMPTS
    values = {"state": "failed"} if over else {"next_try_at": now + timedelta(minutes=5)}
    await changed(tx, update(Export).where(col(Export.id) == export.id, col(Export.state) == "asked").values(**values))
