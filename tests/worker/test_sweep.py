"""Sweeping: on time, in one process at a time, and until the stop."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from app import worker
from app.core import activity
from app.core.db import Database, writing
from app.worker import Sweep, Worker
from tests import world
from tests.stage import eventually


class Counter:
    """A flow that counts its runs."""

    def __init__(self, fails: bool = False) -> None:
        self.runs, self.fails = 0, fails

    async def __call__(self) -> None:
        self.runs += 1
        if self.fails:
            raise ValueError("the wall")


async def for_a_while(*workers: Worker, seconds: float = 0.3, until: Callable[[], bool] | None = None) -> None:
    """Lets the workers run for some time, or until something came about."""
    stop = asyncio.Event()
    running = [asyncio.create_task(each.run(stop)) for each in workers]
    await (eventually(until) if until else asyncio.sleep(seconds))
    stop.set()
    async with asyncio.timeout(30):
        await asyncio.gather(*running)


async def test_a_failing_sweep_does_not_stop_the_others(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = Counter(fails=True), Counter()
    monkeypatch.setattr(worker, "SCHEDULE", (Sweep("bad", 0, bad), Sweep("good", 0, good)))
    monkeypatch.setattr(worker, "_either", lambda _wake, _seconds: asyncio.sleep(0.05))
    await for_a_while(Worker(), until=lambda: min(bad.runs, good.runs) > 1)
    assert min(bad.runs, good.runs) > 1


async def test_one_process_sweeps_and_the_next_begins_at_once_when_it_stops(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs, asked = list[str](), list[str]()
    really = worker.leases.take

    async def sweep() -> None:
        runs.append("swept")

    async def noted(*given: Any, holder: str, **more: Any) -> bool:
        asked.append(holder)
        return await really(*given, holder=holder, **more)

    monkeypatch.setattr(worker.leases, "take", noted)
    monkeypatch.setattr(worker, "SCHEDULE", (Sweep("sweep", 3600, sweep),))
    # Whoever has asked ends before the stop, and sweeps if it may.
    await for_a_while(Worker(), Worker(), until=lambda: len(set(asked)) == 2)
    assert runs == ["swept"]
    await for_a_while(Worker(), until=lambda: len(runs) > 1)
    assert runs == ["swept", "swept"]


async def test_a_woken_sweep_follows_news_at_once(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    mails, hourly = Counter(), Counter()
    monkeypatch.setattr(worker, "SCHEDULE", (Sweep("mails", 3600, mails, woken=True), Sweep("hourly", 3600, hourly)))
    stop = asyncio.Event()
    running = asyncio.create_task(Worker().run(stop))
    await eventually(lambda: min(mails.runs, hourly.runs) > 0)
    before = mails.runs
    async with writing() as tx:
        user = await world.bob(tx)
        await activity.record(tx, "thing.happened", about=f"user:{user.id}", by=None)
    await eventually(lambda: mails.runs > before)
    stop.set()
    await running
    assert hourly.runs == 1


async def test_the_whole_schedule_runs_on_an_empty_shop(
    sqlite_database: Database, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "PATIENCE", 0)
    await for_a_while(Worker(), seconds=0.5)
    assert "sweep failed" not in caplog.text
    names = [sweep.name for sweep in worker.SCHEDULE]
    assert len(names) == len(set(names))


async def test_a_shop_that_has_just_started_sells_before_it_looks_through_everything(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    holds, books = Counter(), Counter()
    monkeypatch.setattr(worker, "SCHEDULE", (Sweep("holds", 3600, holds), Sweep("books", 3600, books, patient=True)))
    await for_a_while(Worker(), until=lambda: holds.runs > 0)
    assert (holds.runs, books.runs) == (1, 0)
    monkeypatch.setattr(worker, "PATIENCE", 0.05)
    await for_a_while(Worker(), until=lambda: books.runs > 0)
    assert (holds.runs, books.runs) == (2, 1)


async def test_a_stop_ends_a_sweep_that_hangs(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = asyncio.Event()

    async def hangs() -> None:
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(worker, "GRACE", 0.1)
    monkeypatch.setattr(worker, "SCHEDULE", (Sweep("hangs", 5, hangs),))
    await for_a_while(Worker(), until=begun.is_set)
