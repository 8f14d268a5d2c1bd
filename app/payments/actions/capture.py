"""What Stripe says of a session becomes what our rows say. Who comes second finds nothing to do, and that is success."""

from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from app.bookings import actions as bookings
from app.bookings.models import Booking
from app.core import activity, alarms
from app.core.db import move
from app.events.models import Event
from app.payments.actions import money, paying
from app.payments.at_stripe import Session
from app.payments.models import PAYMENT_STATES, Payment
from app.tickets import actions as tickets


async def apply(tx: AsyncSession, payment: Payment, booking: Booking, event: Event, session: Session, *, now: datetime) -> None:
    """Brings payment and booking to what Stripe says of the session now, then sets the money right."""
    if session.status == "open":
        await paying.opened(tx, payment, session)
    elif session.status == "expired":
        if await move(tx, payment, "expired", out_of=("creating", "open"), session_id=session.id, ended_at=now):
            await bookings.stop_paying(tx, booking, now=now)
    elif session.status == "complete" and session.payment_status == "unpaid":
        await _not_yet(tx, payment, booking, session, now=now)
    elif session.status == "complete":
        await _captured(tx, payment, booking, event, session, now=now)
    await money.set_right(tx, booking.id or 0, now=now)


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
    if not right:
        promised = {"promised_minor": booking.total_minor, "currency": session.currency}
        await alarms.sound(tx, "amount_differs", about=f"payment:{payment.id}", minor=session.amount_minor, **promised)
    if not right or event.is_called_off:
        await bookings.stop_paying(tx, booking, now=now)
    elif not await tickets.settle(tx, booking, now=now):
        await tickets.settle_late(tx, booking, event, now=now)
