"""What was paid and what went back, page by page, narrowed to what somebody looks for."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, exists
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.bookings.models import Booking
from app.bookings.queries import named
from app.events.models import Event
from app.payments.models import ACTIVE, Payment, Refund
from app.payments.queries import PaymentView, refunds_by_payment

PER_PAGE = 50

# What the chips above a history show.
_SHOWN: dict[str, ColumnElement[bool]] = {
    "paid": col(Payment.state) == "captured",
    "open": col(Payment.state).in_(ACTIVE),
    "ended": col(Payment.state).in_(("expired", "failed", "void")),
    "refunds": exists().where(col(Refund.payment_id) == col(Payment.id)),
    "stuck": exists().where(col(Refund.payment_id) == col(Payment.id), col(Refund.state) == "failed"),
    "disputes": col(Payment.dispute) != "",
}
SHOWN = tuple(_SHOWN)


@dataclass(frozen=True)
class PaymentWish:
    """Which payments: of one event or of all; from `since` on and before `until`.

    `show` is a word of SHOWN or empty; `search` finds a booking's reference, or a part of its address.
    """

    event_id: int | None = None
    show: str = ""
    search: str = ""
    provider: str = ""
    since: datetime | None = None
    until: datetime | None = None


EVERY_PAYMENT = PaymentWish()


async def history(db: AsyncSession, *, page: int, wish: PaymentWish = EVERY_PAYMENT) -> tuple[list[PaymentView], int]:
    """One page of the payments that the wish names, newest first, and how many pages there are."""
    total = await count(db, wish)
    joined = select(Payment, Booking, Event).join(Booking, col(Booking.id) == Payment.booking_id)
    joined = joined.join(Event, col(Event.id) == Booking.event_id).where(*chosen(wish))
    newest = joined.order_by(col(Payment.created_at).desc(), col(Payment.id)).limit(PER_PAGE).offset((page - 1) * PER_PAGE)
    rows = (await db.exec(newest)).all()
    refunds = await refunds_by_payment(db, [payment.id for payment, _booking, _event in rows])
    views = [PaymentView(payment, booking, event, refunds.get(payment.id, [])) for payment, booking, event in rows]
    return views, max(1, -(-total // PER_PAGE))


async def count(db: AsyncSession, wish: PaymentWish) -> int:
    """How many payments the wish names."""
    counted = select(func.count()).select_from(Payment).join(Booking, col(Booking.id) == Payment.booking_id)
    return (await db.exec(counted.where(*chosen(wish)))).one()


def chosen(wish: PaymentWish) -> Iterator[Any]:
    """The conditions for payments that are joined with their bookings."""
    if wish.show in _SHOWN:
        yield _SHOWN[wish.show]
    if wish.event_id is not None:
        yield Booking.event_id == wish.event_id
    if wish.search:
        yield named(wish.search)
    if wish.provider:
        yield Payment.provider == wish.provider
    if wish.since:
        yield Payment.created_at >= wish.since
    if wish.until:
        yield Payment.created_at < wish.until
