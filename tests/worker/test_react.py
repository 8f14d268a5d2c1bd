"""Reacting: every activity once, in order, and a reaction that fails is tried again."""

import asyncio
from datetime import timedelta

import pytest
import time_machine
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from app import worker
from app.core import activity, clock
from app.core.activity import Activity, ActivityWork
from app.core.db import Database, reading, writing
from app.core.limits import Limit
from app.worker import Worker
from tests import world


async def recorded(count: int = 1, kind: str = "thing.happened") -> list[int]:
    async with writing() as tx:
        user = await world.bob(tx)
        return [(await activity.record(tx, kind, about=f"user:{user.id}", by=None)).id or 0 for _number in range(count)]


async def open_work() -> list[ActivityWork]:
    async with reading() as db:
        return list((await db.exec(select(ActivityWork).where(ActivityWork.handled_at.is_(None)))).all())  # type: ignore[union-attr]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ids that a reaction to thing.happened has been called with."""
    ids: list[int] = []

    async def see(_tx: AsyncSession, found: Activity) -> None:
        ids.append(found.id or 0)

    monkeypatch.setitem(worker.REACTIONS, "thing.happened", (see,))
    return ids


async def test_activities_are_handled_in_order_and_once(database: Database, seen: list[int]) -> None:
    ids = await recorded(45)
    await Worker().run_until_idle()
    await Worker().run_until_idle()
    assert seen == ids
    assert await open_work() == []


async def test_of_two_workers_one_reacts(database: Database, seen: list[int]) -> None:
    ids = await recorded(30)
    await asyncio.gather(Worker().run_until_idle(), Worker().run_until_idle())
    assert sorted(seen) == ids


async def test_what_nobody_reacts_to_is_done_too(database: Database) -> None:
    await recorded(3, "thing.ignored")
    await Worker().run_until_idle()
    assert await open_work() == []


async def test_a_reaction_that_fails_undoes_itself_holds_up_nobody_and_is_tried_again(
    database: Database, moment: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = True

    async def stumbles(tx: AsyncSession, found: Activity) -> None:
        tx.add(Limit(key=f"seen:{found.id}", period=1, seconds=1, count=1))
        await tx.flush()
        if broken and found.id == first:
            raise ValueError("the wall")

    monkeypatch.setitem(worker.REACTIONS, "thing.happened", (stumbles,))
    first, second = await recorded(2)
    await Worker().run_until_idle()
    assert await marks() == [f"seen:{second}"]
    (waiting,) = await open_work()
    assert (waiting.activity_id, waiting.attempts, waiting.error) == (first, 1, "ValueError: the wall")
    assert waiting.next_try_at > clock.now()
    broken = False
    moment.shift(timedelta(seconds=10))
    await Worker().run_until_idle()
    assert await marks() == [f"seen:{first}", f"seen:{second}"]


async def marks() -> list[str]:
    async with reading() as db:
        return list((await db.exec(select(Limit.key).order_by(Limit.key))).all())
