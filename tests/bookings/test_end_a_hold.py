"""A hold ends by the buyer's release or by its time; either way its places are on sale again, once."""

from datetime import timedelta

import pytest
import time_machine

from app.bookings import actions, flows, queries
from app.core import clock
from app.core.db import Database, reading, writing
from app.core.errors import Refused
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
