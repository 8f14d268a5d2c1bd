"""Questions about tickets."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy
from sqlalchemy import ColumnElement, and_, case, exists, func, or_
from sqlalchemy.orm import aliased
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import Select

from app.accounts.models import User
from app.bookings.models import HOLDING, Booking, BookingLine
from app.events.conditions import is_ahead
from app.events.models import Event, TicketType, Venue
from app.tickets.models import CheckIn, Gate, Refusal, Ticket
from app.tickets.rules import Scanned, Verdict

# SQLModel's select() takes four columns; lists need more.
columns: Any = sqlalchemy.select

Rows = Select[Ticket, BookingLine, Booking, Event]


@dataclass(frozen=True)
class TicketView:
    """A ticket with everything printed on it; `position` of `count` in its booking, from 1."""

    ticket: Ticket
    line: BookingLine
    booking: Booking
    event: Event
    venue: Venue | None
    position: int
    count: int

    @property
    def path(self) -> str:
        """The ticket's address below BASE_URL, which is what its QR says."""
        return f"/tickets/{self.ticket.code}"


async def of_booking(db: AsyncSession, booking_id: int) -> list[TicketView]:
    """All tickets of a booking in the order in which they were issued, void ones too."""
    found = _all().where(Ticket.booking_id == booking_id).order_by(col(Ticket.line_id), col(Ticket.n))
    return await _views(db, found)


async def by_code(db: AsyncSession, code: str) -> TicketView | None:
    """The ticket that this code opens, numbered within its booking."""
    booking_id = (await db.exec(select(Ticket.booking_id).where(Ticket.code == code))).first()
    if booking_id is None:
        return None
    return next(view for view in await of_booking(db, booking_id) if view.ticket.code == code)


async def by_short_code(db: AsyncSession, event_id: int, short_code: str) -> TicketView | None:
    """The ticket of an event with this short code, as it is read aloud in upper or lower case."""
    same = (Ticket.event_id == event_id, Ticket.short_code == short_code.upper())
    code = (await db.exec(select(Ticket.code).where(*same))).first()
    return await by_code(db, code) if code else None


async def of_user(db: AsyncSession, user_id: int, *, now: datetime, past: bool) -> list[TicketView]:
    """A user's tickets for events that are ahead (next first) or past (last first)."""
    owned = _all().where(Booking.user_id == user_id)
    if past:
        return await _views(db, owned.where(~is_ahead(now)).order_by(col(Event.starts_at).desc(), col(Ticket.id)).limit(200))
    return await _views(db, owned.where(is_ahead(now)).order_by(col(Event.starts_at), col(Ticket.id)).limit(200))


# ---------- at the door ----------


@dataclass(frozen=True)
class Scan:
    """A check-in as the door's list shows it, with the name of who did it."""

    check_in: CheckIn
    holder: str
    entry: str
    short_code: str
    by: str
    is_undone: bool


@dataclass(frozen=True)
class TurnedAway:
    """A refusal as the door's list shows it; without a ticket of the event `holder`, `entry` and `short_code` are empty."""

    refusal: Refusal
    holder: str
    entry: str
    short_code: str
    by: str


@dataclass(frozen=True)
class Conflict:
    """A ticket that was let in without network although it was used or void, and the check-in that counts, if there is one."""

    scan: Scan
    first: CheckIn | None
    first_by: str


@dataclass(frozen=True)
class Flow:
    """How many went in and out, of one ticket type or at one gate; `expected` is 0 where nobody can know."""

    name: str
    came: int
    left: int
    expected: int = 0


async def at_door(db: AsyncSession, event: Event, scanned: Scanned) -> tuple[Ticket, Verdict] | Verdict:
    """The ticket that was scanned with its face, as it is now; or why there is none: unknown, or another event's."""
    same = (
        Ticket.code == scanned.code
        if scanned.code
        else and_(col(Ticket.short_code) == scanned.short_code, col(Ticket.event_id) == event.id)
    )
    ticket = (await db.exec(select(Ticket).where(same).execution_options(populate_existing=True))).first()
    if not ticket:
        return await _unpaid(db, event, scanned)
    if ticket.event_id != event.id:
        other = await db.get_one(Event, ticket.event_id)
        return Verdict("other_event", title=other.title, at=other.starts_at)
    return ticket, await face(db, ticket)


async def _unpaid(db: AsyncSession, event: Event, scanned: Scanned) -> Verdict:
    """Who shows the reference of a booking that is not paid is no stranger."""
    held = select(Booking).where(Booking.event_id == event.id, Booking.reference == (scanned.short_code or "-"))
    booking = (await db.exec(held.where(col(Booking.state).in_(HOLDING)))).first()
    return Verdict("unpaid", holder=booking.name, short_code=booking.reference) if booking else Verdict("unknown")


async def face(db: AsyncSession, ticket: Ticket) -> Verdict:
    """What the door may know of a ticket, without a word about it yet."""
    entry = (await db.exec(select(BookingLine.name).where(BookingLine.id == ticket.line_id))).one()
    return Verdict("", holder=ticket.holder, entry=entry, short_code=ticket.short_code)


async def by_nonce(db: AsyncSession, nonce: str, *, ticket_id: int) -> CheckIn | None:
    """What this very scan came to when it was sent before."""
    return (await db.exec(select(CheckIn).where(CheckIn.nonce == nonce, CheckIn.ticket_id == ticket_id))).first()


async def last_word(db: AsyncSession, ticket_id: int) -> tuple[CheckIn, str] | None:
    """The check-in that counts now, with the name of who did it."""
    undone = aliased(CheckIn)
    rows = select(CheckIn, User.name).join(User, col(User.id) == CheckIn.by_user_id)
    rows = rows.join(undone, col(undone.undoes_id) == CheckIn.id, isouter=True)
    rows = rows.where(CheckIn.ticket_id == ticket_id, CheckIn.kind != "undo", col(undone.id).is_(None), ~col(CheckIn.conflict))
    return (await db.exec(rows.order_by(col(CheckIn.id).desc()).limit(1))).first()


async def check_in_of(db: AsyncSession, event_id: int, scan: str) -> CheckIn | None:
    return (await db.exec(select(CheckIn).where(CheckIn.code == scan, CheckIn.event_id == event_id))).first()


async def last_scans(db: AsyncSession, event_id: int, *, most: int) -> list[Scan | TurnedAway]:
    """The last check-ins and refusals, the newest first. Two queries."""
    found = columns(Refusal, Ticket.holder, BookingLine.name, Ticket.short_code, User.name).outerjoin(
        Ticket, Ticket.id == Refusal.ticket_id
    )
    found = found.outerjoin(BookingLine, BookingLine.id == Ticket.line_id).join(User, User.id == Refusal.by_user_id)
    newest = (col(Refusal.noted_at).desc(), col(Refusal.id).desc())
    rows = (await db.exec(found.where(Refusal.event_id == event_id).order_by(*newest).limit(most))).all()
    both: list[tuple[datetime, Scan | TurnedAway]] = [
        *((scan.check_in.noted_at, scan) for scan in await _scans(db, event_id, most=most)),
        *((row[0].noted_at, TurnedAway(row[0], *(word or "" for word in row[1:]))) for row in rows),
    ]
    return [scan for _noted_at, scan in sorted(both, key=lambda each: each[0], reverse=True)][:most]


async def conflicts(db: AsyncSession, event_id: int, *, most: int) -> list[Conflict]:
    """The last conflicts that nobody has seen to, each with the check-in before it that let somebody in. Two queries."""
    found = await _scans(db, event_id, most=most, conflicts=True)
    ids = [scan.check_in.ticket_id for scan in found]
    counted = select(CheckIn, User.name).join(User, col(User.id) == CheckIn.by_user_id)
    rows = (await db.exec(counted.where(col(CheckIn.ticket_id).in_(ids), *_counts()).order_by(col(CheckIn.at)))).all()

    def first(scan: Scan) -> tuple[CheckIn | None, str]:
        of_it = [row for row in rows if row[0].ticket_id == scan.check_in.ticket_id]
        before = [row for row in of_it if row[0].at <= scan.check_in.at]
        chosen = before[-1:] or of_it[:1]
        return chosen[0] if chosen else (None, "")

    return [Conflict(scan, *first(scan)) for scan in found]


def open_conflicts(event_ids: Sequence[int]) -> Any:
    """A question: (event id, how many conflicts nobody has seen to) for those of these events that have any."""
    undone = aliased(CheckIn)
    is_seen = exists().where(col(undone.undoes_id) == col(CheckIn.id)).correlate(CheckIn)
    counted = columns(CheckIn.event_id, func.count()).where(col(CheckIn.event_id).in_(event_ids), CheckIn.kind != "undo")
    return counted.where(col(CheckIn.conflict), ~is_seen).group_by(CheckIn.event_id)


async def _scans(db: AsyncSession, event_id: int, *, most: int, conflicts: bool = False) -> list[Scan]:
    """The last check-ins, the newest first; with `conflicts` only those that nobody has seen to."""
    undone = aliased(CheckIn)
    found = columns(CheckIn, Ticket.holder, BookingLine.name, Ticket.short_code, User.name, col(undone.id).is_not(None))
    found = found.join(Ticket, Ticket.id == CheckIn.ticket_id).join(BookingLine, BookingLine.id == Ticket.line_id)
    found = found.join(User, User.id == CheckIn.by_user_id).outerjoin(undone, undone.undoes_id == CheckIn.id)
    found = found.where(CheckIn.event_id == event_id, CheckIn.kind != "undo")
    if conflicts:
        found = found.where(CheckIn.conflict, col(undone.id).is_(None))
    rows = (await db.exec(found.order_by(col(CheckIn.id).desc()).limit(most))).all()
    return [Scan(*row) for row in rows]


def has_presence(presence: str) -> ColumnElement[bool]:
    """A condition on tickets, one of PRESENCES: whoever holds it came in at least once, or may still come.

    A check-in that was undone does not count, and neither does a conflict.
    """
    came = exists().where(col(CheckIn.ticket_id) == col(Ticket.id), *_counts()).correlate(Ticket)
    return came if presence == "came" else and_(col(Ticket.state) == "valid", ~came)


async def came_at(db: AsyncSession, ticket_ids: Sequence[int]) -> dict[int, datetime]:
    """When each of these tickets came in first; whoever has not come is left out."""
    first = columns(CheckIn.ticket_id, func.min(CheckIn.at)).where(col(CheckIn.ticket_id).in_(ticket_ids), *_counts())
    return dict((await db.exec(first.group_by(CheckIn.ticket_id))).all())


async def inside(db: AsyncSession, event_id: int) -> tuple[int, int]:
    """(inside, expected): how many tickets are in now, and how many are valid or in."""
    counted = columns(func.coalesce(func.sum(case((col(Ticket.inside), 1), else_=0)), 0), func.count())
    row = (await db.exec(counted.where(Ticket.event_id == event_id, or_(col(Ticket.state) == "valid", col(Ticket.inside))))).one()
    return int(row[0]), int(row[1])


async def flows(db: AsyncSession, event_id: int) -> tuple[list[Flow], list[Flow]]:
    """Who came and left, by ticket type and by gate; what was undone counts as never happened."""
    undone = aliased(CheckIn)
    way = {kind: func.sum(case((col(CheckIn.kind) == kind, 1), else_=0)) for kind in ("in", "out")}
    counted = columns(Ticket.ticket_type_id, CheckIn.gate, way["in"], way["out"]).join(Ticket, Ticket.id == CheckIn.ticket_id)
    counted = counted.outerjoin(undone, undone.undoes_id == CheckIn.id)
    counted = counted.where(
        CheckIn.event_id == event_id, col(CheckIn.kind) != "undo", col(undone.id).is_(None), ~col(CheckIn.conflict)
    )
    moved = (await db.exec(counted.group_by(Ticket.ticket_type_id, CheckIn.gate))).all()
    valid = columns(Ticket.ticket_type_id, func.count()).where(Ticket.event_id == event_id, Ticket.state == "valid")
    expected = dict((await db.exec(valid.group_by(Ticket.ticket_type_id))).all())
    kinds = (await db.exec(select(TicketType).where(TicketType.event_id == event_id).order_by(col(TicketType.position)))).all()
    by_type = [_flow(kind.name, [row for row in moved if row[0] == kind.id], expected.get(kind.id, 0)) for kind in kinds]
    gates = sorted({row[1] for row in moved})
    return by_type, [_flow(gate, [row for row in moved if row[1] == gate]) for gate in gates]


async def gates(db: AsyncSession, event_id: int) -> list[Gate]:
    return list((await db.exec(select(Gate).where(Gate.event_id == event_id).order_by(col(Gate.name)))).all())


async def holders(db: AsyncSession, event_id: int, search: str, *, most: int) -> list[TicketView]:
    """Tickets of the event whose holder, buyer, or booking's reference is like what was typed; void ones too."""
    like = f"%{search.strip().lower().replace('!', '!!').replace('%', '!%').replace('_', '!_')}%"
    holder, *bought = [func.lower(column).like(like, escape="!") for column in (Ticket.holder, Booking.name, Booking.reference)]
    of_buyer = col(Ticket.booking_id).in_(select(Booking.id).where(Booking.event_id == event_id, or_(*bought)))
    # Chosen among the tickets alone: to join all of an event with their bookings costs many times that.
    chosen = select(Ticket.id).where(Ticket.event_id == event_id, or_(holder, of_buyer))
    ids = (await db.exec(chosen.order_by(col(Ticket.holder), col(Ticket.id)).limit(most))).all()
    return await _views(db, _all().where(col(Ticket.id).in_(ids)).order_by(col(Ticket.holder), col(Ticket.id)))


async def list_for_device(db: AsyncSession, event_id: int) -> list[tuple[str, str, str, str, bool]]:
    """(code, short code, name, type, whether it is in) of every valid ticket. The page hashes and shortens before it leaves."""
    found = columns(Ticket.code, Ticket.short_code, Ticket.holder, BookingLine.name, Ticket.inside)
    found = found.join(BookingLine, BookingLine.id == Ticket.line_id).where(Ticket.event_id == event_id, Ticket.state == "valid")
    return [tuple(row) for row in (await db.exec(found.order_by(Ticket.id))).all()]


async def log_of(db: AsyncSession, event_id: int) -> list[tuple[CheckIn, str, str, str]]:
    """Every check-in in order, with the ticket's short code, its type, and the name of who did it."""
    found = columns(CheckIn, Ticket.short_code, BookingLine.name, User.name).join(Ticket, Ticket.id == CheckIn.ticket_id)
    found = found.join(BookingLine, BookingLine.id == Ticket.line_id).join(User, User.id == CheckIn.by_user_id)
    return [tuple(row) for row in (await db.exec(found.where(CheckIn.event_id == event_id).order_by(CheckIn.id))).all()]


def _counts() -> list[Any]:
    """Conditions on check-ins: somebody came in, and it was not undone."""
    undone = aliased(CheckIn)
    is_undone = exists().where(col(undone.undoes_id) == col(CheckIn.id)).correlate(CheckIn)
    return [CheckIn.kind == "in", ~col(CheckIn.conflict), ~is_undone]


def _flow(name: str, rows: Sequence[Any], expected: int = 0) -> Flow:
    return Flow(name, sum(row[2] for row in rows), sum(row[3] for row in rows), expected)


def _all() -> Rows:
    joined = select(Ticket, BookingLine, Booking, Event).join(BookingLine, col(BookingLine.id) == Ticket.line_id)
    return joined.join(Booking, col(Booking.id) == Ticket.booking_id).join(Event, col(Event.id) == Ticket.event_id)


async def _views(db: AsyncSession, found: Rows) -> list[TicketView]:
    rows = (await db.exec(found)).all()
    places = (await db.exec(select(Venue).where(col(Venue.id).in_({row[3].venue_id for row in rows})))).all()
    venues = {venue.id: venue for venue in places}
    counts = Counter(row[0].booking_id for row in rows)
    seen: Counter[int] = Counter()
    views = []
    for ticket, line, booking, event in rows:
        seen[ticket.booking_id] += 1
        position, count = seen[ticket.booking_id], counts[ticket.booking_id]
        views.append(TicketView(ticket, line, booking, event, venues.get(event.venue_id), position, count))
    return views
