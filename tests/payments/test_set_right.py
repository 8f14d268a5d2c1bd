"""The money rule: captured less refunds is what the booking keeps, however many look at it at once."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import update
from sqlmodel import col

from app.bookings.models import Booking
from app.core import clock
from app.core.db import Database, reading, writing
from app.payments import queries
from app.payments.actions import money, refunding
from app.payments.at_stripe import StripeRefund
from app.payments.flows import refunds, sweeps
from app.payments.flows.converge import converge
from app.payments.models import Payment
from app.sandbox.app import Sandbox
from tests.payments.story import (
    alarms_of,
    call_off,
    card_is_charged,
    held,
    intent_of,
    listen,
    now_is,
    paid,
    payment_of,
    pays,
    refunds_of,
    sent_back,
)

ON_POSTGRESQL = pytest.mark.parametrize("database", ["postgresql"], indirect=True)


async def keeps(booking: Booking, minor: int) -> None:
    """The booking keeps less, and nobody has asked for the difference yet."""
    async with writing() as tx:
        changed = update(Booking).where(col(Booking.id) == booking.id).values(kept_minor=minor)
        await tx.exec(changed.execution_options(synchronize_session=False))


async def set_right(booking: Booking) -> None:
    async with writing() as tx:
        await money.set_right(tx, booking.id or 0, now=clock.now())


async def test_many_at_once_ask_for_the_difference_once(fake: Sandbox) -> None:
    booking = await paid(fake)
    await keeps(booking, 2700)
    await asyncio.gather(*(set_right(booking) for _time in range(6)))
    assert [refund.amount_minor for refund in await refunds_of(booking)] == [1000]
    await now_is(booking)


@ON_POSTGRESQL
async def test_without_the_lock_they_ask_several_times(fake: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: the guard alone only knows that there is enough money left."""

    async def unlocked(*_args: Any) -> None:
        return None

    monkeypatch.setattr(money.bookings, "lock", unlocked)
    for _round in range(20):
        booking = await paid(fake)
        await keeps(booking, 2700)
        await asyncio.gather(*(set_right(booking) for _time in range(3)))
        if len(await refunds_of(booking)) > 1:
            return
    pytest.fail("Nothing raced, so the test above proves nothing.")


async def test_a_booking_that_was_paid_twice_keeps_the_first_payment(fake: Sandbox, moment: time_machine.Traveller) -> None:
    booking = await held()
    await pays(booking)
    first = await card_is_charged(fake, booking)
    async with writing() as tx:
        # As after a restore: we have forgotten that the first attempt can still take money.
        gone = update(Payment).where(col(Payment.session_id) == first).values(state="expired")
        await tx.exec(gone.execution_options(synchronize_session=False))
        back = update(Booking).where(col(Booking.id) == booking.id).values(state="held")
        await tx.exec(back.execution_options(synchronize_session=False))
    moment.shift(timedelta(minutes=1))
    await pays(booking)
    await converge(await card_is_charged(fake, booking))
    await converge(first)
    await refunds.send_refunds()
    assert (await now_is(booking)).state == "paid"
    assert [refund.amount_minor for refund in await refunds_of(booking)] == [3700]
    assert sent_back(fake, fake.stripe.session(first, {})["payment_intent"]) == 0
    assert sent_back(fake, await intent_of(booking)) == 3700, "the later payment goes back"


async def test_the_sweep_finds_the_bookings_that_differ_and_no_others(fake: Sandbox) -> None:
    right, wrong = await paid(fake), await paid(fake)
    await keeps(wrong, 1850)
    async with reading() as db:
        assert await queries.bookings_out_of_balance(db, after=0, most=10) == [wrong.id]
    await sweeps.set_money_right()
    assert [len(await refunds_of(booking)) for booking in (right, wrong)] == [0, 1]
    async with reading() as db:
        assert await queries.bookings_out_of_balance(db, after=0, most=10) == []


async def test_an_unknown_booking_has_no_money(database: Database) -> None:
    async with writing() as tx:
        await money.set_right(tx, 404, now=clock.now())


async def test_money_that_is_reserved_meanwhile_is_not_reserved_again(fake: Sandbox) -> None:
    booking = await paid(fake)
    payment = await payment_of(booking)
    async with writing() as tx:
        await money.request_refund(tx, payment, 3701, money.Why("admin"), now=clock.now())
    assert await refunds_of(booking) == []


async def test_a_refund_that_the_books_have_forgotten_is_taken_over_and_a_person_hears_of_it(fake: Sandbox) -> None:
    booking = await paid(fake)
    payment = await payment_of(booking)
    async with writing() as tx:
        await refunding.seen(tx, payment, StripeRefund("re_1", "succeeded", 3700, "forgotten"), now=clock.now())
    assert (await now_is(booking)).state == "refunded"
    assert await alarms_of("refund_unknown") == ["refund:re_1"]


async def test_news_of_a_refund_comes_in_any_order(fake: Sandbox) -> None:
    booking = await paid(fake)
    await call_off(booking)
    await refunds.send_refunds()
    (sent,) = await refunds_of(booking)
    payment = await payment_of(booking)
    for status in ("succeeded", "pending", "succeeded"):
        async with writing() as tx:
            found = StripeRefund(sent.stripe_refund_id or "", status, 3700, sent.id)
            await refunding.seen(tx, payment, found, now=clock.now())
    assert [refund.state for refund in await refunds_of(booking)] == ["succeeded"]
    await now_is(booking)


async def test_what_stripe_refuses_after_it_was_done_is_done(fake: Sandbox) -> None:
    booking = await paid(fake)
    await call_off(booking)
    await refunds.send_refunds()
    (sent,) = await refunds_of(booking)
    async with writing() as tx:
        await refunding.refused(tx, sent, await payment_of(booking), error="late", now=clock.now())
    assert [refund.state for refund in await refunds_of(booking)] == ["succeeded"]
    await now_is(booking)


async def test_everything_is_looked_at_again_and_nothing_changes(fake: Sandbox) -> None:
    booking = await paid(fake)
    await call_off(booking)
    await refunds.send_refunds()
    for look in (sweeps.set_money_right, refunds.follow_refunds, listen):
        await look()
    assert [refund.state for refund in await refunds_of(booking)] == ["succeeded"]
    assert sent_back(fake, await intent_of(booking)) == 3700
