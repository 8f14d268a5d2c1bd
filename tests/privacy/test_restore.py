"""A restore from a backup brings back whom the shop had erased; the next start erases them again."""

import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from app.accounts.actions import opening
from app.accounts.models import User
from app.bookings import actions as bookings
from app.bookings.models import Booking
from app.core import clock, db
from app.core.db import Database, reading, writing
from app.core.settings import settings, use
from app.payments.models import Payment
from app.privacy import flows, ledger
from app.privacy.models import Erasure
from app.sandbox.app import Sandbox
from main import prepare
from tests import invariants, world
from tests.notifications.scenes import bought_by_guest, held
from tests.postgres import Cluster
from tests.privacy.canary import CANARY, EMAIL, LEGAL, found_in_tables, lives_here
from tests.privacy.test_erase import over

Restore = Callable[[], Awaitable[None]]


@pytest.fixture
def back_up(database: Database, cluster: Cluster, tmp_path: Path) -> Callable[[], Awaitable[Restore]]:
    """Takes a backup as an operator does, and gives what puts it in the place of the database."""

    async def sqlite() -> Restore:
        here, there = Path(database.path), tmp_path / "backup.db"
        with sqlite3.connect(here) as source, sqlite3.connect(there) as target:
            source.backup(target)

        async def restore() -> None:
            await db.disconnect()
            for name in (here, Path(f"{here}-wal"), Path(f"{here}-shm")):
                name.unlink(missing_ok=True)
            shutil.copy(there, here)

        return restore

    async def postgresql() -> Restore:
        await db.disconnect()
        name = settings().database_url.split("@/")[1].split("?")[0]
        url = await cluster._create(f"TEMPLATE {name}")
        db.connect(settings().database_url)

        async def restore() -> None:
            await db.disconnect()
            use(replace(settings(), database_url=url))

        return restore

    return sqlite if database.is_sqlite else postgresql


async def left() -> set[str]:
    async with reading() as session:
        return await found_in_tables(session)


async def starts() -> None:
    """The shop starts: what main.py does before it serves."""
    await prepare()
    db.connect(settings().database_url)


@pytest.mark.asvs("V14.2.4")
async def test_a_restore_does_not_undo_an_erasure(fake: Sandbox, back_up: Callable[[], Awaitable[Restore]]) -> None:
    user = await lives_here(fake)
    restore = await back_up()
    await flows.erase_account(user.id or 0)
    assert await left() == LEGAL
    await restore()
    db.connect(settings().database_url)
    assert len(await left()) > 15, "the backup has them, so the rest of this test says something"
    await db.disconnect()
    await starts()
    assert await left() == LEGAL
    async with reading() as session:
        assert await invariants.broken(session) == []
        assert [row.id for row in (await session.exec(select(Erasure))).all()] == [line.id for line in ledger.read()]
    await db.disconnect()
    await starts()
    assert len(ledger.read()) == 1


async def test_without_the_file_they_are_back(fake: Sandbox, back_up: Callable[[], Awaitable[Restore]]) -> None:
    """The negative control."""
    user = await lives_here(fake)
    restore = await back_up()
    await flows.erase_account(user.id or 0)
    ledger.path().unlink()
    await restore()
    await starts()
    assert len(await left()) > 15


async def test_a_guest_does_not_come_back_either(database: Database, back_up: Callable[[], Awaitable[Restore]]) -> None:
    async with writing() as tx:
        event = await world.event(tx, price_minor=0)
    await bought_by_guest(event, EMAIL)
    await bought_by_guest(event, "someone@example.com")
    await over(event)
    restore = await back_up()
    await flows.erase_address(EMAIL)
    await restore()
    await starts()
    assert await left() == set()
    async with reading() as session:
        assert len((await session.exec(select(Booking).where(Booking.email == "someone@example.com"))).all()) == 1


async def test_who_comes_again_of_their_own_will_stays(database: Database, back_up: Callable[[], Awaitable[Restore]]) -> None:
    """Erased, registered again, and then a restore from a backup of in between: the old erasure is not theirs any more."""
    async with writing() as tx:
        bob = await world.bob(tx)
    await flows.erase_account(bob.id or 0)
    async with writing() as tx:
        again = await opening.new_user(
            tx, "bob@example.com", password_hash="x", role="user", language="en", now=clock.now() + timedelta(seconds=1)
        )
    restore = await back_up()
    await restore()
    await starts()
    async with reading() as session:
        assert (await session.get_one(User, again.id)).email == "bob@example.com"


async def test_a_hold_that_comes_back_is_released(database: Database, back_up: Callable[[], Awaitable[Restore]]) -> None:
    async with writing() as tx:
        bob, event = await world.bob(tx), await world.event(tx)
    booking = await held(event, bob)
    restore = await back_up()
    async with writing() as tx:
        await bookings.release(tx, booking, now=clock.now())
    await flows.erase_account(bob.id or 0)
    await restore()
    await starts()
    async with reading() as session:
        back = await session.get_one(Booking, booking.id)
        assert (back.state, back.email) == ("released", "")
        assert await invariants.broken(session) == []


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_a_payment_under_way_is_waited_for(database: Database, back_up: Callable[[], Awaitable[Restore]]) -> None:
    async with writing() as tx:
        bob, event = await world.bob(tx), await world.event(tx)
    booking = await held(event, bob)
    now = clock.now()
    async with writing() as tx:
        fresh = await tx.get_one(Booking, booking.id)
        fresh.state = "paying"
        tx.add(Payment(booking_id=booking.id or 0, amount_minor=1, currency="EUR", pay_until=now, created_at=now))
    restore = await back_up()
    async with writing() as tx:
        fresh = await tx.get_one(Booking, booking.id)
        fresh.state = "held"
        payment = (await tx.exec(select(Payment))).one()
        payment.state = "void"
        await tx.flush()
        await bookings.release(tx, fresh, now=clock.now())
    await flows.erase_account(bob.id or 0)
    await restore()
    await starts()
    async with writing() as tx:
        assert (await tx.get_one(User, bob.id)).email == "bob@example.com"
        fresh = await tx.get_one(Booking, booking.id)
        fresh.state = "held"
        (await tx.exec(select(Payment))).one().state = "void"
    await flows.reconcile()
    async with reading() as session:
        assert (await session.get_one(User, bob.id)).name == ""


# ---------- the file itself ----------


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_an_erasure_that_the_file_has_not_seen_is_added(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk was full at that moment: the person is erased all the same, and the next sweep writes the line."""

    def full(_lines: object) -> None:
        raise OSError("No space left on device")

    async with writing() as tx:
        bob = await world.bob(tx)
    with monkeypatch.context() as patched:
        patched.setattr(ledger, "append", full)
        await flows.erase_account(bob.id or 0)
    assert ledger.read() == []
    await flows.reconcile()
    await flows.reconcile()
    assert [line.user_code for line in ledger.read()] == [bob.code]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_a_line_that_was_cut_off_swallows_nothing(database: Database) -> None:
    ledger.path().write_text('{"id": "half a li')
    async with writing() as tx:
        bob = await world.bob(tx)
    await flows.erase_account(bob.id or 0)
    assert [line.user_code for line in ledger.read()] == [bob.code]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_the_file_names_nobody(database: Database) -> None:
    async with writing() as tx:
        bob = await world.bob(tx)
    await flows.erase_account(bob.id or 0)
    text = ledger.path().read_text()
    assert "bob" not in text.lower()
    assert CANARY not in text
    assert ledger.path().stat().st_mode & 0o777 == 0o600
