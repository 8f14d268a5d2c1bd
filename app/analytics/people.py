"""Who has booked and who comes: lists that a manager searches, page by page, and the rows of their files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import exists, func, literal, or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.bookings.models import HOLDING, Answer, Booking, BookingLine
from app.core.formats import money
from app.core.i18n import gettext as _
from app.core.i18n import lazy, lazy_pgettext
from app.events.models import Event, Question, TicketType
from app.events.queries import columns
from app.tickets.models import PRESENCES, Ticket
from app.tickets.queries import came_at, has_presence
from app.tickets.rules import read

ON_A_PAGE = 50

# What a filter says -> the states of bookings that it shows.
BOOKING_STATES: dict[str, tuple[str, ...]] = {
    "paid": ("paid",),
    "held": HOLDING,
    "ended": ("expired", "released", "refunded", "called_off"),
}
ATTENDEE_STATES = ("valid", "void", *PRESENCES)
SORTS = ("newest", "name")

STATE_NAMES = {
    "held": lazy_pgettext("booking", "Held"),
    "paying": lazy_pgettext("booking", "Being paid"),
    "processing": lazy("Bank is confirming"),
    "paid": lazy_pgettext("booking", "Paid"),
    "expired": lazy_pgettext("booking", "Ran out"),
    "released": lazy_pgettext("booking", "Released"),
    "refunded": lazy_pgettext("booking", "Refunded"),
    "called_off": lazy_pgettext("booking", "Called off"),
    "valid": lazy_pgettext("ticket", "Valid"),
    "void": lazy_pgettext("ticket", "Void"),
}


@dataclass(frozen=True)
class Wish:
    """Which of an event's people are shown: a word out of their name, address, reference or short code; a type; a state."""

    q: str = ""
    type_id: int | None = None
    state: str = ""
    sort: str = "newest"


@dataclass(frozen=True)
class BookedRow:
    """A booking and the places that it still has or had."""

    booking: Booking
    places: int


@dataclass(frozen=True)
class Attendee:
    """A ticket, the name of its type, the booking that it came with, and when its holder came in first."""

    ticket: Ticket
    type_name: str
    booking: Booking
    came_at: datetime | None

    @property
    def name(self) -> str:
        return self.ticket.holder or self.booking.name


async def bookings(db: AsyncSession, event_id: int, wish: Wish, *, page: int) -> tuple[list[BookedRow], int]:
    """One page of an event's bookings, and how many there are on all pages. Two queries, for what looks like a code four."""
    conditions = _of_bookings(event_id, wish, await _named(db, event_id, wish.q))
    order = [func.lower(Booking.name), col(Booking.id)] if wish.sort == "name" else [col(Booking.id).desc()]
    found = columns(Booking, _places()).where(*conditions).order_by(*order)
    rows = (await db.exec(found.limit(ON_A_PAGE).offset((page - 1) * ON_A_PAGE))).all()
    total = (await db.exec(select(func.count()).select_from(Booking).where(*conditions))).one()
    return [BookedRow(booking, int(places)) for booking, places in rows], total


async def attendees(db: AsyncSession, event_id: int, wish: Wish, *, page: int) -> tuple[list[Attendee], int]:
    """One page of an event's tickets with their holders, and how many there are on all pages. At most six queries: the page
    is chosen among the tickets alone, and only what it shows is joined."""
    conditions = _of_attendees(event_id, wish, await _named(db, event_id, wish.q))
    # A search looks through every ticket, so it counts them meanwhile; without one, indexes know both.
    total = func.count().over() if wish.q else literal(0)
    chosen = columns(Ticket.id, total).where(*conditions).limit(ON_A_PAGE).offset((page - 1) * ON_A_PAGE)
    if wish.sort == "name":
        by_name = func.lower(func.coalesce(func.nullif(Ticket.holder, ""), Booking.name))
        chosen = chosen.join(Booking, col(Booking.id) == Ticket.booking_id).order_by(by_name, col(Ticket.id))
    else:
        chosen = chosen.order_by(col(Ticket.id).desc())
    found = (await db.exec(chosen)).all()
    shown = {each.ticket.id: each for each in await _attendees(db, _joined(col(Ticket.id).in_([row[0] for row in found])))}
    counted = select(func.count()).select_from(Ticket).where(*conditions)
    is_counted = wish.q and (found or page == 1)
    count = sum(row[1] for row in found[:1]) if is_counted else (await db.exec(counted)).one()
    return [shown[ticket_id] for ticket_id, _total in found], count


async def count_attendees(db: AsyncSession, event_id: int, wish: Wish) -> int:
    return (await db.exec(select(func.count()).select_from(Ticket).where(*_of_attendees(event_id, wish)))).one()


async def count_bookings(db: AsyncSession, event_id: int, wish: Wish) -> int:
    return (await db.exec(select(func.count()).select_from(Booking).where(*_of_bookings(event_id, wish)))).one()


async def answers(db: AsyncSession, booking_ids: Sequence[int]) -> list[Answer]:
    """What the buyers of these bookings answered."""
    found = select(Answer).where(col(Answer.booking_id).in_(booking_ids))
    return list((await db.exec(found.order_by(col(Answer.question_id), col(Answer.line_id), col(Answer.n)))).all())


async def questions(db: AsyncSession, event_id: int) -> Sequence[Question]:
    """What an event asks and has asked, in the order of its form."""
    asked = select(Question).where(Question.event_id == event_id)
    return (await db.exec(asked.order_by(col(Question.position), col(Question.id)))).all()


async def told_of(db: AsyncSession, event_id: int, rows: Sequence[Attendee]) -> dict[int, list[tuple[str, str]]]:
    """What was answered about each of these tickets, by its id: pairs of a question and its answer."""
    asked = await questions(db, event_id)
    if not asked:
        return {}
    told = _told(await answers(db, [each.booking.id or 0 for each in rows]))
    pairs = {each.ticket.id or 0: [(one.label, _answer(each.ticket, one, told)) for one in asked] for each in rows}
    return {number: [(label, value) for label, value in found if value] for number, found in pairs.items()}


# ---------- files ----------


def head(what: str, asked: Sequence[Question]) -> list[str]:
    """The first row of a file of "attendees" or "bookings"."""
    titles = {
        "attendees": (
            _("Name"), _("Type"), _("Ticket"), _("State"), _("Booking"), _("Buyer"), _("Email"),
            _("Issued (UTC)"), _("Came (UTC)"),
        ),
        "bookings": (
            _("Booking"), _("State"), _("Buyer"), _("Email"), _("Places"), _("Total"), _("Kept"), _("Made (UTC)"), _("Paid (UTC)")
        ),
    }  # fmt: skip
    return [*titles[what], *(question.label for question in asked)]


async def rows(
    db: AsyncSession, event: Event, what: str, wish: Wish, asked: Sequence[Question], *, after: int, most: int
) -> tuple[list[list[str]], int]:
    """The next rows of a file in the order of their ids, and the id to go on behind. Three queries at most."""
    if what == "bookings":
        found = columns(Booking, _places()).where(*_of_bookings(event.id or 0, wish), col(Booking.id) > after)
        booked = (await db.exec(found.order_by(col(Booking.id)).limit(most))).all()
        told = _told(await answers(db, [booking.id for booking, _places in booked]))
        cells = [_booking_cells(booking, int(places), asked, told) for booking, places in booked]
        return cells, booked[-1][0].id if booked else after
    chosen = _joined(*_of_attendees(event.id or 0, wish), col(Ticket.id) > after)
    come = await _attendees(db, chosen.order_by(col(Ticket.id)).limit(most))
    told = _told(await answers(db, [each.booking.id or 0 for each in come]))
    return [_attendee_cells(each, asked, told) for each in come], come[-1].ticket.id or 0 if come else after


# Booking, question, line and number of the place -> what was answered. For the whole booking the last two are 0.
_Told = Mapping[tuple[int, int, int, int], str]


def _told(found: Sequence[Answer]) -> _Told:
    return {(each.booking_id, each.question_id, each.line_id or 0, each.n): each.value for each in found}


def _booking_cells(booking: Booking, places: int, asked: Sequence[Question], told: _Told) -> list[str]:
    """Answers about single places stand behind each other, in their order."""
    of_it = [(key[1], value) for key, value in sorted(told.items()) if key[0] == booking.id]
    return [
        booking.reference,
        str(STATE_NAMES[booking.state]),
        booking.name,
        booking.email,
        str(places),
        money(booking.total_minor, booking.currency),
        money(booking.kept_minor, booking.currency),
        f"{booking.created_at:%Y-%m-%d %H:%M}",
        f"{booking.paid_at:%Y-%m-%d %H:%M}" if booking.paid_at else "",
        *("; ".join(value for found, value in of_it if found == question.id) for question in asked),
    ]


def _attendee_cells(each: Attendee, asked: Sequence[Question], told: _Told) -> list[str]:
    ticket, booking = each.ticket, each.booking
    return [
        each.name,
        each.type_name,
        ticket.short_code,
        str(STATE_NAMES[ticket.state]),
        booking.reference,
        booking.name,
        booking.email,
        f"{ticket.issued_at:%Y-%m-%d %H:%M}",
        f"{each.came_at:%Y-%m-%d %H:%M}" if each.came_at else "",
        *(_answer(ticket, question, told) for question in asked),
    ]


def _answer(ticket: Ticket, question: Question, told: _Told) -> str:
    place = (ticket.line_id, ticket.n) if question.per_ticket else (0, 0)
    return told.get((ticket.booking_id, question.id or 0, *place), "")


# ---------- parts ----------


def _places() -> Any:
    claimed = select(func.coalesce(func.sum(col(BookingLine.qty) - col(BookingLine.returned)), 0))
    return claimed.where(BookingLine.booking_id == Booking.id).correlate(Booking).scalar_subquery()


async def _attendees(db: AsyncSession, found: Any) -> list[Attendee]:
    rows = (await db.exec(found)).all()
    came = await came_at(db, [ticket.id for ticket, _type_name, _booking in rows])
    return [Attendee(ticket, type_name, booking, came.get(ticket.id)) for ticket, type_name, booking in rows]


def _joined(*conditions: Any) -> Any:
    joined = columns(Ticket, BookingLine.name, Booking).join(BookingLine, col(BookingLine.id) == Ticket.line_id)
    return joined.join(Booking, col(Booking.id) == Ticket.booking_id).where(*conditions)


@dataclass(frozen=True)
class _Named:
    """What a code names: a ticket with the booking that it came with, or a booking."""

    ticket_ids: Sequence[int]
    their_bookings: Sequence[int]
    booking_ids: Sequence[int]


async def _named(db: AsyncSession, event_id: int, q: str) -> _Named | None:
    """What was typed, as the code of a ticket or a booking of the event; None when it is none, though it may look like one."""
    code = read(q).short_code
    if not code:
        return None
    tickets = columns(Ticket.id, Ticket.booking_id).where(Ticket.event_id == event_id, Ticket.short_code == code)
    found = (await db.exec(tickets)).all()
    bookings = select(Booking.id).where(Booking.event_id == event_id, Booking.reference == code)
    named = _Named([row[0] for row in found], [row[1] for row in found], [each or 0 for each in (await db.exec(bookings)).all()])
    return named if named.ticket_ids or named.booking_ids else None


def _of_bookings(event_id: int, wish: Wish, named: _Named | None = None) -> list[Any]:
    found: list[Any] = [col(Booking.event_id) == event_id]
    if wish.state:
        found.append(col(Booking.state).in_(BOOKING_STATES[wish.state]))
    if wish.type_id is not None:
        of_type = (col(BookingLine.booking_id) == Booking.id, col(BookingLine.ticket_type_id) == wish.type_id)
        found.append(exists().where(*of_type))
    if named:
        found.append(col(Booking.id).in_([*named.booking_ids, *named.their_bookings]))
    elif wish.q:
        found.append(_bought_by(wish.q))
    return found


def _of_attendees(event_id: int, wish: Wish, named: _Named | None = None) -> list[Any]:
    """Conditions on tickets alone: to join each with its booking would cost more than to look through both."""
    found: list[Any] = [col(Ticket.event_id) == event_id]
    if wish.state in PRESENCES:
        found.append(has_presence(wish.state))
    elif wish.state:
        found.append(col(Ticket.state) == wish.state)
    if wish.type_id is not None:
        found.append(col(Ticket.ticket_type_id) == wish.type_id)
    if named:
        found.append(or_(col(Ticket.id).in_(named.ticket_ids), col(Ticket.booking_id).in_(named.booking_ids)))
    elif wish.q:
        of_buyer = col(Ticket.booking_id).in_(select(Booking.id).where(Booking.event_id == event_id, _bought_by(wish.q)))
        found.append(or_(col(Ticket.holder).icontains(wish.q, autoescape=True), of_buyer))
    return found


def _bought_by(q: str) -> Any:
    """A part of the buyer's name or address."""
    return or_(col(Booking.name).icontains(q, autoescape=True), col(Booking.email).icontains(q, autoescape=True))


def type_id_of(types: Sequence[TicketType], code: str) -> int | None:
    """The id of the type with this code; None when there is none."""
    return next((kind.id for kind in types if kind.code == code), None)
