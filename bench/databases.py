"""The databases that are measured: a SQLite file in a fresh folder, and PostgreSQL in a throw-away cluster that really writes."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]

from app.core import migrate
from tests import postgres


@dataclass(frozen=True)
class Databases:
    """A kind of database, from which fresh ones are made. `pid` is its server's, 0 when there is none."""

    kind: str
    folder: Path
    cluster: postgres.Cluster
    pid: int = 0

    async def fresh(self, name: str) -> str:
        """The address of a new database with every table and no row."""
        if self.kind == "postgresql":
            return await self.cluster.clone()
        url = await self.empty(name)
        await migrate.upgrade(url)
        return url

    async def empty(self, name: str) -> str:
        """The address of a database that has no tables yet."""
        return await self.cluster.empty() if self.kind == "postgresql" else f"sqlite+aiosqlite:///{self.folder / name}.db"


@asynccontextmanager
async def databases(kind: str, folder: Path) -> AsyncIterator[Databases]:
    """Raises tests.postgres.MissingBinaries when there is no PostgreSQL for this machine."""
    cluster = postgres.Cluster(postgres.DURABLE)
    if kind == "sqlite":
        yield Databases(kind, folder, cluster)
        return
    try:
        await cluster.empty()
        yield Databases(kind, folder, cluster, cluster._server.pid if cluster._server else 0)
    finally:
        cluster.stop()


async def durable_commits(url: str, seconds: float) -> float:
    """Transactions of one small row a second that one plain connection brings onto the disk, one after the other."""
    if url.startswith("sqlite"):
        return await asyncio.to_thread(_sqlite_commits, url.partition(":///")[2], seconds)
    return await _postgresql_commits(url.replace("+asyncpg", ""), seconds)


def _sqlite_commits(path: str, seconds: float) -> float:
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in (
        "PRAGMA journal_mode=wal",
        "PRAGMA synchronous=full",
        "CREATE TABLE commits (id INTEGER PRIMARY KEY, at REAL)",
    ):
        connection.execute(statement)
    done, begun = 0, time.perf_counter()
    while (now := time.perf_counter()) < begun + seconds:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO commits (at) VALUES (?)", (now,))
        connection.execute("COMMIT")
        done += 1
    took = time.perf_counter() - begun
    connection.execute("DROP TABLE commits")
    connection.close()
    return done / took


async def _postgresql_commits(url: str, seconds: float) -> float:
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE commits (id bigserial PRIMARY KEY, at double precision)")
    done, begun = 0, time.perf_counter()
    while (now := time.perf_counter()) < begun + seconds:
        await connection.execute("INSERT INTO commits (at) VALUES ($1)", now)
        done += 1
    took = time.perf_counter() - begun
    await connection.execute("DROP TABLE commits")
    await connection.close()
    return done / took
