"""Alarms: what a person must look at. They stand on the admin's desk and in the log until somebody settles them.

The same trouble again counts up the alarm that is open; a trouble that went away by itself calms its own alarm.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import JSON, BigInteger, Column, Index, text, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Field, SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import clock
from app.core.columns import row_id
from app.core.db import changed

log = structlog.get_logger()

_OPEN = text("settled_at IS NULL")


class Alarm(SQLModel, table=True):
    """`kind` is a word such as "invariant" or "orphan", `about` names the thing; `details` holds ids and numbers only."""

    __tablename__ = "alarms"
    __table_args__ = (Index("ix_alarms_one_open", "kind", "about", unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN),)

    id: int | None = row_id()
    kind: str = Field(max_length=40)
    about: str = Field(max_length=120)
    details: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    times: int = 1
    first_at: datetime
    last_at: datetime
    settled_at: datetime | None = None
    settled_by_user_id: int | None = Field(default=None, sa_type=BigInteger, foreign_key="users.id")


async def sound(tx: AsyncSession, kind: str, *, about: str, **details: Any) -> None:
    """Opens an alarm, or counts up the open one of the same kind about the same thing."""
    now = clock.now()
    log.error("alarm", kind=kind, about=about, **details)
    again = update(Alarm).where(*_is_open(kind, about)).values(times=col(Alarm.times) + 1, last_at=now, details=details)
    if await changed(tx, again):
        return
    try:
        async with tx.begin_nested():
            tx.add(Alarm(kind=kind, about=about[:120], details=details, first_at=now, last_at=now))
    except IntegrityError:
        # Somebody else opened it in this very moment.
        await changed(tx, again)


async def calm(tx: AsyncSession, kind: str, *, about: str) -> None:
    """The trouble is over by itself."""
    await changed(tx, update(Alarm).where(*_is_open(kind, about)).values(settled_at=clock.now()))


async def sounded_since(tx: AsyncSession, kind: str, *, about: str, since: datetime) -> bool:
    """Whether an alarm of the kind about the thing began since then, settled or not."""
    same = (Alarm.kind == kind, Alarm.about == about[:120], Alarm.first_at > since)
    return (await tx.exec(select(Alarm.id).where(*same).limit(1))).first() is not None


async def settle(tx: AsyncSession, alarm_id: int, *, by: int, now: datetime) -> bool:
    """Somebody has looked; False when it was settled already."""
    still_open = update(Alarm).where(col(Alarm.id) == alarm_id, col(Alarm.settled_at).is_(None))
    return await changed(tx, still_open.values(settled_at=now, settled_by_user_id=by)) == 1


async def open_ones(db: AsyncSession, *, most: int = 100) -> Sequence[Alarm]:
    """Alarms that nobody has settled, the newest first."""
    waiting = select(Alarm).where(col(Alarm.settled_at).is_(None))
    return (await db.exec(waiting.order_by(col(Alarm.last_at).desc()).limit(most))).all()


def _is_open(kind: str, about: str) -> tuple[Any, ...]:
    return (col(Alarm.kind) == kind, col(Alarm.about) == about[:120], col(Alarm.settled_at).is_(None))
