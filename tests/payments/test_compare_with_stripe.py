"""Stripe's own lists are compared with our books, so that nothing depends on a webhook that arrives."""

import dataclasses
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import update
from sqlmodel import col, select

from app.core import clock
from app.core.db import Database, reading, writing
from app.core.settings import settings, use
from app.payments import stripe
from app.payments.actions import notices as actions
from app.payments.at_stripe import BalanceLine, Told
from app.payments.flows import lists, notices, refunds, sweeps
from app.payments.flows.converge import converge
from app.payments.models import Cursor, Notice, Payment, Refund
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
    sessions_at,
)  # fmt: skip
from tests.stage import booking as somebody_elses

ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


async def notes() -> list[Notice]:
    async with reading() as db:
        return list((await db.exec(select(Notice))).all())


# ---------- events ----------


async def test_what_no_webhook_brought_is_read_once(fake: Sandbox, moment: time_machine.Traveller) -> None:
    booking = await held()
    await pays(booking)
    await card_is_charged(fake, booking)
    await lists.read_events()
    first = await notes()
    moment.shift(timedelta(minutes=1))
    await lists.read_events()
    assert sorted(notice.kind for notice in await notes()) == ["checkout.session.completed", "payment_intent.succeeded"]
    await notices.work_notices()
    assert (await now_is(booking)).state == "paid"
    async with reading() as db:
        assert (await db.get_one(Cursor, "events")).at == clock.now()
    assert [notice.done_at for notice in first] == [None, None]


async def test_a_cursor_never_goes_back(database: Database) -> None:
    now = clock.now()
    for at in (now, now - timedelta(hours=1)):
        async with writing() as tx:
            await actions.read_until(tx, "events", at)
    async with reading() as db:
        assert (await db.get_one(Cursor, "events")).at == now


@ON_SQLITE
async def test_a_notice_about_nothing_is_done_and_on_the_desk(fake: Sandbox) -> None:
    async with writing() as tx:
        for kind, thing in (
            ("checkout.session.expired", "cs_1"),
            ("charge.dispute.closed", "dp_1"),
            ("payment_intent.canceled", "pi_1"),
        ):
            await actions.note(tx, Told(f"evt_{thing}", kind, thing, thing, False), now=clock.now())
    await notices.work_notices()
    assert all(notice.done_at for notice in await notes())
    assert await alarms_of("unknown_session") == ["session:cs_1"]


@ON_SQLITE
async def test_a_notice_waits_while_stripe_is_silent(
    fake: Sandbox, moment: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stripe, "MOST_SILENCES", 2)
    booking = await held()
    await pays(booking)
    await card_is_charged(fake, booking)
    await lists.read_events()
    fake.faults.down = True
    await notices.work_notices()
    assert sorted(notice.attempts for notice in await notes()) == [1, 1]
    moment.shift(timedelta(minutes=5))
    await notices.work_notices()
    assert sorted(notice.attempts for notice in await notes()) == [1, 1], "nobody asks a Stripe that is down"


@ON_SQLITE
async def test_a_notice_that_was_done_meanwhile_is_not_put_off(fake: Sandbox) -> None:
    async with writing() as tx:
        await actions.note(tx, Told("evt_1", "refund.created", "re_1", "pi_1", False), now=clock.now())
        await actions.notice_done(tx, "evt_1", now=clock.now())
        await actions.try_notice_later(tx, "evt_1", error="late", now=clock.now())
    assert [notice.attempts for notice in await notes()] == [0]


# ---------- sessions ----------


async def test_a_session_that_was_paid_is_found_on_the_list(fake: Sandbox) -> None:
    booking = await held()
    await pays(booking)
    await card_is_charged(fake, booking)
    await lists.compare_new_sessions()
    assert (await now_is(booking)).state == "paid"


@ON_SQLITE
async def test_a_session_that_agrees_is_not_asked_for_again(fake: Sandbox) -> None:
    waiting, done = await held(), await paid(fake)
    await pays(waiting)
    fake.faults.next("retrieve", status=500, times=9)
    await lists.compare_sessions()
    assert [(await now_is(booking)).state for booking in (waiting, done)] == ["paying", "paid"]


@ON_SQLITE
async def test_a_page_that_can_take_money_for_an_attempt_that_is_over_is_closed(fake: Sandbox) -> None:
    booking = await held()
    await pays(booking)
    await set_payment(booking, state="expired")
    await lists.compare_new_sessions()
    assert sessions_at(fake, status="open") == []


@ON_SQLITE
async def test_an_attempt_without_an_answer_is_found_on_the_list(fake: Sandbox) -> None:
    booking = await held()
    await pays(booking)
    await set_payment(booking, state="creating", session_id=None)
    await lists.compare_new_sessions()
    assert ((await payment_of(booking)).state, sessions_at(fake)) == ("open", [(await payment_of(booking)).session_id])


@ON_SQLITE
async def test_a_bank_that_thinks_is_known_from_the_list(fake: Sandbox) -> None:
    booking = await held()
    await pays(booking)
    fake.stripe.settle_after = 3600
    fake.stripe.pay((await payment_of(booking)).session_id or "", "later")
    await lists.compare_new_sessions()
    assert (await now_is(booking)).state == "processing"


@ON_SQLITE
async def test_an_attempt_that_never_reached_stripe_ends_with_the_life_of_its_session(
    fake: Sandbox, moment: time_machine.Traveller
) -> None:
    booking = await held()
    fake.faults.next("create", status=500, times=3)
    with pytest.raises(Exception, match="does not answer"):
        await pays(booking)
    moment.shift(timedelta(minutes=6))
    await sweeps.resolve_creating()
    assert (await payment_of(booking)).state == "creating", "the error stands under the key"
    moment.shift(timedelta(minutes=34))
    await sweeps.resolve_creating()
    assert (await payment_of(booking)).state == "void"
    assert (await now_is(booking)).state == "expired"


@ON_SQLITE
async def test_an_attempt_that_stripe_refuses_later_frees_the_booking(fake: Sandbox, moment: time_machine.Traveller) -> None:
    booking = await held()
    fake.faults.next("create", unheard=True, times=3)
    with pytest.raises(Exception, match="does not answer"):
        await pays(booking)
    moment.shift(timedelta(minutes=8))
    await sweeps.resolve_creating()
    assert (await payment_of(booking)).state == "void"
    assert (await now_is(booking)).state == "held"


# ---------- the balance ----------


async def test_books_that_agree_ring_no_alarm(fake: Sandbox) -> None:
    booking = await paid(fake)
    await call_off(booking)
    await refunds.send_refunds()
    (sent,) = await refunds_of(booking)
    fake.stripe.change_refund(sent.stripe_refund_id or "", status="failed")
    disputed = await paid(fake)
    fake.stripe.dispute(await intent_of(disputed))
    await listen()
    await lists.compare_balance()
    assert await alarms_of("ledger") == []


async def test_what_the_balance_knows_and_the_books_do_not_is_looked_for(fake: Sandbox) -> None:
    booking = await held()
    await pays(booking)
    session_id = await card_is_charged(fake, booking)
    await lists.compare_balance()
    assert (await now_is(booking)).state == "paid"
    intent = fake.stripe.session(session_id, {})["payment_intent"]
    fake.stripe.refund_elsewhere(intent, 1000)
    fake.stripe.dispute(intent)
    await lists.compare_balance()
    assert [refund.amount_minor for refund in await refunds_of(booking)] == [1000]
    assert (await payment_of(booking)).dispute == "open"
    assert await alarms_of("ledger") == []


async def test_a_bank_that_took_its_time_is_first_heard_of_in_the_balance(fake: Sandbox, moment: time_machine.Traveller) -> None:
    booking = await held()
    await pays(booking)
    payment = await payment_of(booking)
    fake.stripe.pay(payment.session_id or "", "later")
    await converge(payment.session_id or "")
    assert (await now_is(booking)).state == "processing"
    moment.shift(timedelta(minutes=1))
    await lists.compare_balance()
    assert (await now_is(booking)).state == "paid"
    assert await alarms_of("ledger") == []


@ON_SQLITE
async def test_a_sum_that_differs_is_on_the_desk(fake: Sandbox) -> None:
    booking = await paid(fake)
    await set_payment(booking, captured_minor=3600)
    await lists.compare_balance()
    assert len(await alarms_of("ledger")) == 1


@ON_SQLITE
async def test_a_refund_that_failed_at_stripe_and_not_here_is_looked_for(fake: Sandbox) -> None:
    booking = await paid(fake)
    elsewhere = fake.stripe.refund_elsewhere(await intent_of(booking), 1000)
    await listen()
    fake.stripe.change_refund(elsewhere["id"], status="failed")
    # The balance has a line for the refund, and another for its failure.
    await lists.compare_balance()
    assert "failed" in [refund.state for refund in await refunds_of(booking)]
    assert await alarms_of("ledger") == []


@ON_SQLITE
async def test_charges_of_another_shop_are_not_our_books(fake: Sandbox) -> None:
    session = fake.stripe.create_session(somebody_elses(expires_at=int(clock.now().timestamp()) + 3600))
    fake.stripe.pay(session["id"], "paid")
    await lists.compare_balance()
    assert await alarms_of("ledger") == []


@ON_SQLITE
async def test_a_line_that_leads_nowhere_stops_nothing(fake: Sandbox) -> None:
    await lists._compare_line(BalanceLine("txn_1", "adjustment", "dp_nobody", "pi_nobody", 100))
    assert await alarms_of("ledger") == []


async def test_in_another_currency_than_the_balances_the_sources_own_amount_counts() -> None:
    def line(**values: Any) -> Any:
        return dataclasses.make_dataclass("Thing", values)(**values)

    source = line(id="ch_1", currency="usd", amount=4000, payment_intent="pi_1")
    found = stripe._line(line(id="txn_1", type="charge", amount=3700, currency="eur", source=source))
    assert found == BalanceLine("txn_1", "charge", "ch_1", "pi_1", 4000)


@ON_SQLITE
async def test_without_a_key_nobody_is_asked(database: Database) -> None:
    use(dataclasses.replace(settings(), stripe_api_key=""))
    for look in (lists.read_events, lists.compare_sessions, lists.compare_balance):
        await look()


async def test_a_money_rule_that_finds_nothing_to_do_does_nothing(fake: Sandbox) -> None:
    booking = await paid(fake)
    await sweeps.set_money_right()
    await converge((await payment_of(booking)).session_id or "")
    async with reading() as db:
        assert (await db.exec(select(Refund))).all() == []


async def set_payment(booking: Any, **values: Any) -> None:
    async with writing() as tx:
        changed = update(Payment).where(col(Payment.booking_id) == booking.id).values(**values)
        await tx.exec(changed.execution_options(synchronize_session=False))
