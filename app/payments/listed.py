"""Payments as a file: its columns, and the rows of one stretch of them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlmodel import col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.bookings.models import Booking
from app.core.i18n import gettext as _
from app.core.money import major
from app.events.models import Event
from app.payments.history import PaymentWish, chosen
from app.payments.models import Payment

Row = Sequence[object]
# A booking's id and a payment's.
Place = Sequence[Any]


def head() -> Row:
    first = (_("Time (UTC)"), _("Booking"), _("Email"), _("Event"), _("Provider"), _("State"))
    return (*first, _("Amount"), _("Paid"), _("Returned"), _("Currency"))


async def rows(db: AsyncSession, wish: PaymentWish, *, after: Place | None = None, most: int) -> tuple[list[Row], Place | None]:
    """The payments that the wish names, those of the newest bookings first, behind the place `after`, and the place of the last.

    Sums with a point, in the currency beside them.
    """
    joined = select(Payment, Booking.reference, Booking.email, Event.title).join(Booking, col(Booking.id) == Payment.booking_id)
    joined = joined.join(Event, col(Event.id) == Booking.event_id).where(*chosen(wish))
    if after:
        booking, payment = after
        # The first half lets the index find the place, the second decides among payments of one booking.
        same_or_older = col(Payment.booking_id) <= booking
        joined = joined.where(same_or_older, or_(col(Payment.booking_id) < booking, col(Payment.id) < payment))
    found = (await db.exec(joined.order_by(col(Payment.booking_id).desc(), col(Payment.id).desc()).limit(most))).all()
    return [_row(*each) for each in found], (found[-1][0].booking_id, found[-1][0].id) if found else after


def kept(wish: PaymentWish) -> dict[str, Any]:
    """The wish as a job keeps it, times as text and without what was searched for, which can be somebody's address."""
    times = {name: at.isoformat() if (at := getattr(wish, name)) else None for name in ("since", "until")}
    return asdict(wish) | times | {"search": ""}


def meant(kept: Mapping[str, Any]) -> PaymentWish:
    """The wish that a job has kept."""
    times = {name: datetime.fromisoformat(kept[name]) if kept[name] else None for name in ("since", "until")}
    return PaymentWish(**{**kept, **times})


def _row(payment: Payment, reference: str, email: str, title: str) -> Row:
    sums = (payment.amount_minor, payment.captured_minor, payment.returned_minor)
    amounts = [major(minor, payment.currency) for minor in sums]
    at = f"{payment.created_at:%Y-%m-%d %H:%M:%S}"
    return (at, reference, email, title, payment.provider, payment.state, *amounts, payment.currency)
