"""Bringing a database to the present tables, and back."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

SCRIPTS = Path(__file__).parents[2] / "migrations"


async def upgrade(url: str, revision: str = "head") -> None:
    """Migrates the database at the url up to the revision."""
    await _run(url, lambda config: command.upgrade(config, revision))


async def downgrade(url: str, revision: str) -> None:
    """Migrates the database at the url down to the revision ("base" removes everything)."""
    await _run(url, lambda config: command.downgrade(config, revision))


async def check(url: str) -> None:
    """Raises alembic's CommandError when tables and migrations differ."""
    await _run(url, command.check)


async def revise(url: str, message: str, revision: str) -> None:
    """Writes a migration from the difference between tables and database."""
    await _run(url, lambda config: command.revision(config, message, autogenerate=True, rev_id=revision))


async def _run(url: str, step) -> None:  # type: ignore[no-untyped-def]
    # A batch migration on SQLite drops and renames tables; with foreign keys on that would delete the child rows.
    engine = create_async_engine(url, poolclass=NullPool)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine.sync_engine, "connect")
        def _configure(connection, _record):  # type: ignore[no-untyped-def]
            connection.isolation_level = None
            connection.execute("PRAGMA foreign_keys=off")
            connection.execute("PRAGMA journal_mode=wal")

        @event.listens_for(engine.sync_engine, "begin")
        def _begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    def go(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(SCRIPTS))
        config.attributes["connection"] = connection
        step(config)

    async with engine.begin() as connection:
        await connection.run_sync(go)
    await engine.dispose()
