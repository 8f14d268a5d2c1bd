"""The claim on scarce places: one buyer, one event, some lines."""

from datetime import datetime
from typing import ClassVar

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from app.core.codes import secret_code, short_code
from app.core.columns import link, maybe_link, one_of, row_id

# For a purchase places are kept while the buyer pays, for a pre-sale until its pay-by time; an offer goes to whoever is next on
# the waiting list; a comp is a gift of the manager; at the door somebody of the house sells.
KINDS = ("purchase", "presale", "offer", "comp", "door")
# Those that are paid hours or days later: their owners see them on a page of their own and are reminded.
KEPT_LONG = ("presale", "offer")
STATES = ("held", "paying", "processing", "paid", "expired", "released", "refunded", "called_off")

# Places of a booking in one of these states are counted as held.
HOLDING = ("held", "paying", "processing")

# In line; places are offered; they were paid; the offer, or the whole list, ran out; left by themselves.
WAITING_STATES = ("waiting", "offered", "taken", "lapsed", "left")

# Which state may follow which. Every move is a guarded statement; this table is what the guards say.
TRANSITIONS = {
    "held": ("paying", "paid", "expired", "released", "called_off"),
    "paying": ("held", "processing", "paid", "expired", "released", "called_off"),
    "processing": ("held", "paid", "expired", "released", "called_off"),
    "expired": ("paid",),
    "paid": ("refunded", "called_off"),
    "released": (),
    "refunded": (),
    "called_off": (),
}


class Booking(SQLModel, table=True):
    """`code` opens the booking for whoever holds the link; `reference` is for reading aloud.

    `buyer_key` is what the limit per buyer counts by: the e-mail address once we know it, the browser before.
    `kept_minor` is what the shop may keep of the money: the price once it is paid, less what is given back. The rule for
    refunds is the event's at the moment of the hold: until so many hours before the start (None: never), less a fee a ticket.
    Comps and sales at the door say who made them, and `nonce` is that of the form: sent twice, it makes one booking.
    """

    __tablename__ = "bookings"
    transitions: ClassVar = TRANSITIONS
    __table_args__ = (
        CheckConstraint(one_of("kind", KINDS), name="kind"),
        CheckConstraint(one_of("state", STATES), name="state"),
        CheckConstraint("total_minor >= 0", name="total"),
        CheckConstraint("kept_minor >= 0 AND kept_minor <= total_minor", name="kept"),
        Index("ix_bookings_lapsing", "state", "held_until"),
    )

    id: int | None = row_id()
    code: str = Field(default_factory=secret_code, max_length=22, unique=True)
    reference: str = Field(default_factory=short_code, max_length=9, index=True)
    event_id: int = link("events.id")
    user_id: int | None = maybe_link("users.id")
    kind: str = Field(default="purchase", max_length=10)
    state: str = Field(default="held", max_length=12)
    visitor_key: str = Field(default="", max_length=64, index=True)
    buyer_key: str = Field(max_length=300, index=True)
    email: str = Field(default="", max_length=254, index=True)
    name: str = Field(default="", max_length=100)
    language: str = Field(default="en", max_length=10)
    held_until: datetime
    extensions: int = 0
    total_minor: int = Field(sa_type=BigInteger)
    kept_minor: int = Field(default=0, sa_type=BigInteger)
    currency: str = Field(max_length=3)
    refund_hours: int | None = None
    refund_fee_minor: int = Field(default=0, sa_type=BigInteger)
    is_late: bool = False
    note: str = Field(default="", max_length=200)
    sold_by_id: int | None = maybe_link("users.id")
    nonce: str | None = Field(default=None, max_length=64, unique=True)
    created_at: datetime
    paid_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def is_free(self) -> bool:
        return self.total_minor == 0

    @property
    def is_paid(self) -> bool:
        return self.state == "paid"

    @property
    def is_presale(self) -> bool:
        return self.kind == "presale"

    @property
    def is_offer(self) -> bool:
        return self.kind == "offer"

    @property
    def is_kept_long(self) -> bool:
        """Hours or days are left to pay it, so nobody watches a clock."""
        return self.kind in KEPT_LONG

    def is_held(self, now: datetime) -> bool:
        """Places are kept and nobody is paying; a lapsed hold counts as over even before the sweep has seen it."""
        return self.state == "held" and now < self.held_until

    def has_lapsed(self, now: datetime) -> bool:
        return self.state == "expired" or (self.state == "held" and now >= self.held_until)

    def is_being_paid(self) -> bool:
        return self.state in ("paying", "processing")


class BookingLine(SQLModel, table=True):
    """So many places of one ticket type, at the price of the moment of the hold. `returned` of them were given back since.

    When a code changed the price, `full_minor` is what a place costs without it.
    """

    __tablename__ = "booking_lines"
    __table_args__ = (
        UniqueConstraint("booking_id", "ticket_type_id"),
        CheckConstraint("qty > 0", name="qty"),
        CheckConstraint("unit_minor >= 0", name="unit"),
        CheckConstraint("returned >= 0 AND returned <= qty", name="returned"),
        CheckConstraint("full_minor IS NULL OR full_minor >= 0", name="full"),
    )

    id: int | None = row_id()
    booking_id: int = link("bookings.id")
    ticket_type_id: int = link("ticket_types.id")
    name: str = Field(max_length=60)
    qty: int
    returned: int = 0
    unit_minor: int = Field(sa_type=BigInteger)
    in_presale: bool = False
    access_code_id: int | None = maybe_link("access_codes.id")
    full_minor: int | None = Field(default=None, sa_type=BigInteger)
    promo_code_id: int | None = maybe_link("promo_codes.id")
    voucher_id: int | None = maybe_link("vouchers.id")

    @property
    def sum_minor(self) -> int:
        return self.qty * self.unit_minor

    @property
    def was_minor(self) -> int | None:
        """The usual price of a place, when a code has lowered it."""
        return self.full_minor if self.full_minor and self.full_minor > self.unit_minor else None

    @property
    def places(self) -> int:
        """Places that the line still claims while its booking lives."""
        return self.qty - self.returned


class Answer(SQLModel, table=True):
    """What a buyer answered: for the booking (`line_id` empty), or for the place number `n` of a line, counted from 1."""

    __tablename__ = "answers"
    __table_args__ = (UniqueConstraint("booking_id", "question_id", "line_id", "n"),)

    id: int | None = row_id()
    booking_id: int = link("bookings.id")
    question_id: int = link("questions.id")
    line_id: int | None = maybe_link("booking_lines.id", index=False)
    n: int = 0
    value: str = Field(max_length=500)


class WaitingEntry(SQLModel, table=True):
    """Somebody in line for places of a sold-out ticket type; who came first has the smaller id.

    `qty` places are wished for, and count in `ticket_types.waiting` while the state is "waiting". Places that come back
    become the booking `booking_id` of the kind "offer". Whoever has the `code` sees the place in line and may leave.
    """

    __tablename__ = "waiting_entries"
    __table_args__ = (
        CheckConstraint(one_of("state", WAITING_STATES), name="state"),
        CheckConstraint("qty > 0", name="qty"),
        Index("ix_waiting_entries_line", "ticket_type_id", "state", "id"),
        Index(
            "ix_waiting_entries_once",
            "ticket_type_id",
            "email",
            unique=True,
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
    )

    id: int | None = row_id()
    code: str = Field(default_factory=secret_code, max_length=22, unique=True)
    event_id: int = link("events.id")
    ticket_type_id: int = link("ticket_types.id", index=False)
    user_id: int | None = maybe_link("users.id")
    email: str = Field(max_length=254, index=True)
    language: str = Field(default="en", max_length=10)
    qty: int
    state: str = Field(default="waiting", max_length=8)
    booking_id: int | None = maybe_link("bookings.id")
    created_at: datetime
    offered_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def is_waiting(self) -> bool:
        return self.state == "waiting"


class BuyerLimit(SQLModel, table=True):
    """How many places one buyer claims at one event; the guard adds only while it stays below the limit."""

    __tablename__ = "buyer_limits"
    __table_args__ = (CheckConstraint("qty >= 0 AND qty <= max_qty", name="qty"),)

    event_id: int = Field(primary_key=True, sa_type=BigInteger, foreign_key="events.id")
    buyer_key: str = Field(primary_key=True, max_length=300)
    qty: int
    max_qty: int


class AccessCode(SQLModel, table=True):
    """Opens the pre-sale of one ticket type. `max_uses` counts bookings; empty means any number."""

    __tablename__ = "access_codes"
    __table_args__ = (
        UniqueConstraint("ticket_type_id", "code"),
        CheckConstraint("used >= 0 AND (max_uses IS NULL OR used <= max_uses)", name="uses"),
    )

    id: int | None = row_id()
    ticket_type_id: int = link("ticket_types.id")
    code: str = Field(max_length=40)
    max_uses: int | None = None
    used: int = 0


class PromoCode(SQLModel, table=True):
    """Lowers the price of one ticket type, or of all of an event, by `percent` or by `off_minor` a ticket.

    `max_uses` counts bookings, `per_buyer` those of one buyer; empty means any number. Its terms never change: another offer is
    another code. Codes that were made together share a `batch`.
    """

    __tablename__ = "promo_codes"
    __table_args__ = (
        UniqueConstraint("event_id", "code"),
        CheckConstraint("used >= 0 AND (max_uses IS NULL OR used <= max_uses)", name="uses"),
        CheckConstraint("(percent IS NULL) <> (off_minor IS NULL)", name="one_way"),
        CheckConstraint("percent IS NULL OR (percent >= 1 AND percent <= 100)", name="percent"),
        CheckConstraint("off_minor IS NULL OR off_minor >= 1", name="off"),
        CheckConstraint("per_buyer IS NULL OR per_buyer >= 1", name="per_buyer"),
    )

    id: int | None = row_id()
    event_id: int = link("events.id", index=False)
    ticket_type_id: int | None = maybe_link("ticket_types.id")
    code: str = Field(max_length=40)
    percent: int | None = None
    off_minor: int | None = Field(default=None, sa_type=BigInteger)
    least_places: int = 1
    max_uses: int | None = None
    used: int = 0
    per_buyer: int | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    batch: str = Field(default="", max_length=9)
    is_paused: bool = False
    ended_at: datetime | None = None
    created_at: datetime


class Voucher(SQLModel, table=True):
    """Sets `places` of one ticket type aside for whoever has the code; `aside` of them are still there.

    `unit_minor` is the price of a place with it, empty for that of the type. `max_uses` counts bookings. Once it has ended,
    places that come back go to everybody.
    """

    __tablename__ = "vouchers"
    __table_args__ = (
        UniqueConstraint("event_id", "code"),
        CheckConstraint("aside >= 0 AND aside <= places AND places >= 1", name="aside"),
        CheckConstraint("used >= 0 AND (max_uses IS NULL OR used <= max_uses)", name="uses"),
        CheckConstraint("unit_minor IS NULL OR unit_minor >= 0", name="unit"),
    )

    id: int | None = row_id()
    event_id: int = link("events.id", index=False)
    ticket_type_id: int = link("ticket_types.id")
    code: str = Field(max_length=40)
    places: int
    aside: int
    unit_minor: int | None = Field(default=None, sa_type=BigInteger)
    max_uses: int | None = None
    used: int = 0
    valid_until: datetime | None = None
    batch: str = Field(default="", max_length=9)
    is_paused: bool = False
    ended_at: datetime | None = None
    created_at: datetime
