"""What happened is written down, in the transaction in which it happened. Rows are never changed.

What is still to be done about an activity stands in `activity_work`; the worker takes it from there.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Index, update
from sqlmodel import Field, SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import clock
from app.core.columns import row_id
from app.core.db import changed, when_kept
from app.core.steps import Steps, insert


class Activity(SQLModel, table=True):
    """Who did what to what, when. `details` holds ids and words, never personal values."""

    __tablename__ = "activities"

    id: int | None = row_id()
    kind: str = Field(max_length=60, index=True)
    about: str = Field(max_length=80, index=True)
    by_user_id: int | None = Field(default=None, sa_type=BigInteger, foreign_key="users.id")
    at: datetime = Field(index=True)
    details: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))


class ActivityWork(SQLModel, table=True):
    """One row per activity: whether the reactions to it have run."""

    __tablename__ = "activity_work"
    __table_args__ = (Index("ix_activity_work_due", "handled_at", "next_try_at"),)

    activity_id: int = Field(primary_key=True, sa_type=BigInteger, foreign_key="activities.id")
    handled_at: datetime | None = None
    attempts: int = 0
    next_try_at: datetime
    error: str = Field(default="", max_length=500)


_wakers: set[Callable[[], None]] = set()


def on_news(call: Callable[[], None]) -> Callable[[], None]:
    """Calls back after every kept activity of this process; returns how to stop that."""
    _wakers.add(call)
    return lambda: _wakers.discard(call)


async def record(tx: AsyncSession, kind: str, *, about: str, by: int | None, **details: Any) -> Activity:
    """Writes an activity such as record(tx, "booking.paid", about="booking:17", by=None, event=3).

    `about` names the thing as "kind:id"; `by` is the id of the user who did it, None for clients and for the shop itself.
    """
    now = clock.now()
    activity = Activity(kind=kind, about=about, by_user_id=by, at=now, details=details)
    tx.add(activity)
    await tx.flush()
    assert activity.id is not None
    tx.add(ActivityWork(activity_id=activity.id, next_try_at=now))
    await tx.flush()
    wake_after(tx)
    return activity


def recorded(kind: str, *, about: str, by: int | None, at: datetime, has_reactions: bool = True, **details: Any) -> Steps[None]:
    """The same as steps; without reactions there is nothing for the worker to look at, and no work row. Call wake() later."""
    activity_id = (yield insert(Activity, kind=kind, about=about, by_user_id=by, at=at, details=details))[0][0]
    if has_reactions:
        yield insert(ActivityWork, activity_id=activity_id, next_try_at=at)


def hushed(quiet: bool) -> dict[str, bool]:
    """Details of an activity that nobody is told of, because they are told of another one of the same act."""
    return {"quiet": True} if quiet else {}


def wake() -> None:
    """The worker of this process looks at once for what is to be done."""
    for call in list(_wakers):
        call()


def wake_after(tx: AsyncSession) -> None:
    """The worker of this process looks at once, when the block is kept, instead of at its next turn."""
    when_kept(tx, wake)


async def by_whom(db: AsyncSession, kind: str, *, about: str, by: int, since: datetime) -> Sequence[Activity]:
    """What somebody did to a thing since a moment."""
    same = (Activity.kind == kind, Activity.about == about, Activity.by_user_id == by, Activity.at > since)
    return (await db.exec(select(Activity).where(*same))).all()


async def due(db: AsyncSession, *, now: datetime, most: int) -> list[int]:
    """Ids of activities whose reactions are still to run, oldest first."""
    open_work = select(ActivityWork.activity_id).where(col(ActivityWork.handled_at).is_(None), ActivityWork.next_try_at <= now)
    return list((await db.exec(open_work.order_by(col(ActivityWork.activity_id)).limit(most))).all())


async def claim(tx: AsyncSession, activity_id: int, *, now: datetime) -> Activity | None:
    """Marks the work done in the caller's transaction; None when another process was faster."""
    claimed = await changed(
        tx,
        update(ActivityWork)
        .where(col(ActivityWork.activity_id) == activity_id, col(ActivityWork.handled_at).is_(None))
        .values(handled_at=now),
    )
    return await tx.get(Activity, activity_id) if claimed == 1 else None


async def postpone(tx: AsyncSession, activity_id: int, *, error: str, now: datetime) -> None:
    """After a failed reaction: try again later, with growing pauses of at most an hour."""
    work = await tx.get(ActivityWork, activity_id)
    if work and work.handled_at is None:
        work.attempts += 1
        work.next_try_at = now + timedelta(seconds=min(3600, 5 * 2**work.attempts))
        work.error = error[:500]
