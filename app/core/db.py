"""The database: reading sessions, writing blocks, and the law between them.

Leaving a writing block keeps, raising undoes. Nothing slow happens while one is open: no network, no hashing,
no mail, no rendering. On SQLite that would stop every other writer; anywhere a rollback cannot undo it.
"""

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import wraps
from typing import Any, Literal, ParamSpec, TypeVar

from sqlalchemy import event, make_url, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import sqlite
from app.core.turns import Turns

# Before this version a bug in WAL mode could corrupt a file that several processes write.
SQLITE_SAFE_FOR_PROCESSES = (3, 51, 3)

# Serialization failure, deadlock, lock timeout: the database asks us to try once more.
RETRYABLE = {"40001", "40P01", "55P03"}

SQLITE_PRAGMAS = (
    "journal_mode=wal",
    "synchronous=full",
    "foreign_keys=on",
    "busy_timeout=10000",
    "trusted_schema=off",
    # What is deleted is overwritten, so that the file does not remember whom the shop has erased.
    "secure_delete=on",
)
# Moments in statements of our own are kept as SQLAlchemy keeps those of the tables: as text in UTC.
sqlite3.register_adapter(datetime, lambda moment: moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds"))
POSTGRESQL_LIMITS = {"lock_timeout": "3s", "statement_timeout": "5s", "idle_in_transaction_session_timeout": "10s"}
# What a page of an index costs beside one that comes in order: on today's disks, and in memory, hardly more. With the number of
# PostgreSQL's own, made for disks that turn, a search cut the words of all events rather than look into the index over them.
POSTGRESQL_PLANS = {"random_page_cost": "1.1"}

P = ParamSpec("P")
R = TypeVar("R")

_is_writing: ContextVar[bool] = ContextVar("is_writing", default=False)


class Database:
    """Engines for one address. SQLite has one writing connection and several that cannot write.

    Whoever writes to SQLite waits for the turn.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        self._turns = Turns()
        self.group: object = None
        self._last: list[Callable[[], Awaitable[None]]] = []
        if self.is_sqlite:
            self.reader = _sqlite_engine(url, writes=False, size=6)
            self.writer = _sqlite_engine(url, writes=True, size=1)
        else:
            self.reader = _postgresql_engine(url, isolation_level="AUTOCOMMIT")
            self.writer = _postgresql_engine(url, isolation_level="READ COMMITTED")

    def turn(self, *, ahead: bool = False) -> AbstractAsyncContextManager[None]:
        """The turn to write. PostgreSQL knows by itself who may."""
        return self._turns.turn(ahead=ahead) if self.is_sqlite else nullcontext()

    @property
    def path(self) -> str:
        """Where a SQLite file lies."""
        return make_url(self.url).database or ""

    def at_the_end(self, call: Callable[[], Awaitable[None]]) -> None:
        """Calls before the connections are closed."""
        self._last.append(call)

    async def dispose(self) -> None:
        for call in self._last:
            await call()
        await self.reader.dispose()
        await self.writer.dispose()


_database: Database | None = None


def connect(url: str) -> Database:
    """Makes the database of this process; reading() and writing() use it from now on."""
    global _database
    _database = Database(url)
    return _database


async def disconnect() -> None:
    """Closes every connection of this process."""
    global _database
    if _database:
        await _database.dispose()
    _database = None


def database() -> Database:
    """The database of this process. Raises RuntimeError before connect()."""
    if not _database:
        raise RuntimeError("connect() comes first")
    return _database


class ReadingSession(AsyncSession):
    """Asks without a transaction, and gives the connection back after every question.

    A request that kept its connection while it waits for another one, for Stripe or for a hash would let sixty others
    that do the same wait for it: with ten connections the shop would stand still.
    """

    async def exec(self, *args: Any, **kwargs: Any) -> Any:
        result = await super().exec(*args, **kwargs)
        await self.commit()
        return result

    async def get(self, *args: Any, **kwargs: Any) -> Any:
        found = await super().get(*args, **kwargs)
        await self.commit()
        return found

    async def refresh(self, *args: Any, **kwargs: Any) -> None:
        await super().refresh(*args, **kwargs)
        await self.commit()


@asynccontextmanager
async def reading() -> AsyncIterator[AsyncSession]:
    """A session that only reads; on SQLite the connection itself refuses to write."""
    async with ReadingSession(database().reader, expire_on_commit=False) as db:
        yield db


@asynccontextmanager
async def writing() -> AsyncIterator[AsyncSession]:
    """A transaction. Leaving keeps, raising undoes; one inside another raises RuntimeError at once."""
    outside_writing("A second writing block")
    token = _is_writing.set(True)
    try:
        async with database().turn(), AsyncSession(database().writer, expire_on_commit=False) as tx, tx.begin():
            yield tx
    finally:
        _is_writing.reset(token)
    for call in tx.info.get("when_kept", ()):
        call()


async def changed(tx: AsyncSession, statement: Any) -> int:
    """How many rows a guarded UPDATE or DELETE changed: the row count decides. Instances read before keep what they had."""
    done = await tx.exec(statement.execution_options(synchronize_session=False))
    return int(done.rowcount)


async def add_unless_there(tx: AsyncSession, row: Any) -> bool:
    """Adds a row; when another request has just added the same, that one stays, and the answer is False."""
    try:
        async with tx.begin_nested():
            tx.add(row)
    except IntegrityError:
        return False
    return True


async def move(tx: AsyncSession, row: Any, target: str, *conditions: Any, out_of: Iterable[str], **values: Any) -> bool:
    """The guarded transition of a row with a state; whoever finds it already moved does nothing.

    Raises RuntimeError for a way that the table of transitions of its class does not know.
    """
    kind, sources = type(row), tuple(out_of)
    unknown = [source for source in sources if target not in kind.transitions[source]]
    if unknown:
        raise RuntimeError(f"{kind.__name__}: no way from {unknown} to {target}")
    moved = update(kind).where(col(kind.id) == row.id, col(kind.state).in_(sources), *conditions)
    return await changed(tx, moved.values(state=target, **values)) == 1


def when_kept(tx: AsyncSession, call: Callable[[], None]) -> None:
    """Calls back once the writing block has been committed, never when it was undone."""
    tx.info.setdefault("when_kept", []).append(call)


def outside_writing(what: str) -> None:
    """Raises RuntimeError when a writing block is open: call it before anything slow."""
    if _is_writing.get():
        raise RuntimeError(f"{what} has no place inside a writing block.")


def retried(flow: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
    """Runs a flow again, up to three times, when PostgreSQL reports a deadlock or a lock timeout.

    Only for flows whose writing blocks are safe to repeat as a whole.
    """

    @wraps(flow)
    async def again(*args: P.args, **kwargs: P.kwargs) -> R:
        for attempt in range(3):
            try:
                return await flow(*args, **kwargs)
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) not in RETRYABLE:
                    raise
                await asyncio.sleep(random.uniform(0.01, 0.05) * 2**attempt)
        return await flow(*args, **kwargs)

    return again


def one_process_owns_the_file() -> bool:
    """Whether this SQLite is too old to let two processes share a file in WAL mode."""
    return sqlite3.sqlite_version_info < SQLITE_SAFE_FOR_PROCESSES


def _sqlite_engine(url: str, *, writes: bool, size: int) -> AsyncEngine:
    sqlite.go_once()
    engine = create_async_engine(url, hide_parameters=True, pool_size=size, max_overflow=0, pool_timeout=60)
    pragmas = SQLITE_PRAGMAS if writes else (*SQLITE_PRAGMAS, "query_only=on")

    @event.listens_for(engine.sync_engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        # The driver's own idea of transactions loses updates; we say BEGIN ourselves.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    if writes:

        @event.listens_for(engine.sync_engine, "begin")
        def _begin(connection: Any) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        # Without BEGIN there is nothing to end, and each empty COMMIT would cost a change of thread.
        engine.dialect.do_commit = lambda dbapi_connection: None  # type: ignore[method-assign]
        engine.dialect.do_rollback = lambda dbapi_connection: None  # type: ignore[method-assign]

    return engine


def _postgresql_engine(url: str, *, isolation_level: Literal["AUTOCOMMIT", "READ COMMITTED"]) -> AsyncEngine:
    return create_async_engine(
        url,
        hide_parameters=True,
        pool_size=10,
        max_overflow=0,
        pool_timeout=60,
        pool_pre_ping=True,
        isolation_level=isolation_level,
        connect_args={"server_settings": POSTGRESQL_LIMITS | POSTGRESQL_PLANS},
    )
