"""The one door to Stripe. Values in, small frozen values out; every failure is one of two kinds: silent or refused.

Nothing here opens a transaction, and nothing here may be called inside one.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from datetime import datetime
from functools import cache, wraps
from typing import Any, ParamSpec, TypeVar

import httpx
import stripe
from circuitbreaker import CircuitBreaker  # type: ignore[import-untyped]

from app.core.db import outside_writing
from app.core.redaction import clean
from app.core.settings import settings
from app.payments.at_stripe import Account, BalanceLine, Dispute, Endpoint, Session, StripeRefund, Told

# How long a call may last with all its repetitions, and how long to wait for a connection.
SECONDS = 20
CONNECT_SECONDS = 5
# After so many calls without an answer nobody asks for a while; then one good answer is enough.
MOST_SILENCES = 5
REST_SECONDS = 30
# Stripe allows 100 requests a second to a live key and 25 to a test key; the rest is for reading.
WRITES_A_SECOND = {True: 60, False: 15}
SIGNED_WITHIN = 300

# What Stripe tells us that means something here; all else is written down and done.
KINDS = (
    "checkout.session.completed", "checkout.session.async_payment_succeeded", "checkout.session.async_payment_failed",
    "checkout.session.expired", "payment_intent.succeeded", "payment_intent.canceled", "payment_intent.payment_failed",
    "refund.created", "refund.updated", "refund.failed", "charge.refunded", "charge.dispute.created", "charge.dispute.updated",
    "charge.dispute.closed", "charge.dispute.funds_withdrawn", "charge.dispute.funds_reinstated",
)  # fmt: skip

P = ParamSpec("P")
R = TypeVar("R")


class StripeSilent(Exception):
    """No answer, or none that says what happened: the call may or may not have had its effect.

    `status` is the answer's number, 0 without one. From 500 on Stripe keeps the answer under the key of the call.
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class StripeDown(StripeSilent):
    """Not asked at all, because the last calls had no answer or too many wait already."""


class StripeRefused(Exception):
    """Stripe answered no, and nothing was done. `code` is Stripe's word for why."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class BadSignature(Exception):
    """The webhook was not signed by Stripe, or not lately."""


class WrongMode(Exception):
    """Stripe speaks of test objects and our key is live, or the other way round."""


_until: ContextVar[float | None] = ContextVar("until", default=None)


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """All calls inside share so many seconds: somebody sits in front of a page and waits."""
    token = _until.set(asyncio.get_running_loop().time() + seconds)
    try:
        yield
    finally:
        _until.reset(token)


def is_down() -> bool:
    """Whether calls end at once now, because the last ones had no answer."""
    return bool(_breaker().opened)


def answers() -> bool:
    """False from the moment calls end at once until one has been answered again."""
    return bool(_breaker().closed)


def _asking(*, writes: bool = False) -> Callable[[Callable[P, Awaitable[R]]], Callable[P, Awaitable[R]]]:
    """Turns the SDK's many errors into our two, keeps to Stripe's limit, and ends what lasts too long."""

    def door(call: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
        @wraps(call)
        async def asked(*args: P.args, **kwargs: P.kwargs) -> R:
            outside_writing("Stripe")
            if is_down():
                raise StripeDown("The last calls had no answer.")
            now = asyncio.get_running_loop().time()
            left = min(SECONDS, (_until.get() or now + SECONDS) - now)
            if left <= 0:
                raise StripeSilent("no time left to ask")
            pause = _pace().wait(now, most=left) if writes and not settings().stripe_api_base else 0
            await asyncio.sleep(pause)
            with _breaker():
                return await _answer(call(*args, **kwargs), seconds=left - pause)

        return asked

    return door


async def _answer(call: Awaitable[R], *, seconds: float) -> R:
    try:
        async with asyncio.timeout(seconds):
            return await call
    except TimeoutError as error:
        raise StripeSilent("no answer in time") from error
    except stripe.StripeError as error:
        status = error.http_status or 0
        # A key that was rejected, or used with other parameters, tells nothing about the thing that was asked for.
        tells = 400 <= status < 500 and status not in (401, 403, 409, 429) and not isinstance(error, stripe.IdempotencyError)
        if tells:
            raise StripeRefused(clean(str(error.user_message or error)), error.code or "") from error
        raise StripeSilent(type(error).__name__, status) from error


class Pace:
    """Spreads calls so that Stripe's limit is kept; one second's worth may come at once."""

    def __init__(self, a_second: int) -> None:
        self.step = 1 / a_second
        self._taken_until = 0.0

    def wait(self, now: float, *, most: float) -> float:
        """Seconds until the next call may go. Raises StripeDown when that is longer than `most`."""
        next_one = max(self._taken_until, now - 1) + self.step
        if next_one - now > most:
            raise StripeDown("Too many calls are waiting.")
        self._taken_until = next_one
        return max(0.0, next_one - now)


@_asking(writes=True)
async def create_session(params: dict[str, Any], *, key: str) -> Session:
    """Opens a hosted payment page. The same key and parameters give the same session again."""
    return _session(await _api().checkout.sessions.create_async(params, {"idempotency_key": key}))


@_asking()
async def session(session_id: str) -> Session:
    """The session as it is now. Only the payment intent tells a bank that still thinks from one that has refused."""
    raw = await _api().checkout.sessions.retrieve_async(session_id)
    if raw.livemode != is_live():
        raise StripeRefused("The session is of the other mode.", "livemode")
    found = _session(raw)
    if found.status != "complete" or found.payment_status != "unpaid" or not found.payment_intent:
        return found
    intent = await _api().payment_intents.retrieve_async(found.payment_intent)
    return replace(found, bank_refused=intent.status in ("requires_payment_method", "canceled"))


@_asking(writes=True)
async def expire_session(session_id: str) -> None:
    """Closes an open session. Raises StripeRefused when it was not open any more. Needs no key: it is idempotent by nature."""
    await _api().checkout.sessions.expire_async(session_id)


async def sessions_made(*, since: datetime, until: datetime) -> list[Session]:
    """Every session that was made on the account in that time, newest first. Stripe cannot look for what we wrote on them."""
    made = {"gte": int(since.timestamp()), "lte": int(until.timestamp())}
    return [_session(found) for found in await _pages(lambda: _api().checkout.sessions.list_async, {"created": made})]


async def session_of(payment_intent: str) -> Session | None:
    """The session through which this money came."""
    found = await _pages(lambda: _api().checkout.sessions.list_async, {"payment_intent": payment_intent})
    return _session(found[0]) if found else None


@_asking(writes=True)
async def create_refund(*, payment_intent: str, amount_minor: int, refund_id: str, key: str) -> StripeRefund:
    """Sends money back."""
    params = {"payment_intent": payment_intent, "amount": amount_minor, "metadata": {"refund_id": refund_id}}
    return _refund(await _api().refunds.create_async(params, {"idempotency_key": key}))


async def refunds_of(payment_intent: str) -> list[StripeRefund]:
    """All refunds of a payment, ours and those made in Stripe's dashboard."""
    found = await _pages(lambda: _api().refunds.list_async, {"payment_intent": payment_intent})
    return [_refund(refund) for refund in found]


@_asking()
async def dispute(dispute_id: str) -> Dispute:
    """The dispute as it is now. A warning counts as open until it is closed, which is as good as won."""
    found = await _api().disputes.retrieve_async(dispute_id)
    closed = {"won": "won", "warning_closed": "won", "prevented": "won", "lost": "lost"}
    return Dispute(found.id, closed.get(found.status, "open"), found.amount, _id_of(found.payment_intent))


async def events_since(at: datetime) -> list[Told]:
    """What Stripe has told or tried to tell since then, oldest first; it remembers 30 days."""
    params = {"created": {"gte": int(at.timestamp())}, "types": list(KINDS)}
    return [_told(event.to_dict()) for event in reversed(await _pages(lambda: _api().events.list_async, params))]


async def balance_since(at: datetime) -> list[BalanceLine]:
    """The lines of the account's balance since then that are about buyers' money."""
    params = {"created": {"gte": int(at.timestamp())}, "expand": ["data.source"]}
    found = await _pages(lambda: _api().balance_transactions.list_async, params)
    # Lines about other things have no payment, and nothing that we could look for.
    return [_line(line) for line in found if line.type in _LINES and getattr(line.source, "payment_intent", None)]


@_asking()
async def account() -> Account:
    """Whose key ours is."""
    found = await _api().accounts.retrieve_current_async()
    profile = found.business_profile
    name = (profile.name if profile else "") or found.id
    return Account(found.id, name, bool(found.charges_enabled), is_live())


async def endpoints(url: str) -> list[Endpoint]:
    """The endpoints of the account that tell this address, enabled or not."""
    found = await _pages(lambda: _api().webhook_endpoints.list_async, {})
    return [_endpoint(one) for one in found if one.url == url]


@_asking(writes=True)
async def create_endpoint(url: str) -> Endpoint:
    """A new endpoint for everything in KINDS. Only this answer holds its secret."""
    return _endpoint(await _api().webhook_endpoints.create_async({"url": url, "enabled_events": list(KINDS)}))


@_asking(writes=True)
async def widen_endpoint(endpoint_id: str) -> None:
    """The endpoint is enabled, and tells everything in KINDS from now on."""
    await _api().webhook_endpoints.update_async(endpoint_id, {"enabled_events": list(KINDS), "disabled": False})


def told(body: bytes, signature: str) -> Told:
    """What a webhook says, verified before it is read. Raises BadSignature, WrongMode."""
    if not any(_is_signed(body, signature, secret) for secret in settings().webhook_secrets):
        raise BadSignature
    try:
        found = _told(json.loads(body))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadSignature from error
    if found.live != is_live():
        raise WrongMode
    return found


def is_live() -> bool:
    """Whether our key moves real money."""
    return settings().stripe_api_key.startswith(("sk_live_", "rk_live_"))


async def close_client() -> None:
    """Ends the connections to Stripe; the next call opens new ones, with the settings of then."""
    if _connections.cache_info().currsize:
        await _connections().close_async()  # type: ignore[no-untyped-call]
    for made in (_client, _connections, _breaker, _pace):
        made.cache_clear()


async def _pages(ask: Callable[[], Callable[[Any], Awaitable[Any]]], params: dict[str, Any]) -> list[Any]:
    """Everything on a list, newest first; each page is a call of its own."""
    found = await _page(ask, {"limit": 100, **params})
    things = list(found.data)
    while found.has_more and found.data:
        found = await _page(ask, {"limit": 100, "starting_after": found.data[-1].id, **params})
        things += found.data
    return things


@_asking()
async def _page(ask: Callable[[], Callable[[Any], Awaitable[Any]]], params: dict[str, Any]) -> Any:
    return await ask()(params)


def _api() -> Any:
    """The SDK wants literals where our values are plain dicts, so its types end here."""
    return _client().v1


@cache
def _client() -> stripe.StripeClient:
    base = settings().stripe_api_base
    return stripe.StripeClient(
        settings().stripe_api_key, base_addresses={"api": base} if base else {}, http_client=_connections(), max_network_retries=2
    )


@cache
def _connections() -> stripe.HTTPXClient:
    return stripe.HTTPXClient(timeout=httpx.Timeout(SECONDS, connect=CONNECT_SECONDS))


@cache
def _breaker() -> CircuitBreaker:
    return CircuitBreaker(failure_threshold=MOST_SILENCES, recovery_timeout=REST_SECONDS, expected_exception=StripeSilent)


@cache
def _pace() -> Pace:
    return Pace(WRITES_A_SECOND[is_live()])


def _is_signed(body: bytes, signature: str, secret: str) -> bool:
    try:
        return bool(stripe.WebhookSignature.verify_header(body, signature, secret, SIGNED_WITHIN))
    except (stripe.SignatureVerificationError, ValueError, TypeError):
        # A signature with letters beyond ASCII is a TypeError to the SDK; a body that is no text a ValueError.
        return False


def _told(event: dict[str, Any]) -> Told:
    kind, thing = str(event["type"]), event["data"]["object"]
    means = kind in KINDS
    intent = thing["id"] if kind.startswith("payment_intent.") else thing.get("payment_intent")
    return Told(
        id=str(event["id"]),
        kind=kind,
        object_id=str(thing["id"]) if means else "",
        payment_intent=_id_of(intent) if means else "",
        live=bool(event["livemode"]),
    )


def _session(found: Any) -> Session:
    return Session(
        id=found.id,
        status=found.status or "",
        payment_status=found.payment_status,
        amount_minor=found.amount_total or 0,
        currency=(found.currency or "").upper(),
        payment_id=_our(found.metadata, "payment_id"),
        payment_intent=_id_of(found.payment_intent) or None,
        url=found.url or "",
        shop=_our(found.metadata, "shop"),
    )


def _endpoint(found: Any) -> Endpoint:
    tells = set(found.enabled_events)
    is_whole = found.status == "enabled" and (tells >= set(KINDS) or "*" in tells)
    return Endpoint(found.id, is_whole, getattr(found, "secret", None) or "")


def _refund(found: Any) -> StripeRefund:
    return StripeRefund(found.id, found.status or "", found.amount, _our(found.metadata, "refund_id"))


# The types of balance lines that are about buyers' money; some methods of payment have names of their own.
_LINES = {
    "charge": "charge", "payment": "charge", "refund": "refund", "payment_refund": "refund",
    "refund_failure": "refund_failure", "payment_failure_refund": "refund_failure", "adjustment": "adjustment",
}  # fmt: skip


def _line(line: Any) -> BalanceLine:
    source = line.source
    # In another currency than the balance's the line is converted, so the source's own amount counts.
    minor = abs(line.amount) if line.currency == source.currency else source.amount
    return BalanceLine(line.id, _LINES[line.type], source.id, _id_of(source.payment_intent), minor)


def _id_of(thing: Any) -> str:
    """Stripe gives an id, the whole object, or nothing."""
    return str(thing if isinstance(thing, str) else thing["id"]) if thing else ""


def _our(metadata: Any, name: str) -> str:
    """What we wrote on the object when we made it; empty on objects that others made."""
    return str(metadata.to_dict().get(name, "")) if metadata else ""
