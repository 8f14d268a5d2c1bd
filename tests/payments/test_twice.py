"""Whoever comes second finds nothing to do, and that is success."""

from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine

from app.bookings.models import Booking
from app.core import clock
from app.core.db import writing
from app.core.errors import Refused, Unavailable
from app.payments import stripe
from app.payments.actions import paying, winding_down
from app.payments.flows import sweeps
from app.payments.flows.converge import converge, take_over
from app.payments.flows.release import release
from app.sandbox.app import Sandbox
from tests.payments.story import alarms_of, call_off, held, now_is, paid, payment_of, pays, refunds_of, sessions_at

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


async def test_a_session_that_is_over_is_heard_of_twice(fake: Sandbox) -> None:
    booking = await held()
    await pays(booking)
    for _time in range(2):
        await sweeps.close((await payment_of(booking)).session_id or "")
    assert ((await payment_of(booking)).state, (await now_is(booking)).state) == ("expired", "held")


@pytest.mark.parametrize(("outcome", "states"), [("later", ("processing", "processing")), ("never", ("failed", "held"))])
async def test_a_bank_that_thinks_or_refuses_is_heard_of_twice(fake: Sandbox, outcome: str, states: tuple[str, str]) -> None:
    booking = await held()
    await pays(booking)
    session_id = (await payment_of(booking)).session_id or ""
    fake.stripe.settle_after = 3600
    fake.stripe.pay(session_id, outcome)  # type: ignore[arg-type]
    if outcome == "never":
        fake.stripe.state.remind(session_id, at=0, what="never")
        fake.stripe.tick()
    for _time in range(2):
        await converge(session_id)
    assert ((await payment_of(booking)).state, (await now_is(booking)).state) == states


async def test_a_state_that_stripe_may_invent_one_day_changes_nothing(fake: Sandbox) -> None:
    booking = await held()
    await pays(booking)
    session = await stripe.session((await payment_of(booking)).session_id or "")
    await take_over(replace(session, status="paused"))
    assert (await now_is(booking)).state == "paying"


async def test_an_attempt_that_has_begun_after_all_is_not_void(fake: Sandbox) -> None:
    booking = await held()
    await pays(booking)
    async with writing() as tx:
        present = await tx.get_one(Booking, booking.id)
        await paying.refused_at_creation(tx, await payment_of(booking), present, now=clock.now())
    assert ((await payment_of(booking)).state, (await now_is(booking)).state) == ("open", "paying")


async def test_a_booking_is_wound_down_twice(fake: Sandbox) -> None:
    booking = await paid(fake)
    await call_off(booking)
    async with writing() as tx:
        await winding_down.wind_down(tx, await tx.get_one(Booking, booking.id), now=clock.now())
    assert len(await refunds_of(booking)) == 1
    await now_is(booking)


async def test_places_are_given_back_twice(fake: Sandbox) -> None:
    booking = await held()
    await release(booking.id or 0)
    with pytest.raises(Refused):
        await release(booking.id or 0)
    assert (await now_is(booking)).state == "released"


async def test_a_lapsed_hold_of_free_places_is_over(fake: Sandbox, moment: time_machine.Traveller) -> None:
    booking = await held(price_minor=0)
    moment.shift(timedelta(minutes=15))
    with pytest.raises(Refused, match="hold is over"):
        await pays(booking)
    assert sessions_at(fake) == []


async def test_a_stripe_that_answers_is_not_on_the_desk(fake: Sandbox) -> None:
    await sweeps.watch_stripe()
    assert await alarms_of("stripe_down") == []


async def test_pay_in_a_payment_whose_session_stripe_does_not_know(fake: Sandbox) -> None:
    """Another account's key, perhaps: nothing is given up, and a person hears of it."""
    booking = await held()
    await pays(booking)
    session_id = (await payment_of(booking)).session_id or ""
    fake.stripe.state._file.execute("DELETE FROM objects WHERE id = ?", (session_id,))
    with pytest.raises(Unavailable):
        await pays(booking)
    assert (await payment_of(booking)).state == "open"
    assert await alarms_of("unknown_session") == [f"session:{session_id}"]
