"""Group commit: small transactions of many requests that are committed together.

A commit waits for the disk, and an async session changes threads several times a statement; one at a time that is a few
hundred transactions a second. Here one writer takes what is waiting, runs each over the plain
driver, commits **once**, and only then answers all of them: whoever has an answer has it on disk.
Between processes the guards in the database decide, as everywhere.
"""

import asyncio
import re
import sqlite3
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, Protocol

import asyncpg  # type: ignore[import-untyped]

from app.core import db
from app.core.db import Database, outside_writing
from app.core.steps import TRY, Steps, stored, without_locks

# A batch: the more requests share a commit, the longer the first of them waits for the last.
MOST = 64

# What the requests of one batch have read already, so that the same event is not read for each of them.
Known = dict[Any, Any]
Work = Callable[[Known], Steps[Any]]
Outcome = tuple[Any, BaseException | None]


class Connection(Protocol):
    """A plain connection that can commit a batch. Raises what the database raises when nothing of it was kept."""

    async def commit(self, works: list[Work]) -> list[Outcome]: ...

    async def close(self) -> None: ...


class GroupCommit:
    """The writer of one process. It is at work only while somebody waits, so there is nothing to start or to stop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection = OnSqlite(database) if database.is_sqlite else OnPostgresql(database)
        self._waiting: deque[tuple[str, Work, asyncio.Future[Any]]] = deque()
        self._serving: asyncio.Task[None] | None = None
        database.at_the_end(self._connection.close)

    async def do(self, work: Work, *, order: str) -> Any:
        """Runs the steps that `work` makes; gives their result once it is on disk, or raises what they raised.

        `order` names what the steps lock first. Every batch of every process goes through these names in the same
        order, so that no two batches wait for each other.
        """
        outside_writing("A group commit")
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((order, work, answer))
        if not self._serving:
            self._serving = asyncio.create_task(self._serve())
        return await answer

    async def _serve(self) -> None:
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
                await self._commit([(work, answer) for _order, work, answer in sorted(batch, key=lambda entry: entry[0])])
        finally:
            self._serving = None

    async def _commit(self, batch: list[tuple[Work, asyncio.Future[Any]]]) -> None:
        try:
            async with self._database.turn(ahead=True):
                outcomes = await self._connection.commit([work for work, _answer in batch])
        except Exception as error:  # noqa: BLE001 - whoever waits hears of it
            outcomes = [(None, error)] * len(batch)
        for (_work, answer), (result, refusal) in zip(batch, outcomes, strict=True):
            if answer.done():
                continue
            if refusal:
                answer.set_exception(refusal)
            else:
                answer.set_result(result)


def group() -> GroupCommit:
    """The group commit of this process's database."""
    database = db.database()
    if not isinstance(database.group, GroupCommit):
        database.group = GroupCommit(database)
    return database.group


class OnSqlite:
    """The driver itself in a thread of its own: a batch costs two changes of thread instead of several a statement."""

    def __init__(self, database: Database) -> None:
        self._path = database.path
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="group-commit")
        self._sqlite: sqlite3.Connection | None = None

    async def commit(self, works: list[Work]) -> list[Outcome]:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._commit, works)

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    def _commit(self, works: list[Work]) -> list[Outcome]:
        sqlite = self._opened()
        sqlite.execute("BEGIN IMMEDIATE")
        try:
            known: Known = {}
            outcomes = [self._one(sqlite, _steps(work, known)) for work in works]
            sqlite.execute("COMMIT")
        except BaseException:
            sqlite.rollback()
            raise
        return outcomes

    def _one(self, sqlite: sqlite3.Connection, steps: Steps[Any]) -> Outcome:
        trying = False
        try:
            sql, values = next(steps)
            while True:
                rows: list[Any] = []
                if sql == TRY[0]:
                    sqlite.execute("SAVEPOINT one")
                    trying = True
                else:
                    rows = sqlite.execute(without_locks(sql), stored(values)).fetchall()
                sql, values = steps.send(rows)
        except StopIteration as end:
            if trying:
                sqlite.execute("RELEASE one")
            return end.value, None
        except Exception as error:  # noqa: BLE001 - whoever waits hears of it
            steps.close()
            if trying:
                sqlite.execute("ROLLBACK TO one")
                sqlite.execute("RELEASE one")
            return None, error

    def _opened(self) -> sqlite3.Connection:
        if not self._sqlite:
            self._sqlite = sqlite3.connect(self._path, isolation_level=None)
            for pragma in db.SQLITE_PRAGMAS:
                self._sqlite.execute(f"PRAGMA {pragma}")
        return self._sqlite

    def _close(self) -> None:
        if self._sqlite:
            self._sqlite.close()


class OnPostgresql:
    """asyncpg without SQLAlchemy around it. A deadlock or a lock timeout makes it try the whole batch once more."""

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
        known: Known = {}
        async with self._postgresql.transaction():
            return [await self._one(self._postgresql, _steps(work, known)) for work in works]

    async def _one(self, postgresql: Any, steps: Steps[Any]) -> Outcome:
        trying = False
        try:
            sql, values = next(steps)
            while True:
                rows: list[Any] = []
                if sql == TRY[0]:
                    await postgresql.execute("SAVEPOINT one")
                    trying = True
                else:
                    numbered, names = _numbered(sql)
                    rows = await postgresql.fetch(numbered, *[values[name] for name in names])
                sql, values = steps.send(rows)
        except StopIteration as end:
            if trying:
                await postgresql.execute("RELEASE SAVEPOINT one")
            return end.value, None
        except Exception as error:
            steps.close()
            # Without a savepoint the database itself refused something that is never refused: nothing of the batch can be kept.
            if isinstance(error, asyncpg.PostgresError) and (error.sqlstate in db.RETRYABLE or not trying):
                raise
            if postgresql.is_closed():
                raise
            if trying:
                await postgresql.execute("ROLLBACK TO SAVEPOINT one; RELEASE SAVEPOINT one")
            return None, error


def _steps(work: Work, known: Known) -> Steps[Any]:
    """The steps of a work, which begins only when it is its turn: what it raises is its own affair."""
    return (yield from work(known))


_NAME = re.compile(r"(?<!:):([a-z_]+)")


@cache
def _numbered(sql: str) -> tuple[str, tuple[str, ...]]:
    """The statement with $1, $2 … instead of names, and the names in that order."""
    names = tuple(dict.fromkeys(_NAME.findall(sql)))
    return _NAME.sub(lambda found: f"${names.index(found[1]) + 1}", sql), names
