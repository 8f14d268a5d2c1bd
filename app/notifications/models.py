"""Telling people: what was told to whom, and each attempt to deliver it."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, Column, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from app.core.codes import secret_code
from app.core.columns import link, maybe_link, one_of, row_id
from app.tickets.models import PRESENCES

CHANNELS = ("email",)
DELIVERY_STATES = ("queued", "sent", "failed", "dropped")

# What a reader may switch off. Everything about their own money and evening is always told.
OPTIONAL_TOPICS = ("favourites", "saved", "reminders", "presales")


class Notification(SQLModel, table=True):
    """Something told to a user (a line in their panel) or to an address. `facts` fill its sentences when it is shown."""

    __tablename__ = "notifications"
    __table_args__ = (UniqueConstraint("activity_id", "recipient"), Index("ix_notifications_panel", "user_id", "id"))

    id: int | None = row_id()
    code: str = Field(default_factory=secret_code, max_length=22, unique=True)
    activity_id: int = Field(sa_type=BigInteger, foreign_key="activities.id")
    kind: str = Field(max_length=40)
    recipient: str = Field(max_length=260)
    user_id: int | None = maybe_link("users.id", index=False)
    email: str = Field(max_length=254)
    language: str = Field(default="en", max_length=10)
    facts: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    in_panel: bool = True
    created_at: datetime
    read_at: datetime | None = None


class Announcement(SQLModel, table=True):
    """What a manager wrote to those who come. `body` is Markdown; `type_ids` are the ticket types it went to, none for all.

    `presence` is one of PRESENCES of tickets when it went only to those who had come, or had not; empty for all.
    `people` is how many were to get it when it was confirmed. `code` is made before it is sent, so that sending it twice is
    sending it once.
    """

    __tablename__ = "announcements"
    __table_args__ = (CheckConstraint(one_of("presence", ("", *PRESENCES)), name="presence"),)

    id: int | None = row_id()
    code: str = Field(default_factory=secret_code, max_length=22, unique=True)
    event_id: int = link("events.id")
    by_user_id: int = link("users.id", index=False)
    activity_id: int = link("activities.id", index=False)
    job_code: str = Field(default="", max_length=22)
    subject: str = Field(max_length=120)
    body: str = Field(max_length=5000)
    type_ids: list[int] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    presence: str = Field(default="", max_length=7)
    people: int
    created_at: datetime


class Delivery(SQLModel, table=True):
    """One notification on one channel, tried until it is sent or a day has passed since `created_at`.

    An admin who sends a failed one again begins anew; one that is dropped stays unsent.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("notification_id", "channel"),
        CheckConstraint(one_of("channel", CHANNELS), name="channel"),
        CheckConstraint(one_of("state", DELIVERY_STATES), name="state"),
        Index("ix_deliveries_due", "state", "next_try_at"),
    )

    id: int | None = row_id()
    notification_id: int = Field(sa_type=BigInteger, foreign_key="notifications.id")
    channel: str = Field(default="email", max_length=10)
    state: str = Field(default="queued", max_length=8)
    attempts: int = 0
    created_at: datetime
    next_try_at: datetime
    sent_at: datetime | None = None
    error: str = Field(default="", max_length=500)


class Preference(SQLModel, table=True):
    """A topic that a recipient has switched off or on; no row means on."""

    __tablename__ = "preferences"
    __table_args__ = (CheckConstraint(one_of("topic", OPTIONAL_TOPICS), name="topic"),)

    recipient: str = Field(primary_key=True, max_length=260)
    topic: str = Field(primary_key=True, max_length=20)
    wanted: bool
