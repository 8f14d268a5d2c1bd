"""What is offered: events, where and of what kind they are, and the kinds of places they sell."""

from datetime import datetime, timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from sqlalchemy import JSON, BigInteger, CheckConstraint, Column, Index, UniqueConstraint, literal_column
from sqlalchemy.orm import column_property
from sqlmodel import AutoString, Field, SQLModel, col, select

from app.core.codes import secret_code, short_code
from app.core.columns import link, maybe_link, one_of, row_id
from app.events.rules.words import address_of_city, address_with

STATES = ("draft", "submitted", "approved", "published", "called_off")

# Which state may follow which; every action that moves an event reads this table.
TRANSITIONS = {
    "draft": ("submitted", "approved", "published"),
    "submitted": ("draft", "approved", "published"),
    "approved": ("published", "called_off"),
    "published": ("called_off",),
    "called_off": (),
}

# The parts of an event as its manager writes it; an admin wishes changes at one of them.
SECTIONS = ("basics", "tickets", "page", "access")

# What somebody in an event's team may do: change it; see and sell; admit at the door.
RIGHTS = ("edit", "sales", "door")

# What a page may ask for, and which right opens it. An event's manager and admins may everything; the team is theirs alone.
OPENED_BY = {"edit": ("edit",), "sales": ("sales",), "door": ("door",), "desk": ("edit", "sales"), "team": ()}
HELPS_AFTER = timedelta(days=1)  # the event, whoever helps at the door alone

QUESTION_KINDS = ("text", "choice", "yes_no")

# For so long after the new date of a postponed event is known, who booked before may give everything back.
RETURN_DAYS = 14

# Places are free, aside for whoever has a voucher, held or sold.
_STOCK = "held >= 0 AND sold >= 0 AND aside >= 0 AND held + sold + aside <= capacity"


class Category(SQLModel, table=True):
    __tablename__ = "categories"

    id: int | None = row_id()
    slug: str = Field(max_length=60, unique=True)
    name: str = Field(max_length=60)
    position: int = 0


def _slug_of_venue(context: Any) -> str:
    row = context.get_current_parameters()
    return address_with(short_code().lower(), row["name"], row["city"])


class Venue(SQLModel, table=True):
    __tablename__ = "venues"
    __table_args__ = (
        UniqueConstraint("name", "city", "address"),
        CheckConstraint("latitude BETWEEN -90 AND 90", name="latitude"),
        CheckConstraint("longitude BETWEEN -180 AND 180", name="longitude"),
    )

    id: int | None = row_id()
    # The address of its page, which stays when the venue gets another name.
    slug: str = Field(default=None, sa_column=Column(AutoString(120), nullable=False, unique=True, default=_slug_of_venue))
    name: str = Field(max_length=120)
    address: str = Field(default="", max_length=200)
    city: str = Field(max_length=80, index=True)
    # Degrees, where an admin has filled them in: then events are found by their distance.
    latitude: float | None = None
    longitude: float | None = None

    @property
    def path(self) -> str:
        return f"/venues/{self.slug}"

    @property
    def city_path(self) -> str:
        return f"/cities/{address_of_city(self.city)}"


class Event(SQLModel, table=True):
    """The thing on stage. Whether it is scheduled, on sale, sold out or over follows from times and stock."""

    __tablename__ = "events"
    __table_args__ = (
        CheckConstraint(one_of("state", STATES), name="state"),
        CheckConstraint("ends_at > starts_at", name="ends_after_start"),
        CheckConstraint("per_buyer >= 1", name="per_buyer"),
        CheckConstraint("presale_per_buyer IS NULL OR presale_per_buyer >= 1", name="presale_per_buyer"),
        CheckConstraint("refund_hours IS NULL OR refund_hours >= 0", name="refund_hours"),
        CheckConstraint("refund_fee_minor >= 0", name="refund_fee"),
        CheckConstraint("return_days >= 1", name="return_days"),
        CheckConstraint("offer_hours >= 1 AND offer_hours <= 168", name="offer_hours"),
        CheckConstraint("minimum_age IS NULL OR minimum_age BETWEEN 1 AND 99", name="minimum_age"),
        # All that the list asks of an event, so that it walks through this index in the order of time and looks nowhere else.
        Index("ix_events_shown", "state", "starts_at", "ends_at", "venue_id", "category_id"),
        Index("ix_events_ahead", "state", "ends_at", "starts_at"),
        Index("ix_events_at", "venue_id", "state", "ends_at"),
    )

    id: int | None = row_id()
    slug: str = Field(max_length=120, unique=True)
    manager_id: int = link("users.id")
    category_id: int = link("categories.id")
    venue_id: int | None = maybe_link("venues.id", index=False)
    series_id: int | None = maybe_link("series.id")  # what it is a date of, when it takes place several times
    title: str = Field(max_length=120)
    summary: str = Field(default="", max_length=200)
    description: str = Field(default="", max_length=20_000)
    access: str = Field(default="", max_length=500)
    language: str = Field(default="en", max_length=10)
    texts: dict[str, dict[str, str]] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))  # rules/languages.py
    minimum_age: int | None = None
    # An online event has no venue. Only who holds a ticket reads its link.
    is_online: bool = False
    online_url: str = Field(default="", max_length=500)
    # The sections of the form that the manager has saved; in the others stands only what we suggest.
    saved_sections: str = Field(default="", max_length=60)
    state: str = Field(default="draft", max_length=12)
    # What an admin said about the whole event; what they said about a part of it stands in wished_changes.
    wished_changes: str = Field(default="", max_length=2000)
    called_off_reason: str = Field(default="", max_length=500)
    postponed_reason: str = Field(default="", max_length=500)
    starts_at: datetime = Field(index=True)
    ends_at: datetime
    doors_at: datetime | None = None
    zone: str = Field(default="Europe/Rome", max_length=60)
    currency: str = Field(default="EUR", max_length=3)
    hue: str = Field(default="cobalt", max_length=10)
    tone: str = Field(default="deep", max_length=10)
    motif: str = Field(default="keys", max_length=10)
    picture: str = Field(default="", max_length=80)
    per_buyer: int = 6
    presale_hours: int = 48
    # Of the places of one buyer, how many may be of the pre-sale; empty means all.
    presale_per_buyer: int | None = None
    # Until how many hours before the start a buyer may give tickets back (empty: never), and what that costs a ticket.
    refund_hours: int | None = None
    refund_fee_minor: int = Field(default=0, sa_type=BigInteger)
    # Of the waiting lists of sold-out types: may people join, and how long are places that came back offered to one of them.
    is_waiting_list_open: bool = True
    offer_hours: int = 12
    has_exit: bool = False  # whether people may leave and come back in with the same ticket
    publish_at: datetime | None = None
    created_at: datetime
    submitted_at: datetime | None = None
    # A draft that an admin has rejected can be copied or deleted, and nothing else.
    rejected_at: datetime | None = None
    published_at: datetime | None = Field(default=None, index=True)
    called_off_at: datetime | None = None
    # Postponed, and no new date is known yet; the old one still stands in starts_at. With a new date it is empty again.
    postponed_at: datetime | None = None
    redated_at: datetime | None = None
    # The start before the last change of it that the public saw; search engines are told both.
    previous_starts_at: datetime | None = None
    return_days: int = RETURN_DAYS
    changed_at: datetime | None = None
    # Counts what was saved, so that whoever saves later sees what somebody else has saved meanwhile.
    version: int = 1

    @property
    def tz(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    @property
    def is_editable(self) -> bool:
        """A submitted event waits for the admin; a rejected and a called-off one are closed."""
        return self.state in ("draft", "approved", "published") and not self.is_rejected

    @property
    def is_rejected(self) -> bool:
        return self.state == "draft" and self.rejected_at is not None

    @property
    def is_public(self) -> bool:
        """Called-off events keep their page, so that whoever has the link reads what happened."""
        return self.published_at is not None and self.state in ("published", "called_off")

    @property
    def is_called_off(self) -> bool:
        return self.state == "called_off"

    @property
    def is_postponed(self) -> bool:
        """Nobody knows yet when it takes place."""
        return self.state == "published" and self.postponed_at is not None

    @property
    def keeps_its_date(self) -> bool:
        """It was postponed and takes place when it was to after all: then there is no reason any more."""
        return self.redated_at is not None and not self.is_postponed and not self.postponed_reason

    @property
    def returns_until(self) -> datetime | None:
        """Until when everything that was booked before the new date was known goes back whole; None while that is not known."""
        if not self.redated_at or self.is_postponed:
            return None
        return min(self.redated_at + timedelta(days=self.return_days), self.starts_at)

    def gives_all_back(self, booked_at: datetime, now: datetime) -> bool:
        """Whether what was booked at that moment may be given back for its full price, whatever the rule for refunds says."""
        if self.is_postponed:
            return True
        return self.redated_at is not None and booked_at < self.redated_at and now < (self.returns_until or now)

    def is_over(self, now: datetime) -> bool:
        return self.ends_at <= now and not self.is_postponed

    def has_started(self, now: datetime) -> bool:
        return self.starts_at <= now and not self.is_postponed

    def sells(self, now: datetime) -> bool:
        """Whether places may be held at all; each ticket type has its own window inside this."""
        return self.takes_payments(now) and not self.is_postponed

    def takes_payments(self, now: datetime) -> bool:
        """Whether places that are held may be paid, also while the event is postponed: they can be given back whole."""
        return self.state == "published" and not self.is_over(now)

    def may_become(self, state: str) -> bool:
        return state in TRANSITIONS[self.state]

    def presale_kept_until(self, now: datetime) -> datetime:
        """The minute until which a pre-sale booking made now is kept: its pay-by time, or the start if that is sooner."""
        return min(now + timedelta(hours=self.presale_hours), self.starts_at)


class Quota(SQLModel, table=True):
    """Caps several ticket types together. Its counters are the sums of theirs, and change only with them."""

    __tablename__ = "quotas"
    __table_args__ = (CheckConstraint(_STOCK, name="stock"),)

    id: int | None = row_id()
    code: str = Field(default_factory=secret_code, max_length=22, unique=True)
    event_id: int = link("events.id")
    name: str = Field(max_length=60)
    capacity: int
    held: int = 0
    sold: int = 0
    aside: int = 0

    @property
    def left(self) -> int:
        return self.capacity - self.held - self.sold - self.aside


class TicketType(SQLModel, table=True):
    """A kind of place. `held`, `sold`, `aside`, `presale_taken` and `waiting` (wished for) change only by guarded statements.

    `quota_left` is read with the row: what its quota has left for everybody, None without a quota.
    """

    __tablename__ = "ticket_types"
    __table_args__ = (
        CheckConstraint(_STOCK, name="stock"),
        CheckConstraint(
            "presale_places IS NULL OR (presale_taken >= 0 AND presale_taken <= presale_places)", name="presale_stock"
        ),
        CheckConstraint("presale_places IS NULL OR presale_places <= capacity", name="presale_inside"),
        CheckConstraint("price_minor >= 0", name="price"),
        CheckConstraint("per_booking >= 1 AND per_booking <= 20", name="per_booking"),
        CheckConstraint("sale_to > sale_from", name="window"),
        CheckConstraint("presale_from IS NULL OR presale_from < sale_from", name="presale_window"),
        CheckConstraint("waiting >= 0", name="waiting"),
        Index("ix_ticket_types_price", "price_minor", "event_id"),
    )

    id: int | None = row_id()
    code: str = Field(default_factory=secret_code, max_length=22, unique=True)
    event_id: int = link("events.id")
    name: str = Field(max_length=60)
    note: str = Field(default="", max_length=120)
    position: int = 0
    price_minor: int = Field(sa_type=BigInteger)
    capacity: int
    held: int = 0
    sold: int = 0
    aside: int = 0
    waiting: int = 0
    per_booking: int = 6
    quota_id: int | None = maybe_link("quotas.id")
    sale_from: datetime
    sale_to: datetime
    presale_from: datetime | None = None
    presale_places: int | None = None
    presale_taken: int = 0
    needs_code: bool = False
    quota_left: ClassVar[Any] = None

    @property
    def left(self) -> int:
        """Places that are free for everybody, so not those that somebody waits for; never more than the quota has."""
        free = self.capacity - self.held - self.sold - self.aside - self.waiting
        return max(0, free if self.quota_left is None else min(free, self.quota_left))

    @property
    def presale_left(self) -> int:
        """Places that the pre-sale may still take; never more than are left at all."""
        return self.left if self.presale_places is None else min(self.left, self.presale_places - self.presale_taken)

    def is_in_general_sale(self, now: datetime) -> bool:
        return self.sale_from <= now < self.sale_to

    def is_in_presale(self, now: datetime) -> bool:
        return self.presale_from is not None and self.presale_from <= now < self.sale_from

    def is_on_sale(self, now: datetime) -> bool:
        return self.is_in_general_sale(now) or self.is_in_presale(now)

    def left_now(self, now: datetime) -> int:
        """Places that a buyer may hold in the phase that is open now; 0 when none is."""
        if self.is_in_general_sale(now):
            return self.left
        return self.presale_left if self.is_in_presale(now) else 0

    def opens_next(self, now: datetime) -> datetime | None:
        """When the next phase opens, if one is still ahead."""
        ahead = [moment for moment in (self.presale_from, self.sale_from) if moment and moment > now]
        return min(ahead) if ahead else None


_WISHED = "(SELECT SUM(others.waiting) FROM ticket_types AS others WHERE others.quota_id = quotas.id)"
TicketType.quota_left = column_property(
    select(col(Quota.capacity) - col(Quota.held) - col(Quota.sold) - col(Quota.aside) - literal_column(_WISHED))
    .where(Quota.id == TicketType.quota_id)
    .correlate_except(Quota)
    .scalar_subquery()
)


class Question(SQLModel, table=True):
    """What buyers are asked at the checkout, once a booking or once a ticket. `choices` has one answer on each line."""

    __tablename__ = "questions"
    __table_args__ = (CheckConstraint(one_of("kind", QUESTION_KINDS), name="kind"),)

    id: int | None = row_id()
    code: str = Field(default_factory=secret_code, max_length=22, unique=True)
    event_id: int = link("events.id")
    position: int = 0
    label: str = Field(max_length=200)
    kind: str = Field(default="text", max_length=10)
    choices: str = Field(default="", max_length=2000)
    is_required: bool = False
    per_ticket: bool = False
    # A question that was answered stays, so that its answers can be read; nobody is asked it any more.
    ended_at: datetime | None = None


class Helper(SQLModel, table=True):
    """Somebody with rights on one event, invited by mail; `user_id` is theirs once they have said yes."""

    __tablename__ = "helpers"
    __table_args__ = (UniqueConstraint("event_id", "email"),)

    id: int | None = row_id()
    code: str = Field(default_factory=secret_code, max_length=22, unique=True)
    event_id: int = link("events.id")
    email: str = Field(max_length=254)
    user_id: int | None = maybe_link("users.id")
    may_edit: bool = False
    may_sell: bool = False
    may_check_in: bool = False
    invited_by: int = link("users.id", index=False)
    created_at: datetime
    joined_at: datetime | None = None

    @property
    def rights(self) -> tuple[str, ...]:
        """Those of RIGHTS that were given."""
        given = (self.may_edit, self.may_sell, self.may_check_in)
        return tuple(right for right, may in zip(RIGHTS, given, strict=True) if may)

    def counts(self, event: "Event", now: datetime) -> bool:
        """Whether the rights can be used: the invitation was accepted, and for the door alone not a day after the event."""
        is_over = self.rights == ("door",) and now >= event.ends_at + HELPS_AFTER
        return self.joined_at is not None and not is_over


class Favourite(SQLModel, table=True):
    """A category or an event that a user marked; exactly one of the two is set."""

    __tablename__ = "favourites"
    __table_args__ = (
        UniqueConstraint("user_id", "category_id"),
        UniqueConstraint("user_id", "event_id"),
        CheckConstraint("(category_id IS NULL) <> (event_id IS NULL)", name="one_thing"),
    )

    id: int | None = row_id()
    user_id: int = link("users.id")
    category_id: int | None = maybe_link("categories.id")
    event_id: int | None = maybe_link("events.id")
    created_at: datetime
