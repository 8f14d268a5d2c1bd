"""Questions about tickets."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import Select

from app.bookings.models import Booking, BookingLine
from app.events.conditions import is_ahead
from app.events.models import Event, Venue
from app.tickets.models import Ticket

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
