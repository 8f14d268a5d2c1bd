"""Where a proof happens: a database of its own, made for it and removed after it, or the shop's own."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.core import migrate
from app.core.codes import random_id


class CannotProve(Exception):
    """A sentence that says why there is no proof, for the person who asked for one."""


@dataclass(frozen=True)
class Ground:
    """The address of the database, a folder for files, and whether all of it is thrown away afterwards."""

    url: str
    folder: Path
    is_own: bool

    @property
    def kind(self) -> str:
        return "SQLite" if self.url.startswith("sqlite") else "PostgreSQL"


@asynccontextmanager
async def throw_away(url: str) -> AsyncIterator[Ground]:
    """An empty, migrated database of the same kind as that at the url. Raises CannotProve when it cannot be made."""
    with tempfile.TemporaryDirectory(prefix="prove-") as folder:
        if url.startswith("sqlite"):
            own = f"sqlite+aiosqlite:///{folder}/prove.db"
            await migrate.upgrade(own)
            yield Ground(own, Path(folder), is_own=True)
            return
        name = f"prove_{random_id()}"
        await _run(url, f'CREATE DATABASE "{name}" TEMPLATE template0')
        try:
            own = make_url(url).set(database=name).render_as_string(hide_password=False)
            await migrate.upgrade(own)
            yield Ground(own, Path(folder), is_own=True)
        finally:
            # Shielded, so that a second Ctrl-C does not leave the database behind.
            await asyncio.shield(_run(url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))


@asynccontextmanager
async def here(url: str) -> AsyncIterator[Ground]:
    """The shop's own database, at its newest tables."""
    await migrate.upgrade(url)
    with tempfile.TemporaryDirectory(prefix="prove-") as folder:
        yield Ground(url, Path(folder), is_own=False)


async def _run(url: str, statement: str) -> None:
    engine = create_async_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            await connection.exec_driver_sql(statement)
    except (DBAPIError, OSError) as error:
        reason = str(getattr(error, "orig", error)).strip().splitlines()[-1]
        raise CannotProve(
            "PostgreSQL does not let this role make a database for the proof, or cannot be reached. "
            f"It says: {reason}. Give the role CREATEDB, or prove in the shop's own database with --here."
        ) from None
    finally:
        await engine.dispose()
