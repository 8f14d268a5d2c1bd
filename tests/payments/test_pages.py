"""The doors of the money: back from Stripe, what Stripe tells us, and what a user has paid."""

import json
from contextlib import suppress
from typing import Any

import httpx
import pytest
import stripe
import time_machine
from sqlmodel import select

from app.accounts.models import User, Visitor
from app.bookings import queries as booking_queries
from app.bookings.models import Booking
from app.core import clock
from app.core.db import reading, writing
from app.events.models import Event, Question
from app.payments.flows import sweeps
from app.payments.flows.checkout import checkout
from app.payments.flows.converge import converge
from app.payments.flows.notices import work_notices
from app.payments.flows.refunds import send_refunds
from app.payments.models import Notice, Refund
from app.sandbox.app import Sandbox
from tests import world
from tests.conftest import whole_shop
from tests.payments.story import card_is_charged, held, now_is, payment_of, pays, refunds_of, stock_of, tickets_of
from tests.reading import words
from tests.stage import WEBHOOK_SECRET

# For refusals that end before any database is asked.
ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

BUYER = {"email": "bob@example.com", "name": "Bob Buyer"}


@pytest.fixture
def app(fake: Sandbox) -> Any:
    """The whole application, over the database and the Stripe of these tests."""
    return whole_shop()


# ---------- to Stripe and back ----------


async def test_pay_sends_the_browser_to_stripes_page(fake: Sandbox, client: httpx.AsyncClient) -> None:
    booking = await held()
    answer = await client.post(f"/bookings/{booking.code}/checkout", data=BUYER)
    payment = await payment_of(booking)
    assert (answer.status_code, answer.headers["location"]) == (303, payment.session_url)
    assert fake.stripe.session(payment.session_id or "", {})["amount_total"] == 3700


async def test_when_stripe_is_silent_the_page_says_so_and_keeps_what_was_typed(fake: Sandbox, client: httpx.AsyncClient) -> None:
    booking = await held()
    fake.faults.next("create", status=500, times=3)
    answer = await client.post(f"/bookings/{booking.code}/checkout", data=BUYER)
    assert answer.status_code == 503
    assert "Nothing was charged and your places are kept." in words(answer.text)
    assert 'value="bob@example.com"' in answer.text and 'value="Bob Buyer"' in answer.text
    assert await stock_of(booking) == (2, 0)


async def asked(booking: Booking) -> Question:
    """The event asks something that must be answered."""
    async with writing() as tx:
        event = await tx.get_one(Event, booking.event_id)
        return await world.question(tx, event, "Have you baked before?", kind="yes_no", is_required=True)


async def test_what_the_event_asks_is_answered_on_the_way_to_stripe(fake: Sandbox, client: httpx.AsyncClient) -> None:
    booking = await held()
    question = await asked(booking)
    assert (await client.post(f"/bookings/{booking.code}/checkout", data=BUYER)).status_code == 422
    sent = BUYER | {f"a-{question.code}-0": "yes"}
    answer = await client.post(f"/bookings/{booking.code}/checkout", data=sent)
    assert answer.headers["location"] == (await payment_of(booking)).session_url
    async with reading() as db:
        assert await booking_queries.answers(db, booking.id or 0) == {(question.id, None, 0): "yes"}


async def test_a_question_that_is_new_since_the_payment_began_does_not_stand_in_its_way(
    fake: Sandbox, client: httpx.AsyncClient
) -> None:
    """Pay leads to the open payment page, the money becomes tickets, and the booking's page says what is missing."""
    booking = await held()
    where = await pays(booking)
    await asked(booking)
    again = await client.post(f"/bookings/{booking.code}/checkout", data=BUYER)
    assert (again.status_code, again.headers["location"]) == (303, where)
    await converge(await card_is_charged(fake, booking))
    page = words((await client.get(f"/bookings/{booking.code}")).text)
    assert "You’re going" in page and "1 answer is missing" in page


async def test_coming_back_paid_shows_the_tickets(fake: Sandbox, client: httpx.AsyncClient) -> None:
    booking = await held()
    await pays(booking)
    session_id = await card_is_charged(fake, booking)
    answer = await client.get(f"/bookings/{booking.code}/return?s={session_id}")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/bookings/{booking.code}")
    assert "You’re going" in (await client.get(f"/bookings/{booking.code}")).text
    assert len(await tickets_of(booking)) == 2


@pytest.mark.asvs("V2.3.1")
async def test_coming_back_unpaid_changes_nothing(fake: Sandbox, client: httpx.AsyncClient) -> None:
    booking = await held()
    await pays(booking)
    payment = await payment_of(booking)
    assert (await client.get(f"/bookings/{booking.code}/return?s={payment.session_id}")).status_code == 303
    assert (await now_is(booking)).state == "paying"


async def test_coming_back_with_the_session_of_another_booking_does_nothing(fake: Sandbox, client: httpx.AsyncClient) -> None:
    mine = await held()
    async with writing() as tx:
        event = await tx.get_one(Event, mine.event_id)
    other = await held_again(event)
    for booking in (mine, other):
        await checkout(booking.id or 0, by=Visitor(key="x"), **{**BUYER, "email": f"buyer{booking.id}@example.com"})
    foreign = await card_is_charged(fake, other)
    answer = await client.get(f"/bookings/{mine.code}/return?s={foreign}")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/bookings/{mine.code}")
    assert (await now_is(mine)).state == (await now_is(other)).state == "paying"


@ON_SQLITE
@pytest.mark.parametrize(
    "query", ["", "?s=", "?s=cs_test_nobody", "?s={CHECKOUT_SESSION_ID}", "?s=%00", "?s=%ff", "?s=a&s=b", "?s=" + "x" * 5000]
)
async def test_coming_back_with_nonsense_leads_to_the_booking(fake: Sandbox, client: httpx.AsyncClient, query: str) -> None:
    booking = await held()
    await pays(booking)
    answer = await client.get(f"/bookings/{booking.code}/return{query}")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/bookings/{booking.code}")
    assert (await now_is(booking)).state == "paying"


async def test_coming_back_while_stripe_is_silent_leads_to_the_booking_too(fake: Sandbox, client: httpx.AsyncClient) -> None:
    booking = await held()
    await pays(booking)
    session_id = await card_is_charged(fake, booking)
    fake.faults.next("retrieve", status=500, times=3)
    assert (await client.get(f"/bookings/{booking.code}/return?s={session_id}")).status_code == 303
    assert (await now_is(booking)).state in ("paying", "paid")


async def test_coming_back_to_a_booking_that_nobody_paid_for_is_a_dead_end(fake: Sandbox, client: httpx.AsyncClient) -> None:
    booking = await held()
    assert (await client.get(f"/bookings/{booking.code}/return?s=cs_test_x")).status_code == 404
    assert (await client.get("/bookings/nobody/return?s=cs_test_x")).status_code == 404


async def held_again(event: Event) -> Booking:
    from app.bookings.actions import hold

    async with writing() as tx:
        kind = await world.only_type(tx, event)
        return await hold(tx, event, {kind.id or 0: 1}, by=Visitor(key="another-browser"), now=clock.now())


# ---------- what Stripe tells us ----------


def told(session_id: str, *, kind: str = "checkout.session.completed", notice: str = "evt_1", livemode: bool = False) -> bytes:
    """A notice as Stripe sends it."""
    thing = {"id": session_id, "object": "checkout.session"}
    event = {
        "id": notice,
        "object": "event",
        "type": kind,
        "livemode": livemode,
        "data": {"object": thing},
        "api_version": "2025-01-01",
    }
    return json.dumps(event).encode()


def signed(body: bytes, *, secret: str = WEBHOOK_SECRET, age: int = 0) -> dict[str, str]:
    at = int(clock.now().timestamp()) - age
    mac = stripe.WebhookSignature._compute_signature(f"{at}.{body.decode()}", secret)
    return {"Stripe-Signature": f"t={at},v1={mac}", "Content-Type": "application/json"}


async def hear(client: httpx.AsyncClient, body: bytes, headers: dict[str, str]) -> int:
    """As Stripe sends it: from no browser, so without an origin."""
    del client.headers["Origin"]
    answer = await client.post("/webhooks/stripe", content=body, headers=headers)
    client.headers["Origin"] = "http://testserver.local"
    return answer.status_code


async def notices() -> list[Notice]:
    async with reading() as db:
        return list((await db.exec(select(Notice))).all())


async def test_a_notice_is_stored_once_however_often_it_comes(fake: Sandbox, client: httpx.AsyncClient) -> None:
    booking = await held()
    await pays(booking)
    body = told(await card_is_charged(fake, booking))
    assert [await hear(client, body, signed(body)) for _time in range(4)] == [200] * 4
    (notice,) = await notices()
    assert (notice.id, notice.kind, notice.done_at) == ("evt_1", "checkout.session.completed", None)
    assert (await now_is(booking)).state == "paying", "the request itself acts on nothing"


async def test_the_worker_makes_the_booking_paid(fake: Sandbox, client: httpx.AsyncClient) -> None:
    booking = await held()
    await pays(booking)
    body = told(await card_is_charged(fake, booking))
    await hear(client, body, signed(body))
    await work_notices()
    assert (await now_is(booking)).state == "paid"
    assert (await notices())[0].done_at is not None


@pytest.mark.asvs("V2.3.1")
async def test_a_notice_that_lies_makes_nothing_paid(fake: Sandbox, client: httpx.AsyncClient) -> None:
    """Even a signed notice is only a hint: the shop asks Stripe, and believes that."""
    booking = await held()
    await pays(booking)
    body = told((await payment_of(booking)).session_id or "")
    assert await hear(client, body, signed(body)) == 200
    await work_notices()
    assert (await now_is(booking)).state == "paying"


async def test_a_notice_about_something_else_is_stored_and_done(fake: Sandbox, client: httpx.AsyncClient) -> None:
    body = told("in_123", kind="invoice.paid")
    assert await hear(client, body, signed(body)) == 200
    await work_notices()
    (notice,) = await notices()
    assert notice.object_id == "" and notice.done_at is not None


BODY = told("cs_test_1")
FORGED = {
    "no signature": {},
    "an empty one": {"Stripe-Signature": ""},
    "nothing in it": {"Stripe-Signature": "t=1,v1="},
    "not a number": {"Stripe-Signature": "t=now,v1=abc"},
    "a huge time": {"Stripe-Signature": f"t={'9' * 400},v1=abc"},
    "letters from elsewhere": {"Stripe-Signature": "t=1,v1=é".encode().decode("latin-1")},
}


@pytest.mark.asvs("V9.1.1")
@ON_SQLITE
@pytest.mark.parametrize("forgery", FORGED)
async def test_a_forged_notice_is_refused_and_not_stored(fake: Sandbox, client: httpx.AsyncClient, forgery: str) -> None:
    headers = {name: value.encode("latin-1") for name, value in FORGED[forgery].items()}
    assert await hear(client, BODY, headers) == 400  # type: ignore[arg-type]
    assert await notices() == []


@pytest.mark.asvs("V9.1.1", "V9.2.1", "V9.1.3")
@ON_SQLITE
async def test_another_secret_an_old_signature_and_a_changed_body_are_refused(fake: Sandbox, client: httpx.AsyncClient) -> None:
    assert await hear(client, BODY, signed(BODY, secret="whsec_of_mallory")) == 400
    assert await hear(client, BODY, signed(BODY, age=600)) == 400
    assert await hear(client, told("cs_test_2"), signed(BODY)) == 400
    assert await notices() == []


@ON_SQLITE
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'"text"',
        b"{",
        b'{"id": "evt_1", "object": "event"}',
        b"\xff\xfe",
        b"9" * 5000,
        b'{"id": "evt_1", "object": "event", "type": "checkout.session.completed", "livemode": false, "data": {"object": {}}}',
    ],
)
async def test_a_signed_body_that_is_no_notice_is_refused_without_an_error(
    fake: Sandbox, client: httpx.AsyncClient, body: bytes
) -> None:
    at = int(clock.now().timestamp())
    headers = {"Stripe-Signature": f"t={at},v1=x"}
    with suppress(UnicodeDecodeError):
        headers = signed(body)
    assert await hear(client, body, headers) == 400
    assert await notices() == []


@ON_SQLITE
async def test_a_body_beyond_the_limit_is_refused(fake: Sandbox, client: httpx.AsyncClient) -> None:
    body = b'{"x": "' + b"x" * 300_000 + b'"}'
    assert await hear(client, body, signed(body)) == 413


@pytest.mark.asvs("V2.4.1")
@ON_SQLITE
async def test_guessing_signatures_is_slowed_down(
    fake: Sandbox, client: httpx.AsyncClient, moment: time_machine.Traveller
) -> None:
    statuses = [await hear(client, BODY, {}) for _guess in range(31)]
    assert statuses == [400] * 30 + [429]
    assert await hear(client, BODY, signed(BODY)) == 200, "Stripe itself is still heard"


# ---------- my payments ----------


async def bobs(fake: Sandbox) -> tuple[User, Booking]:
    async with writing() as tx:
        bob = await world.bob(tx)
    visitor = Visitor(bob.id, bob.email, bob.name, "user")
    booking = await held(by=visitor)
    await checkout(booking.id or 0, email=bob.email, name="Bob", by=visitor)
    return bob, booking


async def test_my_payments_say_what_became_of_each(fake: Sandbox, client: httpx.AsyncClient, sign_in: Any) -> None:
    bob, booking = await bobs(fake)
    await sign_in(client, bob)
    said = words((await client.get("/me/payments")).text)
    assert f"Nine Pianos {booking.reference}" in said and "Open €37.00" in said
    await converge(await card_is_charged(fake, booking))
    assert "Paid €37.00" in words((await client.get("/me/payments")).text)


async def test_a_refund_stands_beside_its_payment(fake: Sandbox, client: httpx.AsyncClient, sign_in: Any) -> None:
    bob, booking = await bobs(fake)
    await converge(await card_is_charged(fake, booking))
    async with writing() as tx:
        event = await tx.get_one(Event, booking.event_id)
        event.state, event.called_off_at = "called_off", clock.now()
    await sweeps.wind_down()
    await sign_in(client, bob)
    assert "€37.00 is on its way back" in words((await client.get("/me/payments")).text)
    await send_refunds()
    assert "€37.00 went back on" in words((await client.get("/me/payments")).text)
    (refund,) = await refunds_of(booking)
    async with writing() as tx:
        (await tx.get_one(Refund, refund.id)).state = "failed"
    assert "A refund of €37.00 failed. We are looking into it." in words((await client.get("/me/payments")).text)


@pytest.mark.asvs("V8.2.2")
async def test_nobody_sees_the_payments_of_somebody_else(fake: Sandbox, client: httpx.AsyncClient, sign_in: Any) -> None:
    _bob, booking = await bobs(fake)
    async with writing() as tx:
        mallory = await world.mallory(tx)
    await sign_in(client, mallory)
    html = (await client.get("/me/payments")).text
    assert "No payments yet" in html and booking.reference not in html
