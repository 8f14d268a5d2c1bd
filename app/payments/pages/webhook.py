"""Back from Stripe, and what Stripe tells us by itself."""

from typing import Any

import structlog
from litestar import MediaType, Request, Response, Router, get, post
from litestar.params import FromPath

from app.bookings import queries as booking_queries
from app.core import activity, clock
from app.core.db import writing
from app.core.errors import NotFound
from app.core.i18n import gettext as _
from app.payments import queries, stripe
from app.payments.actions import notices
from app.payments.flows.converge import converge
from app.payments.flows.notices import bad_signature
from app.web.page import see_other
from app.web.visitor import Db

log = structlog.get_logger()

MOST_BYTES = 256 * 1024
# Seconds that a buyer waits for Stripe's word; the page they land on asks again by itself.
PATIENCE = 10


@get("/bookings/{code:str}/return")
async def come_back(request: Request[Any, Any, Any], db: Db, code: FromPath[str]) -> Response[Any]:
    """Trusts nothing in the address: it only says which session to ask Stripe about, and that must be this booking's."""
    booking = await booking_queries.by_code(db, code)
    payment = await queries.latest(db, booking.id or 0) if booking else None
    if not booking or not payment:
        raise NotFound(_("There is no such booking. Check the link in your mail."))
    if payment.session_id and payment.session_id == request.query_params.get("s"):
        try:
            with stripe.patience(PATIENCE):
                await converge(payment.session_id)
        except (stripe.StripeSilent, stripe.StripeRefused) as error:
            # The page says that the payment is being confirmed; webhook and sweep bring the rest.
            log.warning("stripe did not answer", call="session", payment=payment.id, error=str(error))
    return see_other(request, f"/bookings/{code}")


@post("/webhooks/stripe", opt={"proves_itself": True}, request_max_body_size=MOST_BYTES)
async def stripe_webhook(request: Request[Any, Any, Any]) -> Response[str]:
    """Writes down what Stripe tells us and answers at once; the worker acts on it in its own time."""
    body = await request.body()
    try:
        told = stripe.told(body, request.headers.get("stripe-signature", ""))
    except stripe.BadSignature:
        await bad_signature()
        return Response("The signature does not fit.", status_code=400, media_type=MediaType.TEXT)
    except stripe.WrongMode:
        log.error("webhook of the other mode: the key and the endpoint at Stripe do not belong together")
        return Response("The mode does not fit.", status_code=400, media_type=MediaType.TEXT)
    async with writing() as tx:
        if await notices.note(tx, told, now=clock.now()):
            activity.wake_after(tx)
    return Response("Noted.", status_code=200, media_type=MediaType.TEXT)


router = Router("/", route_handlers=[come_back, stripe_webhook])
