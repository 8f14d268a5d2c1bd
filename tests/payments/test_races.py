"""Races between a buyer, Stripe and the clock while the money comes: numbers 1 to 14 of twenty-eight. Each one ends well."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlmodel import select

from app.bookings.models import Booking
from app.core.activity import Activity
from app.core.db import reading
from app.core.errors import Unavailable
from app.payments.actions import capture
from app.payments.flows import notices, refunds, sweeps
from app.payments.flows.converge import converge
from app.payments.flows.release import release
from app.sandbox.app import Sandbox
from app.sandbox.stripe_shapes import StripeError
from tests.payments.story import (
    BOB,
    another,
    card_is_charged,
    end_hold,
    held,
    intent_of,
    listen,
    now_is,
    paid,
    payment_of,
    pays,
    sent_back,
    sessions_at,
    stock_of,
    tickets_of,
)  # fmt: skip


async def session_of(booking: Booking) -> str:
    return (await payment_of(booking)).session_id or ""


async def test_01_paid_after_the_hold_ended_and_the_places_are_gone(fake: Sandbox) -> None:
    booking = await held(capacity=2)
    await pays(booking)
    session_id = await card_is_charged(fake, booking)
    await end_hold(booking)
    await another(booking)
    await converge(session_id)
    await refunds.send_refunds()
    assert (await now_is(booking)).state == "expired"
    assert sent_back(fake, await intent_of(booking)) == 3700
    assert await tickets_of(booking) == []


async def test_02_paid_after_the_hold_ended_and_places_are_left(fake: Sandbox) -> None:
    booking = await held(capacity=2)
    await pays(booking)
    session_id = await card_is_charged(fake, booking)
    await end_hold(booking)
    await converge(session_id)
    ended = await now_is(booking)
    assert (ended.state, ended.is_late, await stock_of(booking)) == ("paid", True, (0, 2))


async def test_03_the_webhook_comes_before_the_buyer_is_back(fake: Sandbox) -> None:
    booking = await held()
    await pays(booking)
    session_id = await card_is_charged(fake, booking)
    await listen()
    assert (await now_is(booking)).state == "paid"
    await converge(session_id)
    assert len(await tickets_of(booking)) == 2


async def test_04_the_buyer_is_back_and_no_webhook_comes(fake: Sandbox) -> None:
    booking = await paid(fake)
    assert (await now_is(booking)).state == "paid"


async def test_05_neither_comes(fake: Sandbox, moment: time_machine.Traveller) -> None:
    booking = await held()
    await pays(booking)
    await card_is_charged(fake, booking)
    moment.shift(timedelta(minutes=30))
    await sweeps.close_due()
    assert (await now_is(booking)).state == "paid"


async def test_06_the_same_news_sixteen_times_at_once(fake: Sandbox) -> None:
    booking = await held()
    await pays(booking)
    session_id = await card_is_charged(fake, booking)
    await asyncio.gather(*(converge(session_id) for _time in range(16)))
    await now_is(booking)
    assert len(await tickets_of(booking)) == 2
    async with reading() as db:
        captured = select(Activity).where(Activity.kind == "payment.captured")
        assert len((await db.exec(captured)).all()) == 1


async def test_07_a_refund_is_heard_of_before_its_payment(fake: Sandbox) -> None:
    booking = await held()
    await pays(booking)
    session_id = await card_is_charged(fake, booking)
    intent = fake.stripe.session(session_id, {})["payment_intent"]
    fake.stripe.refund_elsewhere(intent)
    await refunds.see_refunds(intent)
    assert (await now_is(booking)).state == "refunded"
    assert await stock_of(booking) == (0, 0)


async def test_08_the_end_of_the_first_attempt_is_heard_of_after_the_second_was_paid(fake: Sandbox) -> None:
    booking = await held()
    await pays(booking)
    first = await session_of(booking)
    await sweeps.close(first)
    await pays(booking)
    await converge(await card_is_charged(fake, booking))
    await converge(first)
    assert (await now_is(booking)).state == "paid"


async def test_09_the_session_is_made_and_the_answer_lost(fake: Sandbox, moment: time_machine.Traveller) -> None:
    booking = await held()
    fake.faults.next("create", lost=True, times=3)
    with pytest.raises(Unavailable):
        await pays(booking)
    moment.shift(timedelta(minutes=3))
    await sweeps.resolve_creating()
    assert [await session_of(booking)] == sessions_at(fake)
    assert (await payment_of(booking)).state == "open"


async def test_10_and_the_shop_starts_again_an_hour_later(fake: Sandbox, moment: time_machine.Traveller) -> None:
    booking = await held()
    fake.faults.next("create", status=500, done=True, times=3)
    with pytest.raises(Unavailable):
        await pays(booking)
    fake.stripe.pay(sessions_at(fake)[0], "paid")
    moment.shift(timedelta(hours=1))
    await sweeps.resolve_creating()
    assert (await now_is(booking)).state == "paid"


async def test_11_two_tabs_press_pay(fake: Sandbox) -> None:
    booking = await held()
    pages = await asyncio.gather(pays(booking), pays(booking))
    assert len(set(pages)) == len(sessions_at(fake)) == 1


async def test_12_back_and_another_choice(fake: Sandbox) -> None:
    booking = await held()
    await pays(booking)
    first = await session_of(booking)
    await release(booking.id or 0)
    second = await another(booking, by=BOB, qty=1)
    await pays(second)
    assert sessions_at(fake, status="open") == [await session_of(second)]
    with pytest.raises(StripeError):
        fake.stripe.pay(first, "paid")
    await now_is(second)


@pytest.mark.parametrize("first", ["pays", "is closed"])
async def test_13_paid_in_the_second_in_which_it_is_closed(fake: Sandbox, first: str) -> None:
    booking = await held()
    await pays(booking)
    session_id = await session_of(booking)
    if first == "pays":
        fake.stripe.pay(session_id, "paid")
    await sweeps.close(session_id)
    if first == "is closed":
        with pytest.raises(StripeError):
            fake.stripe.pay(session_id, "paid")
    assert (await now_is(booking)).state == {"pays": "paid", "is closed": "held"}[first]


async def test_14_a_crash_between_the_charge_and_our_commit(
    fake: Sandbox, moment: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    booking = await held()
    await pays(booking)
    await card_is_charged(fake, booking)
    with monkeypatch.context() as crash:
        crash.setattr(capture, "_captured", _crashes)
        await listen()
    assert (await now_is(booking)).state == "paying"
    moment.shift(timedelta(minutes=1))
    await notices.work_notices()
    assert (await now_is(booking)).state == "paid"


async def _crashes(*_args: Any, **_kwargs: Any) -> None:
    raise OSError("the power is gone")
