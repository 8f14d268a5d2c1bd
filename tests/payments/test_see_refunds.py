"""What Stripe says of refunds and disputes becomes what our books say, whoever began them."""

from datetime import timedelta

import pytest
import time_machine

from app.bookings.models import Booking
from app.core import clock
from app.core.db import reading, writing
from app.core.errors import Unavailable
from app.payments import stripe
from app.payments.actions import asking, refunding
from app.payments.at_stripe import Dispute, StripeRefund
from app.payments.flows import refunds
from app.payments.flows.converge import converge
from app.payments.flows.release import release
from app.sandbox.app import Sandbox
from tests import invariants
from tests.payments.story import (
    alarms_of,
    call_off,
    held,
    intent_of,
    listen,
    now_is,
    paid,
    payment_of,
    pays,
    refunds_of,
    sent_back,
    tickets_of,
)
from tests.stage import booking as somebody_elses


async def gives_back(booking_id: int, minor: int) -> None:
    """An admin sends a part of the price back."""
    async with writing() as tx:
        booking = await tx.get_one(Booking, booking_id)
        await asking.refund_money(tx, booking, minor, out_of_minor=booking.kept_minor, reason="admin", by=None, now=clock.now())


async def test_a_part_refunded_in_the_dashboard_leaves_the_tickets(fake: Sandbox) -> None:
    booking = await paid(fake)
    fake.stripe.refund_elsewhere(await intent_of(booking), 1000)
    await listen()
    present = await now_is(booking)
    assert (present.state, present.kept_minor) == ("paid", 2700)
    assert {view.ticket.state for view in await tickets_of(booking)} == {"valid"}


async def test_a_refund_that_is_heard_of_before_the_money_gives_no_tickets(fake: Sandbox, moment: time_machine.Traveller) -> None:
    """The buyer's bank took a minute, the admin refunded at once: only the refund's notice has come."""
    booking = await held()
    await pays(booking)
    session_id = (await payment_of(booking)).session_id or ""
    fake.stripe.pay(session_id, "later")
    await converge(session_id)
    moment.shift(timedelta(minutes=1))
    fake.stripe.tick()
    intent = await intent_of(booking)
    fake.stripe.refund_elsewhere(intent)
    await refunds.see_refunds(intent)
    await converge(session_id)
    payment, present = await payment_of(booking), await now_is(booking)
    assert (payment.captured_minor, payment.returned_minor, present.kept_minor) == (3700, 3700, 0)
    assert present.state == "refunded"
    assert {view.ticket.state for view in await tickets_of(booking)} == {"void"}
    async with reading() as db:
        assert await invariants.broken(db) == []


async def test_the_rest_refunded_in_the_dashboard_ends_the_booking(fake: Sandbox) -> None:
    booking = await paid(fake)
    for minor in (1000, 2700):
        fake.stripe.refund_elsewhere(await intent_of(booking), minor)
    await listen()
    assert (await now_is(booking)).state == "refunded"
    assert {view.ticket.state for view in await tickets_of(booking)} == {"void"}


async def test_what_the_dashboard_could_not_refund_is_refunded_by_us(fake: Sandbox) -> None:
    booking = await paid(fake)
    elsewhere = fake.stripe.refund_elsewhere(await intent_of(booking), 1000)
    await listen()
    fake.stripe.change_refund(elsewhere["id"], status="failed")
    await listen()
    await refunds.send_refunds()
    assert sorted((refund.origin, refund.state) for refund in await refunds_of(booking)) == [
        ("app", "succeeded"),
        ("elsewhere", "failed"),
    ]
    assert (await now_is(booking)).kept_minor == 2700


async def test_a_refund_elsewhere_that_had_failed_before_we_heard_of_it_changes_nothing(fake: Sandbox) -> None:
    booking = await paid(fake)
    elsewhere = fake.stripe.refund_elsewhere(await intent_of(booking))
    fake.stripe.change_refund(elsewhere["id"], status="failed")
    await listen()
    assert (await now_is(booking)).state == "paid"
    assert [refund.state for refund in await refunds_of(booking)] == ["failed"]
    async with writing() as tx:
        older = StripeRefund(elsewhere["id"], "succeeded", 3700, "")
        await refunding.seen(tx, await payment_of(booking), older, now=clock.now())
    assert (await now_is(booking)).state == "paid", "an older picture is no news"


@pytest.mark.parametrize("done", [True, False])
async def test_after_an_answer_500_the_list_says_whether_the_money_went(
    fake: Sandbox, moment: time_machine.Traveller, done: bool
) -> None:
    booking = await paid(fake)
    await call_off(booking)
    fake.faults.next("refund", status=500, done=done, times=3)
    await refunds.send_refunds()
    (waiting,) = await refunds_of(booking)
    assert (waiting.state, waiting.attempt) == ("requested", 2)
    moment.shift(timedelta(minutes=1))
    await refunds.send_refunds()
    (sent,) = await refunds_of(booking)
    assert (sent.state, sent_back(fake, await intent_of(booking))) == ("succeeded", 3700)


async def test_a_refund_older_than_stripes_keys_is_looked_for_first(fake: Sandbox, moment: time_machine.Traveller) -> None:
    booking = await paid(fake)
    await gives_back(booking.id or 0, 1000)
    fake.faults.next("refund", lost=True, times=3)
    await refunds.send_refunds()
    moment.shift(timedelta(hours=26))
    await refunds.send_refunds()
    assert [refund.state for refund in await refunds_of(booking)] == ["succeeded"]
    assert sent_back(fake, await intent_of(booking)) == 1000


async def test_a_refund_that_waits_for_a_day_is_on_the_desk(fake: Sandbox, moment: time_machine.Traveller) -> None:
    booking = await paid(fake)
    await gives_back(booking.id or 0, 1000)
    moment.shift(timedelta(hours=24))
    fake.faults.next("refund", unheard=True, times=3)
    await refunds.send_refunds()
    about = [f"payment:{(await payment_of(booking)).id}"]
    assert await alarms_of("refund_stuck") == about
    moment.shift(timedelta(hours=1))
    await refunds.send_refunds()
    assert await alarms_of("refund_stuck") == []


async def test_more_than_is_left_is_refused_and_the_rest_refunded(fake: Sandbox) -> None:
    booking = await paid(fake)
    await call_off(booking)
    fake.stripe.refund_elsewhere(await intent_of(booking), 1000)
    await refunds.send_refunds()
    await refunds.send_refunds()
    assert sent_back(fake, await intent_of(booking)) == 3700
    payment = await payment_of(booking)
    assert (payment.reserved_minor, payment.returned_minor) == (2700, 1000)
    await now_is(booking)


async def test_a_refund_that_meets_a_dispute_nobody_told_us_of_waits_for_its_end(
    fake: Sandbox, moment: time_machine.Traveller
) -> None:
    booking = await paid(fake)
    await call_off(booking)
    dispute = fake.stripe.dispute(await intent_of(booking))
    await refunds.send_refunds()
    assert (await payment_of(booking)).dispute == "open"
    moment.shift(timedelta(days=1))
    await refunds.send_refunds()
    assert [refund.state for refund in await refunds_of(booking)] == ["requested"]
    fake.stripe.close_dispute(dispute["id"], won=False)
    await listen()
    await refunds.send_refunds()
    assert sorted((refund.origin, refund.state) for refund in await refunds_of(booking)) == [
        ("app", "failed"),
        ("elsewhere", "succeeded"),
    ]
    await now_is(booking)


async def test_a_lost_dispute_takes_what_had_not_gone_back(fake: Sandbox) -> None:
    booking = await paid(fake)
    await gives_back(booking.id or 0, 1000)
    await refunds.send_refunds()
    dispute = Dispute("dp_1", "lost", 3700, await intent_of(booking))
    for _time in range(2):
        async with writing() as tx:
            await refunding.disputed(tx, await payment_of(booking), dispute, now=clock.now())
    assert [(refund.reason, refund.amount_minor) for refund in await refunds_of(booking)] == [("admin", 1000), ("dispute", 2700)]
    assert (await now_is(booking)).state == "refunded"


async def test_a_lost_dispute_after_everything_went_back_takes_nothing(fake: Sandbox) -> None:
    booking = await paid(fake)
    await call_off(booking)
    await refunds.send_refunds()
    dispute = Dispute("dp_1", "lost", 3700, await intent_of(booking))
    async with writing() as tx:
        await refunding.disputed(tx, await payment_of(booking), dispute, now=clock.now())
    assert [refund.reason for refund in await refunds_of(booking)] == ["called_off"]
    await now_is(booking)


async def test_a_dispute_that_is_heard_of_twice_rings_once(fake: Sandbox) -> None:
    booking = await paid(fake)
    dispute = fake.stripe.dispute(await intent_of(booking))
    for _time in range(2):
        await refunds.see_dispute(dispute["id"])
    assert len(await alarms_of("dispute")) == 1


async def test_an_older_picture_of_a_dispute_does_not_open_it_again(fake: Sandbox) -> None:
    booking = await paid(fake)
    payment, intent = await payment_of(booking), await intent_of(booking)
    for status in ("open", "won", "open", "won"):
        async with writing() as tx:
            await refunding.disputed(tx, payment, Dispute("dp_1", status, 3700, intent), now=clock.now())
    assert (await payment_of(booking)).dispute == "won"
    async with writing() as tx:
        await refunding.disputed(tx, payment, Dispute("dp_2", "lost", 3700, intent), now=clock.now())
    assert (await now_is(booking)).state == "refunded"


async def test_refunds_and_disputes_of_another_shop_on_the_account_are_left_alone(fake: Sandbox) -> None:
    await held()
    session = fake.stripe.create_session(somebody_elses(expires_at=int(clock.now().timestamp()) + 3600))
    fake.stripe.pay(session["id"], "paid")
    intent = fake.stripe.session(session["id"], {})["payment_intent"]
    dispute = fake.stripe.dispute(intent)
    await refunds.see_refunds(intent)
    await refunds.see_dispute(dispute["id"])
    await refunds.see_refunds("pi_of_nobody")
    assert await alarms_of("dispute") == []


async def test_while_stripe_is_down_refunds_wait(
    fake: Sandbox, moment: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stripe, "MOST_SILENCES", 1)
    booking = await paid(fake)
    await call_off(booking)
    fake.faults.down = True
    for _turn in range(2):
        await refunds.send_refunds()
        moment.shift(timedelta(minutes=1))
    assert [refund.state for refund in await refunds_of(booking)] == ["requested"]


async def test_a_hold_without_an_answer_from_stripe_is_not_released_by_the_buyer(fake: Sandbox) -> None:
    booking = await held()
    fake.faults.next("create", unheard=True, times=3)
    with pytest.raises(Unavailable):
        await pays(booking)
    with pytest.raises(Unavailable, match="go back as soon as"):
        await release(booking.id or 0)
    assert (await now_is(booking)).state == "paying"
