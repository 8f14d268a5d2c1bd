"""Stripe's HTTP: keys, forms, idempotency, errors and list pages, as the real SDK sends and reads them."""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Callable
from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream
from stripe.params import (
    AccountRetrieveCurrentParams,
    BalanceTransactionListParams,
    BalanceTransactionRetrieveParams,
    ChargeRetrieveParams,
    DisputeRetrieveParams,
    EventListParams,
    EventRetrieveParams,
    PaymentIntentRetrieveParams,
    RefundCreateParams,
    RefundListParams,
    RefundRetrieveParams,
    WebhookEndpointCreateParams,
    WebhookEndpointListParams,
)
from stripe.params.checkout import (
    SessionCreateParams,
    SessionExpireParams,
    SessionListParams,
    SessionRetrieveParams,
)

from app.sandbox.fake_stripe import FakeStripe
from app.sandbox.faults import Fault
from app.sandbox.stripe_endpoints import EndpointUpdateParams
from app.sandbox.stripe_shapes import Doc, StripeError, checked, decoded
from app.sandbox.stripe_state import Answer

Asked = Request[Any, Any, Any]
Fake = NamedDependency[FakeStripe]
Work = Callable[[Doc], Doc]

BUSY = "There is currently another in-progress request using this Stripe idempotency key."
OTHER = "Keys for idempotent requests can only be used with the same parameters they were first used with."


@post("/v1/checkout/sessions", status_code=200)
async def create(request: Asked, fake: Fake) -> Response[Any]:
    return await answer(request, fake, "create", SessionCreateParams, fake.create_session)


@get("/v1/checkout/sessions")
async def list_sessions(request: Asked, fake: Fake) -> Response[Any]:
    return await answer(request, fake, "list", SessionListParams, fake.sessions)


@get("/v1/checkout/sessions/{session_id:str}")
async def retrieve(request: Asked, fake: Fake, session_id: FromPath[str]) -> Response[Any]:
    return await answer(request, fake, "retrieve", SessionRetrieveParams, lambda params: fake.session(session_id, params))


@post("/v1/checkout/sessions/{session_id:str}/expire", status_code=200)
async def expire(request: Asked, fake: Fake, session_id: FromPath[str]) -> Response[Any]:
    return await answer(request, fake, "expire", SessionExpireParams, lambda params: fake.expire_session(session_id, params))


@get("/v1/payment_intents/{intent_id:str}")
async def intent(request: Asked, fake: Fake, intent_id: FromPath[str]) -> Response[Any]:
    return await answer(request, fake, "intent", PaymentIntentRetrieveParams, lambda params: fake.intent(intent_id, params))


@post("/v1/refunds", status_code=200)
async def refund(request: Asked, fake: Fake) -> Response[Any]:
    return await answer(request, fake, "refund", RefundCreateParams, fake.create_refund)


@get("/v1/refunds")
async def list_refunds(request: Asked, fake: Fake) -> Response[Any]:
    return await answer(request, fake, "refund_list", RefundListParams, fake.refunds)


@get("/v1/refunds/{refund_id:str}")
async def retrieve_refund(request: Asked, fake: Fake, refund_id: FromPath[str]) -> Response[Any]:
    return await answer(request, fake, "refund_retrieve", RefundRetrieveParams, lambda params: fake.refund(refund_id, params))


@get("/v1/charges/{charge_id:str}")
async def charge(request: Asked, fake: Fake, charge_id: FromPath[str]) -> Response[Any]:
    return await answer(request, fake, "charge", ChargeRetrieveParams, lambda params: fake.charge(charge_id, params))


@get("/v1/disputes/{dispute_id:str}")
async def dispute(request: Asked, fake: Fake, dispute_id: FromPath[str]) -> Response[Any]:
    return await answer(request, fake, "dispute", DisputeRetrieveParams, lambda params: fake.found_dispute(dispute_id, params))


@get("/v1/balance_transactions")
async def list_balance(request: Asked, fake: Fake) -> Response[Any]:
    return await answer(request, fake, "balance_list", BalanceTransactionListParams, fake.balance_transactions)


@get("/v1/balance_transactions/{line_id:str}")
async def balance(request: Asked, fake: Fake, line_id: FromPath[str]) -> Response[Any]:
    schema = BalanceTransactionRetrieveParams
    return await answer(request, fake, "balance", schema, lambda params: fake.balance_transaction(line_id, params))


@get("/v1/events")
async def list_events(request: Asked, fake: Fake) -> Response[Any]:
    return await answer(request, fake, "event_list", EventListParams, fake.events)


@get("/v1/events/{event_id:str}")
async def retrieve_event(request: Asked, fake: Fake, event_id: FromPath[str]) -> Response[Any]:
    return await answer(request, fake, "event_retrieve", EventRetrieveParams, lambda params: fake.event(event_id, params))


@get("/v1/account")
async def account(request: Asked, fake: Fake) -> Response[Any]:
    return await answer(request, fake, "account", AccountRetrieveCurrentParams, fake.account)


@get("/v1/webhook_endpoints")
async def list_endpoints(request: Asked, fake: Fake) -> Response[Any]:
    return await answer(request, fake, "endpoint_list", WebhookEndpointListParams, fake.endpoints)


@post("/v1/webhook_endpoints", status_code=200)
async def create_endpoint(request: Asked, fake: Fake) -> Response[Any]:
    return await answer(request, fake, "endpoint", WebhookEndpointCreateParams, fake.create_endpoint)


@post("/v1/webhook_endpoints/{endpoint_id:str}", status_code=200)
async def update_endpoint(request: Asked, fake: Fake, endpoint_id: FromPath[str]) -> Response[Any]:
    schema = EndpointUpdateParams
    return await answer(request, fake, "endpoint_update", schema, lambda params: fake.update_endpoint(endpoint_id, params))


async def answer(request: Asked, fake: FakeStripe, operation: str, schema: Any, work: Work) -> Response[Any]:
    """Runs one request of the API: key, fault, idempotency, parameters, work."""
    fault = fake.faults.take(operation)
    if fault.unheard:
        return _broken()
    try:
        _check_api_key(request, fake)
        if fault.status == 429:
            raise StripeError("Request rate limit exceeded.", status=429, code="rate_limit")
        body = await request.body() if request.method == "POST" else request.scope["query_string"]
        key = request.headers.get("idempotency-key") if request.method == "POST" else None
        if key is None:
            await asyncio.sleep(fault.delay)
            with fake.state.together():
                given, replayed = _worked(fault, schema, body, work, fingerprint=""), False
        else:
            given, replayed = await _once(request, fake, key, fault, schema, body, work)
    except StripeError as error:
        given, replayed = Answer("", error.status, error.doc()), False
    if fault.lost:
        return _broken()
    return _reply(request, given, replayed=replayed)


async def _once(
    request: Asked, fake: FakeStripe, key: str, fault: Fault, schema: Any, body: bytes, work: Work
) -> tuple[Answer, bool]:
    """The answer under an idempotency key, and whether it is a replay. Only this process knows which keys are in flight."""
    fingerprint = hashlib.sha256(request.url.path.encode() + b"\n" + body).hexdigest()
    kept = fake.state.answer(key)
    if kept is not None and kept.fingerprint != fingerprint:
        raise StripeError(OTHER, kind="idempotency_error")
    if kept is not None:
        return kept, True
    if key in fake.in_flight:
        raise StripeError(BUSY, status=409, code="idempotency_key_in_use")
    fake.in_flight.add(key)
    try:
        await asyncio.sleep(fault.delay)
        with fake.state.together():
            given = _worked(fault, schema, body, work, fingerprint=fingerprint)
            fake.state.keep(key, given)
    finally:
        fake.in_flight.discard(key)
    return given, False


def _worked(fault: Fault, schema: Any, body: bytes, work: Work, *, fingerprint: str) -> Answer:
    """The answer that is kept under the key. Raises StripeError for one that is not, such as a parameter that does not fit."""
    params = checked(schema, decoded(body))
    failure = Answer(fingerprint, fault.status, StripeError("An unknown error occurred.", kind="api_error").doc())
    if fault.status and not fault.done:
        return failure
    try:
        given = Answer(fingerprint, 200, work(params))
    except StripeError as error:
        if not error.kept:
            raise
        given = Answer(fingerprint, error.status, error.doc())
    return failure if fault.status else given


def _check_api_key(request: Asked, fake: FakeStripe) -> None:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme != "Bearer" or not key:
        raise StripeError("You did not provide an API key.", status=401)
    if not secrets.compare_digest(key.encode(), fake.api_key.encode()):
        raise StripeError(f"Invalid API Key provided: {key[:8]}****", status=401)


def _reply(request: Asked, given: Answer, *, replayed: bool) -> Response[Any]:
    headers = {"Request-Id": f"req_{secrets.token_hex(7)}"}
    for name in ("Idempotency-Key", "Stripe-Version"):
        if name in request.headers:
            headers[name] = request.headers[name]
    if replayed:
        headers["Idempotent-Replayed"] = "true"
    return Response(given.body, status_code=given.status, headers=headers)


def _broken() -> Response[Any]:
    """An answer that breaks in the middle: a server closes the connection, and a caller without a socket gets the error."""

    async def half() -> AsyncIterator[bytes]:
        yield b'{"id": "'
        raise ConnectionResetError

    return Stream(half(), headers={"Content-Length": "1000"}, media_type="application/json")


router = Router(
    "/sandbox/stripe",
    route_handlers=[
        create, list_sessions, retrieve, expire, intent, charge, refund, list_refunds, retrieve_refund, dispute,
        list_balance, balance, list_events, retrieve_event, account, list_endpoints, create_endpoint, update_endpoint,
    ],
)  # fmt: skip
