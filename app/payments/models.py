"""The money: attempts to pay, money going back, and what Stripe tells us."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, CheckConstraint, Column, Index, text
from sqlmodel import Field, SQLModel

from app.core.codes import random_id
from app.core.columns import link, maybe_link, one_of

PAYMENT_STATES = ("creating", "open", "processing", "captured", "expired", "failed", "void")
REFUND_STATES = ("requested", "pending", "succeeded", "failed")

# Money may come from any attempt that we thought was over, and is then written down all the same.
PAYMENT_TRANSITIONS = {
    "creating": ("open", "processing", "captured", "expired", "failed", "void"),
    "open": ("processing", "captured", "expired", "failed"),
    "processing": ("captured", "failed"),
    "expired": ("captured",),
    "failed": ("captured",),
    "void": ("captured",),
    "captured": (),
}

# A refund that has succeeded can still fail: banks send money back days later.
REFUND_TRANSITIONS = {
    "requested": ("pending", "succeeded", "failed"),
    "pending": ("succeeded", "failed"),
    "succeeded": ("failed",),
    "failed": (),
}

# What becomes of a payment that the buyer's bank disputes. While it is open we send nothing back by ourselves.
DISPUTES = ("", "open", "won", "lost")

# A refund of the app is asked for by us; one from elsewhere was made in Stripe's dashboard, or taken by a lost dispute.
ORIGINS = ("app", "elsewhere")
REASONS = ("not_needed", "called_off", "buyer", "manager", "admin", "elsewhere", "dispute")

# While a payment is in one of these, money may still come.
ACTIVE = ("creating", "open", "processing")
_ACTIVE_SQL = text(one_of("state", ACTIVE))


class Payment(SQLModel, table=True):
    """One attempt to pay a booking. Committed before Stripe is called, with the exact parameters of the call.

    `reserved_minor` is the sum of our refunds that have not failed; `returned_minor` of those made elsewhere.
    """

    __tablename__ = "payments"
    transitions: ClassVar = PAYMENT_TRANSITIONS
    __table_args__ = (
        CheckConstraint(one_of("state", PAYMENT_STATES), name="state"),
        CheckConstraint("reserved_minor >= 0 AND reserved_minor <= captured_minor", name="reserved"),
        CheckConstraint("returned_minor >= 0", name="returned"),
        CheckConstraint(one_of("dispute", DISPUTES), name="dispute"),
        Index("ix_payments_due", "state", "pay_until"),
        Index("ix_payments_one_active", "booking_id", unique=True, sqlite_where=_ACTIVE_SQL, postgresql_where=_ACTIVE_SQL),
    )

    id: str = Field(default_factory=random_id, primary_key=True, max_length=32)
    booking_id: int = link("bookings.id")
    provider: str = Field(default="stripe", max_length=10)
    state: str = Field(default="creating", max_length=12)
    amount_minor: int = Field(sa_type=BigInteger)
    currency: str = Field(max_length=3)
    params: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    session_id: str | None = Field(default=None, max_length=255, unique=True)
    payment_intent: str | None = Field(default=None, max_length=255, unique=True)
    session_url: str = Field(default="", max_length=2000)
    captured_minor: int = Field(default=0, sa_type=BigInteger)
    reserved_minor: int = Field(default=0, sa_type=BigInteger)
    returned_minor: int = Field(default=0, sa_type=BigInteger)
    dispute: str = Field(default="", max_length=10)
    disputed_at: datetime | None = None
    pay_until: datetime
    created_at: datetime
    captured_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def is_by_hand(self) -> bool:
        """Cash, or a card at the terminal of the door: somebody of the house hands it back."""
        return self.provider != "stripe"

    @property
    def is_active(self) -> bool:
        return self.state in ACTIVE

    @property
    def kept_minor(self) -> int:
        """What is left of the captured money after all refunds."""
        return self.captured_minor - self.reserved_minor - self.returned_minor


class Refund(SQLModel, table=True):
    """Money going back. Its id and attempt make the idempotency key of the call.

    `note` is what the person who asked for it wrote; `places` how many tickets it is for, 0 when it is for none.
    """

    __tablename__ = "refunds"
    transitions: ClassVar = REFUND_TRANSITIONS
    __table_args__ = (
        CheckConstraint(one_of("state", REFUND_STATES), name="state"),
        CheckConstraint("amount_minor > 0", name="amount"),
        CheckConstraint(one_of("origin", ORIGINS), name="origin"),
        CheckConstraint(one_of("reason", REASONS), name="reason"),
        Index("ix_refunds_due", "state", "next_try_at"),
    )

    id: str = Field(default_factory=random_id, primary_key=True, max_length=32)
    payment_id: str = Field(foreign_key="payments.id", index=True, max_length=32)
    amount_minor: int = Field(sa_type=BigInteger)
    state: str = Field(default="requested", max_length=12)
    origin: str = Field(default="app", max_length=10)
    reason: str = Field(max_length=40)
    note: str = Field(default="", max_length=200)
    places: int = 0
    by_user_id: int | None = maybe_link("users.id")
    attempt: int = 1
    stripe_refund_id: str | None = Field(default=None, max_length=255, unique=True)
    error: str = Field(default="", max_length=500)
    created_at: datetime
    next_try_at: datetime
    ended_at: datetime | None = None


class Notice(SQLModel, table=True):
    """What Stripe told us, written down before anything is done about it; done only when `done_at` is set.

    `object_id` is the session, intent, refund, charge or dispute that it is about. Both ids are hints: Stripe is asked again.
    """

    __tablename__ = "notices"
    __table_args__ = (Index("ix_notices_open", "done_at", "next_try_at"),)

    id: str = Field(primary_key=True, max_length=255)
    kind: str = Field(max_length=100)
    object_id: str = Field(default="", max_length=255)
    payment_intent: str = Field(default="", max_length=255)
    live: bool = False
    received_at: datetime
    done_at: datetime | None = None
    attempts: int = 0
    next_try_at: datetime
    error: str = Field(default="", max_length=500)


class Orphan(SQLModel, table=True):
    """A session of this shop at Stripe that no payment of ours knows, as after a restore from a backup.

    `outcome` says how it was closed: expired, unpaid, or refunded. One whose refund the bank sends back is found again.
    """

    __tablename__ = "orphans"
    transitions: ClassVar = {"found": ("closed",), "closed": ("found",)}
    __table_args__ = (CheckConstraint(one_of("state", ("found", "closed")), name="state"),)

    id: str = Field(primary_key=True, max_length=255)
    payment_intent: str = Field(default="", max_length=255)
    amount_minor: int = Field(default=0, sa_type=BigInteger)
    currency: str = Field(default="", max_length=3)
    state: str = Field(default="found", max_length=10)
    outcome: str = Field(default="", max_length=10)
    attempt: int = 1
    found_at: datetime
    ended_at: datetime | None = None


class Cursor(SQLModel, table=True):
    """How far a list at Stripe has been read, by the name of the list."""

    __tablename__ = "cursors"

    name: str = Field(primary_key=True, max_length=40)
    at: datetime


class RefundCode(SQLModel, table=True):
    """A code that was mailed to a guest, who proves by it that the address of the booking is theirs.

    The digits themselves are not here: they follow from `nonce` and the shop's secret key.
    """

    __tablename__ = "refund_codes"
    __table_args__ = (CheckConstraint("tries >= 0", name="tries"),)

    booking_id: int = Field(primary_key=True, sa_type=BigInteger, foreign_key="bookings.id")
    nonce: str = Field(max_length=32)
    tries: int = 0
    expires_at: datetime


class ReturnNote(SQLModel, table=True):
    """What was said to a buyer about tickets given back. The activity names the row, because its own words never change."""

    __tablename__ = "return_notes"

    id: str = Field(default_factory=random_id, primary_key=True, max_length=32)
    booking_id: int = link("bookings.id")
    words: str = Field(max_length=200)
