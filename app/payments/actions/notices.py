"""What Stripe tells us is written down first, and done later."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core.db import changed
from app.payments import queries
from app.payments.at_stripe import Told
from app.payments.models import Cursor, Notice


async def note(tx: AsyncSession, told: Told, *, now: datetime) -> bool:
    """Writes down what Stripe tells us; False when it told us before, be it in this very moment."""
    notice = Notice(
        id=told.id,
        kind=told.kind,
        object_id=told.object_id,
        payment_intent=told.payment_intent,
        live=told.live,
        received_at=now,
        # What means nothing to us is done by being written down.
        done_at=None if told.object_id else now,
        next_try_at=now,
    )
    try:
        async with tx.begin_nested():
            tx.add(notice)
    except IntegrityError:
        return False
    return True


async def note_all(tx: AsyncSession, heard: Sequence[Told], *, now: datetime) -> int:
    """The same for a list that we asked for ourselves; how many were new."""
    known = await queries.known_notices(tx, [told.id for told in heard])
    return sum([await note(tx, told, now=now) for told in heard if told.id not in known])


async def notice_done(tx: AsyncSession, notice_id: str, *, now: datetime) -> None:
    await changed(tx, update(Notice).where(col(Notice.id) == notice_id).values(done_at=now))


async def try_notice_later(tx: AsyncSession, notice_id: str, *, error: str, now: datetime) -> None:
    notice = await tx.get(Notice, notice_id)
    if notice and notice.done_at is None:
        notice.attempts += 1
        notice.next_try_at = now + timedelta(seconds=min(3600, 5 * 2 ** min(notice.attempts, 10)))
        notice.error = error[:500]


async def read_until(tx: AsyncSession, name: str, at: datetime) -> None:
    """How far a list at Stripe has been read. It never goes back."""
    cursor = await tx.get(Cursor, name, populate_existing=True, with_for_update=True)
    if not cursor:
        tx.add(Cursor(name=name, at=at))
    elif cursor.at < at:
        cursor.at = at
