"""Everything that hears of a session comes here: the webhook, the return page, the sweeps. Stripe is asked, then believed."""

import structlog

from app.bookings import queries as booking_queries
from app.bookings.models import Booking
from app.core import alarms, clock
from app.core.db import reading, retried, writing
from app.events.models import Event
from app.payments import queries, stripe
from app.payments.actions import capture, orphans
from app.payments.at_stripe import Session
from app.payments.models import Payment

log = structlog.get_logger()


@retried
async def converge(session_id: str) -> None:
    """Brings our rows to what Stripe says of the session now. Raises StripeSilent, StripeRefused (no such session)."""
    try:
        session = await stripe.session(session_id)
    except stripe.StripeRefused as refused:
        async with writing() as tx:
            await alarms.sound(tx, "unknown_session", about=f"session:{session_id}", code=refused.code)
        raise
    await take_over(session)


async def take_over(session: Session) -> None:
    """The same with a session that Stripe has just shown. One of ours that nobody here knows is an orphan."""
    async with writing() as tx:
        payment = await queries.of_session(tx, session)
        if payment:
            await booking_queries.lock(tx, payment.booking_id)
            booking = await tx.get_one(Booking, payment.booking_id, populate_existing=True)
            event = await tx.get_one(Event, booking.event_id, populate_existing=True)
            await capture.apply(tx, payment, booking, event, session, now=clock.now())
        elif session.is_ours:
            await orphans.found(tx, session, now=clock.now())
        else:
            log.info("a session of another shop", session=session.id)


async def see_session(session_id: str) -> None:
    """Once the money of a session is written down, Stripe has nothing more to say about it: most buyers come back first."""
    async with reading() as db:
        payment = await queries.by_session(db, session_id)
    if not payment or payment.state != "captured":
        await converge(session_id)


async def see_intent(payment_intent: str) -> None:
    """The same by the money's own id. Of an intent that is not ours nothing is to be seen."""
    await payment_of(payment_intent)


async def payment_of(payment_intent: str) -> Payment | None:
    """The payment whose money is under this intent, once we have heard of the money. None when it is not ours.

    Whoever tells of a refund or a dispute tells of money that came: it must be in the books before it can leave them.
    """
    async with reading() as db:
        payment = await queries.by_intent(db, payment_intent)
    if payment and payment.state == "captured":
        return payment
    session_id = payment.session_id if payment else await _session_of(payment_intent)
    if not session_id:
        return payment
    await converge(session_id)
    async with reading() as db:
        return await queries.by_intent(db, payment_intent)


async def _session_of(payment_intent: str) -> str | None:
    session = await stripe.session_of(payment_intent)
    return session.id if session else None
