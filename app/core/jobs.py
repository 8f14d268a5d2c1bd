"""Long work: what takes many transactions, is watched on a page, and goes on where it stood after whatever happened.

A job is a row. The worker claims it and calls the flow of its kind (worker.JOBS) for one batch after the other. A batch
writes what it does and how far it came in one transaction, so a process that is killed loses nothing and repeats nothing.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import JSON, CheckConstraint, Column, Index, update
from sqlmodel import Field, SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import activity, alarms, clock, i18n
from app.core.codes import random_id, secret_code
from app.core.columns import link, one_of, row_id
from app.core.db import changed, outside_writing, reading, writing
from app.core.errors import Refused
from app.core.redaction import clean
from app.core.settings import settings
from app.core.sheets import MARK, csv_rows

log = structlog.get_logger()

STATES = ("waiting", "running", "done", "failed")
OPEN = ("waiting", "running")

# So many rows of a database are one batch at most; the next one begins in a transaction of its own.
BATCH = 200
# How many jobs take turns, so that a short one need not wait for a long one.
AT_ONCE = 5
# A batch that has not come to its end by then belongs to a process that is gone.
CLAIMED_FOR = timedelta(minutes=1)
# Pauses of 10 seconds to five minutes between them: a little more than ten minutes in all.
MOST_ATTEMPTS = 6
MOST_SENTENCES = 100
FILES_KEPT = timedelta(days=7)
# A job about one of these makes a file about everybody; only an admin, who may be none any more, may have it.
OF_EVERYBODY = ("activities:all", "payments:all")


class Job(SQLModel, table=True):
    """Long work that somebody started. `wish` is what is to be done, `cursor` where it stands: ids and words, nothing personal.

    `sentence` is what it does, as our sources say it, and `name` whose name stands in it: so everybody reads the title in their
    language. `back` is the path of the page from which it was started. `said` are sentences about what was refused.
    `file` names the result on the disk and `file_name` as it is downloaded. `turn` counts the claims.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint(one_of("state", STATES), name="state"),
        CheckConstraint("done >= 0 AND total >= 0", name="progress"),
        Index("ix_jobs_due", "state", "next_try_at"),
    )

    id: int | None = row_id()
    code: str = Field(default_factory=secret_code, max_length=22, unique=True)
    kind: str = Field(max_length=40)
    about: str = Field(max_length=80, index=True)
    by_user_id: int = link("users.id")
    language: str = Field(default=i18n.DEFAULT, max_length=8)
    sentence: str = Field(max_length=250)
    name: str = Field(default="", max_length=120)
    back: str = Field(default="", max_length=200)
    wish: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    cursor: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    total: int = 0
    done: int = 0
    state: str = Field(default="waiting", max_length=8)
    said: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    error: str = Field(default="", max_length=500)
    file: str = Field(default="", max_length=40)
    file_name: str = Field(default="", max_length=120)
    turn: int = 0
    attempts: int = 0
    created_at: datetime
    next_try_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def title(self) -> str:
        """What it does, in the reader's language."""
        said = i18n.gettext(self.sentence)
        return said % {"title": self.name, "subject": self.name} if self.name else said

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def is_late(self) -> bool:
        """A batch has failed, and the next attempt waits."""
        return self.state == "running" and self.error != ""

    def has_file(self, now: datetime) -> bool:
        """Whether its file can be downloaded."""
        return self.state == "done" and self.file != "" and self.ended_at is not None and now < self.ended_at + FILES_KEPT

    @property
    def path(self) -> Path:
        """Where its file lies."""
        return folder() / self.file


# One batch of a job. It opens short writing blocks itself, and calls advance() or finish() in the last of them.
Flow = Callable[[Job], Awaitable[None]]


class OutOfTurn(Exception):
    """Somebody else has claimed the job meanwhile. Raised inside a writing block it undoes the block, as it must."""


async def start(
    tx: AsyncSession,
    kind: str,
    *,
    about: str,
    by: int,
    title: Any,
    name: str = "",
    wish: Mapping[str, Any],
    total: int,
    back: str = "",
    file_name: str = "",
) -> Job:
    """A job of a kind that worker.JOBS knows, about a thing such as "event:3". The caller records who wanted what.

    `title` is a lazy sentence; `name` stands in it as "%(title)s" or "%(subject)s". `total` is how many things there are
    to do; `file_name` is for jobs that make a file. Its page is /manager/jobs/{code}.
    """
    now = clock.now()
    with i18n.speaking(i18n.DEFAULT):
        sentence = str(title)
    job = Job(
        kind=kind,
        about=about,
        by_user_id=by,
        language=i18n.language(),
        sentence=sentence,
        name=name,
        back=back,
        wish=dict(wish),
        total=total,
        file=random_id() if file_name else "",
        file_name=file_name,
        created_at=now,
        next_try_at=now,
    )
    tx.add(job)
    await tx.flush()
    activity.wake_after(tx)
    return job


async def advance(
    tx: AsyncSession, job: Job, *, cursor: Mapping[str, Any], done: int, said: Sequence[str] = (), over: bool = False
) -> None:
    """How far the batch came: `done` more things, `said` about those that were refused; `over` when there is no more.

    Belongs into the transaction that writes what the batch did. Raises OutOfTurn, which undoes it, when the claim was lost.
    """
    now = clock.now()
    kept = [*job.said, *said][:MOST_SENTENCES]
    values = {"cursor": dict(cursor), "done": col(Job.done) + done, "said": kept, "error": "", "attempts": 0, "next_try_at": now}
    if over:
        values |= {"state": "done", "ended_at": now}
    if not await changed(tx, update(Job).where(*_claimed(job)).values(**values)):
        raise OutOfTurn


async def restart(tx: AsyncSession, *conditions: Any) -> None:
    """Open jobs that fulfil the conditions begin again, with another file; whatever works on them now is out of turn."""
    wanted = (col(Job.state).in_(OPEN), *conditions)
    for job_id in (await tx.exec(select(Job.id).where(*wanted))).all():
        anew = {"cursor": {}, "done": 0, "said": [], "file": random_id(), "turn": col(Job.turn) + 1, "next_try_at": clock.now()}
        await changed(tx, update(Job).where(col(Job.id) == job_id, *wanted).values(**anew))


async def try_again(tx: AsyncSession, job: Job, *, by: int) -> None:
    """A failed job goes on where it stood. Nothing happens to any other."""
    now = clock.now()
    again = {"state": "waiting", "error": "", "attempts": 0, "ended_at": None, "next_try_at": now}
    if await changed(tx, update(Job).where(col(Job.id) == job.id, col(Job.state) == "failed").values(**again)):
        await activity.record(tx, "job.tried_again", about=f"job:{job.id}", by=by)
        await alarms.calm(tx, "job_failed", about=f"job:{job.code}")


# ---------- the worker's side ----------


async def work(flows: Mapping[str, Flow]) -> int:
    """One batch of each job that is due, up to five jobs; gives how many were tried."""
    async with reading() as db:
        due = select(Job).where(col(Job.state).in_(OPEN), col(Job.next_try_at) <= clock.now())
        found = (await db.exec(due.order_by(col(Job.next_try_at), col(Job.id)).limit(AT_ONCE))).all()
    for job in found:
        await _one_batch(job, flows)
    return len(found)


async def _one_batch(job: Job, flows: Mapping[str, Flow]) -> None:
    claimed = await _claim(job)
    if not claimed:
        return
    try:
        with i18n.speaking(claimed.language):
            await flows[claimed.kind](claimed)
    except OutOfTurn:
        log.info("a job went on elsewhere", job=job.id)
    except Refused as refused:
        await _end(claimed, error=refused.sentence)
    except Exception as error:
        # Whatever went wrong, the row must say so, and the next attempt comes.
        log.exception("a batch failed", job=job.id, kind=job.kind)
        await _note_failure(claimed, error=clean(f"{type(error).__name__}: {error}"))


async def _claim(job: Job) -> Job | None:
    """The job as it is now, if this caller works on it next. Whoever claimed it before is out of turn."""
    now = clock.now()
    due = update(Job).where(
        col(Job.id) == job.id, col(Job.turn) == job.turn, col(Job.state).in_(OPEN), col(Job.next_try_at) <= now
    )
    values = {"state": "running", "turn": col(Job.turn) + 1, "attempts": col(Job.attempts) + 1, "next_try_at": now + CLAIMED_FOR}
    async with writing() as tx:
        started = {"started_at": job.started_at or now}
        if not await changed(tx, due.values(**values, **started)):
            return None
        return await tx.get_one(Job, job.id)


async def _note_failure(job: Job, *, error: str) -> None:
    """Tried again after a growing pause; after six times it has failed and stands on the admin's desk."""
    if job.attempts >= MOST_ATTEMPTS:
        await _end(job, error=error, alarming=True)
        return
    pause = timedelta(seconds=10 * 2 ** min(job.attempts - 1, 5))
    async with writing() as tx:
        await changed(tx, update(Job).where(*_claimed(job)).values(error=error[:500], next_try_at=clock.now() + pause))


async def _end(job: Job, *, error: str, alarming: bool = False) -> None:
    async with writing() as tx:
        failed = update(Job).where(*_claimed(job)).values(state="failed", error=error[:500], ended_at=clock.now())
        if not await changed(tx, failed):
            return
        await activity.record(tx, "job.failed", about=f"job:{job.id}", by=None)
        if alarming:
            await alarms.sound(tx, "job_failed", about=f"job:{job.code}", error=error[:200])


def _claimed(job: Job) -> tuple[Any, ...]:
    return col(Job.id) == job.id, col(Job.turn) == job.turn, col(Job.state) == "running"


# ---------- files ----------


def folder() -> Path:
    return settings().data / "jobs"


async def append(job: Job, part: bytes) -> int:
    """Writes a part of the job's file behind what is known to be written, and gives the file's new length in bytes.

    The length belongs into the cursor as "bytes". What a killed process wrote behind it is cut off first, so no part is there
    twice.
    """
    outside_writing("A file")
    return await asyncio.to_thread(_append, job.path, int(job.cursor.get("bytes", 0)), part)


async def append_rows(job: Job, head: Sequence[object], rows: Sequence[Sequence[object]], *, reached: Any, over: bool) -> None:
    """Writes the next rows of a CSV file below its `head`. How far the batch came, `reached`, stands in the cursor as "after"."""
    part: Any = csv_rows(rows)
    if not job.cursor:
        part = MARK + csv_rows([head]) + part
    size = await append(job, part)
    async with writing() as tx:
        await advance(tx, job, cursor={"after": reached, "bytes": size}, done=len(rows), over=over)


def _append(path: Path, known: int, part: bytes) -> int:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
        if file.seek(0, os.SEEK_END) < known:
            raise OSError("a part of the file is gone")
        file.truncate(known)
        file.seek(known)
        file.write(part)
        file.flush()
        os.fsync(file.fileno())
    return known + len(part)


# ---------- questions ----------


async def by_code(db: AsyncSession, code: str) -> Job | None:
    return (await db.exec(select(Job).where(Job.code == code))).first()


async def at_work(db: AsyncSession, kind: str, *, by: int, wish: Mapping[str, Any]) -> Job | None:
    """Somebody's job of this kind that is not over and does the very same."""
    own = select(Job).where(Job.kind == kind, Job.by_user_id == by, col(Job.state).in_(OPEN))
    return next((job for job in (await db.exec(own)).all() if job.wish == wish), None)


async def newest(db: AsyncSession, *, by: int | None, most: int = 50) -> Sequence[Job]:
    """Somebody's jobs, or with None everybody's, the newest first."""
    own = () if by is None else (col(Job.by_user_id) == by,)
    return (await db.exec(select(Job).where(*own).order_by(col(Job.id).desc()).limit(most))).all()


async def files(db: AsyncSession) -> set[str]:
    """Names of the files that belong to a job."""
    return set((await db.exec(select(Job.file).where(Job.file != ""))).all())
