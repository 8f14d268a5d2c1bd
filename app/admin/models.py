"""What the last look at the invariants found, and what browsers report."""

from datetime import datetime

from sqlalchemy import CheckConstraint
from sqlmodel import Field, SQLModel


class InvariantResult(SQLModel, table=True):
    """What one invariant's query found last: how many rows break it, and the first of them."""

    __tablename__ = "invariant_results"

    name: str = Field(primary_key=True, max_length=10)
    checked_at: datetime
    broken: int
    examples: str = Field(default="", max_length=500)
    milliseconds: int = 0


class CspReport(SQLModel, table=True):
    """What a browser refused to load or run, because our policy forbids it: a row for each kind, counted.

    `blocked` is a host or a word such as "inline"; `path` is the page of ours, without its query and its secrets.
    """

    __tablename__ = "csp_reports"
    __table_args__ = (CheckConstraint("times >= 1", name="times"),)

    directive: str = Field(primary_key=True, max_length=40)
    blocked: str = Field(primary_key=True, max_length=100)
    path: str = Field(primary_key=True, max_length=100)
    times: int = 1
    first_at: datetime
    last_at: datetime
