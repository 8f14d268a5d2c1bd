"""What the last look at the invariants found."""

from datetime import datetime

from sqlmodel import Field, SQLModel


class InvariantResult(SQLModel, table=True):
    """What one invariant's query found last: how many rows break it, and the first of them."""

    __tablename__ = "invariant_results"

    name: str = Field(primary_key=True, max_length=10)
    checked_at: datetime
    broken: int
    examples: str = Field(default="", max_length=500)
    milliseconds: int = 0
