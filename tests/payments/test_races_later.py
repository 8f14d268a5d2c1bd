"""Races once the money is there, and with the rest of the house: numbers 15 to 28 of twenty-eight. Each one ends well."""

import asyncio
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from app.bookings.models import Booking
from app.core import clock, db
from app.core.db import reading, writing
from app.core.errors import Refused, Unavailable
from app.core.settings import settings
from app.events.actions import ticket_types
from app.events.models import Event, TicketType
from app.notifications.models import Notification
from app.payments import stripe
from app.payments.actions import asking, refunding
from app.payments.flows import lists, notices, orphans, refunds, sweeps
from app.payments.flows.converge import converge
from app.payments.models import Orphan
from app.sandbox.app import Sandbox
from app.worker import Worker
from tests import world
from tests.events.forms import type_wish
from tests.payments.story import (
    BOB,
    alarms_of,
    another,
    call_off,
    card_is_charged,
    held,
    intent_of,
    listen,
    now_is,
    paid,
    payment_of,
    pays,
    pays_as,
    refunds_of,
    sent_back,
    sessions_at,
    stock_of,
)  # fmt: skip

ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


async def session_of(booking: Booking) -> str:
    return (await payment_of(booking)).session_id or ""


async def test_15_a_crash_after_our_commit_and_before_the_mail(fake: Sandbox) -> None:
    booking = await paid(fake)
    for _start in range(2):
        await Worker().react()
    async with reading() as db:
        told = select(Notification).where(Notification.kind == "booking_paid")
        assert len((await db.exec(told)).all()) == 1
    await now_is(booking)


async def test_16_a_crash_between_the_refund_and_our_commit(fake: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    booking = await paid(fake)
    await call_off(booking)
    with monkeypatch.context() as crash:
        crash.setattr(refunding, "seen", _crashes)
        await refunds.send_refunds()
    assert [refund.state for refund in await refunds_of(booking)] == ["requested"]
    await refunds.send_refunds()
    assert [refund.state for refund in await refunds_of(booking)] == ["succeeded"]
    assert sent_back(fake, await intent_of(booking)) == 3700


async def test_17_two_admins_refund_at_once(fake: Sandbox) -> None:
    booking = await paid(fake)

    async def refund() -> None:
        async with writing() as tx:
            present = await tx.get_one(Booking, booking.id)
            await asking.refund_money(tx, present, 1000, out_of_minor=3700, reason="admin", by=None, now=clock.now())

    ends = await asyncio.gather(refund(), refund(), return_exceptions=True)
    assert sorted(type(end).__name__ for end in ends) == ["NoneType", "Refused"]
    await refunds.send_refunds()
    assert sent_back(fake, await intent_of(booking)) == 1000
    await now_is(booking)


async def test_18_our_refund_and_one_in_the_dashboard(fake: Sandbox) -> None:
    booking = await paid(fake)
    await call_off(booking)
    fake.stripe.refund_elsewhere(await intent_of(booking))
    await refunds.send_refunds()
    assert sorted((refund.origin, refund.state) for refund in await refunds_of(booking)) == [
        ("app", "failed"),
        ("elsewhere", "succeeded"),
    ]
    assert sent_back(fake, await intent_of(booking)) == 3700
    assert (await now_is(booking)).state == "called_off"


async def test_19_a_refund_fails_days_later(fake: Sandbox, moment: time_machine.Traveller) -> None:
    booking = await paid(fake)
    await call_off(booking)
    await refunds.send_refunds()
    (sent,) = await refunds_of(booking)
    moment.shift(timedelta(days=2))
    fake.stripe.change_refund(sent.stripe_refund_id or "", status="failed")
    await listen()
    await refunds.send_refunds()
    assert [refund.state for refund in await refunds_of(booking)] == ["failed", "succeeded"]
    assert sent_back(fake, await intent_of(booking)) == 3700


async def test_20_the_event_is_called_off_while_payments_are_in_flight(fake: Sandbox) -> None:
    booked = await paid(fake)
    in_flight, only_held, still_open = [await another(booked, by=BOB.with_key(f"browser-{n}")) for n in range(3)]
    await pays_as(in_flight, "in@example.com")
    session_id = await card_is_charged(fake, in_flight)
    await pays_as(still_open, "open@example.com")
    await call_off(booked)
    await converge(session_id)
    await sweeps.close_due()
    await sweeps.wind_down()
    await refunds.send_refunds()
    for booking in (booked, in_flight, only_held, still_open):
        assert (await now_is(booking)).state in ("called_off", "expired")
    assert [sent_back(fake, await intent_of(booking)) for booking in (booked, in_flight)] == [3700, 3700]
    assert await stock_of(booked) == (0, 0)
    with pytest.raises(Refused):
        await another(booked)


async def test_21_the_price_changes_while_somebody_pays(fake: Sandbox) -> None:
    booking = await held(price_minor=1850)
    await pays(booking)
    await change_type(booking, price_minor=2500)
    session_id = await card_is_charged(fake, booking)
    await converge(session_id)
    assert fake.stripe.session(session_id, {})["amount_total"] == 3700
    assert (await now_is(booking)).state == "paid"


async def test_22_the_capacity_is_lowered_below_what_is_taken(fake: Sandbox) -> None:
    booking = await paid(fake)
    with pytest.raises(Refused, match="2 places of Standard are taken"):
        async with writing() as tx:
            event = await tx.get_one(Event, booking.event_id)
            kind, dora = await world.only_type(tx, event), await world.dora(tx)
            await ticket_types.change_type(tx, event, kind, type_wish(kind, capacity=1), by=dora.id or 0, now=clock.now())
    with pytest.raises(IntegrityError):
        await change_type(booking, capacity=1)
    await now_is(booking)


async def test_23_the_sum_at_stripe_is_another_one(fake: Sandbox) -> None:
    booking = await held()
    await pays(booking)
    session = fake.stripe.state.find("session", await session_of(booking))
    assert session
    fake.stripe.state.save(session | {"amount_total": 1000}, label="open")
    await converge(await card_is_charged(fake, booking))
    await refunds.send_refunds()
    assert (await now_is(booking)).state == "held"
    assert sent_back(fake, await intent_of(booking)) == 1000
    assert await alarms_of("amount_differs") == [f"payment:{(await payment_of(booking)).id}"]


async def test_24_the_sale_ends_while_somebody_pays(fake: Sandbox) -> None:
    booking = await held()
    await change_type(booking, sale_to=clock.now() - timedelta(seconds=1))
    await pays(booking)
    await converge(await card_is_charged(fake, booking))
    assert (await now_is(booking)).state == "paid"


@pytest.mark.parametrize("won", [True, False])
async def test_25_the_buyers_bank_disputes_the_payment(fake: Sandbox, won: bool) -> None:
    booking = await paid(fake)
    dispute = fake.stripe.dispute(await intent_of(booking))
    await listen()
    assert (await payment_of(booking)).dispute == "open"
    assert await alarms_of("dispute") == [f"payment:{(await payment_of(booking)).id}"]
    await call_off(booking)
    assert await refunds_of(booking) == []
    fake.stripe.close_dispute(dispute["id"], won=won)
    await listen()
    await refunds.send_refunds()
    expected = {True: ("app", "called_off"), False: ("elsewhere", "dispute")}[won]
    assert [(refund.origin, refund.reason) for refund in await refunds_of(booking)] == [expected]
    await now_is(booking)


@ON_SQLITE
async def test_26_the_database_is_restored_from_a_backup(fake: Sandbox, tmp_path: Path) -> None:
    bob = await held(capacity=8)
    await pays(bob)
    backup = tmp_path / "backup.db"
    copied(tmp_path / "test.db", backup)
    await card_is_charged(fake, bob)
    carol, dan = await another(bob), await another(bob, by=BOB.with_key("dans-browser"))
    await pays_as(carol, "carol@example.com")
    await converge(await card_is_charged(fake, carol))
    carols, dans = await intent_of(carol), await pays_as(dan, "dan@example.com")
    await db.disconnect()
    copied(backup, tmp_path / "test.db")
    db.connect(settings().database_url)
    await lists.compare_sessions()
    await orphans.close_orphans()
    await orphans.close_orphans()
    assert (await now_is(bob)).state == "paid"
    assert sent_back(fake, carols) == 3700
    assert dans and sessions_at(fake, status="open") == []
    async with reading() as db_:
        assert sorted(orphan.outcome for orphan in (await db_.exec(select(Orphan))).all()) == ["expired", "refunded"]


async def test_27_no_webhook_is_signed_as_we_expect(fake: Sandbox) -> None:
    booking = await held()
    await pays(booking)
    await card_is_charged(fake, booking)
    for _webhook in range(3):
        await notices.bad_signature()
    await listen()
    assert (await now_is(booking)).state == "paid"
    assert await alarms_of("bad_signatures") == ["webhooks"]


async def test_28_stripe_is_down(fake: Sandbox, moment: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stripe, "MOST_SILENCES", 2)
    booking, other = await held(), await held()
    await pays(booking)
    fake.faults.down = True
    for _try in range(3):
        with pytest.raises(Unavailable, match="places are kept"):
            await pays(other)
    assert stripe.is_down()
    moment.shift(timedelta(minutes=31))
    await sweeps.close_due()
    await sweeps.watch_stripe()
    assert (await now_is(booking)).state == "paying"
    assert await alarms_of("stripe_down") == ["stripe"]
    fake.faults.down = False
    monkeypatch.setattr(stripe._breaker(), "_opened", -100.0)
    await sweeps.close_due()
    await sweeps.watch_stripe()
    assert (await now_is(booking)).state == "expired"
    assert await alarms_of("stripe_down") == []


async def _crashes(*_args: Any, **_kwargs: Any) -> None:
    raise OSError("the power is gone")


async def change_type(booking: Booking, **values: Any) -> None:
    async with writing() as tx:
        changed = update(TicketType).where(col(TicketType.event_id) == booking.event_id).values(**values)
        await tx.exec(changed.execution_options(synchronize_session=False))


def copied(source: Path, target: Path) -> None:
    """A whole copy of a SQLite file, as a backup is made and put back."""
    for leftover in (target.with_name(f"{target.name}-wal"), target.with_name(f"{target.name}-shm")):
        leftover.unlink(missing_ok=True)
    with sqlite3.connect(source) as old, sqlite3.connect(target) as new:
        old.backup(new)
    old.close()
    new.close()
