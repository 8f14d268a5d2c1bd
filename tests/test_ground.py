"""The tests stand on clean ground: what one of them leaves in PostgreSQL, the next one does not find."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from app.core import activity, db
from tests import world
from tests.postgres import Cluster, MissingBinaries


async def lent(cluster: Cluster) -> tuple[str, AsyncEngine]:
    try:
        url = await cluster.lend()
    except MissingBinaries as missing:
        pytest.skip(str(missing))
    return url, create_async_engine(url, poolclass=NullPool)


async def numbers(engine: AsyncEngine, statement: str) -> list[int]:
    async with engine.connect() as connection:
        return [row[0] for row in await connection.execute(text(statement))]


async def rows_of(engine: AsyncEngine) -> dict[str, int]:
    """How many rows each table has that has one."""
    tables = await numbers(engine, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    counted = {table: (await numbers(engine, f'SELECT count(*) FROM "{table}"'))[0] for table in tables}
    return {table: count for table, count in counted.items() if count}


async def test_a_used_database_is_lent_again_as_empty_as_a_new_one(cluster: Cluster):
    url, engine = await lent(cluster)
    db.connect(url)
    async with db.writing() as tx:
        event = await world.event(tx)
        await activity.record(tx, "event.published", about=f"event:{event.id}", by=None)
    await db.disconnect()
    assert len(await rows_of(engine)) > 5

    await cluster.take_back(url)
    again, engine = await lent(cluster)

    assert again == url
    assert await rows_of(engine) == {"alembic_version": 1}
    assert await numbers(engine, "SELECT nextval(pg_get_serial_sequence('events', 'id'))") == [1]
    await cluster.take_back(again)


CHANGES = [
    "DROP INDEX ix_payments_one_active",
    "ALTER TABLE events ADD COLUMN colour TEXT",
    "ALTER TABLE events ALTER COLUMN title DROP NOT NULL",
    "ALTER TABLE tickets DROP CONSTRAINT uq_tickets_code",
    "ALTER TABLE activities DISABLE TRIGGER ALL",
    "CREATE TABLE left_behind (id INTEGER)",
]


@pytest.mark.parametrize("change", CHANGES)
async def test_a_database_whose_tables_were_changed_is_never_lent_again(cluster: Cluster, change: str):
    url, engine = await lent(cluster)
    async with engine.begin() as connection:
        await connection.execute(text(change))

    await cluster.take_back(url)

    again, _engine = await lent(cluster)
    assert again != url
    await cluster.take_back(again)


async def test_a_connection_that_was_left_open_with_a_lock_holds_nobody_up(cluster: Cluster):
    url, engine = await lent(cluster)
    left_open = await engine.connect()
    await left_open.execute(text("LOCK TABLE events IN ACCESS EXCLUSIVE MODE"))

    async with asyncio.timeout(10):
        await cluster.take_back(url)

    again, engine = await lent(cluster)
    assert await numbers(engine, "SELECT count(*) FROM events") == [0]
    await left_open.invalidate()
    await cluster.take_back(again)
