"""Sessions of this shop that no payment knows: those that are open are closed, and money that came through them goes back."""

from contextlib import suppress

import structlog

from app.core import alarms, clock
from app.core.db import reading, writing
from app.payments import queries, stripe
from app.payments.actions import orphans
from app.payments.at_stripe import Session
from app.payments.flows.each import each
from app.payments.models import Orphan

log = structlog.get_logger()

BATCH = 100


async def close_orphans() -> None:
    """One after another, until each is expired, unpaid or refunded."""
    async with reading() as db:
        found = await queries.open_orphans(db, most=BATCH)
    await each(found, _close)


async def look_again(payment_intent: str) -> None:
    """A bank may send the refund of an orphan back days later. Of money that is no orphan's nothing is to be seen."""
    async with reading() as db:
        orphan = await queries.orphan_of_intent(db, payment_intent)
    if not orphan or orphan.state != "closed":
        log.info("refunds of a payment that is not ours", payment_intent=payment_intent)
        return
    gone = sum(refund.amount_minor for refund in await stripe.refunds_of(payment_intent) if not refund.has_failed)
    if gone < orphan.amount_minor:
        async with writing() as tx:
            await orphans.found_again(tx, orphan, orphan.amount_minor - gone)


async def _close(orphan: Orphan) -> None:
    session = await stripe.session(orphan.id)
    if session.status == "open":
        with suppress(stripe.StripeRefused):
            await stripe.expire_session(orphan.id)
        session = await stripe.session(orphan.id)
    if session.is_paid:
        await _refund(orphan, session)
    elif session.status == "expired" or session.bank_refused:
        outcome = "expired" if session.status == "expired" else "unpaid"
        async with writing() as tx:
            await orphans.closed(tx, orphan, outcome, now=clock.now())


async def _refund(orphan: Orphan, session: Session) -> None:
    """What was refunded already is looked up each time, so a lost answer sends nothing twice."""
    intent = session.payment_intent or ""
    if not orphan.payment_intent:
        async with writing() as tx:
            await orphans.found(tx, session, now=clock.now())
    all_refunds = await stripe.refunds_of(intent)
    known = [refund for refund in all_refunds if not refund.has_failed]
    left = session.amount_minor - sum(refund.amount_minor for refund in known)
    if left <= 0:
        if all(refund.status == "succeeded" for refund in known):
            async with writing() as tx:
                await orphans.closed(tx, orphan, "refunded", now=clock.now())
        return
    # Under the key of a refund that has failed since, Stripe would only repeat that it once went well.
    key = f"or:{orphan.id}:{orphan.attempt}:{len(all_refunds) - len(known)}"
    try:
        await stripe.create_refund(payment_intent=intent, amount_minor=left, refund_id=f"or:{orphan.id}", key=key)
    except stripe.StripeSilent as silent:
        if silent.status >= 500:
            async with writing() as tx:
                await orphans.try_with_new_key(tx, orphan)
        raise
    except stripe.StripeRefused as refused:
        async with writing() as tx:
            await alarms.sound(tx, "orphan", about=f"session:{orphan.id}", minor=left, refused=refused.code)
