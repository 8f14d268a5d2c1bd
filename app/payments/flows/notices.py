"""What Stripe told us is done here, by the worker, one notice after another."""

import structlog

from app.core import alarms, clock, limits, logs
from app.core.db import reading, writing
from app.core.errors import TooMany
from app.core.redaction import clean
from app.payments import queries, stripe
from app.payments.actions import notices
from app.payments.flows.converge import see_intent, see_session
from app.payments.flows.refunds import see_dispute, see_refunds
from app.payments.models import Notice

log = structlog.get_logger()

BATCH = 100
# So many webhooks with a bad signature in so many seconds are no accident: a wrong secret, a wrong clock, or somebody tries.
MOST_BAD, BAD_SECONDS = 3, 300


async def work_notices() -> bool:
    """A notice is done only when our rows say what Stripe says. Whether there may be more."""
    async with reading() as db:
        waiting = await queries.open_notices(db, now=clock.now(), most=BATCH)
    for notice in waiting:
        try:
            await _work(notice)
        except stripe.StripeDown:
            return False
        except Exception as error:
            log.warning("notice failed", notice=notice.id, kind=notice.kind, exc_info=error)
            async with writing() as tx:
                await notices.try_notice_later(tx, notice.id, error=clean(repr(error)), now=clock.now())
    return len(waiting) == BATCH


async def bad_signature() -> None:
    """Counts a webhook that Stripe did not sign. Raises TooMany when somebody guesses."""
    logs.security("bad_signature", door="webhook")
    await limits.count("webhook:bad-signature", most=30, seconds=60)
    try:
        await limits.count("webhook:bad-signatures", most=MOST_BAD - 1, seconds=BAD_SECONDS)
    except TooMany:
        async with writing() as tx:
            await alarms.sound(tx, "bad_signatures", about="webhooks")


async def _work(notice: Notice) -> None:
    try:
        await _see(notice)
    except stripe.StripeRefused as refused:
        # Stripe does not know what it told us about: another account or mode. Asking again would say the same.
        log.error("notice about nothing", notice=notice.id, kind=notice.kind, error=str(refused))
    async with writing() as tx:
        await notices.notice_done(tx, notice.id, now=clock.now())


async def _see(notice: Notice) -> None:
    if notice.kind.startswith("checkout.session."):
        await see_session(notice.object_id)
    elif notice.kind.startswith("payment_intent."):
        await see_intent(notice.payment_intent)
    elif notice.kind.startswith("charge.dispute."):
        await see_dispute(notice.object_id)
    else:
        await see_refunds(notice.payment_intent)
