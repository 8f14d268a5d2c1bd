"""`python main.py prove`: it proves what is true, finds what is not, and leaves nothing behind."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from app.core import db
from app.core.owner import own
from app.core.settings import settings
from app.events.models import Event
from app.prove import scene
from app.prove.ground import CannotProve
from app.prove.run import Wish, prove
from tests import world
from tests.postgres import Cluster

ROOT = Path(__file__).parents[2]
SMALL = Wish(buyers=60, places=15, clients=24, buying=7, here=False)


def command(*words: str) -> list[str]:
    return [sys.executable, "main.py", "prove", "--buyers", "60", "--places", "15", "--clients", "24", *words]


def surroundings(**own_settings: str) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return inherited | own_settings


async def databases_of(url: str) -> set[str]:
    """What the database server holds, or what lies in the folder for temporary files."""
    if url.startswith("sqlite"):
        return set()
    connection = await asyncpg.connect(url.replace("postgresql+asyncpg://", "postgresql://"))
    try:
        return {row[0] for row in await connection.fetch("SELECT datname FROM pg_database WHERE datname LIKE 'prove%'")}
    finally:
        await connection.close()


@pytest.fixture
async def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where proofs make their folders, so that a test sees what is left of them."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


async def test_sixty_buyers_and_fifteen_places(database: db.Database, temporary: Path) -> None:
    url = settings().database_url
    report = await prove(SMALL, url)
    assert report.proves, report.as_text()
    assert (report.counted.sold, report.counted.held, report.told.refused) == (7, 8, 45)
    assert [check.name for check in report.checks] == ["sold", "told", "paid", "http", *(f"I{n}" for n in range(1, 17))]
    assert list(temporary.iterdir()) == []
    assert await databases_of(url) == set()


async def test_one_place_too_many_is_found(
    sqlite_database: db.Database, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: stock that gives more places than there are."""
    put_up = scene.put_up

    async def one_too_many(places: int) -> scene.Scene:
        return await put_up(places + 1)

    monkeypatch.setattr(scene, "put_up", one_too_many)
    report = await prove(SMALL, settings().database_url)
    assert not report.proves
    assert {check.name for check in report.checks if not check.holds} == {"sold", "told"}
    assert report.as_text().endswith("Not proved.")


async def test_a_row_that_nobody_was_told_of_is_found(
    sqlite_database: db.Database, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other negative control: counters and rows that part."""
    count = scene.count

    async def spoilt(put_up: scene.Scene) -> scene.Counted:
        async with db.writing() as tx:
            await (await tx.connection()).execute(text("DELETE FROM tickets WHERE id = 1"))
            await (await tx.connection()).execute(text("UPDATE bookings SET state = 'expired' WHERE state = 'held'"))
        return await count(put_up)

    monkeypatch.setattr(scene, "count", spoilt)
    report = await prove(SMALL, settings().database_url)
    assert {check.name for check in report.checks if not check.holds} == {"told", "paid", "I2", "I4", "I12"}


# ---------- in the shop's own database ----------


@pytest.fixture
async def shop(database: db.Database) -> AsyncIterator[str]:
    """A shop with an event of its own and nobody connected: its address."""
    async with db.writing() as tx:
        await world.event(tx)
    await db.disconnect()
    yield settings().database_url
    db.connect(settings().database_url)


HERE = Wish(buyers=40, places=10, clients=16, buying=0, here=True)


async def test_in_the_shops_own_database_nothing_of_it_stays(shop: str) -> None:
    before = await rows(shop)
    report = await prove(HERE, shop)
    assert report.proves, report.as_text()
    assert report.checks[-1].name == "gone"
    assert await rows(shop) == before


async def test_somebody_elses_booking_is_not_removed(shop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    remove = scene.remove

    async def as_if_one_were_a_strangers(put_up: scene.Scene, known: frozenset[str]) -> bool:
        return await remove(put_up, frozenset(sorted(known)[1:]))

    monkeypatch.setattr(scene, "remove", as_if_one_were_a_strangers)
    report = await prove(HERE, shop)
    assert [check.name for check in report.checks if not check.holds] == ["gone"]
    db.connect(shop)
    async with db.reading() as reader:
        last = await reader.get(Event, 2)
    await db.disconnect()
    assert last
    assert last.is_called_off


async def test_nobody_buys_there_because_the_shop_would_write_to_them(shop: str) -> None:
    with pytest.raises(CannotProve, match="nobody buys"):
        await prove(Wish(buyers=4, places=2, clients=2, buying=1, here=True), shop)


async def rows(url: str) -> dict[str, int]:
    """How many rows every table has. Leases and what the shop's migrations know are not the proof's; activities stay."""
    db.connect(url)
    async with db.reading() as reader:
        connection = await reader.connection()
        found = {
            table: (await connection.execute(text(f"SELECT COUNT(*) FROM {table}"))).scalar_one()
            for table in ("events", "ticket_types", "bookings", "booking_lines", "buyer_limits", "activity_work")
        } | {
            table: (await connection.execute(text(f"SELECT COUNT(*) FROM {table}"))).scalar_one()
            for table in ("users", "categories", "limits", "tickets", "notifications", "deliveries")
        }
    await db.disconnect()
    return found


# ---------- what stands in its way ----------


async def test_while_the_server_runs_an_old_sqlite_is_not_shared(sqlite_database: db.Database) -> None:
    """Here this process is the server."""
    if not db.one_process_owns_the_file():
        return
    url = settings().database_url
    await db.disconnect()
    own(url)
    refused = await asyncio.to_thread(run_command, "--here", DATABASE_URL=url)
    assert refused.returncode == 1
    assert "stop the server first" in refused.stderr
    assert "Traceback" not in refused.stderr


async def test_a_role_that_may_not_make_databases_is_told_so(postgresql_database: db.Database, cluster: Cluster) -> None:
    async with db.writing() as tx:
        await (await tx.connection()).execute(text("DROP ROLE IF EXISTS clerk"))
        await (await tx.connection()).execute(text("CREATE ROLE clerk LOGIN"))
    url = settings().database_url.replace("postgres@", "clerk@")
    with pytest.raises(CannotProve, match="CREATEDB"):
        await prove(SMALL, url)


async def test_a_shop_that_does_not_start_says_why(
    sqlite_database: db.Database, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.prove.shop.settings", lambda: type("Wrong", (), {"workers": 99})())
    with pytest.raises(CannotProve, match="WORKERS is a whole number"):
        await prove(SMALL, settings().database_url)
    assert list(temporary.iterdir()) == []


# ---------- the command ----------


def run_command(*words: str, **own_settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*words), cwd=ROOT, env=surroundings(**own_settings), capture_output=True, text=True, timeout=120, check=False
    )


def test_it_needs_no_settings_and_speaks_to_programs_too(tmp_path: Path) -> None:
    said = run_command("--json", "--paid", "15", TMPDIR=str(tmp_path), DATA_DIR=str(tmp_path))
    assert said.returncode == 0, said.stdout + said.stderr
    found = json.loads(said.stdout)
    assert (found["proves"], found["sold"], found["held"], found["server_errors"]) == (True, 15, 0, 0)
    assert said.stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_a_number_that_is_none_is_refused() -> None:
    refused = run_command("--places", "many")
    assert refused.returncode == 2
    assert "a whole number from 1" in refused.stderr


async def test_ctrl_c_in_the_middle_cleans_up(shop: str, tmp_path: Path) -> None:
    before = await rows(shop)
    many = ("--here", "--buyers", "5000", "--places", "4000")
    process = await asyncio.create_subprocess_exec(
        *command(*many),
        cwd=ROOT,
        env=surroundings(DATABASE_URL=shop, TMPDIR=str(tmp_path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    await until_somebody_holds(shop)
    process.send_signal(signal.SIGINT)
    said, complained = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, said) == (1, b"")
    assert b"What the proof had made is removed." in complained
    assert b"Traceback" not in complained
    assert await rows(shop) == before


async def until_somebody_holds(url: str) -> None:
    for _attempt in range(600):
        await asyncio.sleep(0.1)
        if await _held(url):
            return
    raise AssertionError("Nobody ever held a place.")


async def _held(url: str) -> int:
    question = "SELECT COUNT(*) FROM bookings"
    if url.startswith("sqlite"):
        with sqlite3.connect(f"file:{url.partition(':///')[2]}?mode=ro", uri=True) as connection:
            return int(connection.execute(question).fetchone()[0])
    connection: Any = await asyncpg.connect(url.replace("postgresql+asyncpg://", "postgresql://"))
    try:
        return int(await connection.fetchval(question))
    finally:
        await connection.close()
