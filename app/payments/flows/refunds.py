"""Money on its way back, and what Stripe says of refunds and disputes, whoever began them."""

from datetime import timedelta

import structlog

from app.bookings import queries as booking_queries
from app.core import clock
from app.core.db import reading, retried, writing
from app.payments import queries, stripe
from app.payments.actions import refunding
from app.payments.flows.converge import payment_of
from app.payments.flows.each import each
from app.payments.flows.orphans import look_again
from app.payments.models import Payment, Refund

log = structlog.get_logger()

BATCH = 100
# Stripe forgets a key after 24 hours; from then on the same call would send the money twice.
KEYS_LIVE = timedelta(hours=20)


async def send_refunds() -> None:
    """Refund rows become refunds at Stripe."""
    async with reading() as db:
        due = await queries.refunds_due(db, now=clock.now(), most=BATCH)
    await each(due, _send)


async def follow_refunds() -> None:
    """Refunds that Stripe has accepted: the bank finishes them days later, or refuses them."""
    async with reading() as db:
        pending = await queries.refunds_on_their_way(db, most=10 * BATCH)
    await each(dict.fromkeys(payment.payment_intent or "" for _refund, payment in pending), see_refunds)


@retried
async def see_refunds(payment_intent: str) -> None:
    """All refunds of a payment as Stripe has them, ours and those made in its dashboard. Raises StripeSilent."""
    payment = await payment_of(payment_intent)
    if not payment:
        await look_again(payment_intent)
        return
    for found in await stripe.refunds_of(payment_intent):
        async with writing() as tx:
            await refunding.seen(tx, payment, found, now=clock.now())


@retried
async def see_dispute(dispute_id: str) -> None:
    """A dispute as the bank has it now. Raises StripeSilent, StripeRefused (no such dispute)."""
    found = await stripe.dispute(dispute_id)
    payment = await payment_of(found.payment_intent)
    if not payment:
        log.info("a dispute about a payment that is not ours", dispute=dispute_id)
        return
    async with writing() as tx:
        await refunding.disputed(tx, payment, found, now=clock.now())


async def _send(refund: Refund) -> None:
    async with reading() as db:
        payment = await db.get_one(Payment, refund.payment_id)
    if refund.attempt > 1 or clock.now() - refund.created_at > KEYS_LIVE:
        # The key has no answer for us any more, so the list says whether the money went.
        await see_refunds(payment.payment_intent or "")
        async with reading() as db:
            if (await db.get_one(Refund, refund.id)).state != "requested":
                return
    try:
        made = await stripe.create_refund(
            payment_intent=payment.payment_intent or "",
            amount_minor=refund.amount_minor,
            refund_id=refund.id,
            key=f"re:{refund.id}:{refund.attempt}",
        )
    except stripe.StripeDown:
        raise
    except stripe.StripeSilent as silent:
        new_key = silent.status >= 500
        async with writing() as tx:
            await refunding.try_later(tx, refund, payment, error=str(silent), new_key=new_key, now=clock.now())
        return
    except stripe.StripeRefused as refused:
        await _refused(refund, payment, refused)
        return
    async with writing() as tx:
        await refunding.seen(tx, payment, made, now=clock.now())


async def _refused(refund: Refund, payment: Payment, refused: stripe.StripeRefused) -> None:
    """Our earlier call had arrived after all, somebody refunded in Stripe's dashboard, or the bank disputes the payment."""
    log.error("refund refused", refund=refund.id, code=refused.code, error=str(refused))
    if refused.code == "charge_disputed" and payment.dispute != "lost":
        async with writing() as tx:
            await booking_queries.lock(tx, payment.booking_id)
            await refunding.dispute_opened(tx, payment, now=clock.now())
            await refunding.try_later(tx, refund, payment, error=str(refused), now=clock.now())
        return
    await see_refunds(payment.payment_intent or "")
    async with writing() as tx:
        await refunding.refused(tx, refund, payment, error=str(refused), now=clock.now())
