"""Long work: one batch after the other, and whatever happens between them, nothing is lost and nothing is done twice."""

import asyncio
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from sqlalchemy.exc import IntegrityError
from sqlmodel import select, update

from app.core import alarms, clock, db, jobs
from app.core.activity import Activity
from app.core.db import Database, reading, writing
from app.core.errors import Refused
from app.core.jobs import Flow, Job, OutOfTurn
from app.core.settings import settings
from tests import world
from tests.core import dying

ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


async def started(kind: str = "counting", *, total: int = 3, file_name: str = "") -> str:
    async with writing() as tx:
        alice = await world.alice(tx)
        about = {"about": "event:1", "by": alice.id or 0, "title": "Counting", "file_name": file_name}
        return (await jobs.start(tx, kind, wish={}, total=total, **about)).code


async def found(code: str) -> Job:
    async with reading() as session:
        return (await session.exec(select(Job).where(Job.code == code))).one()


def counting(seen: list[int], *, fails_at: int = -1, with_what: Exception | None = None) -> Flow:
    """A kind of job that counts up to its total, one number a batch."""

    async def batch(job: Job) -> None:
        number = int(job.cursor.get("next", 0))
        async with writing() as tx:
            if number == fails_at:
                raise with_what or ValueError("the wall")
            await jobs.advance(tx, job, cursor={"next": number + 1}, done=1, over=number + 1 == job.total)
        seen.append(number)

    return batch


async def until_idle(flow: Flow, kind: str = "counting") -> None:
    while await jobs.work({kind: flow}):
        pass


# ---------- going well ----------


async def test_a_job_is_worked_batch_by_batch_until_it_is_over(database: Database) -> None:
    code, seen = await started(total=3), list[int]()
    await until_idle(counting(seen))
    job = await found(code)
    assert (seen, job.done, job.state, job.is_open) == ([0, 1, 2], 3, "done", False)
    assert job.started_at and job.ended_at


async def test_a_short_job_does_not_wait_for_a_long_one(database: Database) -> None:
    await started("long", total=50)
    short, seen = await started("short", total=2), list[int]()
    for _turn in range(2):
        await jobs.work({"long": counting(seen), "short": counting(seen)})
    assert (await found(short)).state == "done"


async def test_what_was_refused_is_said_and_kept_within_bounds(database: Database) -> None:
    code = await started(total=1)

    async def batch(job: Job) -> None:
        async with writing() as tx:
            await jobs.advance(tx, job, cursor={}, done=1, said=["Friday has bookings."] * 150, over=True)

    await until_idle(batch)
    assert (await found(code)).said == ["Friday has bookings."] * 100


# ---------- several processes ----------


async def test_two_processes_do_nothing_twice(database: Database) -> None:
    seen: list[int] = []
    await started(total=20)
    await asyncio.gather(*(until_idle(counting(seen)) for _process in range(3)))
    assert sorted(seen) == list(range(20))


async def test_a_batch_that_came_back_too_late_is_undone(database: Database, moment: time_machine.Traveller) -> None:
    """Its process slept for longer than its claim, and another one has gone on meanwhile."""
    code = await started(total=1)
    undone: list[str] = []

    async def sleeper(job: Job) -> None:
        moment.shift(jobs.CLAIMED_FOR)
        await jobs.work({"counting": counting([])})
        try:
            async with writing() as tx:
                await world.category(tx, "Written too late")
                await jobs.advance(tx, job, cursor={}, done=1, over=True)
        except OutOfTurn:
            undone.append(job.code)
            raise

    await jobs.work({"counting": sleeper})
    async with reading() as session:
        assert not (await session.exec(select(world.Category).where(world.Category.name == "Written too late"))).all()
    assert (undone, (await found(code)).done) == ([code], 1)


async def test_somebody_who_must_not_be_in_a_file_makes_it_begin_again(database: Database) -> None:
    code = await started(total=2, file_name="list.csv")
    await jobs.work({"counting": counting([])})
    before = await found(code)
    async with writing() as tx:
        await jobs.restart(tx, Job.about == "event:1")
    after = await found(code)
    assert (before.done, after.done, after.cursor) == (1, 0, {})
    assert after.file and after.file != before.file


# ---------- going wrong ----------


async def test_a_failure_is_tried_again_after_growing_pauses(database: Database, moment: time_machine.Traveller) -> None:
    code, seen = await started(total=3), list[int]()
    pauses = []
    for _attempt in range(3):
        await until_idle(counting(seen, fails_at=1))
        job = await found(code)
        assert (job.state, job.is_late, job.done) == ("running", True, 1)
        pauses.append((job.next_try_at - clock.now()).total_seconds())
        moment.move_to(job.next_try_at)
    assert pauses == [10, 20, 40]
    await until_idle(counting(seen))
    job = await found(code)
    assert (seen, job.state, job.error, job.attempts) == ([0, 1, 2], "done", "", 0)


async def test_in_the_end_it_stands_on_the_admins_desk_and_can_be_tried_again(
    database: Database, moment: time_machine.Traveller
) -> None:
    code, seen = await started(total=3), list[int]()
    for _attempt in range(jobs.MOST_ATTEMPTS):
        await until_idle(counting(seen, fails_at=1))
        moment.shift(timedelta(minutes=10))
    job = await found(code)
    async with reading() as session:
        [alarm] = await alarms.open_ones(session)
    assert (job.state, alarm.kind, alarm.about) == ("failed", "job_failed", f"job:{code}")
    assert "the wall" in job.error
    async with writing() as tx:
        await jobs.try_again(tx, job, by=job.by_user_id)
    await until_idle(counting(seen))
    async with reading() as session:
        assert await alarms.open_ones(session) == []
    assert (seen, (await found(code)).state) == ([0, 1, 2], "done")


async def test_a_refusal_ends_it_at_once_and_wakes_nobody(database: Database) -> None:
    code = await started(total=3)
    await until_idle(counting([], fails_at=1, with_what=Refused("The event was called off.")))
    job = await found(code)
    async with reading() as session:
        assert await alarms.open_ones(session) == []
    assert (job.state, job.error, job.done) == ("failed", "The event was called off.", 1)


async def test_only_a_failed_job_is_tried_again(database: Database) -> None:
    code = await started(total=1)
    await until_idle(counting([]))
    async with writing() as tx:
        await jobs.try_again(tx, await found(code), by=1)
    assert (await found(code)).state == "done"


async def test_a_kind_that_nobody_knows_fails_like_any_other(database: Database) -> None:
    code = await started("unknown")
    await jobs.work({})
    assert (await found(code)).is_late


async def test_a_part_that_is_gone_is_noticed_before_anything_is_written_behind_it(sqlite_database: Database) -> None:
    code = await started(file_name="list.csv")
    job = await found(code)
    job.cursor = {"bytes": await jobs.append(job, b"one\n")}
    job.path.write_bytes(b"")
    with pytest.raises(OSError, match="gone"):
        await jobs.append(job, b"two\n")


# ---------- killed ----------


async def killed_at(moment: int, how: str) -> int:
    """A process works on the job and dies at the moment; gives how it ended (0: it came to the end)."""
    arguments = ("-m", "tests.core.dying", str(settings().data), str(moment), how)
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=Path(__file__).parents[2])
    return await process.wait()


async def outcome(code: str) -> tuple[Counter[str], list[str]]:
    """How often each thing was done, and the lines of the file."""
    db.connect(settings().database_url)
    async with reading() as session:
        done = (await session.exec(select(Activity.about).where(Activity.kind == "thing.done"))).all()
    job = await found(code)
    assert job.state == "done"
    return Counter(done), job.path.read_text().split()


async def run_and_kill(code: str, moments: list[int], how: str) -> tuple[Counter[str], list[str]]:
    await db.disconnect()
    assert [await killed_at(moment, how) for moment in moments] == [-9] * len(moments)
    assert await killed_at(0, how) == 0
    return await outcome(code)


ONCE = Counter({f"thing:{number}": 1 for number in range(dying.THINGS)})


@ON_SQLITE
async def test_a_kill_at_any_moment_loses_nothing_and_repeats_nothing(database: Database) -> None:
    """The first process dies before its first batch, the second after the file was written, the third after the commit."""
    code = await started(dying.KIND, total=dying.THINGS, file_name="things.csv")
    done, lines = await run_and_kill(code, [1, 2, 3], "together")
    assert (done, lines) == (ONCE, [str(number) for number in range(dying.THINGS)])


@ON_SQLITE
async def test_without_the_one_transaction_a_kill_repeats_something(database: Database) -> None:
    """The negative control: what is done and how far it came are two transactions."""
    code = await started(dying.KIND, total=dying.THINGS, file_name="things.csv")
    done, _lines = await run_and_kill(code, [3], "apart")
    assert done != ONCE


# ---------- what goes by itself ----------


async def test_files_are_kept_for_a_week(sqlite_database: Database, moment: time_machine.Traveller) -> None:
    code = await started(total=1, file_name="list.csv")
    await until_idle(counting([]))
    job = await found(code)
    moment.shift(jobs.FILES_KEPT - timedelta(seconds=1))
    assert job.has_file(clock.now())
    moment.shift(timedelta(seconds=1))
    assert not job.has_file(clock.now())


async def test_a_job_cannot_have_done_less_than_nothing(database: Database) -> None:
    code = await started()
    with pytest.raises(IntegrityError, match="progress"):
        async with writing() as tx:
            await tx.exec(update(Job).where(Job.code == code).values(done=-1))
