"""Batches of steps over the plain drivers, without SQLAlchemy around them.

A batch first opens what its works are about, in one order, then runs the works. A work that refuses is undone alone, back
to its TRY; the others are kept.
"""

import asyncio
import re
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import asyncpg  # type: ignore[import-untyped]

from app.core import db
from app.core.db import Database
from app.core.steps import TRY, without_locks
from app.core.works import Outcome, Running, Work, opening, started


class OnSqlite:
    """The driver itself, on the event loop: a statement takes some microseconds, less than a change of thread.

    Only what may wait has a thread of its own: BEGIN for another process, COMMIT for the disk. A thread that ran the
    statements would ask for the interpreter's lock again after each of them, and wait for it while the loop is busy.
    """

    def __init__(self, database: Database) -> None:
        self._path = database.path
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="group-commit")
        self._sqlite: sqlite3.Connection | None = None

    async def commit(self, works: list[Work]) -> list[Outcome]:
        sqlite = self._opened()
        await self._waiting_for(sqlite, "BEGIN IMMEDIATE")
        try:
            opened = {name: self._one(sqlite, opening(work)) for name, work in _openings(works)}
            outcomes = [self._one(sqlite, started(work, opened[work.about])) for work in works]
            await self._waiting_for(sqlite, "COMMIT")
        except BaseException:
            sqlite.rollback()
            raise
        return outcomes

    async def close(self) -> None:
        self._thread.shutdown()
        if self._sqlite:
            self._sqlite.close()

    async def _waiting_for(self, sqlite: sqlite3.Connection, statement: str) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, sqlite.execute, statement)

    def _one(self, sqlite: sqlite3.Connection, running: Running) -> Outcome:
        while running.asks:
            sql, values = running.asks
            rows: list[Any] = []
            try:
                if sql == TRY[0]:
                    sqlite.execute("SAVEPOINT one")
                else:
                    rows = sqlite.execute(without_locks(sql), values).fetchall()
            except sqlite3.Error as error:
                running.fail(error)
            else:
                running.send(rows)
        if running.is_trying:
            if running.outcome[1]:
                sqlite.execute("ROLLBACK TO one")
            sqlite.execute("RELEASE one")
        return running.outcome

    def _opened(self) -> sqlite3.Connection:
        if not self._sqlite:
            self._sqlite = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            for pragma in db.SQLITE_PRAGMAS:
                self._sqlite.execute(f"PRAGMA {pragma}")
        return self._sqlite


class Entangled(Exception):
    """Something of one work must be undone, and with it all of its batch."""


class OnPostgresql:
    """asyncpg, and works side by side: what several of them ask in the same words is one message to the database.

    That is twice as fast as one work after the other, but has no place for a savepoint of each. A refusal that has changed
    nothing needs none, and those are nearly all; after any other the batch starts again, one work after the other.
    A deadlock or a lock timeout makes it try the whole batch once more.
    """

    def __init__(self, database: Database) -> None:
        self._url = database.url.replace("postgresql+asyncpg://", "postgresql://")
        self._postgresql: asyncpg.Connection | None = None

    async def commit(self, works: list[Work]) -> list[Outcome]:
        for _attempt in range(3):
            try:
                return await self._commit(works)
            except asyncpg.PostgresError as error:
                if error.sqlstate not in db.RETRYABLE:
                    raise
        return await self._commit(works)

    async def close(self) -> None:
        if self._postgresql:
            await self._postgresql.close()

    async def _commit(self, works: list[Work]) -> list[Outcome]:
        if not self._postgresql or self._postgresql.is_closed():
            self._postgresql = await asyncpg.connect(self._url, server_settings=db.POSTGRESQL_LIMITS)
        postgresql = self._postgresql
        try:
            async with postgresql.transaction():
                opened = {name: await self._one(postgresql, opening(work)) for name, work in _openings(works)}
                return await self._side_by_side(postgresql, [started(work, opened[work.about]) for work in works])
        except Entangled:
            async with postgresql.transaction():
                opened = {name: await self._one(postgresql, opening(work)) for name, work in _openings(works)}
                batch = [started(work, opened[work.about]) for work in works]
                # What is locked before a TRY is locked in the same order here, or two processes could wait for each other.
                await self._side_by_side(postgresql, batch, until=TRY[0])
                return [await self._one(postgresql, running) for running in batch]

    async def _side_by_side(self, postgresql: Any, batch: list[Running], *, until: str = "") -> list[Outcome]:
        """Asks what the first one asks, for all who ask the same, until nobody asks any more or all of them are so far."""
        while asking := [(running, *running.asks) for running in batch if running.asks and running.asks[0] != until]:
            asked = asking[0][1]
            together = [(running, values) for running, sql, values in asking if sql == asked]
            # A second limit of each is locked in the order of its keys, as the first is by the order of the batch.
            together.sort(key=lambda one: one[1].get("key", ""))
            try:
                answers = await _ask(postgresql, asked, [values for _running, values in together])
            except asyncpg.PostgresError as error:
                if error.sqlstate in db.RETRYABLE or postgresql.is_closed():
                    raise
                raise Entangled from error
            for (running, _values), rows in zip(together, answers, strict=True):
                running.send(rows)
                if running.has_changes and running.outcome[1]:
                    raise Entangled
        return [running.outcome for running in batch]

    async def _one(self, postgresql: Any, running: Running) -> Outcome:
        while running.asks:
            sql, values = running.asks
            rows: list[Any] = []
            try:
                if sql == TRY[0]:
                    await postgresql.execute("SAVEPOINT one")
                else:
                    [rows] = await _ask(postgresql, sql, [values])
            except asyncpg.PostgresError as error:
                # Before a savepoint the database refuses only what nobody expects: then nothing of the batch can be kept.
                if error.sqlstate in db.RETRYABLE or not running.is_trying or postgresql.is_closed():
                    raise
                running.fail(error)
            else:
                running.send(rows)
        if running.is_trying:
            await postgresql.execute(_UNDO if running.outcome[1] else _KEEP)
        return running.outcome


_KEEP = "RELEASE SAVEPOINT one"
_UNDO = "ROLLBACK TO SAVEPOINT one; RELEASE SAVEPOINT one"


async def _ask(postgresql: Any, sql: str, many: list[dict[str, Any]]) -> list[list[Any]]:
    """The rows that the statement gives for each of these values, in their order."""
    numbered, names = _numbered(sql)
    arguments = [[values[name] for name in names] for values in many]
    if sql == TRY[0]:
        return [[] for _values in many]
    if len(many) == 1:
        return [await postgresql.fetch(numbered, *arguments[0])]
    if sql.startswith("SELECT"):
        # Nothing changes in between, so the same question has the same answer: all who are too late ask what is left.
        found: dict[tuple[Any, ...], list[Any]] = {}
        for one in map(tuple, arguments):
            if one not in found:
                found[one] = await postgresql.fetch(numbered, *one)
        return [found[tuple(one)] for one in arguments]
    answers: list[list[Any]] = [[] for _values in many]
    if " RETURNING " in sql:
        # The rows come in one heap, so each says whose it is.
        tagged = f"{numbered}, ${len(names) + 1}::int AS whose"
        for row in await postgresql.fetchmany(tagged, [[*one, whose] for whose, one in enumerate(arguments)]):
            answers[row[-1]].append(row[:-1])
    else:
        await postgresql.executemany(numbered, arguments)
    return answers


def _openings(works: list[Work]) -> list[tuple[str, Work]]:
    """One opening for each thing that the works are about, in the order in which everybody locks them."""
    return sorted({work.about: work for work in works}.items())


_NAME = re.compile(r"(?<!:):([a-z_]+)")


@cache
def _numbered(sql: str) -> tuple[str, tuple[str, ...]]:
    """The statement with $1, $2 … instead of names, and the names in that order."""
    names = tuple(dict.fromkeys(_NAME.findall(sql)))
    return _NAME.sub(lambda found: f"${names.index(found[1]) + 1}", sql), names
