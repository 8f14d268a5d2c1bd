"""The money rule: of what was captured the shop keeps what the booking says, and the rest goes back."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.bookings import queries as bookings
from app.bookings.models import Booking
from app.core import activity, alarms
from app.core.db import changed
from app.payments import queries
from app.payments.models import Payment, Refund
from app.tickets import actions as tickets

MOST_FAILURES = 3


@dataclass(frozen=True)
class Why:
    """What stands on a refund besides its amount: the reason, who asked, their words, and how many tickets it is for."""

    reason: str
    by: int | None = None
    note: str = ""
    places: int = 0


async def set_right(
    tx: AsyncSession, booking_id: int, *, now: datetime, reason: str = "", by: int | None = None, note: str = "", places: int = 0
) -> None:
    """Captured less refunds is what the booking keeps; what is over becomes a refund row.

    Without a reason the booking's state gives it. Nothing goes back by itself while the buyer's bank disputes the payment.
    """
    await bookings.lock(tx, booking_id)
    booking = await tx.get(Booking, booking_id, populate_existing=True)
    if not booking:
        return
    why = Why(reason or ("called_off" if booking.state == "called_off" else "not_needed"), by, note, places)
    owed = booking.kept_minor
    for payment in await queries.captured(tx, booking_id):
        keep = max(0, min(owed, payment.kept_minor))
        owed -= keep
        over = payment.kept_minor - keep
        if over > 0 and payment.dispute != "open":
            await request_refund(tx, payment, over, why, now=now)


async def request_refund(tx: AsyncSession, payment: Payment, minor: int, why: Why, *, now: datetime) -> None:
    """Reserves the money and writes the refund down. After three failures a person must look, and we stop asking."""
    if await queries.failed_refunds(tx, payment.id) >= MOST_FAILURES:
        await alarms.sound(tx, "refund_stuck", about=f"payment:{payment.id}", booking=payment.booking_id, minor=minor)
        return
    free = (
        col(Payment.id) == payment.id,
        col(Payment.reserved_minor) + col(Payment.returned_minor) + minor <= col(Payment.captured_minor),
    )
    if not await changed(tx, update(Payment).where(*free).values(reserved_minor=col(Payment.reserved_minor) + minor)):
        return
    refund = Refund(
        payment_id=payment.id,
        amount_minor=minor,
        reason=why.reason,
        note=why.note,
        places=why.places,
        by_user_id=why.by,
        created_at=now,
        next_try_at=now,
    )
    tx.add(refund)
    await tx.flush()
    about = f"booking:{payment.booking_id}"
    await activity.record(tx, "refund.requested", about=about, by=why.by, refund=refund.id, minor=minor)


async def unreserve(tx: AsyncSession, refund: Refund) -> None:
    """The money of a refund that has failed is free again: ours is no longer reserved, one from elsewhere not returned."""
    column = col(Payment.returned_minor if refund.origin == "elsewhere" else Payment.reserved_minor)
    freed = update(Payment).where(col(Payment.id) == refund.payment_id).values({column: column - refund.amount_minor})
    await changed(tx, freed)


async def gone_elsewhere(tx: AsyncSession, payment: Payment, minor: int, *, now: datetime) -> None:
    """So much of a payment was taken without us: the booking keeps what is left, and with nothing left it has no tickets."""
    more = {"returned_minor": col(Payment.returned_minor) + minor}
    await changed(tx, update(Payment).where(col(Payment.id) == payment.id).values(**more))
    left = sum(max(0, paid.kept_minor) for paid in await queries.captured(tx, payment.booking_id))
    keeps = update(Booking).where(col(Booking.id) == payment.booking_id, col(Booking.kept_minor) > left)
    if await changed(tx, keeps.values(kept_minor=left)) and not left:
        booking = await tx.get_one(Booking, payment.booking_id)
        await tickets.take_back(tx, booking, to="refunded", now=now)
