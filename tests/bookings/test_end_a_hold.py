"""A hold ends by the buyer's release or by its time; either way its places are on sale again, once."""

import asyncio
import contextvars
from datetime import datetime, timedelta

import pytest
import time_machine

from app.bookings import actions, boxoffice, flows, queries
from app.bookings import stock as places
from app.bookings.models import BookingLine
from app.core import clock
from app.core.db import Database, reading, writing
from app.core.errors import Refused
from app.core.steps import run
from tests.bookings.test_hold import guest, stock, the_event


async def test_released_places_are_on_sale_again(database: Database) -> None:
    event, kind = await the_event(capacity=2)
    async with writing() as tx:
        booking = await actions.hold(tx, event, {kind.id or 0: 2}, by=guest(), now=clock.now())
    async with writing() as tx:
        assert await actions.release(tx, booking, now=clock.now())
    async with writing() as tx:
        assert not await actions.release(tx, booking, now=clock.now())
    assert await stock(kind) == (0, 0)


async def test_the_sweep_ends_holds_whose_time_is_over(database: Database, moment: time_machine.Traveller) -> None:
    event, kind = await the_event(capacity=5)
    async with writing() as tx:
        booking = await actions.hold(tx, event, {kind.id or 0: 2}, by=guest(), now=clock.now())
    moment.shift(timedelta(minutes=14, seconds=59))
    await flows.expire_due()
    assert await stock(kind) == (2, 0)
    moment.shift(timedelta(seconds=1))
    await flows.expire_due()
    assert await stock(kind) == (0, 0)
    async with reading() as db:
        ended = await queries.by_id(db, booking.id or 0)
    assert ended
    assert ended.state == "expired"


async def test_a_buyer_gets_lapsed_places_without_waiting_for_the_sweep(
    database: Database, moment: time_machine.Traveller
) -> None:
    event, kind = await the_event(capacity=2)
    async with writing() as tx:
        await actions.hold(tx, event, {kind.id or 0: 2}, by=guest(), now=clock.now())
    moment.shift(timedelta(minutes=15))
    async with writing() as tx:
        await actions.hold(tx, event, {kind.id or 0: 2}, by=guest("carols-browser"), now=clock.now())
    assert await stock(kind) == (2, 0)


async def test_lapsed_holds_end_while_one_of_them_is_being_extended(
    postgresql_database: Database, moment: time_machine.Traveller
) -> None:
    """The sweep passes over a booking that somebody has locked, and takes it the next time."""
    event, kind = await the_event(capacity=20)
    made = []
    for number in range(5):
        async with writing() as tx:
            made.append(await actions.hold(tx, event, {kind.id or 0: 1}, by=guest(f"browser-{number}"), now=clock.now()))
    moment.shift(timedelta(minutes=15))
    async with writing() as tx:
        await queries.lock(tx, made[2].id or 0)
        assert await asyncio.create_task(flows.expire_due(), context=contextvars.Context())
    assert await stock(kind) == (1, 0)
    assert await flows.expire_due()
    assert not await flows.expire_due()
    assert await stock(kind) == (0, 0)


async def test_one_hold_that_cannot_be_ended_does_not_keep_the_others(
    database: Database, moment: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, kind = await the_event(capacity=20)
    made = []
    for number in range(3):
        async with writing() as tx:
            made.append(await actions.hold(tx, event, {kind.id or 0: 1}, by=guest(f"browser-{number}"), now=clock.now()))
    moment.shift(timedelta(minutes=15))
    lapse = boxoffice.lapse

    async def broken(booking_id: int, slug: str, *, now: datetime) -> bool:
        if booking_id == made[1].id:
            raise ZeroDivisionError
        return await lapse(booking_id, slug, now=now)

    monkeypatch.setattr(boxoffice, "lapse", broken)
    assert await flows.expire_due()
    assert await stock(kind) == (1, 0)


async def test_a_hold_is_made_longer_three_times(database: Database, moment: time_machine.Traveller) -> None:
    event, kind = await the_event()
    async with writing() as tx:
        booking = await actions.hold(tx, event, {kind.id or 0: 1}, by=guest(), now=clock.now())
    for _time in range(3):
        async with writing() as tx:
            await actions.extend(tx, booking, now=clock.now())
    with pytest.raises(Refused):
        async with writing() as tx:
            await actions.extend(tx, booking, now=clock.now())
    async with reading() as db:
        longer = await queries.by_id(db, booking.id or 0)
    assert longer
    assert longer.held_until == clock.now() + timedelta(minutes=15 + 3 * 10)


async def test_a_lapsed_hold_cannot_be_made_longer(sqlite_database: Database, moment: time_machine.Traveller) -> None:
    event, kind = await the_event()
    async with writing() as tx:
        booking = await actions.hold(tx, event, {kind.id or 0: 1}, by=guest(), now=clock.now())
    moment.shift(timedelta(minutes=15))
    with pytest.raises(Refused):
        async with writing() as tx:
            await actions.extend(tx, booking, now=clock.now())


async def test_what_is_being_paid_is_held_again_when_the_attempt_ends_and_lapses_when_its_time_is_over(
    database: Database, moment: time_machine.Traveller
) -> None:
    event, kind = await the_event(capacity=5)
    async with writing() as tx:
        booking = await actions.hold(tx, event, {kind.id or 0: 2}, by=guest(), now=clock.now())
        await actions.start_paying(tx, booking, now=clock.now())
        assert await actions.wait_for_bank(tx, booking)
        await actions.stop_paying(tx, booking, now=clock.now())
    assert await stock(kind) == (2, 0)
    async with writing() as tx:
        await actions.start_paying(tx, booking, now=clock.now())
    moment.shift(timedelta(minutes=20))
    async with writing() as tx:
        await actions.stop_paying(tx, booking, now=clock.now())
    assert await stock(kind) == (0, 0)


async def test_a_hold_of_an_event_that_is_called_off_ends_with_it(database: Database) -> None:
    event, kind = await the_event(capacity=5)
    async with writing() as tx:
        booking = await actions.hold(tx, event, {kind.id or 0: 2}, by=guest(), now=clock.now())
        assert await actions.call_off(tx, booking, now=clock.now())
    assert await stock(kind) == (0, 0)


async def test_places_of_a_type_that_is_gone_are_a_mistake_of_ours(database: Database) -> None:
    """A line keeps its type from being removed, so what finds none has read something wrong."""
    line = BookingLine(booking_id=1, ticket_type_id=999, name="Gone", qty=2, unit_minor=0)
    with pytest.raises(RuntimeError, match="is gone"):
        async with writing() as tx:
            await run(tx, places.give_back([line]))
    with pytest.raises(RuntimeError, match="more places than it has"):
        async with writing() as tx:
            await run(tx, places.unsell_one(line, line_id=999))
