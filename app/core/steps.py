"""Statements without a connection.

A function that yields statements and is sent their rows does not know who runs them: an async session inside a writing
block, or the plain driver behind a group commit, which is several times as fast. So there is one text of every guard.
Statements are SQL that SQLite and PostgreSQL both understand, with named parameters; the row count of a guard is read from
its RETURNING. `FOR SHARE` and `FOR UPDATE …` at the end are left out on SQLite, which has one writer at a time anyway.
"""

import json
import re
from collections.abc import Generator
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import JSON, text
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.sqltypes import UTCDateTime

R = TypeVar("R")
Row = TypeVar("Row", bound=SQLModel)

Statement: TypeAlias = tuple[str, dict[str, Any]]
Steps: TypeAlias = Generator[Statement, list[Any], R]

# Yielded in place of a statement: from here on a refusal undoes what was done. What was done before stays.
TRY: Statement = ("TRY", {})

_LOCKS = re.compile(r" FOR (SHARE|UPDATE)( SKIP LOCKED)?$")


async def run(tx: AsyncSession, steps: Steps[R]) -> R:
    """Runs the steps in the caller's writing block."""
    connection = await tx.connection()
    on_sqlite = connection.dialect.name == "sqlite"
    try:
        sql, values = next(steps)
        while True:
            rows: list[Any] = []
            if sql != TRY[0]:
                done = await connection.execute(_text(sql, on_sqlite), values)
                rows = list(done.all()) if done.returns_rows else []
            sql, values = steps.send(rows)
    except StopIteration as end:
        result: R = end.value
        return result


def insert(kind: type[SQLModel], /, **values: Any) -> Statement:
    """The statement that writes a new row; it gives the row's id where the database counts that up.

    What is not given has the model's default. No instance is made: that takes longer than everything else here.
    """
    sql, plain, made, documents = _insert(kind)
    row = plain | {name: make() for name, make in made if name not in values} | values
    return sql, row | {name: json.dumps(row[name]) for name in documents}


def rows_of(kind: type[Row], where: str, **values: Any) -> Steps[list[Row]]:
    """Rows as instances that belong to no session, such as rows_of(Event, "slug = :slug", slug="late-show")."""
    select, names, made = _select(kind)
    found = yield f"{select} {where}", values
    records = (dict(zip(names, row, strict=True)) for row in found)
    return [kind(**record | {name: make(record[name]) for name, make in made}) for record in records]


@cache
def without_locks(sql: str) -> str:
    """The statement as SQLite has it."""
    return _LOCKS.sub("", sql)


def _document(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _moment(value: Any) -> datetime | None:
    return datetime.fromisoformat(value).replace(tzinfo=UTC) if isinstance(value, str) else value


@cache
def _text(sql: str, on_sqlite: bool) -> Any:
    return text(without_locks(sql) if on_sqlite else sql)


@cache
def _insert(kind: type[SQLModel]) -> tuple[str, dict[str, Any], list[tuple[str, Any]], list[str]]:
    """The text, the plain defaults, the defaults that are made anew for each row, and which columns hold JSON."""
    columns = [column for column in _columns(kind) if column.autoincrement is not True]
    names = [column.name for column in columns]
    counted = " RETURNING id" if len(columns) < len(_columns(kind)) else ""
    # The names are those of our own tables.
    sql = f"INSERT INTO {kind.__tablename__} ({', '.join(names)}) VALUES ({', '.join(f':{name}' for name in names)}){counted}"  # noqa: S608
    fields = {name: field for name, field in kind.model_fields.items() if name in names and not field.is_required()}
    plain = {name: field.default for name, field in fields.items() if field.default_factory is None}
    made = [(name, field.default_factory) for name, field in fields.items() if field.default_factory is not None]
    return sql, plain, made, [column.name for column in columns if isinstance(column.type, JSON)]


@cache
def _select(kind: type[SQLModel]) -> tuple[str, list[str], list[tuple[str, Any]]]:
    """The text, the names, and what makes of a driver's text what such a column holds."""
    names = [column.name for column in _columns(kind)]
    made = [(column.name, _moment) for column in _columns(kind) if isinstance(column.type, UTCDateTime)]
    made += [(column.name, _document) for column in _columns(kind) if isinstance(column.type, JSON)]
    return f"SELECT {', '.join(names)} FROM {kind.__tablename__} WHERE", names, made  # noqa: S608


def _columns(kind: type[SQLModel]) -> Any:
    return kind.__table__.columns  # type: ignore[attr-defined]
