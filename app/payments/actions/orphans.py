"""Sessions of this shop at Stripe that no payment of ours knows: after a restore from a backup there may be some."""

from datetime import datetime

from sqlalchemy import update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import activity, alarms
from app.core.db import changed, move
from app.payments.at_stripe import Session
from app.payments.models import Orphan


async def found(tx: AsyncSession, session: Session, *, now: datetime) -> None:
    """Writes it down, once. One that took money is on the admin's desk, whatever becomes of it: a buyer has no ticket."""
    known = await tx.get(Orphan, session.id)
    if known:
        known.payment_intent = known.payment_intent or session.payment_intent or ""
    else:
        tx.add(
            Orphan(
                id=session.id,
                payment_intent=session.payment_intent or "",
                amount_minor=session.amount_minor,
                currency=session.currency,
                found_at=now,
            )
        )
        details = {"minor": session.amount_minor, "currency": session.currency}
        await activity.record(tx, "orphan.found", about=f"session:{session.id}"[:80], by=None, **details)
    if session.is_paid and not (known and known.state == "closed"):
        await alarms.sound(tx, "orphan", about=f"session:{session.id}", minor=session.amount_minor, currency=session.currency)


async def closed(tx: AsyncSession, orphan: Orphan, outcome: str, *, now: datetime) -> None:
    """found → closed: no money is left on it. The outcome is expired, unpaid or refunded."""
    await move(tx, orphan, "closed", out_of=("found",), outcome=outcome, ended_at=now)


async def found_again(tx: AsyncSession, orphan: Orphan, minor: int) -> None:
    """closed → found: the bank has sent a refund back, so there is money on it again."""
    if await move(tx, orphan, "found", out_of=("closed",), outcome="", ended_at=None):
        details = {"minor": minor, "currency": orphan.currency}
        await activity.record(tx, "orphan.found", about=f"session:{orphan.id}"[:80], by=None, **details)
        await alarms.sound(tx, "orphan", about=f"session:{orphan.id}", minor=minor, currency=orphan.currency)


async def try_with_new_key(tx: AsyncSession, orphan: Orphan) -> None:
    """An answer 500 is kept at Stripe under its key."""
    await changed(tx, update(Orphan).where(col(Orphan.id) == orphan.id).values(attempt=col(Orphan.attempt) + 1))
