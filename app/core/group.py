"""Group commit: small transactions of many requests that are committed together.

A commit waits for the disk, and an async session changes threads several times a statement; one at a time that is a few
hundred transactions a second. Here one writer takes what is waiting, runs each over the plain driver
(app/core/plain.py), commits **once**, and only then answers all of them: whoever has an answer has it on disk.
Between processes the guards in the database decide, as everywhere.
"""

import asyncio
from collections import deque
from typing import Any, Protocol

from app.core import db
from app.core.db import Database, outside_writing
from app.core.plain import OnPostgresql, OnSqlite
from app.core.works import Outcome, Work

# A batch: the more requests share a commit, the longer the first of them waits for the last.
MOST = 128


class Connection(Protocol):
    """A plain connection that can commit a batch. Raises what the database raises when nothing of it was kept."""

    async def commit(self, works: list[Work]) -> list[Outcome]: ...

    async def close(self) -> None: ...


class GroupCommit:
    """The writer of one process. It is at work only while somebody waits, so there is nothing to start or to stop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection = OnSqlite(database) if database.is_sqlite else OnPostgresql(database)
        self._waiting: deque[tuple[Work, asyncio.Future[Any]]] = deque()
        self._serving: asyncio.Task[None] | None = None
        database.at_the_end(self._connection.close)

    async def do(self, work: Work) -> Any:
        """Gives the result of the work's steps once it is on disk, or raises what they raised."""
        outside_writing("A group commit")
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, answer))
        if not self._serving:
            self._serving = asyncio.create_task(self._serve())
        return await answer

    async def _serve(self) -> None:
        try:
            while self._waiting:
                await self._commit(self._next())
        finally:
            self._serving = None

    def _next(self) -> list[tuple[Work, asyncio.Future[Any]]]:
        """The next batch, in the order in which every batch of every process takes locks."""
        batch: dict[str, tuple[Work, asyncio.Future[Any]]] = {}
        later = []
        while self._waiting and len(batch) < MOST:
            entry = self._waiting.popleft()
            if entry[0].whose in batch:
                later.append(entry)
            else:
                batch[entry[0].whose] = entry
        self._waiting.extendleft(reversed(later))
        return sorted(batch.values(), key=lambda entry: (entry[0].locks, entry[0].about))

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
