"""The one door to Stripe. Values in, small frozen values out; every failure is one of two kinds.

Nothing here opens a transaction, and nothing here may be called inside one.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import cache, wraps
from typing import Any, ParamSpec, TypeVar

import stripe

from app.core.db import outside_writing
from app.core.settings import settings

SECONDS = 20
P = ParamSpec("P")
R = TypeVar("R")


class StripeSilent(Exception):
    """No answer, or none that says what happened: the call may or may not have had its effect."""


class StripeRefused(Exception):
    """Stripe answered no, and nothing was done. `code` is Stripe's word for why."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Session:
    """A Checkout Session as Stripe described it now. Amounts in minor units."""

    id: str
    status: str
    payment_status: str
    amount_minor: int
    currency: str
    payment_id: str
    payment_intent: str | None
    url: str
    bank_refused: bool = False


@dataclass(frozen=True)
class StripeRefund:
    """A refund at Stripe. `refund_id` is ours when we asked for it, else empty."""

    id: str
    status: str
    amount_minor: int
    refund_id: str


@dataclass(frozen=True)
class Told:
    """A verified webhook: what Stripe says happened, to which session."""

    id: str
    kind: str
    session_id: str
    live: bool


class BadSignature(Exception):
    """The webhook was not signed by Stripe, or not lately."""


def _asking(call: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
    """Turns the SDK's many errors into our two."""

    @wraps(call)
    async def asked(*args: P.args, **kwargs: P.kwargs) -> R:
        outside_writing("Stripe")
        try:
            return await call(*args, **kwargs)
        except stripe.StripeError as error:
            status = error.http_status or 0
            if 400 <= status < 500 and status not in (409, 429):
                raise StripeRefused(str(error.user_message or error), error.code or "") from error
            raise StripeSilent(type(error).__name__) from error

    return asked


@_asking
async def create_session(params: dict[str, Any], *, key: str) -> Session:
    """Opens a hosted payment page. The same key and parameters give the same session again."""
    made = await _client().v1.checkout.sessions.create_async(params, {"idempotency_key": key})  # type: ignore[arg-type]
    return _session(made)


@_asking
async def session(session_id: str) -> Session:
    """The session as it is now. Only the payment intent tells a bank that still thinks from one that has refused."""
    found = _session(await _client().v1.checkout.sessions.retrieve_async(session_id))
    if found.status != "complete" or found.payment_status != "unpaid" or not found.payment_intent:
        return found
    intent = await _client().v1.payment_intents.retrieve_async(found.payment_intent)
    return replace(found, bank_refused=intent.status in ("requires_payment_method", "canceled"))


@_asking
async def expire_session(session_id: str) -> None:
    """Closes an open session. Raises StripeRefused when it was not open any more. Needs no key: it is idempotent by nature."""
    await _client().v1.checkout.sessions.expire_async(session_id)


@_asking
async def create_refund(*, payment_intent: str, amount_minor: int, refund_id: str, attempt: int) -> StripeRefund:
    """Sends money back."""
    params = {"payment_intent": payment_intent, "amount": amount_minor, "metadata": {"refund_id": refund_id}}
    made = await _client().v1.refunds.create_async(params, {"idempotency_key": f"re:{refund_id}:{attempt}"})  # type: ignore[arg-type]
    return _refund(made)


@_asking
async def refunds_of(payment_intent: str) -> list[StripeRefund]:
    """All refunds of a payment, ours and those made in Stripe's dashboard."""
    found = await _client().v1.refunds.list_async({"payment_intent": payment_intent, "limit": 100})
    return [_refund(refund) for refund in found.data]


def told(body: bytes, signature: str) -> Told:
    """What a webhook says, verified before it is read. Raises BadSignature."""
    try:
        event = stripe.Webhook.construct_event(body, signature, settings().stripe_webhook_secret)
        thing = event.data.object
        is_session = event.type.startswith("checkout.session.")
        return Told(event.id, event.type, thing["id"] if is_session else "", bool(event.livemode))
    except (stripe.SignatureVerificationError, ValueError, TypeError, AttributeError, KeyError) as error:
        # A signature with letters beyond ASCII is a TypeError to the SDK; a body that is no event lacks what is read here.
        raise BadSignature from error


@cache
def _client() -> stripe.StripeClient:
    base = settings().stripe_api_base
    return stripe.StripeClient(
        settings().stripe_api_key, base_addresses={"api": base} if base else {}, http_client=_connections(), max_network_retries=2
    )


@cache
def _connections() -> stripe.HTTPXClient:
    return stripe.HTTPXClient(timeout=SECONDS)


async def close_client() -> None:
    """Ends the connections to Stripe; the next call opens new ones, with the settings of then."""
    if _connections.cache_info().currsize:
        await _connections().close_async()  # type: ignore[no-untyped-call]
    _client.cache_clear()
    _connections.cache_clear()


def _session(found: stripe.checkout.Session) -> Session:
    intent = found.payment_intent
    return Session(
        id=found.id,
        status=found.status or "",
        payment_status=found.payment_status,
        amount_minor=found.amount_total or 0,
        currency=(found.currency or "").upper(),
        payment_id=_our(found.metadata, "payment_id"),
        payment_intent=intent if isinstance(intent, str) or intent is None else intent.id,
        url=found.url or "",
    )


def _refund(found: stripe.Refund) -> StripeRefund:
    return StripeRefund(found.id, found.status or "", found.amount, _our(found.metadata, "refund_id"))


def _our(metadata: Any, name: str) -> str:
    """What we wrote on the object when we made it; empty on objects that others made."""
    return str(metadata.to_dict().get(name, "")) if metadata else ""
