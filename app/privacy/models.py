"""Copies of what the shop keeps about a person, and what remains of a person who was erased."""

from datetime import date, datetime, timedelta

from sqlalchemy import BigInteger, CheckConstraint, Index
from sqlmodel import Field, SQLModel

from app.core.codes import random_id, secret_code
from app.core.columns import link, one_of, row_id

EXPORT_STATES = ("asked", "ready", "failed")
EXPORT_LIFE = timedelta(days=7)
ORIGINS = ("person", "operator")


class Export(SQLModel, table=True):
    """A file with everything about a user, made by the worker. `code` stands in its address, `file` names it on the disk."""

    __tablename__ = "exports"
    __table_args__ = (
        CheckConstraint(one_of("state", EXPORT_STATES), name="state"),
        Index("ix_exports_due", "state", "next_try_at"),
    )

    id: int | None = row_id()
    code: str = Field(default_factory=secret_code, max_length=22, unique=True)
    user_id: int = link("users.id")
    state: str = Field(default="asked", max_length=8)
    file: str = Field(default="", max_length=40)
    size_bytes: int = Field(default=0, sa_type=BigInteger)
    attempts: int = 0
    asked_at: datetime
    next_try_at: datetime
    ready_at: datetime | None = None
    expires_at: datetime

    def is_ready(self, now: datetime) -> bool:
        return self.state == "ready" and now < self.expires_at


class Erasure(SQLModel, table=True):
    """That somebody was erased: whose account, by its code, and whose address, as an HMAC. Nothing that names a person.

    The same line stands in a file outside the database, so that a restore from a backup cannot undo it.
    """

    __tablename__ = "erasures"
    __table_args__ = (CheckConstraint(one_of("origin", ORIGINS), name="origin"),)

    id: str = Field(default_factory=random_id, primary_key=True, max_length=32)
    user_code: str = Field(default="", max_length=22)
    address_hash: str = Field(max_length=64)
    origin: str = Field(max_length=10)
    at: datetime


class KeptName(SQLModel, table=True):
    """Who paid a booking, kept for the books alone after its buyer was erased. Only an admin's look at a receipt reads it."""

    __tablename__ = "kept_names"

    booking_id: int = Field(primary_key=True, sa_type=BigInteger, foreign_key="bookings.id")
    name: str = Field(max_length=100)
    until: date = Field(index=True)
