"""Migrations and tables say the same, there and back, on both databases."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from app.core import migrate
from app.tables import metadata

CONSTRAINTS = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE tbl_name NOT LIKE 'alembic%' ORDER BY name, sql",
    "postgresql": (
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE conrelid::regclass::text NOT LIKE 'alembic%' ORDER BY 1, 2"
    ),
}


async def rows(url: str, statements: dict[str, str]) -> list[tuple[str, str]]:
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        found = await connection.execute(sa.text(statements[engine.dialect.name]))
        # A rebuilt table lists the same constraints in another order.
        lines = [(name, "\n".join(sorted(part.strip(", ") for part in (text or "").splitlines()))) for name, text in found]
    await engine.dispose()
    return lines


async def tables(url: str) -> set[str]:
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        names = await connection.run_sync(lambda plain: sa.inspect(plain).get_table_names())
    await engine.dispose()
    # On SQLite the index of the search is a table, with some of its own around it; metadata knows none of them.
    return {name for name in names if not name.startswith("event_find")} - {"alembic_version"}


async def test_the_migrations_make_exactly_the_tables(empty_url: str):
    await migrate.upgrade(empty_url)
    await migrate.check(empty_url)
    assert await tables(empty_url) == set(metadata.tables)


async def test_the_way_down_leaves_nothing_and_the_way_back_the_same(empty_url: str):
    await migrate.upgrade(empty_url)
    before = await rows(empty_url, CONSTRAINTS)
    await migrate.downgrade(empty_url, "base")
    assert await tables(empty_url) == set()
    await migrate.upgrade(empty_url)
    assert await rows(empty_url, CONSTRAINTS) == before


async def test_every_check_of_the_tables_is_in_the_database(empty_url: str):
    # Alembic compares columns and indexes but not CHECKs, so a forgotten one would go unnoticed.
    await migrate.upgrade(empty_url)
    text = "\n".join(f"{name} {definition}" for name, definition in await rows(empty_url, CONSTRAINTS))
    checks = {
        str(constraint.name)
        for table in metadata.tables.values()
        for constraint in table.constraints
        if isinstance(constraint, sa.CheckConstraint)
    }
    assert len(checks) > 20
    assert {name for name in checks if name not in text} == set()


async def rows_into(url: str, table: str, *rows: dict[str, object]) -> None:
    """Plain rows; columns that must have a value and are given none get an empty one of their type."""
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        found = await connection.run_sync(lambda plain: sa.Table(table, sa.MetaData(), autoload_with=plain))
        for row in rows:
            values = {
                column.name: EMPTY[column.type.python_type]
                for column in found.columns
                if not column.nullable and not (column.primary_key and column.name == "id")
            }
            await connection.execute(found.insert().values(values | row))
    await engine.dispose()


NOON = datetime(2026, 11, 16, 12, tzinfo=UTC)
EMPTY: dict[type, object] = {int: 0, str: "", bool: False, datetime: NOON, dict: {}}


async def test_what_was_sold_before_keeps_its_money_and_its_limits(empty_url: str):
    await migrate.upgrade(empty_url, "0001")
    if empty_url.startswith("sqlite"):
        # SQLite reflects a moment as text of the kind that the shop writes.
        EMPTY[datetime] = NOON.replace(tzinfo=None)
    await rows_into(empty_url, "users", {"id": 1, "email": "alice@example.org", "role": "manager", "code": "a"})
    await rows_into(empty_url, "categories", {"id": 1, "slug": "music", "name": "Music"})
    over = EMPTY[datetime] + timedelta(hours=3)  # type: ignore[operator]
    event = {"id": 1, "slug": "late-show", "manager_id": 1, "category_id": 1, "state": "published", "per_buyer": 6}
    await rows_into(empty_url, "events", event | {"ends_at": over})
    sale = {"capacity": 10, "sold": 3, "held": 0, "per_booking": 6, "sale_to": over, "presale_taken": 2, "price_minor": 1000}
    await rows_into(empty_url, "ticket_types", {"id": 1, "event_id": 1, "code": "t"} | sale)
    paid = {"event_id": 1, "kind": "purchase", "state": "paid", "currency": "EUR", "paid_at": EMPTY[datetime]}
    bookings = (
        {"id": 1, "code": "a", "buyer_key": "mail:bob@example.org", "total_minor": 2000, **paid},
        {"id": 2, "code": "b", "buyer_key": "mail:eve@example.org", "total_minor": 1000, **paid, "state": "released"},
    )
    await rows_into(empty_url, "bookings", *bookings)
    lines = ({"booking_id": 1, "qty": 2, "in_presale": True}, {"booking_id": 2, "qty": 1, "in_presale": True})
    await rows_into(empty_url, "booking_lines", *({"ticket_type_id": 1, "unit_minor": 1000} | line for line in lines))
    await migrate.upgrade(empty_url)
    engine = create_async_engine(empty_url)
    async with engine.connect() as connection:
        kept = (await connection.execute(sa.text("SELECT id, kept_minor FROM bookings ORDER BY id"))).all()
        limits = (await connection.execute(sa.text("SELECT buyer_key, qty FROM buyer_limits"))).all()
        told = (await connection.execute(sa.text("SELECT about FROM activities WHERE kind = 'booking.paid' ORDER BY 1"))).all()
    await engine.dispose()
    assert [tuple(row) for row in kept] == [(1, 2000), (2, 0)]
    assert [tuple(row) for row in limits] == [("presale:mail:bob@example.org", 2)]
    assert [row.about for row in told] == ["booking:1", "booking:2"]
    await migrate.downgrade(empty_url, "0001")
    await migrate.upgrade(empty_url)
