"""Where the shop's rows are: a SQLite file or a PostgreSQL database for each life, with a backup that can be put back.

The watch looks through a connection of its own, never through the shop's.
"""

import re
import shutil
import sqlite3
import tempfile
from abc import ABC, abstractmethod
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import asyncpg  # type: ignore[import-untyped]

from app.core import db, migrate
from tests.postgres import Cluster

SHARED_MEMORY = Path("/dev/shm")
_NAME = re.compile(r"(?<!:):([a-z_]+)")


class Ground(ABC):
    """A database for one life after another."""

    name: str
    url: str

    @abstractmethod
    async def begin(self) -> None:
        """A new database with all tables and no row, and the shop connected to it."""

    @abstractmethod
    async def rows(self, sql: str, **values: Any) -> list[Any]:
        """What is on disk now."""

    @abstractmethod
    async def back_up(self) -> None: ...

    @abstractmethod
    async def restore(self) -> None: ...

    @abstractmethod
    async def end(self) -> None: ...

    @abstractmethod
    def close(self) -> None: ...


class OnSqlite(Ground):
    """Files in shared memory, if the system has some: as safe as a disk here, since only the process dies, not the machine."""

    name = "sqlite"

    def __init__(self) -> None:
        where = str(SHARED_MEMORY) if SHARED_MEMORY.is_dir() else None
        self._home = Path(tempfile.mkdtemp(prefix="eventticket-", dir=where))
        self._template, self._live, self._backup = (self._home / f"{name}.db" for name in ("template", "live", "backup"))
        self.url = f"sqlite+aiosqlite:///{self._live}"
        self._eye: sqlite3.Connection | None = None

    async def begin(self) -> None:
        if not self._template.exists():
            await migrate.upgrade(f"sqlite+aiosqlite:///{self._template}")
            with sqlite3.connect(self._template) as template:
                template.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            template.close()
        for name in ("live.db", "live.db-wal", "live.db-shm", "backup.db"):
            (self._home / name).unlink(missing_ok=True)
        shutil.copy(self._template, self._live)
        db.connect(self.url)
        self._eye = sqlite3.connect(self._live, isolation_level=None)
        self._eye.row_factory = sqlite3.Row

    async def rows(self, sql: str, **values: Any) -> list[Any]:
        assert self._eye
        return self._eye.execute(sql, values).fetchall()

    async def back_up(self) -> None:
        self._copy(self._live, self._backup)

    async def restore(self) -> None:
        self._copy(self._backup, self._live)

    async def end(self) -> None:
        assert self._eye
        self._eye.close()
        await db.disconnect()

    def close(self) -> None:
        shutil.rmtree(self._home, ignore_errors=True)

    @staticmethod
    def _copy(source: Path, target: Path) -> None:
        here, there = sqlite3.connect(source), sqlite3.connect(target)
        here.backup(there)
        here.close()
        there.close()


class Copying(Cluster):
    """A cluster that also clones a database with its rows."""

    async def quiet(self) -> None:
        """Nothing happens in the background, so that the same seed finds the rows in the same order."""
        for setting in ("autovacuum = off", "jit = off"):
            await self._run(f"ALTER SYSTEM SET {setting}")
        await self._run("SELECT pg_reload_conf()")

    async def copy(self, url: str) -> str:
        return await self._create(f"TEMPLATE {name_in(url)}")

    async def rename(self, url: str, to: str) -> None:
        await self._run(f"ALTER DATABASE {name_in(url)} RENAME TO {name_in(to)}")


class OnPostgresql(Ground):
    name = "postgresql"

    def __init__(self) -> None:
        self._cluster = Copying()
        self._backup = ""
        self._eye: Any = None
        self._is_quiet = False
        # A busy machine lets this process wait for longer than the server would keep an open transaction.
        self._patience = patch.dict(db.POSTGRESQL_LIMITS, idle_in_transaction_session_timeout="0", statement_timeout="60s")

    async def begin(self) -> None:
        self._patience.start()
        self.url = await self._cluster.clone()
        if not self._is_quiet:
            await self._cluster.quiet()
            self._is_quiet = True
        await self._open()

    async def rows(self, sql: str, **values: Any) -> list[Any]:
        names = tuple(dict.fromkeys(_NAME.findall(sql)))
        numbered = _NAME.sub(lambda found: f"${names.index(found[1]) + 1}", sql)
        found: list[Any] = await self._eye.fetch(numbered, *[values[name] for name in names])
        return found

    async def back_up(self) -> None:
        await self._shut()
        self._backup = await self._cluster.copy(self.url)
        await self._open()

    async def restore(self) -> None:
        await self._shut()
        await self._cluster.drop(self.url)
        await self._cluster.rename(self._backup, self.url)
        self._backup = ""
        await self._open()

    async def end(self) -> None:
        await self._shut()
        for url in filter(None, (self.url, self._backup)):
            await self._cluster.drop(url)
        self._backup = ""
        self._patience.stop()

    def close(self) -> None:
        self._cluster.stop()

    async def _open(self) -> None:
        connected = db.connect(self.url)
        for engine in (connected.reader, connected.writer):
            # This server does not go away, and asking it each time takes longer than most questions.
            engine.sync_engine.pool._pre_ping = False
        self._eye = await asyncpg.connect(self.url.replace("postgresql+asyncpg://", "postgresql://"))

    async def _shut(self) -> None:
        await self._eye.close()
        await db.disconnect()


GROUNDS: dict[str, type[Ground]] = {"sqlite": OnSqlite, "postgresql": OnPostgresql}


def name_in(url: str) -> str:
    return url.split("@/")[1].split("?")[0]


def moment(value: Any) -> datetime:
    """A moment as either database gives it."""
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return found if found.tzinfo else found.replace(tzinfo=UTC)
