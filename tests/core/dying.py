"""A process that works on a job and kills itself at a chosen moment: `python -m tests.core.dying FOLDER DIES_AT HOW`.

Each batch writes down two things and appends two lines to the job's file. `HOW` is "together" when how far it came is kept in
the transaction that writes the things, as it must be, and "apart" for the negative control.
"""

import asyncio
import dataclasses
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

from sqlmodel.ext.asyncio.session import AsyncSession

from app import tables
from app.core import activity, db, jobs
from app.core.jobs import Job
from app.core.settings import Settings, use

THINGS = 6
AT_ONCE = 2
KIND = "dying"

_moments = iter(range(1, 1000))


def moment(dies_at: int) -> None:
    """One of the moments at which a process can die."""
    if next(_moments) == dies_at:
        os.kill(os.getpid(), signal.SIGKILL)


async def work(folder: Path, *, dies_at: int, together: bool) -> None:
    async def batch(job: Job) -> None:
        first = int(job.cursor.get("next", 0))
        things = range(first, min(first + AT_ONCE, THINGS))
        moment(dies_at)
        size = await jobs.append(job, b"".join(b"%d\n" % thing for thing in things))
        moment(dies_at)
        async with db.writing() as tx:
            for thing in things:
                await activity.record(tx, "thing.done", about=f"thing:{thing}", by=None)
            if together:
                await came_to(tx, job, things.stop, size)
        moment(dies_at)
        if not together:
            async with db.writing() as tx:
                await came_to(tx, job, things.stop, size)

    async def came_to(tx: AsyncSession, job: Job, reached: int, size: int) -> None:
        cursor = {"next": reached, "bytes": size}
        await jobs.advance(tx, job, cursor=cursor, done=reached - int(job.cursor.get("next", 0)), over=reached == THINGS)

    # The next process need not wait until it is sure that this one is gone.
    jobs.CLAIMED_FOR = timedelta(0)
    while await jobs.work({KIND: batch}):
        pass


async def main(folder: Path, dies_at: int, how: str) -> None:
    use(dataclasses.replace(Settings(), data=folder, database_url=f"sqlite+aiosqlite:///{folder / 'test.db'}"))
    db.connect(f"sqlite+aiosqlite:///{folder / 'test.db'}")
    await work(folder, dies_at=dies_at, together=how == "together")
    await db.disconnect()


if __name__ == "__main__":
    assert tables.metadata
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
