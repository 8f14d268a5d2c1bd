"""Stripe is away, or chaos reigns; and all of it without a socket too."""

from collections import Counter
from contextlib import suppress
from pathlib import Path
from random import Random

import httpx
import pytest
import stripe

from app.sandbox.app import Sandbox
from app.sandbox.faults import CHAOS, NONE, UNHEARD, Faults
from tests.stage import API_KEY, SDK_SENDS_DATA, WEBHOOK_SECRET, Shop, World, booking

pytestmark = pytest.mark.filterwarnings(SDK_SENDS_DATA)


async def test_while_stripe_is_down_nothing_is_heard(world: World) -> None:
    world.sandbox.faults.down = True
    options = {"idempotency_key": "cs:1"}
    with pytest.raises(stripe.APIConnectionError):
        await world.client.v1.checkout.sessions.create_async(booking(), options)
    with pytest.raises(stripe.APIConnectionError):
        await world.client.v1.checkout.sessions.list_async()
    world.sandbox.faults.down = False
    assert (await world.client.v1.checkout.sessions.list_async()).data == []
    assert await world.client.v1.checkout.sessions.create_async(booking(), options)


async def test_a_request_that_was_not_heard_has_done_nothing(world: World) -> None:
    world.sandbox.faults.next("create", unheard=True)
    with pytest.raises(stripe.APIConnectionError):
        await world.client.v1.checkout.sessions.create_async(booking())
    assert (await world.client.v1.checkout.sessions.list_async()).data == []


def test_chaos_is_the_same_for_the_same_dice() -> None:
    def trouble(seed: int, rate: float) -> list[object]:
        faults = Faults()
        faults.chaos(Random(seed), rate=rate)
        return [faults.take("create") for _request in range(1000)]

    assert trouble(7, 0.3) == trouble(7, 0.3) != trouble(8, 0.3)
    counted = Counter(trouble(7, 0.3))
    assert set(counted) == {NONE, *CHAOS}
    assert 650 < counted[NONE] < 750
    assert set(trouble(7, 0)) == {NONE}


def test_a_fault_by_name_comes_before_chaos_and_down_before_both() -> None:
    faults = Faults()
    faults.chaos(Random(1), rate=1)
    faults.next("create", status=503)
    faults.down = True
    assert faults.take("create") == UNHEARD
    faults.down = False
    assert faults.take("create").status == 503
    assert faults.take("create") in CHAOS


async def test_chaos_makes_no_more_sessions_than_there_were_keys(world: World) -> None:
    world.sandbox.faults.chaos(Random(3), rate=0.5)
    keys = [f"cs:{number}" for number in range(20)]
    answered: dict[str, set[str]] = {key: set() for key in keys}
    for key in keys * 5:
        # A 500 stays under its key for good; everything else is worth another attempt.
        with suppress(stripe.StripeError):
            answered[key].add((await world.client.v1.checkout.sessions.create_async(booking(), {"idempotency_key": key})).id)
    world.sandbox.faults.chaos(Random(3), rate=0)
    listed = {session.id for session in (await world.client.v1.checkout.sessions.list_async({"limit": 100})).data}
    assert max(len(ids) for ids in answered.values()) == 1
    assert set().union(*answered.values()) < listed, "some were made, and their callers never heard of it"
    assert len(listed) <= len(keys)


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(
        state=tmp_path,
        base_url="http://sandbox",
        api_key=API_KEY,
        webhook_secret=WEBHOOK_SECRET,
        webhook_url="http://shop/webhooks/stripe",
        durable=False,
    )


async def test_the_sdk_and_the_shop_need_no_sockets(sandbox: Sandbox, tmp_path: Path) -> None:
    http_client = stripe.HTTPXClient()
    await http_client.close_async()
    http_client._client_async = httpx.AsyncClient(transport=httpx.ASGITransport(app=sandbox.app))
    address = {"api": "http://sandbox/sandbox/stripe"}
    client = stripe.StripeClient(API_KEY, base_addresses=address, http_client=http_client, max_network_retries=0)
    sandbox.faults.next("create", lost=True)
    with pytest.raises(stripe.APIConnectionError):
        await client.v1.checkout.sessions.create_async(booking(), {"idempotency_key": "cs:1"})
    session = await client.v1.checkout.sessions.create_async(booking(), {"idempotency_key": "cs:1"})
    sandbox.stripe.pay(session.id, "paid")
    assert (await client.v1.checkout.sessions.retrieve_async(session.id)).payment_status == "paid"

    shop = Shop(0)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=shop.app())) as road:
        while await sandbox.webhooks.beat(road):
            pass
    assert shop.kinds() == ["checkout.session.completed", "payment_intent.succeeded"]
    assert len(shop.heard) == 4
    assert not list(tmp_path.rglob("*.db"))
    await http_client.close_async()
    sandbox.stripe.state.close()
