"""Tickets and money given back: once, by whoever asks first, and never more than was paid."""

import asyncio
from typing import Any

import pytest
from sqlmodel import select

from app.bookings import queries as booking_queries
from app.core import clock
from app.core.activity import Activity
from app.core.db import Database, reading, writing
from app.core.errors import Refused
from app.payments import queries
from app.payments.actions import asking
from app.payments.models import Payment, Refund
from tests import world
from tests.payments.refund_story import again, an_event, given, paid, returned, valid_tickets
from tests.payments.story import now_is, refunds_of, stock_of

# ---------- tickets ----------


async def test_one_of_two_tickets_goes_back(database: Database) -> None:
    booking = await paid(await an_event())
    first, second = await valid_tickets(booking)
    assert await returned(booking, [first], fee=200) == 1650
    present = await now_is(booking)
    assert (present.state, present.kept_minor) == ("paid", 2050)
    assert [ticket.id for ticket in await valid_tickets(booking)] == [second.id]
    assert await stock_of(booking) == (0, 1)
    (refund,) = await refunds_of(booking)
    assert (refund.amount_minor, refund.reason, refund.note, refund.places) == (1650, "manager", "The singer is ill.", 1)


async def test_with_its_last_ticket_the_booking_ends_and_the_fee_stays(database: Database) -> None:
    booking = await paid(await an_event())
    for ticket in await valid_tickets(booking):
        await returned(booking, [ticket], fee=200)
    present = await now_is(booking)
    assert (present.state, present.kept_minor) == ("refunded", 400)
    assert await stock_of(booking) == (0, 0)
    assert [refund.amount_minor for refund in await refunds_of(booking)] == [1650, 1650]


async def test_free_tickets_go_back_without_a_refund(database: Database) -> None:
    booking = await paid(await an_event(price_minor=0))
    assert await returned(booking, await valid_tickets(booking)) == 0
    assert (await now_is(booking)).state == "refunded"
    assert await refunds_of(booking) == []
    assert await stock_of(booking) == (0, 0)


async def test_what_was_returned_is_written_down_with_who_did_it(database: Database) -> None:
    booking = await paid(await an_event())
    async with writing() as tx:
        dora = await world.dora(tx)
        ids = [ticket.id or 0 for ticket in await valid_tickets(booking)]
        await asking.return_tickets(tx, booking, ids, reason="admin", by=dora.id, note="", fee_minor_each=0, now=clock.now())
    async with reading() as db:
        found = (await db.exec(select(Activity).where(Activity.kind == "booking.tickets_returned"))).one()
    assert (found.by_user_id, found.details["places"], found.details["minor"]) == (dora.id, 2, 3700)
    (refund,) = await refunds_of(booking)
    assert (refund.by_user_id, refund.reason) == (dora.id, "admin")


async def test_a_second_click_finds_nothing(database: Database) -> None:
    booking = await paid(await an_event(), qty=3)
    first, second, _third = await valid_tickets(booking)
    await returned(booking, [first])
    for again_and_again in ([first], [first, second]):
        with pytest.raises(Refused, match="given back already"):
            await returned(booking, again_and_again)
    assert (await valid_tickets(booking))[0].id == second.id
    assert len(await refunds_of(booking)) == 1


async def test_a_booking_that_has_ended_gives_nothing_back(database: Database) -> None:
    booking = await paid(await an_event())
    chosen = await valid_tickets(booking)
    await returned(booking, chosen)
    with pytest.raises(Refused, match="no valid tickets"):
        await returned(booking, chosen)
    assert (await now_is(booking)).state == "refunded"


@pytest.mark.asvs("V2.3.3", "V15.4.2")
async def test_eight_people_who_ask_at_once_make_one_refund(database: Database) -> None:
    booking = await paid(await an_event())
    chosen = await valid_tickets(booking)
    asked = await asyncio.gather(*(returned(booking, chosen[:1]) for _person in range(8)), return_exceptions=True)
    assert sorted(str(type(answer).__name__) for answer in asked) == ["Refused"] * 7 + ["int"]
    assert [refund.amount_minor for refund in await refunds_of(booking)] == [1850]
    assert (await now_is(booking)).kept_minor == 1850


async def test_without_the_lock_two_people_could_take_the_last_tickets_one_each(
    postgresql_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: both see another valid ticket, and the booking stays paid without any."""

    async def no_lock(_tx: Any, _booking_id: int) -> None:
        await asyncio.sleep(0.02)

    monkeypatch.setattr(booking_queries, "lock", no_lock)
    for _round in range(5):
        booking = await paid(await an_event())
        first, second = await valid_tickets(booking)
        await asyncio.gather(returned(booking, [first]), returned(booking, [second]), return_exceptions=True)
        present = await again(booking)
        if present.state == "paid" and not await valid_tickets(booking):
            return
    pytest.fail("the defence is not needed")


@pytest.mark.parametrize("chosen", ["nothing", "another booking's", "no ticket's"])
async def test_only_tickets_of_the_booking_go_back(database: Database, chosen: str) -> None:
    event = await an_event()
    booking, other = await paid(event), await paid(event, email="carol@example.com")
    ids = {"nothing": [], "another booking's": [(await valid_tickets(other))[0].id or 0], "no ticket's": [999_999]}[chosen]
    with pytest.raises(Refused):
        async with writing() as tx:
            await asking.return_tickets(tx, booking, ids, reason="buyer", by=None, fee_minor_each=0, now=clock.now())
    assert (await now_is(booking)).kept_minor == (await now_is(other)).kept_minor == 3700


async def test_while_the_bank_disputes_nothing_goes_back(database: Database) -> None:
    booking = await paid(await an_event())
    async with writing() as tx:
        (await tx.exec(select(Payment).where(Payment.booking_id == booking.id))).one().dispute = "open"
    with pytest.raises(Refused, match="disputes this payment"):
        await returned(booking, await valid_tickets(booking))
    with pytest.raises(Refused, match="disputes this payment"):
        await given(booking, 100)
    assert await refunds_of(booking) == []


# ---------- money alone ----------


async def test_a_part_of_the_money_goes_back_and_the_tickets_stay(database: Database) -> None:
    booking = await paid(await an_event())
    await given(booking, 500)
    present = await now_is(booking)
    assert (present.state, present.kept_minor, len(await valid_tickets(booking))) == ("paid", 3200, 2)
    (refund,) = await refunds_of(booking)
    assert (refund.amount_minor, refund.places, refund.note) == (500, 0, "Bad seats.")


async def test_a_second_click_on_an_amount_finds_less_and_stops(database: Database) -> None:
    booking = await paid(await an_event())
    asked = await asyncio.gather(*(given(booking, 500, out_of=3700) for _click in range(4)), return_exceptions=True)
    assert sum(isinstance(answer, Refused) for answer in asked) == 3
    assert (await now_is(booking)).kept_minor == 3200
    assert len(await refunds_of(booking)) == 1


@pytest.mark.asvs("V2.3.2")
@pytest.mark.parametrize("minor", [0, -1, 3701, 10**15])
async def test_no_amount_beyond_what_is_left(database: Database, minor: int) -> None:
    booking = await paid(await an_event())
    with pytest.raises(Refused, match="at most what is left"):
        await given(booking, minor)
    assert (await now_is(booking)).kept_minor == 3700


async def test_a_kept_fee_can_be_given_back_later(database: Database) -> None:
    booking = await paid(await an_event())
    await returned(booking, await valid_tickets(booking), fee=200)
    await given(booking, 400)
    assert (await now_is(booking)).kept_minor == 0
    assert [refund.amount_minor for refund in await refunds_of(booking)] == [3300, 400]


async def test_when_the_lock_would_fail_no_money_appears_from_nowhere(database: Database) -> None:
    booking = await paid(await an_event())
    with pytest.raises(RuntimeError):
        async with writing() as tx:
            await asking._keep_less(tx, booking, 3701)


# ---------- cash ----------


async def test_cash_waits_until_somebody_hands_it_back(database: Database) -> None:
    booking = await paid(await an_event(), provider="cash")
    await returned(booking, await valid_tickets(booking))
    (refund,) = await refunds_of(booking)
    assert refund.state == "requested"
    async with reading() as db:
        assert await queries.refunds_due(db, now=clock.now(), most=10) == []
    async with writing() as tx:
        alice = await world.alice(tx)
        await asking.hand_back(tx, refund, booking_id=booking.id or 0, by=alice.id or 0, now=clock.now())
    assert (await refunds_of(booking))[0].state == "succeeded"
    with pytest.raises(Refused, match="noted already"):
        async with writing() as tx:
            await asking.hand_back(tx, refund, booking_id=booking.id or 0, by=alice.id or 0, now=clock.now())


# ---------- how far it has come ----------


async def test_the_refunds_of_a_called_off_event_are_counted(database: Database) -> None:
    event = await an_event()
    booking, other = await paid(event), await paid(event, email="carol@example.com")
    await paid(await an_event(title="Other Evening"))
    async with reading() as db:
        before = await queries.progress(db, event.id or 0)
    assert (before.done, before.bookings, before.is_done) == (0, 2, False)
    for one in (booking, other):
        await returned(one, await valid_tickets(one))
    async with writing() as tx:
        (await tx.get_one(Refund, (await refunds_of(booking))[0].id)).state = "succeeded"
    async with reading() as db:
        half = await queries.progress(db, event.id or 0)
    assert (half.done, half.bookings) == (1, 2)
    (sums,) = half.sums
    assert (sums.captured_minor, sums.returned_minor, sums.on_its_way_minor, sums.kept_minor) == (7400, 3700, 3700, 0)
