"""What is handed over: one place, one code, one QR."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from app.core.codes import secret_code, short_code
from app.core.columns import link, maybe_link, one_of, row_id

STATES = ("valid", "void")
CHECK_IN_KINDS = ("in", "out", "undo")
SOURCES = ("online", "offline")
# What a door says to whom it lets neither in nor out; see Verdict.
REFUSALS = ("again", "left", "other_event", "void", "over", "called_off", "no_exit", "unpaid", "unknown")
# Whether the holder of a ticket has come; whose ticket is void is not missing.
PRESENCES = ("came", "missing")


class Ticket(SQLModel, table=True):
    """`code` stands in the URL and the QR; `short_code` is useful only to someone with a right at the door."""

    __tablename__ = "tickets"
    __table_args__ = (
        UniqueConstraint("line_id", "n"),
        UniqueConstraint("event_id", "short_code"),
        # The newest tickets of an event, and all of them in the order in which they lie.
        Index("ix_tickets_of_event", "event_id", "id"),
        CheckConstraint(one_of("state", STATES), name="state"),
    )

    id: int | None = row_id()
    code: str = Field(default_factory=secret_code, max_length=22, unique=True)
    short_code: str = Field(default_factory=short_code, max_length=9)
    event_id: int = link("events.id", index=False)
    booking_id: int = link("bookings.id")
    line_id: int = link("booking_lines.id", index=False)
    ticket_type_id: int = link("ticket_types.id")
    n: int
    holder: str = Field(default="", max_length=100)
    state: str = Field(default="valid", max_length=6)
    issued_at: datetime
    voided_at: datetime | None = None
    # Whether its holder is in now; changed only by the guarded statements of checking in.
    inside: bool = False

    @property
    def is_valid(self) -> bool:
        return self.state == "valid"


class Gate(SQLModel, table=True):
    """A door of an event, by its name. What was checked in there stays when it is taken away."""

    __tablename__ = "gates"
    __table_args__ = (UniqueConstraint("event_id", "name"),)

    id: int | None = row_id()
    code: str = Field(default_factory=secret_code, max_length=22, unique=True)
    event_id: int = link("events.id", index=False)
    name: str = Field(max_length=40)


class CheckIn(SQLModel, table=True):
    """A ticket went in, out, or one of that was undone, at a gate. Rows are added and never changed.

    `at` is when it happened at the door, `noted_at` when the shop heard of it; they differ for a device that was offline.
    A `conflict` happened at the door although the ticket was in already, or void: it moves no counter, and somebody looks at it.
    """

    __tablename__ = "check_ins"
    __table_args__ = (
        CheckConstraint(one_of("kind", CHECK_IN_KINDS), name="kind"),
        CheckConstraint(one_of("source", SOURCES), name="source"),
        UniqueConstraint("ticket_id", "nonce"),
        CheckConstraint("(kind = 'undo') = (undoes_id IS NOT NULL)", name="undoes"),
        Index("ix_check_ins_of_event", "event_id", "noted_at"),
    )

    id: int | None = row_id()
    code: str = Field(default_factory=secret_code, max_length=22, unique=True)
    event_id: int = link("events.id", index=False)
    ticket_id: int = link("tickets.id", index=False)
    kind: str = Field(max_length=4)
    gate: str = Field(default="", max_length=40)
    by_user_id: int = link("users.id", index=False)
    at: datetime
    noted_at: datetime
    # What the device called this very scan.
    nonce: str = Field(max_length=64)
    source: str = Field(default="online", max_length=7)
    conflict: bool = False
    # Each is undone once at most.
    undoes_id: int | None = Field(default=None, sa_column=Column(BigInteger, ForeignKey("check_ins.id"), unique=True))


class Refusal(SQLModel, table=True):
    """A scan that let nobody in or out, for the list of the door. `word` says why, as the verdict did.

    Only a ticket of the event itself stands here: of other events, and of strangers, the door learns nothing. The same `nonce`
    is the same scan.
    """

    __tablename__ = "refusals"
    __table_args__ = (
        CheckConstraint(one_of("word", REFUSALS), name="word"),
        UniqueConstraint("event_id", "nonce"),
        Index("ix_refusals_of_event", "event_id", "noted_at"),
    )

    id: int | None = row_id()
    event_id: int = link("events.id", index=False)
    ticket_id: int | None = maybe_link("tickets.id", index=False)
    word: str = Field(max_length=11)
    gate: str = Field(default="", max_length=40)
    by_user_id: int = link("users.id", index=False)
    at: datetime
    noted_at: datetime
    nonce: str = Field(max_length=64)
