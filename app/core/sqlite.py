"""SQLite in one change of thread for each question.

The driver runs SQLite in a thread of its own and goes there for the cursor, for the question, for the rows and to close: four
times. On a page that asks three questions these ways took longer than the answers.
"""

import sqlite3
from collections import deque
from contextlib import closing
from typing import Any

from sqlalchemy.dialects.sqlite.aiosqlite import AsyncAdapt_aiosqlite_connection, AsyncAdapt_aiosqlite_cursor
from sqlalchemy.util import EMPTY_DICT


class OneWay(AsyncAdapt_aiosqlite_cursor):
    """A cursor that goes there once, and comes back with everything that SQLAlchemy will want to know."""

    __slots__ = ("description", "lastrowid", "rowcount")

    # Nothing stays open there that would have to be closed.
    _awaitable_cursor_close = False

    def __init__(self, adapted: AsyncAdapt_aiosqlite_connection) -> None:
        self._adapt_connection = adapted
        self._connection = adapted._connection
        self._cursor = None  # type: ignore[assignment]
        self._soft_closed_memoized = EMPTY_DICT
        self._rows = deque()
        self._keep(None, None, -1)

    async def _execute_async(self, operation: str, parameters: Any) -> None:
        await self._ask("execute", operation, parameters or ())

    async def _executemany_async(self, operation: str, seq_of_parameters: Any) -> None:
        await self._ask("executemany", operation, seq_of_parameters)

    async def _ask(self, how: str, operation: str, parameters: Any) -> None:
        async with self._adapt_connection._execute_mutex:
            connection: Any = self._connection
            answer = await connection._execute(_answer, connection._conn, how, operation, parameters)
        self._rows, *facts = answer
        self._keep(*facts)

    def _keep(self, description: Any, lastrowid: int | None, rowcount: int) -> None:
        self.description, self.lastrowid, self.rowcount = description, lastrowid, rowcount  # type: ignore[assignment, misc]


def _answer(connection: sqlite3.Connection, how: str, operation: str, parameters: Any) -> tuple[deque[Any], Any, int | None, int]:
    """In SQLite's thread: the rows, what they are called, and what was changed."""
    with closing(connection.cursor()) as cursor:
        getattr(cursor, how)(operation, parameters)
        rows = deque(cursor.fetchall() if cursor.description else ())
        return rows, cursor.description, cursor.lastrowid, cursor.rowcount


def go_once() -> None:
    """From now on every cursor of the driver is such a one; those for streaming stay as they are."""
    AsyncAdapt_aiosqlite_connection._cursor_cls = OneWay  # type: ignore[assignment]
