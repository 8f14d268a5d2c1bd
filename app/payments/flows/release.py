"""The buyer gives the places back, also while a payment page is open somewhere."""

from app.bookings import actions as bookings
from app.bookings.models import Booking
from app.core import clock
from app.core.db import reading, writing
from app.core.errors import Refused, Unavailable
from app.core.i18n import gettext as _
from app.payments import queries, stripe
from app.payments.actions import paying
from app.payments.flows.sweeps import close
from app.payments.models import Payment

PATIENCE = 25


async def release(booking_id: int) -> None:
    """Places of a booking with an open payment page go back only after Stripe has closed that page.

    Raises Refused when the booking is paid or over, Unavailable when Stripe does not answer.
    """
    async with reading() as db:
        payment = await queries.active(db, booking_id)
    if payment:
        try:
            with stripe.patience(PATIENCE):
                await _close(payment)
        except stripe.StripeSilent as silent:
            async with writing() as tx:
                await paying.end_payment_soon(tx, booking_id, now=clock.now())
            raise Unavailable(
                _("The payment service does not answer. Your places go back as soon as it has closed the payment.")
            ) from silent
    async with writing() as tx:
        booking = await tx.get_one(Booking, booking_id)
        released = await bookings.release(tx, booking, now=clock.now())
    if not released:
        raise Refused(_("This booking cannot be released any more."))


async def _close(payment: Payment) -> None:
    """Without a session Stripe has not answered yet, so a page may be open there that only the sweep can find."""
    if not payment.session_id:
        raise stripe.StripeSilent("The payment was never answered.")
    await close(payment.session_id)
