"""The activity log is append-only, and the worker seals it."""

from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import activity, clock, seals, verify
from app.core.db import Database, writing
from app.core.seals import Row, Seal
from tests.tampering import disarm, happen, head, macs, tamper

# ---------- append-only ----------

REFUSED = [
    "UPDATE activities SET kind = 'event.returned' WHERE id = 1",
    "UPDATE activities SET details = '{}'",
    "DELETE FROM activities WHERE id = 2",
    "UPDATE activity_seals SET mac = 'x'",
    "DELETE FROM activity_seals",
]


@pytest.mark.asvs("V16.4.2")
@pytest.mark.parametrize("statement", REFUSED)
async def test_the_database_itself_refuses_to_change_what_is_written_down(database: Database, statement: str) -> None:
    await happen(2)
    await seals.seal()
    with pytest.raises(Exception, match="append-only"):
        await tamper(statement)
    # Without the triggers the same statement works: it is they that refuse.
    await disarm()
    assert await tamper(statement) >= 1


async def test_sqlite_refuses_to_put_another_row_into_the_place_of_one(sqlite_database: Database) -> None:
    await happen(1)
    replace = "INSERT OR REPLACE INTO activities (id, kind, about, at, details) VALUES (1, 'x', 'y', '2026-01-01', '{}')"
    with pytest.raises(Exception, match="append-only"):
        await tamper(replace)
    await disarm()
    assert await tamper(replace) == 1


async def test_postgresql_refuses_to_empty_the_tables(postgresql_database: Database) -> None:
    await happen(1)
    await seals.seal()
    for table in ("activity_seals", "activities CASCADE"):
        with pytest.raises(Exception, match="append-only"):
            await tamper(f"TRUNCATE {table}")


async def test_what_is_still_to_be_done_about_an_activity_can_change(database: Database) -> None:
    async with writing() as tx:
        await activity.record(tx, "event.approved", about="event:1", by=None)
    assert await tamper("UPDATE activity_work SET attempts = 1") == 1
    assert await tamper("DELETE FROM activity_work") == 1


# ---------- the worker seals ----------


async def test_a_round_seals_what_was_committed_and_the_next_has_nothing_to_do(database: Database) -> None:
    await happen(3)
    assert await seals.seal() is False
    first = await head()
    assert (first.number, first.count, first.total, first.previous) == (1, 3, 3, "")
    await seals.seal()
    assert await head() == first
    await happen(2)
    await seals.seal()
    second = await head()
    assert (second.number, second.count, second.total, second.previous) == (2, 2, 5, first.mac)
    assert first.listed() == [(1, 3)]
    assert second.listed() == [(4, 5)]


async def test_a_backlog_is_sealed_in_batches(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seals, "MOST", 4)
    monkeypatch.setattr(verify, "MOST", 4)
    await happen(10)
    assert [await seals.seal(), await seals.seal(), await seals.seal()] == [True, True, False]
    assert (await head()).total == 10
    assert (await verify.verify()).holds


async def test_a_row_that_was_committed_after_a_younger_one_is_sealed_too(
    postgresql_database: Database, moment: time_machine.Traveller
) -> None:
    """Two transactions at once: the one with the smaller id is still open when the worker looks."""
    engine = postgresql_database.writer
    insert = text("INSERT INTO activities (kind, about, at, details) VALUES ('event.approved', 'event:1', now(), '{}')")
    async with engine.connect() as slow:
        await slow.execute(insert)
        await happen(1)
        await seals.seal()
        assert (await head()).listed() == [(2, 2)]
        await happen(1)
        await seals.seal()
        await slow.commit()
    await seals.seal()
    assert (await head()).listed() == [(1, 1)]
    await happen(1)
    await seals.seal()
    assert (await head()).listed() == [(4, 4)]


async def test_a_late_row_is_found_after_a_pause_of_the_worker(
    postgresql_database: Database, moment: time_machine.Traveller
) -> None:
    """The worker stopped just after it had seen the younger row. A day later the hole is still looked into."""
    async with postgresql_database.writer.connect() as slow:
        await slow.execute(
            text("INSERT INTO activities (kind, about, at, details) VALUES ('event.approved', 'event:1', :at, '{}')"),
            {"at": clock.now()},
        )
        await happen(1)
        await seals.seal()
        await slow.commit()
    moment.shift(timedelta(days=1))
    await happen(1)
    await seals.seal()
    assert (await head()).listed() == [(1, 1), (3, 3)]
    assert (await verify.verify()).holds


async def test_of_two_workers_that_seal_at_once_one_writes(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await happen(2)
    unsealed = seals._unsealed

    async def slowly(db: AsyncSession, before: Seal | None) -> list[Row]:
        """Between reading and writing another worker has sealed the same rows."""
        found = await unsealed(db, before)
        monkeypatch.setattr(seals, "_unsealed", unsealed)
        await seals.seal()
        return found

    monkeypatch.setattr(seals, "_unsealed", slowly)
    assert await seals.seal() is False
    assert (await head()).total == 2
    assert (await verify.verify()).holds


async def test_the_first_seal_of_a_day_is_published_in_the_log(
    sqlite_database: Database, moment: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[tuple[int, str]] = []
    monkeypatch.setattr(seals.log, "info", lambda _words, **head: said.append((head["number"], head["mac"])))
    for _half_day in range(4):
        await happen(1)
        await seals.seal()
        await happen(1)
        await seals.seal()
        moment.shift(timedelta(hours=12))
    kept = await macs()
    assert said == [(1, kept[1]), (3, kept[3]), (7, kept[7])]
    assert (await verify.verify(said[-1])).holds
