"""What is handed over: one place, one code, one QR."""

from datetime import datetime

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlmodel import Field, SQLModel

from app.core.codes import secret_code, short_code
from app.core.columns import link, one_of, row_id

STATES = ("valid", "void")


class Ticket(SQLModel, table=True):
    """`code` stands in the URL and the QR; `short_code` is useful only to someone with a right at the door."""

    __tablename__ = "tickets"
    __table_args__ = (
        UniqueConstraint("line_id", "n"),
        UniqueConstraint("event_id", "short_code"),
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

    @property
    def is_valid(self) -> bool:
        return self.state == "valid"
