"""From a held booking to the page where it is paid, or straight to its tickets when it costs nothing."""

from collections.abc import Mapping

import structlog

from app.accounts.actions import details
from app.accounts.models import Visitor
from app.bookings import actions as bookings
from app.bookings import queries as booking_queries
from app.bookings.models import Booking
from app.bookings.rules import AnswerKey
from app.core import clock
from app.core.db import reading, retried, writing
from app.core.errors import Refused, Unavailable
from app.core.i18n import gettext as _
from app.core.settings import settings
from app.payments import queries, stripe
from app.payments.actions import paying
from app.payments.flows.converge import converge
from app.payments.models import Payment
from app.tickets import actions as tickets

log = structlog.get_logger()

# Seconds that a buyer waits for Stripe in all.
PATIENCE = 25


@retried
async def checkout(booking_id: int, *, email: str, name: str, by: Visitor, answers: Mapping[AnswerKey, str] | None = None) -> str:
    """Where the buyer goes next: Stripe's page, or the booking itself when there is nothing to pay.

    `answers` are those to the event's questions; none at all leaves what was answered before.
    Raises Refused when the hold is over, Unavailable when Stripe does not answer; the hold is kept then.
    """
    now = clock.now()
    async with writing() as tx:
        await booking_queries.lock(tx, booking_id)
        view = await booking_queries.view(tx, booking_id)
        booking = view.booking
        here = f"/bookings/{booking.code}"
        if booking.is_paid:
            return here
        if not view.event.takes_payments(now):
            raise Refused(_("This event is not on sale any more, so nothing was charged."))
        if booking.state == "held":
            await bookings.fill_in(tx, booking, view.event, email=email, name=name, by=by)
            if answers:
                await bookings.answer(tx, booking, answers, by=by.user_id)
            if by.user_id and by.user_id == booking.user_id and not by.name:
                # An account is not asked for its name until now, and never again.
                await details.rename(tx, by.user_id, name, by=by.user_id)
        if booking.is_free:
            if not booking.is_held(now) or not await tickets.settle(tx, booking, now=now):
                raise Refused(_("This hold is over. Hold the places again."))
            return here
        if not settings().sells_online:
            raise Unavailable(_("Online payment is not set up in this shop. Your places are kept until the minute shown."))
        if stripe.is_down():
            raise Unavailable(_silent())
        payment = await paying.start(tx, view, now=now)
    with stripe.patience(PATIENCE):
        return await _page(payment) or here


async def _page(payment: Payment) -> str:
    """The address of Stripe's page for the attempt; empty when Stripe knows that it is over already."""
    try:
        if payment.state != "creating":
            return await _open_page(payment)
        session = await stripe.create_session(payment.params, key=f"cs:{payment.id}")
    except stripe.StripeSilent as silent:
        log.warning("stripe did not answer", payment=payment.id, state=payment.state, error=str(silent))
        raise Unavailable(_silent()) from silent
    except stripe.StripeRefused as refused:
        log.error("stripe refused", payment=payment.id, state=payment.state, error=str(refused))
        await _give_up(payment)
        raise Unavailable(
            _("The payment could not be started. Nothing was charged. Try again, or write to the shop.")
        ) from refused
    async with writing() as tx:
        await paying.opened(tx, payment, session)
    return session.url


async def _open_page(payment: Payment) -> str:
    await converge(payment.session_id or "")
    async with reading() as db:
        running = await queries.active(db, payment.booking_id)
    return running.session_url if running and running.state == "open" else ""


async def _give_up(payment: Payment) -> None:
    async with writing() as tx:
        await booking_queries.lock(tx, payment.booking_id)
        booking = await tx.get_one(Booking, payment.booking_id, populate_existing=True)
        await paying.refused_at_creation(tx, payment, booking, now=clock.now())


def _silent() -> str:
    return _("The payment service does not answer. Nothing was charged and your places are kept. Try again in a moment.")
