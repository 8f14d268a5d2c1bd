"""From Pay to Stripe's page: one session however often it is pressed, and nothing lost when Stripe is silent."""

import asyncio
import dataclasses
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.actions import details
from app.accounts.models import User, Visitor
from app.bookings import actions, queries
from app.bookings.models import Booking
from app.core import clock
from app.core.db import Database, reading, writing
from app.core.errors import Refused, Unavailable
from app.core.settings import settings, use
from app.events.models import Event
from app.payments.flows import sweeps
from app.payments.flows.checkout import checkout
from app.payments.flows.converge import converge
from app.sandbox.app import Sandbox
from tests import world
from tests.payments.story import card_is_charged, held, now_is, payment_of, pays, stock_of, tickets_of


@pytest.mark.asvs("V2.2.2", "V3.7.2")
async def test_pay_leads_to_stripe_with_the_bookings_own_price(fake: Sandbox) -> None:
    booking = await held(qty=2, price_minor=1850)
    where = await pays(booking)
    payment = await payment_of(booking)
    assert payment.state == "open"
    assert where == payment.session_url
    assert "/sandbox/pay/" in where
    session = fake.stripe.session(payment.session_id or "", {})
    assert session["amount_total"] == 3700
    assert session["customer_email"] == "bob@example.com"
    assert (await now_is(booking)).state == "paying"
    assert await stock_of(booking) == (2, 0)


async def test_the_buyer_has_thirty_minutes_and_stripe_five_more(fake: Sandbox, moment: time_machine.Traveller) -> None:
    booking = await held()
    await pays(booking)
    payment = await payment_of(booking)
    assert payment.pay_until == clock.now() + timedelta(minutes=30)
    assert payment.params["expires_at"] == int((clock.now() + timedelta(minutes=35)).timestamp())
    assert (await now_is(booking)).held_until == booking.held_until


async def test_pressing_pay_again_leads_to_the_same_page(fake: Sandbox) -> None:
    booking = await held()
    assert await pays(booking) == await pays(booking)
    assert len(fake.stripe.sessions({"limit": 100})["data"]) == 1


async def test_a_double_click_opens_one_session(fake: Sandbox) -> None:
    booking = await held()
    pages = await asyncio.gather(*(pays(booking) for _click in range(4)))
    assert len(set(pages)) == 1
    assert len(fake.stripe.sessions({"limit": 100})["data"]) == 1
    await now_is(booking)


async def test_without_guard_and_index_a_double_click_opens_several(fake: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: every click thinks that it is the first, and the database does not object."""

    async def always(*_args: object, **_kwargs: object) -> bool:
        return True

    monkeypatch.setattr(actions, "start_paying", always)
    async with writing() as tx:
        await (await tx.connection()).execute(text("DROP INDEX ix_payments_one_active"))
    booking = await held()
    await asyncio.gather(*(pays(booking) for _click in range(4)))
    assert len(fake.stripe.sessions({"limit": 100})["data"]) > 1


async def test_free_places_need_no_payment(fake: Sandbox) -> None:
    booking = await held(price_minor=0)
    assert await pays(booking) == f"/bookings/{booking.code}"
    assert (await now_is(booking)).state == "paid"
    assert [view.ticket.holder for view in await tickets_of(booking)] == ["Bob Buyer", "Bob Buyer"]
    assert await stock_of(booking) == (0, 2)


@pytest.mark.asvs("V2.3.1")
async def test_a_lapsed_hold_cannot_be_paid(fake: Sandbox, moment: time_machine.Traveller) -> None:
    booking = await held()
    moment.shift(timedelta(minutes=15))
    with pytest.raises(Refused, match="hold is over"):
        await pays(booking)
    assert (await now_is(booking)).state == "held"


async def test_an_event_that_was_called_off_meanwhile_takes_no_money(fake: Sandbox) -> None:
    booking = await held()
    async with writing() as tx:
        event = await tx.get(Event, booking.event_id)
        assert event
        event.state = "called_off"
    with pytest.raises(Refused, match="not on sale any more"):
        await pays(booking)


async def test_when_stripe_is_silent_the_places_stay_and_pay_works_later(fake: Sandbox) -> None:
    booking = await held()
    fake.faults.next("create", status=500, times=3)
    with pytest.raises(Unavailable, match="Nothing was charged"):
        await pays(booking)
    assert (await payment_of(booking)).state == "creating"
    assert await stock_of(booking) == (2, 0)


async def test_a_lost_answer_is_asked_again_with_the_same_key(fake: Sandbox) -> None:
    booking = await held()
    fake.faults.next("create", lost=True)
    where = await pays(booking)
    assert "/sandbox/pay/" in where
    assert len(fake.stripe.sessions({"limit": 100})["data"]) == 1


async def test_a_crash_after_the_call_is_mended_by_the_sweep(fake: Sandbox, moment: time_machine.Traveller) -> None:
    booking = await held()
    fake.faults.next("create", status=429)
    with pytest.raises(Unavailable):
        await pays(booking)
    moment.shift(timedelta(minutes=3))
    await sweeps.resolve_creating()
    assert (await payment_of(booking)).state == "open"
    assert (await now_is(booking)).state == "paying"


async def test_what_stripe_refuses_frees_the_booking_for_another_try(fake: Sandbox) -> None:
    booking = await held(qty=1, price_minor=10)
    with pytest.raises(Unavailable, match="could not be started"):
        await pays(booking)
    assert (await payment_of(booking)).state == "void"
    assert (await now_is(booking)).state == "held"


async def test_without_a_key_the_shop_says_that_it_does_not_sell_online(database: Database) -> None:
    use(dataclasses.replace(settings(), stripe_api_key=""))
    booking = await held()
    with pytest.raises(Unavailable, match="not set up"):
        await pays(booking)
    assert (await now_is(booking)).state == "held"


async def test_a_paid_booking_is_not_paid_twice(fake: Sandbox) -> None:
    booking = await held()
    await pays(booking)
    await converge(await card_is_charged(fake, booking))
    assert await pays(booking) == f"/bookings/{booking.code}"
    assert len(fake.stripe.sessions({"limit": 100})["data"]) == 1


async def test_pressing_pay_after_paying_elsewhere_leads_to_the_tickets(fake: Sandbox) -> None:
    booking = await held()
    await pays(booking)
    await card_is_charged(fake, booking)
    assert await pays(booking) == f"/bookings/{booking.code}"
    assert (await now_is(booking)).state == "paid"


async def test_who_signs_in_before_paying_buys_for_the_account(fake: Sandbox) -> None:
    async with writing() as tx:
        bob = await world.bob(tx)
    booking = await held()
    by = Visitor(user_id=bob.id, email=bob.email, name=bob.name, role="user")
    await checkout(booking.id or 0, email="somebody@else.example", name="Bob", by=by)
    joined = await now_is(booking)
    assert (joined.user_id, joined.email) == (bob.id, bob.email)


async def test_an_account_is_asked_for_its_name_once(fake: Sandbox) -> None:
    async with writing() as tx:
        bob = await world.bob(tx)
        await details.rename(tx, bob.id or 0, "", by=bob.id or 0)
    nameless = Visitor(user_id=bob.id, email=bob.email, role="user")
    booking = await held(by=nameless)
    await checkout(booking.id or 0, email="", name="Bob Buyer", by=nameless)
    async with reading() as db:
        assert (await db.get_one(User, bob.id)).name == "Bob Buyer"
    second = await held(by=nameless)
    await checkout(second.id or 0, email="", name="Bob for once", by=Visitor(user_id=bob.id, email=bob.email, name="Bob Buyer"))
    async with reading() as db:
        assert (await db.get_one(User, bob.id)).name == "Bob Buyer"


@pytest.mark.asvs("V8.2.3")
async def test_an_admin_who_pays_for_someone_changes_no_address(fake: Sandbox) -> None:
    async with writing() as tx:
        bob, dora = await world.bob(tx), await world.dora(tx)
    booking = await held(by=Visitor(user_id=bob.id, email=bob.email, name=bob.name, role="user"))
    by = Visitor(user_id=dora.id, email=dora.email, name=dora.name, role="admin")
    await checkout(booking.id or 0, email=dora.email, name="Bob", by=by)
    kept = await now_is(booking)
    assert (kept.user_id, kept.email) == (bob.id, bob.email)


async def test_pressing_pay_again_while_stripe_is_silent_says_so(fake: Sandbox) -> None:
    booking = await held()
    await pays(booking)
    fake.faults.next("retrieve", status=500, times=3)
    with pytest.raises(Unavailable, match="does not answer"):
        await pays(booking)
    assert (await payment_of(booking)).state == "open"
    assert (await now_is(booking)).state == "paying"


@pytest.mark.asvs("V8.2.3")
async def test_an_account_buys_with_its_own_address(fake: Sandbox) -> None:
    async with writing() as tx:
        bob = await world.bob(tx)
    visitor = Visitor(user_id=bob.id, email=bob.email, name=bob.name, role="user")
    booking = await held(by=visitor)
    await checkout(booking.id or 0, email="somebody@else.example", name="Bob", by=visitor)
    assert (await now_is(booking)).email == bob.email


async def test_the_hold_survives_a_stripe_that_never_answers(fake: Sandbox, moment: time_machine.Traveller) -> None:
    """Places with an unanswered session are never given back by our clock alone."""
    booking = await held(capacity=2, qty=2)
    fake.faults.next("create", status=500, times=3)
    with pytest.raises(Unavailable):
        await pays(booking)
    moment.shift(timedelta(hours=1))
    async with writing() as tx:
        assert not await actions.expire(tx, await _fresh(tx, booking), now=clock.now())
    assert await stock_of(booking) == (2, 0)


async def _fresh(tx: AsyncSession, booking: Booking) -> Booking:
    return (await queries.view(tx, booking.id or 0)).booking
