"""The buyer gives the places back, also while a payment page is open somewhere."""

from app.bookings import actions as bookings
from app.bookings import queries as booking_queries
from app.core import clock
from app.core.db import reading, writing
from app.core.errors import Refused, Unavailable
from app.core.i18n import gettext as _
from app.payments import actions, queries, stripe
from app.payments.flows.sweeps import close


async def release(booking_id: int) -> None:
    """Places of a booking with an open payment page go back only after Stripe has closed that page.

    Raises Refused when the booking is paid or over, Unavailable when Stripe does not answer.
    """
    async with reading() as db:
        payment = await queries.active(db, booking_id)
    if payment and payment.session_id:
        try:
            await close(payment.session_id)
        except stripe.StripeSilent as silent:
            async with writing() as tx:
                await actions.end_payment_soon(tx, booking_id, now=clock.now())
            raise Unavailable(
                _("The payment service does not answer. Your places go back as soon as it has closed the payment.")
            ) from silent
    async with writing() as tx:
        booking = await booking_queries.by_id(tx, booking_id)
        if not booking or not await bookings.release(tx, booking, now=clock.now()):
            raise Refused(_("This booking cannot be released any more."))
