"""Columns that several tables share."""

from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, Integer
from sqlmodel import Field

# SQLite numbers rows by itself only in a column of exactly the type INTEGER, which holds 64 bits there anyway.
RowId = BigInteger().with_variant(Integer(), "sqlite")


def row_id() -> Any:
    """A primary key that the database counts up."""
    return Field(default=None, sa_column=Column(RowId, primary_key=True, autoincrement=True))


def link(target: str, *, index: bool = True) -> Any:
    """A foreign key that must be there, such as link("events.id")."""
    return Field(sa_column=Column(BigInteger, ForeignKey(target), nullable=False, index=index))


def maybe_link(target: str, *, index: bool = True) -> Any:
    """A foreign key that may be empty."""
    return Field(default=None, sa_column=Column(BigInteger, ForeignKey(target), nullable=True, index=index))


def one_of(column: str, words: tuple[str, ...]) -> str:
    """The text of a CHECK: the column holds one of the words."""
    return f"{column} IN ({', '.join(repr(word) for word in words)})"
