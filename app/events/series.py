"""Several dates of one thing: what they share is a name and a page. Each date is an event that sells by itself."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from app.core.columns import link, row_id


class Series(SQLModel, table=True):
    """A page of several dates. It belongs to the manager of its events, and goes with the last of them."""

    __tablename__ = "series"

    id: int | None = row_id()
    slug: str = Field(max_length=120, unique=True)
    title: str = Field(max_length=120)
    manager_id: int = link("users.id")
    created_at: datetime
