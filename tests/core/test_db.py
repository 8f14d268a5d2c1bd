"""The law of the database: leaving keeps, raising undoes, nothing slow inside, nothing written while reading."""

import asyncio

import pytest
from aiosqlite import Connection
from sqlalchemy.exc import DBAPIError
from sqlmodel import select

from app.accounts.models import User
from app.core import clock
from app.core.db import Database, outside_writing, reading, retried, when_kept, writing
from tests import world


async def names() -> list[str]:
    async with reading() as db:
        return list((await db.exec(select(User.name).order_by(User.name))).all())


async def test_leaving_a_writing_block_keeps(database: Database):
    async with writing() as tx:
        await world.bob(tx)
    assert await names() == ["Bob"]


@pytest.mark.asvs("V2.3.3")
async def test_raising_undoes_everything_in_the_block(database: Database):
    with pytest.raises(ZeroDivisionError):
        async with writing() as tx:
            await world.bob(tx)
            raise ZeroDivisionError
    assert await names() == []


async def test_a_writing_block_inside_another_raises_at_once(database: Database):
    async with writing() as tx:
        await world.bob(tx)
        with pytest.raises(RuntimeError, match="A second writing block"):
            async with writing():
                pass
    assert await names() == ["Bob"]


async def test_slow_things_refuse_to_run_inside_a_writing_block(database: Database):
    async with writing():
        with pytest.raises(RuntimeError, match="Hashing has no place inside a writing block"):
            outside_writing("Hashing")
    outside_writing("Hashing")


async def test_another_task_may_write_while_this_one_does(database: Database):
    async def wrote(name: str) -> None:
        async with writing() as tx:
            await world.person(tx, name)
            await asyncio.sleep(0)

    await asyncio.gather(*(wrote(name) for name in ("Ann", "Ben", "Cyd")))
    assert await names() == ["Ann", "Ben", "Cyd"]


async def test_what_waits_for_the_commit_runs_only_after_it(database: Database):
    heard = []
    async with writing() as tx:
        when_kept(tx, lambda: heard.append("kept"))
        assert heard == []
    assert heard == ["kept"]


async def test_what_waits_for_the_commit_never_runs_when_the_block_is_undone(database: Database):
    heard = []
    with pytest.raises(ZeroDivisionError):
        async with writing() as tx:
            when_kept(tx, lambda: heard.append("kept"))
            raise ZeroDivisionError
    assert heard == []


async def test_sqlite_refuses_to_write_while_reading(sqlite_database: Database):
    async with reading() as db:
        db.add(User(name="Bob", email="bob@example.com", created_at=clock.now()))
        with pytest.raises(DBAPIError, match="readonly"):
            await db.flush()


async def test_times_come_back_aware_and_in_utc(database: Database):
    async with writing() as tx:
        created_at = (await world.bob(tx)).created_at
    async with reading() as db:
        found = (await db.exec(select(User.created_at))).one()
    assert found == created_at
    assert found.utcoffset() == created_at.utcoffset()


async def test_a_lock_timeout_is_tried_again_and_other_errors_are_not():
    class DriverError(Exception):
        def __init__(self, sqlstate: str) -> None:
            self.sqlstate = sqlstate

    tries: list[str] = []

    @retried
    async def flow(sqlstate: str) -> str:
        tries.append(sqlstate)
        if len(tries) < 3:
            raise DBAPIError("UPDATE", None, DriverError(sqlstate))
        return "done"

    assert await flow("55P03") == "done"
    assert len(tries) == 3
    tries.clear()
    with pytest.raises(DBAPIError):
        await flow("23505")
    assert len(tries) == 1


async def test_a_question_to_sqlite_changes_threads_once(database: Database, monkeypatch: pytest.MonkeyPatch):
    ways: list[object] = []
    there = Connection._execute

    async def counted(self: Connection, *args: object) -> object:
        ways.append(args)
        return await there(self, *args)

    await names()
    monkeypatch.setattr(Connection, "_execute", counted)
    assert await names() == []
    assert len(ways) == (1 if database.is_sqlite else 0)
