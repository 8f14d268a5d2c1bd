"""The operator's own words on the site, and what the last look at the invariants found."""

from datetime import datetime

from sqlalchemy import CheckConstraint
from sqlmodel import Field, SQLModel

from app.core.columns import one_of

NAMES = ("imprint", "terms", "accessibility")


class SiteText(SQLModel, table=True):
    """A page that the operator writes in Markdown; until then the page shows our default."""

    __tablename__ = "site_texts"
    __table_args__ = (CheckConstraint(one_of("name", NAMES), name="name"),)

    name: str = Field(primary_key=True, max_length=20)
    body: str = Field(max_length=50_000)
    changed_at: datetime


class InvariantResult(SQLModel, table=True):
    """What one invariant's query found last: how many rows break it, and the first of them."""

    __tablename__ = "invariant_results"

    name: str = Field(primary_key=True, max_length=10)
    checked_at: datetime
    broken: int
    examples: str = Field(default="", max_length=500)
    milliseconds: int = 0
