"""The stand-in answers the real SDK as Stripe does: keys, parameters, idempotency, lists, faults."""

import asyncio
import time
from pathlib import Path

import pytest
import stripe

from tests.stage import SDK_SENDS_DATA, Shop, World, booking, eventually, opened, sdk

pytestmark = pytest.mark.filterwarnings(SDK_SENDS_DATA)


async def test_a_wrong_key_is_refused(world: World) -> None:
    async with sdk(world.url, key="sk_test_of_mallory") as mallory:
        with pytest.raises(stripe.AuthenticationError) as refused:
            await mallory.v1.checkout.sessions.create_async(booking())
    assert "mallory" not in str(refused.value)
    assert refused.value.request_id.startswith("req_")


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"bogus": "1"}, "bogus"),
        ({"mode": "subscription"}, "mode"),
        ({"line_items": []}, "line_items"),
        ({"success_url": "nowhere"}, "success_url"),
        ({"customer_email": "bob"}, "customer_email"),
        ({"metadata": {"items": "x" * 501}}, "metadata[items]"),
        ({"expand": ["everything"]}, "expand"),
        (
            {"line_items": [{"quantity": 1, "price_data": {"currency": "eur", "unit_amuont": 1, "product_data": {"name": "a"}}}]},
            "line_items[0][price_data][unit_amuont]",
        ),
        (
            {
                "line_items": [
                    {"quantity": 1, "price_data": {"currency": "eur", "unit_amount": 49, "product_data": {"name": "a"}}}
                ]
            },
            "line_items",
        ),
    ],
)
async def test_parameters_that_stripe_would_refuse_are_refused(world: World, changes: dict[str, object], param: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await world.client.v1.checkout.sessions.create_async(booking(**changes))
    assert refused.value.param == param
    assert (await world.client.v1.checkout.sessions.list_async()).data == []


async def test_the_same_key_gives_the_same_session_as_it_was_then(world: World) -> None:
    options = {"idempotency_key": "cs:1"}
    params = booking(expires_at=int(time.time()) + 2100)
    first = await world.client.v1.checkout.sessions.create_async(params, options)
    await world.client.v1.checkout.sessions.expire_async(first.id)
    again = await world.client.v1.checkout.sessions.create_async(params, options)
    assert (again.id, again.status) == (first.id, "open")
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    with pytest.raises(stripe.IdempotencyError):
        await world.client.v1.checkout.sessions.create_async(booking(expires_at=params["expires_at"] + 1), options)


async def test_a_validation_error_is_not_kept_under_the_key(world: World) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        await world.client.v1.checkout.sessions.create_async(booking(mode="other"), {"idempotency_key": "cs:1"})
    assert await world.client.v1.checkout.sessions.create_async(booking(), {"idempotency_key": "cs:1"})


async def test_a_key_in_flight_is_a_conflict(world: World) -> None:
    world.sandbox.faults.next("create", delay=0.5)
    slow = asyncio.create_task(world.client.v1.checkout.sessions.create_async(booking(), {"idempotency_key": "cs:1"}))
    await eventually(lambda: "cs:1" in world.sandbox.stripe.in_flight)
    with pytest.raises(stripe.StripeError) as refused:
        await world.client.v1.checkout.sessions.create_async(booking(), {"idempotency_key": "cs:1"})
    assert refused.value.http_status == 409
    first = await slow
    assert (await world.client.v1.checkout.sessions.create_async(booking(), {"idempotency_key": "cs:1"})).id == first.id


@pytest.mark.parametrize(("done", "sessions"), [(False, 0), (True, 1)])
async def test_a_500_is_kept_under_the_key(world: World, done: bool, sessions: int) -> None:
    world.sandbox.faults.next("create", status=500, done=done)
    for _attempt in range(2):
        with pytest.raises(stripe.APIError) as failed:
            await world.client.v1.checkout.sessions.create_async(booking(), {"idempotency_key": "cs:1"})
        assert failed.value.http_status == 500
    assert len((await world.client.v1.checkout.sessions.list_async()).data) == sessions


async def test_a_429_is_not_kept(world: World) -> None:
    world.sandbox.faults.next("create", status=429)
    with pytest.raises(stripe.RateLimitError):
        await world.client.v1.checkout.sessions.create_async(booking(), {"idempotency_key": "cs:1"})
    assert await world.client.v1.checkout.sessions.create_async(booking(), {"idempotency_key": "cs:1"})


async def test_a_lost_answer_is_found_again_with_the_key(world: World) -> None:
    world.sandbox.faults.next("create", lost=True)
    with pytest.raises(stripe.APIConnectionError):
        await world.client.v1.checkout.sessions.create_async(booking(), {"idempotency_key": "cs:1"})
    made = (await world.client.v1.checkout.sessions.list_async()).data
    assert len(made) == 1
    assert (await world.client.v1.checkout.sessions.create_async(booking(), {"idempotency_key": "cs:1"})).id == made[0].id


async def test_a_caller_without_patience_times_out(world: World) -> None:
    world.sandbox.faults.next("create", delay=0.4)
    async with sdk(world.url, timeout=0.1) as client:
        with pytest.raises(stripe.APIConnectionError):
            await client.v1.checkout.sessions.create_async(booking(), {"idempotency_key": "cs:1"})
    await eventually(lambda: not world.sandbox.stripe.in_flight)
    assert len((await world.client.v1.checkout.sessions.list_async()).data) <= 1


async def test_lists_are_walked_page_by_page(world: World) -> None:
    made = [(await world.client.v1.checkout.sessions.create_async(booking())).id for _number in range(5)]
    page = await world.client.v1.checkout.sessions.list_async({"limit": 2, "created": {"gte": int(time.time()) - 60}})
    assert [session.id for session in page.data] == made[:2:-1]
    assert page.has_more
    assert [session.id async for session in page.auto_paging_iter()] == made[::-1]
    newer = await world.client.v1.checkout.sessions.list_async({"limit": 2, "ending_before": made[0]})
    assert [session.id for session in newer.data] == [made[2], made[1]]
    assert (await world.client.v1.checkout.sessions.list_async({"created": {"lt": 5}})).data == []

    await world.browser.post(f"/sandbox/pay/{made[3]}", data={"act": "pay"})
    paid = await world.client.v1.checkout.sessions.list_async({"status": "complete", "expand": ["data.payment_intent"]})
    assert [session.id for session in paid.data] == [made[3]]
    by_intent = await world.client.v1.checkout.sessions.list_async({"payment_intent": paid.data[0].payment_intent.id})
    assert [session.id for session in by_intent.data] == [made[3]]


async def test_an_unknown_address_or_object_is_said_in_stripes_words(world: World) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await world.client.v1.checkout.sessions.retrieve_async("cs_test_nothing")
    assert (refused.value.http_status, refused.value.code) == (404, "resource_missing")
    with pytest.raises(stripe.InvalidRequestError, match="Unrecognized request URL"):
        await world.client.v1.customers.list_async()


async def test_a_restart_forgets_nothing(tmp_path: Path, shop: Shop) -> None:
    async with opened(tmp_path, shop) as before:
        before.sandbox.faults.silent = True
        options = {"idempotency_key": "cs:1"}
        first = await before.client.v1.checkout.sessions.create_async(booking(), options)
        await before.browser.post(first.url, data={"act": "pay"})
    assert shop.heard == []
    async with opened(tmp_path, shop) as after:
        assert (await after.client.v1.checkout.sessions.create_async(booking(), options)).id == first.id
        assert (await after.client.v1.checkout.sessions.retrieve_async(first.id)).payment_status == "paid"
        await eventually(lambda: len(shop.heard) == 4)
