"""Where the search looks: the words of each event, one row beside it, and an index over these rows (migration 0027).

On PostgreSQL that is a GIN index over an expression. On SQLite it is an FTS5 table which has no content of its own; put_in() and
take_out() tell it, because a trigger may not touch a virtual table while the schema is not trusted. Only actions/finding.py
writes here.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy
from sqlalchemy import Column, ForeignKey, Text, bindparam, cast, column, delete, insert, literal, literal_column, table
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlmodel import Field, SQLModel, col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core.columns import RowId
from app.core.db import changed, database


class EventSearch(SQLModel, table=True):
    """`words` are the event's, folded (rules/words.py), each once, with a blank between."""

    __tablename__ = "event_search"

    event_id: int = Field(sa_column=Column(RowId, ForeignKey("events.id"), primary_key=True, autoincrement=False))
    words: str = Field(sa_column=Column(Text, nullable=False))


# The column with the table's own name takes commands.
_FIND = table("event_find", column("rowid"), column("words"), column("event_find"))


async def put_in(tx: AsyncSession, rows: Sequence[dict[str, Any]]) -> None:
    """Rows as {"event_id": 17, "words": "nine pianos"}, of events that have none."""
    if rows:
        await changed(tx, insert(EventSearch).values(rows))
        if database().is_sqlite:
            found = [{"rowid": row["event_id"], "words": row["words"]} for row in rows]
            await changed(tx, _FIND.insert().values(found))


async def take_out(tx: AsyncSession, event_ids: Sequence[int | None]) -> None:
    """The words of these events are not found any more."""
    theirs = col(EventSearch.event_id).in_(event_ids)
    if database().is_sqlite:
        known = sqlalchemy.select(col(EventSearch.event_id), col(EventSearch.words), literal("delete")).where(theirs)
        await changed(tx, _FIND.insert().from_select(["rowid", "words", "event_find"], known))
    await changed(tx, delete(EventSearch).where(theirs))


def query_of(words: Sequence[str]) -> str:
    """What with_words() asks for as `words`, in the database's own language."""
    if database().is_sqlite:
        return " ".join(f'"{word}"*' for word in words)
    return " & ".join(f"'{word}':*" for word in words)


def with_words() -> Any:
    """Selects the ids of the events that have, for each of the `words`, a word that begins so.

    They are letters and digits alone, cut by the same rule as the rows: so nothing that people type can be syntax, and neither
    database has to cut words by rules of its own.
    """
    if database().is_sqlite:
        return sqlalchemy.select(_FIND.c.rowid).where(literal_column("event_find").op("MATCH")(bindparam("words")))
    query = cast(cast(bindparam("words", type_=Text), Text), TSQUERY)
    vector: Any = literal_column("array_to_tsvector(string_to_array(event_search.words, ' '))")
    return sqlalchemy.select(col(EventSearch.event_id)).where(vector.op("@@")(query))
