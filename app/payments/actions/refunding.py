"""What Stripe says of a refund, whether we asked for it or somebody made it in Stripe's dashboard; and disputes."""

from datetime import datetime, timedelta

from sqlalchemy import update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.bookings import queries as bookings
from app.core import activity, alarms
from app.core.db import changed, move
from app.payments import queries
from app.payments.actions import money
from app.payments.at_stripe import Dispute, StripeRefund
from app.payments.models import Payment, Refund

# A refund that has not gone through for a day is on the admin's desk, while we go on trying.
TOO_LONG = timedelta(hours=24)

_STATES = {"succeeded": "succeeded", "failed": "failed", "canceled": "failed"}


async def seen(tx: AsyncSession, payment: Payment, found: StripeRefund, *, now: datetime) -> None:
    """Brings our row to what Stripe says of the refund now; one that nobody here asked for gets a row of its own."""
    await bookings.lock(tx, payment.booking_id)
    state = _STATES.get(found.status, "pending")
    refund = await queries.refund_at_stripe(tx, payment, found)
    if refund:
        await _moved(tx, payment, refund, state, stripe_refund_id=found.id, now=now)
    else:
        await _made_elsewhere(tx, payment, found, state, now=now)
    await money.set_right(tx, payment.booking_id, now=now)


async def refused(tx: AsyncSession, refund: Refund, payment: Payment, *, error: str, now: datetime) -> None:
    """Stripe will not send this money back: it is free again, and the money rule says what is still owed."""
    await bookings.lock(tx, payment.booking_id)
    if await move(tx, refund, "failed", out_of=("requested",), error=error[:500], ended_at=now):
        await money.unreserve(tx, refund)
        await _record(tx, payment, refund, "failed")
    await money.set_right(tx, payment.booking_id, now=now)


async def try_later(
    tx: AsyncSession, refund: Refund, payment: Payment, *, error: str, new_key: bool = False, now: datetime
) -> None:
    """The same call comes again, after growing pauses of at most an hour.

    An answer 500 is kept at Stripe under its key, so the next try needs a new one, and looks first whether there is a refund.
    """
    waited = (now - refund.created_at).total_seconds()
    again = {"next_try_at": now + timedelta(seconds=min(3600, max(10, waited))), "error": error[:500]}
    if new_key:
        again["attempt"] = refund.attempt + 1
    await changed(tx, update(Refund).where(col(Refund.id) == refund.id, col(Refund.state) == "requested").values(**again))
    if now - refund.created_at >= TOO_LONG:
        await alarms.sound(tx, "refund_stuck", about=f"payment:{payment.id}", booking=payment.booking_id, refund=refund.id)


async def disputed(tx: AsyncSession, payment: Payment, found: Dispute, *, now: datetime) -> None:
    """The buyer's bank asks for the money. While that is open nothing goes back by itself; what is lost was taken elsewhere."""
    await bookings.lock(tx, payment.booking_id)
    if found.status == "open":
        await dispute_opened(tx, payment, now=now, dispute=found.id)
        return
    before = ("", "open") if found.status == "won" else ("", "open", "won")
    closed = update(Payment).where(col(Payment.id) == payment.id, col(Payment.dispute).in_(before))
    if not await changed(tx, closed.values(dispute=found.status)):
        return
    about = f"booking:{payment.booking_id}"
    await activity.record(tx, f"dispute.{found.status}", about=about, by=None, payment=payment.id, dispute=found.id)
    if found.status == "won":
        await alarms.calm(tx, "dispute", about=f"payment:{payment.id}")
    else:
        await _lost(tx, payment, found, now=now)
    await money.set_right(tx, payment.booking_id, now=now)


async def dispute_opened(tx: AsyncSession, payment: Payment, *, now: datetime, dispute: str = "") -> None:
    """The payment is marked, and the admin told. Once it was closed, an older picture of it must not open it again."""
    open_now = update(Payment).where(col(Payment.id) == payment.id, col(Payment.dispute) == "")
    if not await changed(tx, open_now.values(dispute="open", disputed_at=now)):
        return
    await activity.record(
        tx, "dispute.opened", about=f"booking:{payment.booking_id}", by=None, payment=payment.id, dispute=dispute
    )
    await alarms.sound(tx, "dispute", about=f"payment:{payment.id}", booking=payment.booking_id, dispute=dispute)


async def _moved(tx: AsyncSession, payment: Payment, refund: Refund, state: str, *, stripe_refund_id: str, now: datetime) -> None:
    sources = {"pending": ("requested",), "succeeded": ("requested", "pending")}.get(state, ("requested", "pending", "succeeded"))
    ended_at = None if state == "pending" else now
    if not await move(tx, refund, state, out_of=sources, stripe_refund_id=stripe_refund_id, ended_at=ended_at):
        return
    if state == "failed":
        await money.unreserve(tx, refund)
    elif state == "succeeded":
        await alarms.calm(tx, "refund_stuck", about=f"payment:{payment.id}")
    await _record(tx, payment, refund, state)


async def _made_elsewhere(tx: AsyncSession, payment: Payment, found: StripeRefund, state: str, *, now: datetime) -> None:
    """Somebody refunded in Stripe's dashboard, or our books have forgotten that we did."""
    refund = await _written_down(tx, payment, found.id, found.amount_minor, reason="elsewhere", state=state, now=now)
    await _record(tx, payment, refund, state)
    if found.refund_id:
        await alarms.sound(tx, "refund_unknown", about=f"refund:{found.id}", payment=payment.id, minor=found.amount_minor)
    # One that has failed is written down too: an older picture of it, used later, must not look like news.
    if state != "failed":
        await alarms.calm(tx, "refund_stuck", about=f"payment:{payment.id}")
        await money.gone_elsewhere(tx, payment, found.amount_minor, now=now)


async def _lost(tx: AsyncSession, payment: Payment, found: Dispute, *, now: datetime) -> None:
    """The bank keeps what it took, as far as it was still here.

    What we only asked for is not gone: Stripe will refuse it, and then the money rule looks at what is left.
    """
    present = await tx.get_one(Payment, payment.id, populate_existing=True)
    here = present.captured_minor - present.returned_minor - await queries.sent_minor(tx, payment.id)
    minor = min(found.amount_minor, here)
    if minor > 0:
        await _written_down(tx, payment, found.id, minor, reason="dispute", state="succeeded", now=now)
        await money.gone_elsewhere(tx, payment, minor, now=now)


async def _written_down(
    tx: AsyncSession, payment: Payment, stripe_id: str, minor: int, *, reason: str, state: str, now: datetime
) -> Refund:
    refund = Refund(
        payment_id=payment.id,
        amount_minor=minor,
        state=state,
        origin="elsewhere",
        reason=reason,
        stripe_refund_id=stripe_id,
        created_at=now,
        next_try_at=now,
        ended_at=None if state == "pending" else now,
    )
    tx.add(refund)
    await tx.flush()
    return refund


async def _record(tx: AsyncSession, payment: Payment, refund: Refund, state: str) -> None:
    about = f"booking:{payment.booking_id}"
    await activity.record(tx, f"refund.{state}", about=about, by=None, refund=refund.id, minor=refund.amount_minor)
