"""Everything that hears of a session comes here: the webhook, the return page, the sweeps. Stripe is asked, then believed."""

import structlog

from app.bookings import queries as booking_queries
from app.core import clock
from app.core.db import retried, writing
from app.events.models import Event
from app.payments import actions, queries, stripe
from app.payments.models import Payment

log = structlog.get_logger()


@retried
async def converge(session_id: str) -> None:
    """Brings our rows to what Stripe says of the session now. Raises StripeSilent, StripeRefused (no such session)."""
    session = await stripe.session(session_id)
    async with writing() as tx:
        payment = await queries.by_session(tx, session_id) or await tx.get(Payment, session.payment_id)
        if not payment:
            # Somebody else's session on our account; the nightly comparison with Stripe lists what nobody claims.
            log.error("unknown session", session=session_id)
            return
        booking = await booking_queries.by_id(tx, payment.booking_id)
        event = await tx.get(Event, booking.event_id) if booking else None
        if booking and event:
            await actions.apply(tx, payment, booking, event, session, now=clock.now())
