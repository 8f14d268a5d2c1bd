"""A limit counts every attempt, from all processes, and ends with its period."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
import time_machine
from sqlmodel import select

from app.core import limits
from app.core.db import Database, reading, writing
from app.core.errors import TooMany
from app.core.limits import Limit


async def passed(attempts: int, count: Callable[[], Awaitable[None]]) -> int:
    """How many of so many simultaneous attempts get through."""
    answers = await asyncio.gather(*(count() for _ in range(attempts)), return_exceptions=True)
    assert {type(answer) for answer in answers} <= {type(None), TooMany}
    return answers.count(None)


@pytest.mark.asvs("V2.4.1", "V15.4.2")
async def test_mallory_gets_exactly_the_attempts_that_are_allowed(database: Database, moment: time_machine.Traveller):
    assert await passed(30, lambda: limits.count("login:mallory", most=10, seconds=300)) == 10


async def test_without_the_guarded_statement_mallory_gets_more(database: Database, moment: time_machine.Traveller):
    everybody_has_read = asyncio.Barrier(5)

    async def read_then_write() -> None:
        async with reading() as db:
            found = (await db.exec(select(Limit).where(Limit.key == "login:mallory"))).one()
        await everybody_has_read.wait()
        if found.count >= 10:
            raise TooMany("Wait", retry_after=1)
        async with writing() as tx:
            await tx.merge(Limit(key=found.key, period=1, seconds=300, count=found.count + 1))

    async with writing() as tx:
        tx.add(Limit(key="login:mallory", period=1, seconds=300, count=9))
    assert await passed(5, read_then_write) == 5


async def test_each_key_has_its_own_limit(database: Database, moment: time_machine.Traveller):
    await limits.count("login:bob", most=1, seconds=300)
    await limits.count("login:carol", most=1, seconds=300)
    with pytest.raises(TooMany):
        await limits.count("login:bob", most=1, seconds=300)


async def test_who_was_refused_may_try_again_in_the_next_period(database: Database, moment: time_machine.Traveller):
    moment.shift(timedelta(seconds=60))
    await limits.count("login:bob", most=1, seconds=300)
    with pytest.raises(TooMany) as refusal:
        await limits.count("login:bob", most=1, seconds=300)
    assert refusal.value.retry_after == 240
    moment.shift(timedelta(seconds=refusal.value.retry_after))
    await limits.count("login:bob", most=1, seconds=300)


async def test_a_limit_is_never_counted_inside_a_writing_block(sqlite_database: Database):
    async with writing():
        with pytest.raises(RuntimeError):
            await limits.count("login:bob", most=1, seconds=300)


async def test_old_counters_are_forgotten_and_present_ones_are_kept(database: Database, moment: time_machine.Traveller):
    await limits.count("login:bob", most=5, seconds=300)
    moment.shift(timedelta(days=2))
    await limits.count("login:carol", most=5, seconds=300)
    async with writing() as tx:
        await limits.forget_old(tx)
    async with reading() as db:
        assert (await db.exec(select(Limit.key))).all() == ["login:carol"]


async def test_a_key_of_any_length_is_counted(database: Database):
    await limits.count("login:" + "x" * 5000, most=1, seconds=300)
