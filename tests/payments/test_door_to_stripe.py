"""The door to Stripe: how long it waits, when it stops asking, and whom it believes."""

import asyncio
import dataclasses
import json
import time
from typing import Any

import httpx
import pytest
import stripe as sdk

from app.core import clock
from app.core.db import reading
from app.core.errors import Unavailable
from app.core.settings import settings, use
from app.events.models import Event
from app.payments import stripe
from app.payments.flows.checkout import checkout
from app.sandbox.app import Sandbox
from tests.conftest import whole_shop
from tests.payments.story import BOB, card_is_charged, held, payment_of, pays, stock_of
from tests.stage import WEBHOOK_SECRET

ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@pytest.fixture
def app(fake: Sandbox) -> Any:
    """The whole application, over the database and the Stripe of these tests."""
    return whole_shop()


def letter(*, live: bool = False, secret: str = WEBHOOK_SECRET) -> tuple[bytes, str]:
    """A signed webhook."""
    event = {
        "id": "evt_1",
        "type": "refund.created",
        "livemode": live,
        "data": {"object": {"id": "re_1", "payment_intent": None}},
    }
    body = json.dumps(event).encode()
    at = int(clock.now().timestamp())
    return body, f"t={at},v1={sdk.WebhookSignature._compute_signature(f'{at}.{body.decode()}', secret)}"


@pytest.mark.asvs("V16.5.2")
@ON_SQLITE
async def test_while_stripe_is_down_pay_answers_at_once_and_the_rest_of_the_shop_is_as_ever(
    fake: Sandbox, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stripe, "MOST_SILENCES", 1)
    booking = await held()
    fake.faults.down = True
    with pytest.raises(stripe.StripeSilent):
        await stripe.session("cs_1")
    with monkeypatch.context() as nobody_asks:
        nobody_asks.setattr(stripe, "_client", lambda: pytest.fail("Stripe was asked."))
        answer = await client.post(f"/bookings/{booking.code}/checkout", data={"email": "bob@example.com", "name": "Bob"})
    assert answer.status_code == 503
    assert await stock_of(booking) == (2, 0)
    async with reading() as db:
        event = await db.get_one(Event, booking.event_id)
    assert (await client.get(f"/events/{event.slug}")).status_code == 200
    fake.faults.down = False
    monkeypatch.setattr(stripe._breaker(), "_opened", -100.0)
    assert (await client.post(f"/bookings/{booking.code}/checkout", data={"email": "bob@example.com", "name": "Bob"})).is_redirect
    assert stripe.answers()


@ON_SQLITE
async def test_only_silence_counts_a_refusal_is_an_answer(fake: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stripe, "MOST_SILENCES", 2)
    for _ask in range(3):
        with pytest.raises(stripe.StripeRefused):
            await stripe.session("cs_of_nobody")
    assert not stripe.is_down()


@ON_SQLITE
async def test_who_waits_in_front_of_a_page_does_not_wait_long(fake: Sandbox) -> None:
    booking = await held()
    await pays(booking)
    # Stripe would answer in the end, so only who does not wait for that hears nothing.
    fake.faults.next("retrieve", delay=2)
    with pytest.raises(stripe.StripeSilent), stripe.patience(0.3):
        await stripe.session((await payment_of(booking)).session_id or "")
    with pytest.raises(stripe.StripeSilent, match="no time left"), stripe.patience(0):
        await stripe.session("cs_1")
    assert not stripe.is_down(), "what was not asked is no silence"


@ON_SQLITE
async def test_a_key_that_stripe_rejects_says_nothing_about_the_payment(fake: Sandbox) -> None:
    fake.stripe.api_key = "sk_test_another"
    booking = await held()
    with pytest.raises(Unavailable, match="does not answer"):
        await pays(booking)
    assert (await payment_of(booking)).state == "creating"


@ON_SQLITE
async def test_a_key_with_other_parameters_says_nothing_either(fake: Sandbox) -> None:
    booking = await held()
    await pays(booking)
    payment = await payment_of(booking)
    with pytest.raises(stripe.StripeSilent):
        await stripe.create_session(payment.params | {"client_reference_id": "x"}, key=f"cs:{payment.id}")


def test_calls_are_spread_so_that_stripes_limit_is_kept() -> None:
    pace = stripe.Pace(10)
    waits = [pace.wait(100.0, most=20) for _call in range(30)]
    assert waits[:10] == [0] * 10
    assert waits[-1] == pytest.approx(2)
    with pytest.raises(stripe.StripeDown):
        pace.wait(100.0, most=1)
    assert pace.wait(200.0, most=1) == 0


@ON_SQLITE
async def test_only_calls_that_change_something_are_spread_and_only_at_the_real_stripe(
    fake: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    booking = await held()
    await pays(booking)
    monkeypatch.setattr(stripe, "WRITES_A_SECOND", {False: 1})
    # The client that was made before still leads to the sandbox.
    use(dataclasses.replace(settings(), stripe_api_base=""))
    began = time.perf_counter()
    for _call in range(2):
        with pytest.raises(stripe.StripeRefused):
            await stripe.expire_session("cs_of_nobody")
    assert 0.8 < time.perf_counter() - began < 10
    with pytest.raises(stripe.StripeDown), stripe.patience(0.5):
        await stripe.expire_session("cs_of_nobody")


@ON_SQLITE
async def test_while_a_secret_is_changed_both_are_believed(fake: Sandbox) -> None:
    body, signature = letter()
    use(dataclasses.replace(settings(), stripe_webhook_secret=f"whsec_new, {WEBHOOK_SECRET}"))
    assert stripe.told(body, signature).object_id == "re_1"
    assert stripe.told(*letter(secret="whsec_new")).payment_intent == ""
    use(dataclasses.replace(settings(), stripe_webhook_secret="whsec_new"))
    with pytest.raises(stripe.BadSignature):
        stripe.told(body, signature)


@ON_SQLITE
async def test_what_is_told_about_real_money_is_not_for_a_test_key(fake: Sandbox, client: httpx.AsyncClient) -> None:
    body, signature = letter(live=True)
    with pytest.raises(stripe.WrongMode):
        stripe.told(body, signature)
    del client.headers["Origin"]
    answer = await client.post("/webhooks/stripe", content=body, headers={"Stripe-Signature": signature})
    assert (answer.status_code, answer.text) == (400, "The mode does not fit.")


@ON_SQLITE
async def test_a_session_of_the_other_mode_is_refused(fake: Sandbox) -> None:
    booking = await held()
    await pays(booking)
    session_id = await card_is_charged(fake, booking)
    await stripe.close_client()
    fake.stripe.api_key = "sk_live_of_the_sandbox"
    use(dataclasses.replace(settings(), stripe_api_key="sk_live_of_the_sandbox"))
    with pytest.raises(stripe.StripeRefused) as refused:
        await stripe.session(session_id)
    assert refused.value.code == "livemode"


@ON_SQLITE
async def test_a_long_list_is_read_to_its_end(fake: Sandbox) -> None:
    booking = await held(price_minor=1000)
    await pays(booking)
    await card_is_charged(fake, booking)
    intent = fake.stripe.session((await payment_of(booking)).session_id or "", {})["payment_intent"]
    for _refund in range(101):
        fake.stripe.refund_elsewhere(intent, 1)
    assert len(await stripe.refunds_of(intent)) == 101


@ON_SQLITE
async def test_checkout_waits_for_stripe_at_most_so_long(fake: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.payments.flows.checkout.PATIENCE", 0.3)
    booking = await held()
    fake.faults.next("create", delay=1)
    with pytest.raises(Unavailable):
        await checkout(booking.id or 0, email="bob@example.com", name="Bob", by=BOB)
    # The answer that nobody waited for is out before the server goes.
    await asyncio.sleep(1)
