"""Questions about money."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.bookings.models import Booking
from app.bookings.queries import LIVE
from app.events.models import Event
from app.payments.models import ACTIVE, Notice, Payment, Refund


@dataclass(frozen=True)
class PaymentView:
    """A payment with its booking, its event and the money that went back."""

    payment: Payment
    booking: Booking
    event: Event
    refunds: Sequence[Refund]


async def by_session(db: AsyncSession, session_id: str) -> Payment | None:
    return (await db.exec(select(Payment).where(Payment.session_id == session_id))).first()


async def active(db: AsyncSession, booking_id: int) -> Payment | None:
    """The one payment of a booking through which money may still come."""
    return (await db.exec(select(Payment).where(Payment.booking_id == booking_id, col(Payment.state).in_(ACTIVE)))).first()


async def latest(db: AsyncSession, booking_id: int) -> Payment | None:
    """The last attempt to pay a booking, whatever became of it."""
    attempts = select(Payment).where(Payment.booking_id == booking_id)
    return (await db.exec(attempts.order_by(col(Payment.created_at).desc()))).first()


async def captured(db: AsyncSession, booking_id: int) -> list[Payment]:
    """Payments of a booking that brought money, oldest first."""
    paid = select(Payment).where(Payment.booking_id == booking_id, Payment.state == "captured")
    return list((await db.exec(paid.order_by(col(Payment.created_at)))).all())


async def of_user(db: AsyncSession, user_id: int) -> list[PaymentView]:
    """A user's payments, newest first, attempts that came to nothing left out."""
    shown = col(Payment.state).in_(("open", "processing", "captured"))
    found = select(Payment, Booking, Event).join(Booking, col(Booking.id) == Payment.booking_id)
    found = found.join(Event, col(Event.id) == Booking.event_id).where(Booking.user_id == user_id, shown)
    rows = (await db.exec(found.order_by(col(Payment.created_at).desc()).limit(200))).all()
    refunds = await _refunds(db, [payment.id for payment, _booking, _event in rows])
    return [PaymentView(payment, booking, event, refunds.get(payment.id, [])) for payment, booking, event in rows]


async def refunds_of_booking(db: AsyncSession, booking_id: int) -> list[Refund]:
    """Money that goes or went back for a booking, oldest first."""
    found = select(Refund).join(Payment, col(Payment.id) == Refund.payment_id).where(Payment.booking_id == booking_id)
    return list((await db.exec(found.order_by(col(Refund.created_at)))).all())


async def overdue(db: AsyncSession, *, now: datetime, most: int) -> list[Payment]:
    """Open payments whose minute is over."""
    late = select(Payment).where(Payment.state == "open", Payment.pay_until <= now)
    return list((await db.exec(late.order_by(col(Payment.pay_until)).limit(most))).all())


async def unanswered(db: AsyncSession, *, before: datetime, most: int) -> list[Payment]:
    """Payments whose creation at Stripe was never answered."""
    silent = select(Payment).where(Payment.state == "creating", Payment.created_at <= before)
    return list((await db.exec(silent.order_by(col(Payment.created_at)).limit(most))).all())


async def waiting_for_bank(db: AsyncSession, *, most: int) -> list[Payment]:
    return list((await db.exec(select(Payment).where(Payment.state == "processing").limit(most))).all())


async def open_notices(db: AsyncSession, *, now: datetime, most: int) -> list[Notice]:
    """Notices that are written down but not done."""
    waiting = select(Notice).where(col(Notice.done_at).is_(None), Notice.next_try_at <= now)
    return list((await db.exec(waiting.order_by(col(Notice.received_at)).limit(most))).all())


async def refunds_due(db: AsyncSession, *, now: datetime, most: int) -> list[Refund]:
    """Refunds that Stripe has not yet accepted. What was paid in cash goes back by hand."""
    by_stripe = select(Refund).join(Payment, col(Payment.id) == Refund.payment_id).where(Payment.provider == "stripe")
    waiting = by_stripe.where(Refund.state == "requested", Refund.next_try_at <= now)
    return list((await db.exec(waiting.order_by(col(Refund.created_at)).limit(most))).all())


async def failed_refunds(db: AsyncSession, payment_id: str) -> int:
    """How many refunds of the payment have failed."""
    failed = select(func.count()).select_from(Refund).where(Refund.payment_id == payment_id, Refund.state == "failed")
    return (await db.exec(failed)).one()


async def refunds_on_their_way(db: AsyncSession, *, most: int) -> list[tuple[Refund, Payment]]:
    """Refunds that Stripe has accepted but not finished, with their payments."""
    pending = select(Refund, Payment).join(Payment, col(Payment.id) == Refund.payment_id).where(Refund.state == "pending")
    return list((await db.exec(pending.order_by(col(Refund.created_at)).limit(most))).all())


async def called_off_bookings(db: AsyncSession, *, most: int) -> list[int]:
    """Ids of bookings that still live although their event was called off."""
    found = select(Booking.id).join(Event, col(Event.id) == Booking.event_id)
    found = found.where(Event.state == "called_off", col(Booking.state).in_(LIVE)).order_by(col(Booking.id)).limit(most)
    return [booking_id for booking_id in (await db.exec(found)).all() if booking_id]


async def bookings_with_money(db: AsyncSession, *, after: int, most: int) -> list[int]:
    """Ids of bookings that ever brought money, in ascending order after the given one: the money rule walks over them."""
    paid = exists().where(col(Payment.booking_id) == Booking.id, col(Payment.captured_minor) > 0)
    found = select(Booking.id).where(paid, col(Booking.id) > after).order_by(col(Booking.id)).limit(most)
    return [booking_id for booking_id in (await db.exec(found)).all() if booking_id]


async def _refunds(db: AsyncSession, payment_ids: Sequence[str]) -> dict[str, list[Refund]]:
    found = (await db.exec(select(Refund).where(col(Refund.payment_id).in_(payment_ids)).order_by(col(Refund.created_at)))).all()
    by_payment: dict[str, list[Refund]] = {}
    for refund in found:
        by_payment.setdefault(refund.payment_id, []).append(refund)
    return by_payment
