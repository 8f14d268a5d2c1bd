"""What the worker does again and again, so that a lost answer, a closed browser or a crash changes nothing in the end."""

from contextlib import suppress
from datetime import timedelta

from app.bookings import queries as booking_queries
from app.bookings.models import Booking
from app.core import alarms, clock
from app.core.db import reading, retried, writing
from app.core.settings import settings
from app.payments import queries, stripe
from app.payments.actions import money, paying, winding_down
from app.payments.at_stripe import Session
from app.payments.flows.converge import converge
from app.payments.flows.each import each
from app.payments.models import Payment

BATCH = 100
AT_ONCE = 200
ANSWERED_WITHIN = timedelta(minutes=2)
# After this long the answer under a key may be an old error that says nothing, so Stripe's list is asked first.
LOOK_FIRST_AFTER = timedelta(minutes=5)
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
    await each([payment.session_id or "" for payment in late], close)
    await each([payment.session_id or "" for payment in waiting], converge)


async def resolve_creating() -> None:
    """Attempts that Stripe never answered: the same call again finds the session, or makes it so late that it can be closed."""
    async with reading() as db:
        silent = await queries.unanswered(db, before=clock.now() - ANSWERED_WITHIN, most=BATCH)
    await each(silent, _resolve)


async def wind_down() -> bool:
    """Bookings of called-off events, 200 in a transaction. Whether there may be more."""
    async with reading() as db:
        ids = await queries.called_off_bookings(db, now=clock.now(), most=AT_ONCE)
    if ids:
        await _wind_down(ids)
    return len(ids) == AT_ONCE


async def set_money_right() -> None:
    """The money rule over every booking that has more money left than it keeps: the difference becomes a refund row."""
    last, found = 0, True
    while found:
        async with reading() as db:
            ids = await queries.bookings_out_of_balance(db, after=last, most=AT_ONCE)
        found = bool(ids)
        await each(ids, _set_right)
        last = ids[-1] if ids else last


async def watch_stripe() -> None:
    """A Stripe that does not answer is on the admin's desk until it answers again."""
    answers = stripe.answers()
    async with reading() as db:
        rings = any(alarm.kind == "stripe_down" for alarm in await alarms.open_ones(db))
    if answers == rings:
        async with writing() as tx:
            await (alarms.calm if answers else alarms.sound)(tx, "stripe_down", about="stripe")


async def _set_right(booking_id: int) -> None:
    async with writing() as tx:
        await money.set_right(tx, booking_id, now=clock.now())


@retried
async def _wind_down(ids: list[int]) -> None:
    async with writing() as tx:
        for booking_id in ids:
            await winding_down.wind_down(tx, await tx.get_one(Booking, booking_id), now=clock.now())


async def _resolve(payment: Payment) -> None:
    """Refused means that there is no session under this key; and after the session's life nobody can pay on it."""
    age = clock.now() - payment.created_at
    try:
        session = await _made_for(payment) if age > LOOK_FIRST_AFTER else None
        if not session and age >= timedelta(minutes=settings().session_minutes) + CLOCK_ERROR:
            await _void(payment)
            return
        session = session or await stripe.create_session(payment.params, key=f"cs:{payment.id}")
    except stripe.StripeRefused:
        await _void(payment)
        return
    async with writing() as tx:
        await paying.opened(tx, payment, session)
    await converge(session.id)


async def _made_for(payment: Payment) -> Session | None:
    """The session that was made although its answer was lost. Stripe would not have made it much later than it was asked."""
    since, until = payment.created_at - CLOCK_ERROR, payment.created_at + 3 * CLOCK_ERROR
    made = await stripe.sessions_made(since=since, until=until)
    return next((session for session in made if session.payment_id == payment.id), None)


async def _void(payment: Payment) -> None:
    async with writing() as tx:
        await booking_queries.lock(tx, payment.booking_id)
        booking = await tx.get_one(Booking, payment.booking_id, populate_existing=True)
        await paying.refused_at_creation(tx, payment, booking, now=clock.now())
