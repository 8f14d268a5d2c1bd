"""Verbs on money. Every transition is a guarded statement; whoever comes second finds nothing to do, and that is success."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.bookings import actions as bookings
from app.bookings.models import Booking
from app.bookings.queries import BookingView
from app.core import activity
from app.core.codes import random_id
from app.core.db import changed, move
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.core.settings import settings
from app.events.models import Event
from app.payments import queries
from app.payments.models import ACTIVE, PAYMENT_STATES, Notice, Payment, Refund
from app.payments.stripe import Session, StripeRefund, Told
from app.tickets import actions as tickets

MOST_FAILURES = 3


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
    address = f"{settings().base_url}/bookings/{booking.code}"
    marks = {"booking_id": str(booking.id), "payment_id": payment_id, "event_id": str(event.id)}
    return {
        "mode": "payment",
        # Methods that answer at once; a slow bank would keep scarce places for days.
        "allowed_payment_method_types": ["card"],
        "client_reference_id": booking.reference,
        "customer_email": booking.email,
        "metadata": marks,
        "payment_intent_data": {"metadata": marks, "description": f"{event.title} · {booking.reference}"},
        "expires_at": int((now + timedelta(minutes=settings().session_minutes)).timestamp()),
        "success_url": f"{address}/return?s={{CHECKOUT_SESSION_ID}}",
        "cancel_url": address,
        "line_items": [
            {
                "quantity": line.qty,
                "price_data": {
                    "currency": booking.currency.lower(),
                    "unit_amount": line.unit_minor,
                    "product_data": {"name": f"{event.title}: {line.name}"},
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


async def apply(tx: AsyncSession, payment: Payment, booking: Booking, event: Event, session: Session, *, now: datetime) -> None:
    """Brings payment and booking to what Stripe says of the session now, then sets the money right."""
    if session.status == "expired":
        if await move(tx, payment, "expired", out_of=("creating", "open"), session_id=session.id, ended_at=now):
            await bookings.stop_paying(tx, booking, now=now)
    elif session.status == "complete" and session.payment_status == "unpaid":
        await _not_yet(tx, payment, booking, session, now=now)
    elif session.status == "complete":
        await _captured(tx, payment, booking, event, session, now=now)
    await set_right(tx, booking.id or 0, now=now)


async def set_right(tx: AsyncSession, booking_id: int, *, now: datetime) -> None:
    """The money rule: captured − refunds = total if paid, else 0. What is over becomes a refund row."""
    booking = await tx.get(Booking, booking_id, populate_existing=True)
    if not booking:
        return
    owed = booking.total_minor if booking.state == "paid" else 0
    for payment in await queries.captured(tx, booking_id):
        await tx.refresh(payment)
        keep = max(0, min(owed, payment.kept_minor))
        owed -= keep
        over = payment.kept_minor - keep
        if over > 0:
            await _request_refund(tx, payment, booking, over, now=now)


async def refund_accepted(tx: AsyncSession, refund: Refund, found: StripeRefund, *, booking_id: int, now: datetime) -> None:
    """Stripe took the refund on: it is pending, done, or has failed already."""
    state = {"succeeded": "succeeded", "failed": "failed", "canceled": "failed"}.get(found.status, "pending")
    if not await move(tx, refund, state, out_of=("requested", "pending"), stripe_refund_id=found.id, ended_at=now):
        return
    if state == "failed":
        await _unreserve(tx, refund)
    await activity.record(
        tx, f"refund.{state}", about=f"booking:{booking_id}", by=None, refund=refund.id, minor=refund.amount_minor
    )


async def refund_refused(
    tx: AsyncSession, refund: Refund, *, returned_minor: int, error: str, booking_id: int, now: datetime
) -> None:
    """Stripe will not send this money back, because `returned_minor` was already sent back elsewhere."""
    if not await move(tx, refund, "failed", out_of=("requested",), error=error[:500], ended_at=now):
        return
    await _unreserve(tx, refund)
    await changed(
        tx,
        update(Payment).where(col(Payment.id) == refund.payment_id).values(returned_minor=returned_minor),
    )
    await activity.record(
        tx, "refund.failed", about=f"booking:{booking_id}", by=None, refund=refund.id, minor=refund.amount_minor
    )


async def try_refund_later(tx: AsyncSession, refund: Refund, *, error: str, now: datetime) -> None:
    """No answer: the same call with the same key comes again, after growing pauses of at most an hour."""
    waited = (now - refund.created_at).total_seconds()
    refund.next_try_at = now + timedelta(seconds=min(3600, max(10, waited)))
    refund.error = error[:500]


async def note(tx: AsyncSession, told: Told, *, now: datetime) -> bool:
    """Writes down what Stripe tells us; False when it told us before, be it in this very moment."""
    try:
        async with tx.begin_nested():
            tx.add(
                Notice(id=told.id, kind=told.kind, session_id=told.session_id, live=told.live, received_at=now, next_try_at=now)
            )
    except IntegrityError:
        return False
    return True


async def notice_done(tx: AsyncSession, notice_id: str, *, now: datetime) -> None:
    await changed(tx, update(Notice).where(col(Notice.id) == notice_id).values(done_at=now))


async def try_notice_later(tx: AsyncSession, notice_id: str, *, error: str, now: datetime) -> None:
    notice = await tx.get(Notice, notice_id)
    if notice and notice.done_at is None:
        notice.attempts += 1
        notice.next_try_at = now + timedelta(seconds=min(3600, 5 * 2**notice.attempts))
        notice.error = error[:500]


async def wind_down(tx: AsyncSession, booking: Booking, *, now: datetime) -> None:
    """One booking of an event that was called off: places back, tickets void, money on its way back.

    While the buyer is paying, only Stripe can say that no money comes: the payment's minute ends now, the sweep asks.
    """
    if booking.is_being_paid():
        await end_payment_soon(tx, booking.id or 0, now=now)
    elif booking.state == "held":
        await bookings.call_off(tx, booking, now=now)
    elif await tickets.take_back(tx, booking, to="called_off", now=now):
        await set_right(tx, booking.id or 0, now=now)


async def end_payment_soon(tx: AsyncSession, booking_id: int, *, now: datetime) -> None:
    """The buyer's time to pay and the promise of the hold end now; the sweep closes the session at Stripe."""
    await changed(
        tx,
        update(Payment)
        .where(col(Payment.booking_id) == booking_id, col(Payment.state).in_(ACTIVE), col(Payment.pay_until) > now)
        .values(pay_until=now),
    )
    await changed(
        tx,
        update(Booking).where(col(Booking.id) == booking_id, col(Booking.held_until) > now).values(held_until=now),
    )


async def _not_yet(tx: AsyncSession, payment: Payment, booking: Booking, session: Session, *, now: datetime) -> None:
    """The buyer is done and no money is there: the bank still thinks, or has refused."""
    known = {"session_id": session.id, "payment_intent": session.payment_intent}
    if session.bank_refused:
        if await move(tx, payment, "failed", out_of=("creating", "open", "processing"), ended_at=now, **known):
            await bookings.stop_paying(tx, booking, now=now)
    elif await move(tx, payment, "processing", out_of=("creating", "open"), **known):
        await bookings.wait_for_bank(tx, booking)


async def _captured(
    tx: AsyncSession, payment: Payment, booking: Booking, event: Event, session: Session, *, now: datetime
) -> None:
    """The money is there: written down whatever it is good for, then turned into tickets if it is the right sum."""
    came = await move(
        tx,
        payment,
        "captured",
        out_of=[state for state in PAYMENT_STATES if state != "captured"],
        captured_minor=session.amount_minor,
        session_id=session.id,
        payment_intent=session.payment_intent,
        captured_at=now,
        ended_at=now,
    )
    if not came:
        return
    await activity.record(
        tx, "payment.captured", about=f"booking:{booking.id}", by=None, payment=payment.id, minor=session.amount_minor
    )
    right = session.amount_minor == booking.total_minor and session.currency == booking.currency
    if not right or event.is_called_off:
        await bookings.stop_paying(tx, booking, now=now)
    elif not await tickets.settle(tx, booking, now=now):
        await tickets.settle_late(tx, booking, event, now=now)


async def _request_refund(tx: AsyncSession, payment: Payment, booking: Booking, minor: int, *, now: datetime) -> None:
    """After three failures a person must look: the failed rows stand on the admin's desk, and we stop asking."""
    if await queries.failed_refunds(tx, payment.id) >= MOST_FAILURES:
        return
    reserved = await changed(
        tx,
        update(Payment)
        .where(
            col(Payment.id) == payment.id,
            col(Payment.reserved_minor) + col(Payment.returned_minor) + minor <= col(Payment.captured_minor),
        )
        .values(reserved_minor=col(Payment.reserved_minor) + minor),
    )
    if not reserved:
        return
    reason = "called_off" if booking.state == "called_off" else "not_needed"
    refund = Refund(payment_id=payment.id, amount_minor=minor, reason=reason, created_at=now, next_try_at=now)
    tx.add(refund)
    await tx.flush()
    await activity.record(tx, "refund.requested", about=f"booking:{booking.id}", by=None, refund=refund.id, minor=minor)


async def _unreserve(tx: AsyncSession, refund: Refund) -> None:
    await changed(
        tx,
        update(Payment)
        .where(col(Payment.id) == refund.payment_id)
        .values(reserved_minor=col(Payment.reserved_minor) - refund.amount_minor),
    )
