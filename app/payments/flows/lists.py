"""What Stripe's own lists say is compared with our books: events, sessions, and every line of its balance.

So nothing depends on a webhook that arrives, and after a restore from a backup the books find their way back.
"""

from datetime import timedelta

import structlog

from app.core import activity, alarms, clock
from app.core.db import reading, writing
from app.core.settings import settings
from app.payments import queries, stripe
from app.payments.actions import notices
from app.payments.at_stripe import BalanceLine, Session
from app.payments.flows.converge import converge, see_intent, take_over
from app.payments.flows.each import each
from app.payments.flows.refunds import see_dispute, see_refunds
from app.payments.flows.sweeps import close
from app.payments.models import Cursor

log = structlog.get_logger()

# Stripe's clock is not ours, and an event may be listed a little after it happened.
OVERLAP = timedelta(minutes=10)
FIRST_LOOK = timedelta(days=3)
AT_ONCE = 200

# In which states a payment says the same as its session.
_AGREES = {"open": ("open",), "expired": ("expired", "failed", "void"), "unpaid": ("processing", "failed"), "paid": ("captured",)}


async def read_events() -> None:
    """What Stripe has told since the last look is written down like a webhook; one that did arrive is known already."""
    if not settings().sells_online:
        return
    began = clock.now()
    async with reading() as db:
        cursor = await db.get(Cursor, "events")
    heard = await stripe.events_since(cursor.at - OVERLAP if cursor else began - FIRST_LOOK)
    for start in range(0, len(heard), AT_ONCE):
        async with writing() as tx:
            if await notices.note_all(tx, heard[start : start + AT_ONCE], now=began):
                activity.wake_after(tx)
    async with writing() as tx:
        await notices.read_until(tx, "events", began)


async def compare_new_sessions() -> None:
    """Every session of the last two hours has a payment that says the same."""
    await _compare_sessions(timedelta(hours=2))


async def compare_sessions() -> None:
    """The same for three days."""
    await _compare_sessions(timedelta(days=3))


async def compare_balance() -> None:
    """Every charge, refund and dispute in the balance of the last two days is in our books, with its amount."""
    if settings().sells_online:
        await each(await stripe.balance_since(clock.now() - timedelta(days=2)), _compare_line)


async def _compare_sessions(span: timedelta) -> None:
    if settings().sells_online:
        now = clock.now()
        await each(await stripe.sessions_made(since=now - span, until=now + OVERLAP), _compare_session)


async def _compare_session(session: Session) -> None:
    async with reading() as db:
        payment = await queries.of_session(db, session)
    if not payment:
        if session.is_ours:
            await take_over(session)
    elif session.status == "open" and not payment.is_active:
        await close(session.id)
    elif payment.state not in _AGREES[_word(session)]:
        await converge(session.id)


def _word(session: Session) -> str:
    if session.status != "complete":
        return session.status
    return "paid" if session.is_paid else "unpaid"


async def _compare_line(line: BalanceLine) -> None:
    if await _is_in_books(line):
        return
    try:
        await _see(line)
    except stripe.StripeRefused as refused:
        log.error("a line of the balance leads nowhere", line=line.id, error=str(refused))
    async with reading() as db:
        is_ours = await queries.by_intent(db, line.payment_intent) is not None
    if is_ours and not await _is_in_books(line):
        async with writing() as tx:
            about = {"what": line.kind, "source": line.source_id, "minor": line.amount_minor}
            await alarms.sound(tx, "ledger", about=f"balance:{line.id}", **about)


async def _is_in_books(line: BalanceLine) -> bool:
    async with reading() as db:
        orphan = await queries.orphan_of_intent(db, line.payment_intent)
        if orphan:
            # Only a refund that came back is news about money that is known as nobody's.
            return line.kind != "refund_failure" or orphan.state == "found"
        payment = await queries.by_intent(db, line.payment_intent)
        refund = await queries.refund_by_stripe_id(db, line.source_id)
    if line.kind == "charge":
        return bool(payment and payment.captured_minor == line.amount_minor)
    if line.kind == "adjustment":
        return bool(payment and payment.dispute)
    is_right = bool(refund and refund.amount_minor == line.amount_minor)
    return is_right and (line.kind == "refund" or bool(refund and refund.state == "failed"))


async def _see(line: BalanceLine) -> None:
    if line.kind == "charge":
        await see_intent(line.payment_intent)
    elif line.kind == "adjustment":
        await see_dispute(line.source_id)
    else:
        await see_refunds(line.payment_intent)
