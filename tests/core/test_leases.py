"""One process at a time runs a sweep."""

import asyncio
from datetime import timedelta

import pytest
import time_machine

from app.core import clock, leases
from app.core.db import Database, writing


async def take(holder: str) -> bool:
    async with writing() as tx:
        return await leases.take(tx, "sweep", holder=holder, seconds=60, now=clock.now())


async def test_a_lease_has_one_holder_who_may_renew_it(database: Database):
    assert await take("first")
    assert not await take("second")
    assert await take("first")


async def test_a_lease_ends_by_itself_when_its_holder_dies(database: Database, moment: time_machine.Traveller):
    assert await take("first")
    moment.shift(timedelta(seconds=59))
    assert not await take("second")
    moment.shift(timedelta(seconds=1))
    assert await take("second")
    assert not await take("first")


@pytest.mark.parametrize("lease", ["new", "run out"])
async def test_of_many_who_ask_at_once_one_gets_it(database: Database, moment: time_machine.Traveller, lease: str):
    if lease == "run out":
        await take("first")
        moment.shift(timedelta(minutes=2))
    answers = await asyncio.gather(*(take(f"process {n}") for n in range(8)))
    assert answers.count(True) == 1
