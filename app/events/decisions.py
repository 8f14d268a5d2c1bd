"""What is kept of an admin's decisions about an event: what they wished changed, and how the event was."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Column, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from app.core.codes import secret_code
from app.core.columns import link, maybe_link, one_of, row_id
from app.events.models import SECTIONS

# What an admin let out or gave back is kept as it was then; a later change waits, and ends in one of the other ways.
REVISION_STATES = ("approved", "returned", "waiting", "replaced", "withdrawn", "declined")


class WishedChange(SQLModel, table=True):
    """What an admin wishes changed in one part of a draft that they gave back; gone when it is sent again."""

    __tablename__ = "wished_changes"
    __table_args__ = (UniqueConstraint("event_id", "section"), CheckConstraint(one_of("section", SECTIONS), name="section"))

    id: int | None = row_id()
    event_id: int = link("events.id")
    section: str = Field(max_length=10)
    words: str = Field(max_length=2000)


_WAITING_SQL = text("state = 'waiting'")


class Revision(SQLModel, table=True):
    """An event as it was when an admin decided about it, or a change of it that waits for one.

    `snapshot` is the whole event (rules.snapshots); `changes` are the columns that wait, as they are to become.
    """

    __tablename__ = "revisions"
    __table_args__ = (
        CheckConstraint(one_of("state", REVISION_STATES), name="state"),
        Index("ix_revisions_one_waiting", "event_id", unique=True, sqlite_where=_WAITING_SQL, postgresql_where=_WAITING_SQL),
    )

    id: int | None = row_id()
    code: str = Field(default_factory=secret_code, max_length=22, unique=True)
    event_id: int = link("events.id")
    state: str = Field(max_length=10)
    snapshot: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    changes: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    reason: str = Field(default="", max_length=2000)
    by_user_id: int = link("users.id", index=False)
    decided_by: int | None = maybe_link("users.id", index=False)
    created_at: datetime
    decided_at: datetime | None = None
