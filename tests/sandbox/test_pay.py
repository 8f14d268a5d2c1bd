"""Bob pays, is declined, changes his mind or comes too late."""

import time
from datetime import UTC, datetime, timedelta

import pytest
import stripe
import time_machine

from tests.stage import SDK_SENDS_DATA, World, booking, eventually

pytestmark = pytest.mark.filterwarnings(SDK_SENDS_DATA)


async def test_bob_pays_and_the_shop_hears_of_it_twice(world: World) -> None:
    session = await world.client.v1.checkout.sessions.create_async(booking())
    assert isinstance(session, stripe.checkout.Session)
    assert (session.status, session.payment_status, session.amount_total, session.payment_intent) == (
        "open",
        "unpaid",
        3700,
        None,
    )
    assert session.url == f"{world.url}/sandbox/pay/{session.id}"

    page = await world.browser.get(session.url)
    assert page.status_code == 200
    for words in ("Test mode", "Teatro Test", "€37.00", "2 × Gallery", "bob@example.org", "http://127.0.0.1:9/bookings/abc"):
        assert words in page.text
    assert "form-action 'self' http://127.0.0.1:9" in page.headers["Content-Security-Policy"]

    paid = await world.browser.post(session.url, data={"act": "pay"})
    assert paid.status_code == 303
    assert paid.headers["Location"] == f"http://127.0.0.1:9/bookings/abc/return?s={session.id}"

    session = await world.client.v1.checkout.sessions.retrieve_async(session.id, {"expand": ["payment_intent", "line_items"]})
    assert (session.status, session.payment_status, session.url) == ("complete", "paid", None)
    assert isinstance(session.payment_intent, stripe.PaymentIntent)
    assert session.payment_intent.metadata["payment"] == "p1"
    assert session.payment_intent.amount_received == 3700
    assert session.line_items.data[0].quantity == 2

    await eventually(lambda: len(world.shop.heard) == 4)
    assert (
        sorted(event.type for event in world.shop.events) == ["checkout.session.completed"] * 2 + ["payment_intent.succeeded"] * 2
    )
    completed = next(event for event in world.shop.events if event.type == "checkout.session.completed")
    assert completed.data.object.id == session.id
    assert completed.data.object.metadata["payment"] == "p1"


async def test_a_declined_card_leaves_the_payment_open(world: World) -> None:
    session = await world.client.v1.checkout.sessions.create_async(booking())
    page = await world.browser.post(session.url, data={"act": "decline"})
    assert page.status_code == 402
    assert "The card was declined" in page.text
    assert (await world.client.v1.checkout.sessions.retrieve_async(session.id)).status == "open"
    assert (await world.browser.post(session.url, data={"act": "pay"})).status_code == 303


async def test_paying_twice_charges_once(world: World) -> None:
    session = await world.client.v1.checkout.sessions.create_async(booking())
    await world.browser.post(session.url, data={"act": "pay"})
    again = await world.browser.post(session.url, data={"act": "pay"})
    assert again.status_code == 410
    assert "Nothing is charged twice" in again.text
    assert f"/bookings/abc/return?s={session.id}" in again.text
    assert len((await world.client.v1.events.list_async({"type": "payment_intent.succeeded"})).data) == 1


async def test_a_session_that_the_shop_expired_takes_no_money(world: World) -> None:
    session = await world.client.v1.checkout.sessions.create_async(booking())
    expired = await world.client.v1.checkout.sessions.expire_async(session.id)
    assert (expired.status, expired.url) == ("expired", None)
    page = await world.browser.post(session.url, data={"act": "pay"})
    assert page.status_code == 410
    assert "http://127.0.0.1:9/bookings/abc" in page.text
    with pytest.raises(stripe.InvalidRequestError, match="can be expired"):
        await world.client.v1.checkout.sessions.expire_async(session.id)
    await eventually(lambda: world.shop.kinds() == ["checkout.session.expired"])


async def test_a_paid_session_cannot_be_expired(world: World) -> None:
    session = await world.client.v1.checkout.sessions.create_async(booking())
    await world.browser.post(session.url, data={"act": "pay"})
    with pytest.raises(stripe.InvalidRequestError, match="complete"):
        await world.client.v1.checkout.sessions.expire_async(session.id)
    assert (await world.client.v1.checkout.sessions.retrieve_async(session.id)).payment_status == "paid"


async def test_the_clock_expires_a_session_to_the_second(world: World) -> None:
    begin = datetime(2026, 12, 12, 20, 0, tzinfo=UTC)
    with time_machine.travel(begin, tick=False) as clock:
        end = begin + timedelta(minutes=35)
        session = await world.client.v1.checkout.sessions.create_async(booking(expires_at=int(end.timestamp())))
        clock.move_to(end - timedelta(seconds=1))
        assert (await world.browser.get(session.url)).status_code == 200
        clock.move_to(end)
        assert (await world.browser.post(session.url, data={"act": "pay"})).status_code == 410
        assert (await world.client.v1.checkout.sessions.retrieve_async(session.id)).status == "expired"


async def test_nobody_needs_to_ask_for_a_session_to_expire(world: World) -> None:
    with time_machine.travel(datetime(2026, 12, 12, 20, 0, tzinfo=UTC), tick=True) as clock:
        await world.client.v1.checkout.sessions.create_async(booking())
        clock.shift(timedelta(hours=25))
        await eventually(lambda: "checkout.session.expired" in world.shop.kinds())


@pytest.mark.parametrize(("act", "kind", "status"), [("later", "succeeded", "paid"), ("never", "failed", "unpaid")])
async def test_a_bank_confirms_or_refuses_later(world: World, act: str, kind: str, status: str) -> None:
    session = await world.client.v1.checkout.sessions.create_async(booking())
    assert (await world.browser.post(session.url, data={"act": act})).status_code == 303
    waiting = await world.client.v1.checkout.sessions.retrieve_async(session.id, {"expand": ["payment_intent"]})
    assert (waiting.status, waiting.payment_status, waiting.payment_intent.status) == ("complete", "unpaid", "processing")
    await eventually(lambda: f"checkout.session.async_payment_{kind}" in world.shop.kinds())
    assert (await world.client.v1.checkout.sessions.retrieve_async(session.id)).payment_status == status


@pytest.mark.parametrize(("seconds", "accepted"), [(1795, False), (1805, True), (86395, True), (86405, False)])
async def test_a_session_lives_from_thirty_minutes_to_a_day(world: World, seconds: int, accepted: bool) -> None:
    params = booking(expires_at=int(time.time()) + seconds)
    if accepted:
        assert (await world.client.v1.checkout.sessions.create_async(params)).expires_at == params["expires_at"]
    else:
        with pytest.raises(stripe.InvalidRequestError, match="30 minutes") as refused:
            await world.client.v1.checkout.sessions.create_async(params)
        assert refused.value.param == "expires_at"


async def test_an_unknown_payment_is_a_page_that_leads_back(world: World) -> None:
    page = await world.browser.get("/sandbox/pay/cs_test_nothing")
    assert page.status_code == 404
    assert "Back to the shop" in page.text
