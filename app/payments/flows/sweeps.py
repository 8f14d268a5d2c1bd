"""What the worker does again and again, so that a lost answer, a closed browser or a crash changes nothing in the end.

Each item is its own short step; one that fails does not stop the others.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import TypeVar

import structlog

from app.bookings import queries as booking_queries
from app.core import clock
from app.core.db import reading, retried, writing
from app.core.settings import settings
from app.payments import actions, queries, stripe
from app.payments.flows.converge import converge
from app.payments.models import Notice, Payment, Refund

log = structlog.get_logger()
T = TypeVar("T")

BATCH = 100
ANSWERED_WITHIN = timedelta(minutes=2)
CLOCK_ERROR = timedelta(minutes=5)


async def close(session_id: str) -> None:
    """Ends an open session at Stripe and takes over what Stripe says. A session that is over already refuses, which is fine."""
    with suppress(stripe.StripeRefused):
        await stripe.expire_session(session_id)
    await converge(session_id)


async def close_due() -> None:
    """Payments whose minute is over are closed at Stripe, or turn out to be paid."""
    async with reading() as db:
        late = await queries.overdue(db, now=clock.now(), most=BATCH)
        waiting = await queries.waiting_for_bank(db, most=BATCH)
    await _each(late, lambda payment: close(payment.session_id or ""))
    await _each(waiting, lambda payment: converge(payment.session_id or ""))


async def resolve_creating() -> None:
    """Attempts that Stripe never answered: the same call again finds the session, or makes it so late that it can be closed."""
    async with reading() as db:
        silent = await queries.unanswered(db, before=clock.now() - ANSWERED_WITHIN, most=BATCH)
    await _each(silent, _resolve)


async def work_notices() -> None:
    """What Stripe told us, one notice after another; a notice is done only when the booking says what Stripe says."""
    async with reading() as db:
        notices = await queries.open_notices(db, now=clock.now(), most=BATCH)
    for notice in notices:
        try:
            await _work(notice)
        except Exception as error:
            log.exception("notice failed", notice=notice.id, kind=notice.kind)
            async with writing() as tx:
                await actions.try_notice_later(tx, notice.id, error=repr(error), now=clock.now())


async def send_refunds() -> None:
    """Refund rows become refunds at Stripe."""
    async with reading() as db:
        due = await queries.refunds_due(db, now=clock.now(), most=BATCH)
    await _each(due, _send)


async def follow_refunds() -> None:
    """Refunds that Stripe has accepted: the bank finishes them days later, or refuses them."""
    async with reading() as db:
        pending = await queries.refunds_on_their_way(db, most=BATCH)
    await _each(pending, _follow)


async def wind_down() -> None:
    """Bookings of called-off events, 200 in a transaction."""
    async with reading() as db:
        ids = await queries.called_off_bookings(db, most=200)
    if ids:
        await _wind_down(ids)


async def set_money_right() -> None:
    """The money rule over every booking that ever brought money: the difference becomes a refund row."""
    last, found = 0, True
    while found:
        async with reading() as db:
            ids = await queries.bookings_with_money(db, after=last, most=200)
        found = bool(ids)
        for booking_id in ids:
            async with writing() as tx:
                await actions.set_right(tx, booking_id, now=clock.now())
            last = booking_id


@retried
async def _wind_down(ids: list[int]) -> None:
    async with writing() as tx:
        for booking_id in ids:
            booking = await booking_queries.by_id(tx, booking_id)
            if booking:
                await actions.wind_down(tx, booking, now=clock.now())


async def _resolve(payment: Payment) -> None:
    """After the session's life nobody can pay on it, so a creation that is refused then was never made."""
    try:
        session = await stripe.create_session(payment.params, key=f"cs:{payment.id}")
    except stripe.StripeRefused:
        dead_after = payment.created_at + timedelta(minutes=settings().session_minutes) + CLOCK_ERROR
        if clock.now() >= dead_after:
            async with writing() as tx:
                booking = await booking_queries.by_id(tx, payment.booking_id)
                if booking:
                    await actions.refused_at_creation(tx, payment, booking, now=clock.now())
        return
    async with writing() as tx:
        await actions.opened(tx, payment, session)
    await converge(session.id)


async def _work(notice: Notice) -> None:
    if notice.session_id:
        await converge(notice.session_id)
    async with writing() as tx:
        await actions.notice_done(tx, notice.id, now=clock.now())


async def _send(refund: Refund) -> None:
    async with reading() as db:
        payment = await db.get(Payment, refund.payment_id)
    if not payment or not payment.payment_intent:
        return
    try:
        made = await stripe.create_refund(
            payment_intent=payment.payment_intent, amount_minor=refund.amount_minor, refund_id=refund.id, attempt=refund.attempt
        )
    except stripe.StripeSilent as silent:
        async with writing() as tx:
            again = await tx.get(Refund, refund.id)
            if again:
                await actions.try_refund_later(tx, again, error=str(silent), now=clock.now())
        return
    except stripe.StripeRefused as refused:
        await _look_at_stripe(refund, payment, str(refused))
        return
    async with writing() as tx:
        await actions.refund_accepted(tx, refund, made, booking_id=payment.booking_id, now=clock.now())


async def _follow(pending: tuple[Refund, Payment]) -> None:
    refund, payment = pending
    known = await stripe.refunds_of(payment.payment_intent or "")
    found = next((found for found in known if found.id == refund.stripe_refund_id), None)
    if found and found.status != "pending":
        async with writing() as tx:
            await actions.refund_accepted(tx, refund, found, booking_id=payment.booking_id, now=clock.now())
            await actions.set_right(tx, payment.booking_id, now=clock.now())


async def _look_at_stripe(refund: Refund, payment: Payment, error: str) -> None:
    """Stripe refuses: either our earlier call had arrived after all, or somebody refunded in Stripe's dashboard."""
    known = await stripe.refunds_of(payment.payment_intent or "")
    ours = next((found for found in known if found.refund_id == refund.id), None)
    elsewhere = sum(found.amount_minor for found in known if not found.refund_id and found.status != "failed")
    async with writing() as tx:
        if ours:
            await actions.refund_accepted(tx, refund, ours, booking_id=payment.booking_id, now=clock.now())
        else:
            log.error("refund refused", refund=refund.id, error=error)
            await actions.refund_refused(
                tx, refund, returned_minor=elsewhere, error=error, booking_id=payment.booking_id, now=clock.now()
            )


async def _each(items: list[T], step: Callable[[T], Awaitable[None]]) -> None:
    for item in items:
        try:
            await step(item)
        except Exception:
            log.exception("sweep step failed", step=step.__name__)
