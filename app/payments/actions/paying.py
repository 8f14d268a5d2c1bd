"""Verbs on an attempt to pay, before any money has come."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.bookings import actions as bookings
from app.bookings.models import Booking
from app.bookings.queries import BookingView
from app.core.codes import random_id
from app.core.db import changed, move
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.core.i18n import titled_in, told_in
from app.core.settings import settings
from app.payments import queries
from app.payments.at_stripe import Session
from app.payments.models import ACTIVE, Payment


async def start(tx: AsyncSession, view: BookingView, *, now: datetime) -> Payment:
    """Writes the attempt down before Stripe hears of it, with the exact parameters of the call.

    A second click finds the first attempt. Raises Refused when the hold is over.
    """
    booking = view.booking
    if not await bookings.start_paying(tx, booking, now=now):
        running = await queries.active(tx, booking.id or 0)
        if not running:
            raise Refused(_("This hold is over, so it cannot be paid."))
        return running
    payment_id = random_id()
    payment = Payment(
        id=payment_id,
        booking_id=booking.id or 0,
        amount_minor=booking.total_minor,
        currency=booking.currency,
        params=session_params(view, payment_id, now=now),
        pay_until=now + timedelta(minutes=settings().pay_minutes),
        created_at=now,
    )
    tx.add(payment)
    await tx.flush()
    return payment


def session_params(view: BookingView, payment_id: str, *, now: datetime) -> dict[str, Any]:
    """What Stripe is asked for, out of the booking's own prices: https://docs.stripe.com/api/checkout/sessions/create."""
    booking, event = view.booking, view.event
    title = titled_in(booking.language, event)
    address = f"{settings().base_url}/bookings/{booking.code}"
    marks = {
        "booking_id": str(booking.id),
        "payment_id": payment_id,
        "event_id": str(event.id),
        # Several shops may share an account, and each minds only what is its own.
        "shop": settings().base_url,
    }
    return {
        "mode": "payment",
        # Methods that answer at once; a slow bank would keep scarce places for days.
        "allowed_payment_method_types": ["card"],
        "client_reference_id": booking.reference,
        "customer_email": booking.email,
        "locale": booking.language,
        "metadata": marks,
        "payment_intent_data": {"metadata": marks, "description": f"{title} · {booking.reference}"},
        "expires_at": int((now + timedelta(minutes=settings().session_minutes)).timestamp()),
        "success_url": f"{address}/return?s={{CHECKOUT_SESSION_ID}}",
        "cancel_url": address,
        "line_items": [
            {
                "quantity": line.qty,
                "price_data": {
                    "currency": booking.currency.lower(),
                    "unit_amount": line.unit_minor,
                    "product_data": {"name": f"{title}: {told_in(booking.language, line.name, event)}"},
                },
            }
            for line in view.lines
        ],
    }


async def opened(tx: AsyncSession, payment: Payment, session: Session) -> None:
    """creating → open: Stripe has a page where the buyer can pay."""
    await move(tx, payment, "open", out_of=("creating",), session_id=session.id, session_url=session.url)


async def refused_at_creation(tx: AsyncSession, payment: Payment, booking: Booking, *, now: datetime) -> None:
    """creating → void: Stripe said no, so no money can come from this attempt."""
    if await move(tx, payment, "void", out_of=("creating",), ended_at=now):
        await bookings.stop_paying(tx, booking, now=now)


async def end_payment_soon(tx: AsyncSession, booking_id: int, *, now: datetime) -> None:
    """The buyer's time to pay and the promise of the hold end now; the sweep closes the session at Stripe."""
    held = update(Booking).where(col(Booking.id) == booking_id, col(Booking.held_until) > now)
    await changed(tx, held.values(held_until=now))
    active = update(Payment).where(col(Payment.booking_id) == booking_id, col(Payment.state).in_(ACTIVE))
    await changed(tx, active.where(col(Payment.pay_until) > now).values(pay_until=now))
