"""Questions about bookings. A booking is always found through who may see it, or through its code."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import Visitor
from app.bookings.models import HOLDING, AccessCode, Booking, BookingLine
from app.events.models import Event, TicketType, Venue

LIVE = (*HOLDING, "paid")


@dataclass(frozen=True)
class BookingView:
    """A booking with everything that a page or a mail says about it."""

    booking: Booking
    lines: Sequence[BookingLine]
    event: Event
    venue: Venue | None

    @property
    def places(self) -> int:
        return sum(line.qty for line in self.lines)


async def by_code(db: AsyncSession, code: str) -> Booking | None:
    """The booking that this code opens."""
    return (await db.exec(select(Booking).where(Booking.code == code))).first()


async def by_id(db: AsyncSession, booking_id: int) -> Booking | None:
    return await db.get(Booking, booking_id)


async def lock(tx: AsyncSession, booking_id: int) -> None:
    """Until the writing block ends nobody else changes the booking; what is read after this is the present state."""
    await tx.exec(select(Booking.id).where(Booking.id == booking_id).with_for_update())


async def lines(db: AsyncSession, booking_id: int) -> list[BookingLine]:
    """The lines of a booking in ascending ticket type, the order in which stock is taken."""
    of_booking = select(BookingLine).where(BookingLine.booking_id == booking_id)
    return list((await db.exec(of_booking.order_by(col(BookingLine.ticket_type_id)))).all())


async def view(db: AsyncSession, booking_id: int) -> BookingView:
    """The booking, its lines, event and venue. Raises NoResultFound for an unknown id."""
    return (await _views(db, [booking_id]))[0]


async def presales_of(db: AsyncSession, user_id: int) -> list[BookingView]:
    """Pre-sale bookings that still claim places without being paid, the first to lapse first."""
    held = select(Booking.id).where(Booking.user_id == user_id, Booking.kind == "presale", col(Booking.state).in_(HOLDING))
    ids = (await db.exec(held.order_by(col(Booking.held_until)))).all()
    return await _views(db, ids)


async def held_by(db: AsyncSession, event_id: int, visitor: Visitor) -> Booking | None:
    """The purchase that this visitor holds for the event now, which their next hold replaces."""
    whose = Booking.user_id == visitor.user_id if visitor.is_signed_in else Booking.visitor_key == visitor.key
    if not visitor.is_signed_in and not visitor.key:
        return None
    held = select(Booking).where(Booking.event_id == event_id, Booking.state == "held", Booking.kind == "purchase", whose)
    return (await db.exec(held.order_by(col(Booking.id).desc()))).first()


async def live_of_event(db: AsyncSession, event_id: int) -> list[Booking]:
    """Bookings that claim or own places of the event, oldest first."""
    live = select(Booking).where(Booking.event_id == event_id, col(Booking.state).in_(LIVE))
    return list((await db.exec(live.order_by(col(Booking.id)))).all())


async def booked_types(db: AsyncSession, event_id: int) -> set[int]:
    """Ids of the ticket types of the event that stand on some booking, so that they cannot be removed."""
    booked = select(BookingLine.ticket_type_id).join(TicketType, col(TicketType.id) == BookingLine.ticket_type_id)
    return set((await db.exec(booked.where(TicketType.event_id == event_id).distinct())).all())


async def revenue(db: AsyncSession, event_ids: Sequence[int]) -> dict[int, int]:
    """What paid bookings of each event add up to, in minor units; events without any are left out."""
    paid = select(Booking.event_id, func.sum(Booking.total_minor)).where(
        col(Booking.event_id).in_(event_ids), Booking.state == "paid"
    )
    return {event_id: int(minor) for event_id, minor in (await db.exec(paid.group_by(col(Booking.event_id)))).all()}


async def access_codes(db: AsyncSession, event_id: int) -> dict[int, str]:
    """The access code of each ticket type of the event that has one."""
    codes = select(AccessCode.ticket_type_id, AccessCode.code).join(TicketType, col(TicketType.id) == AccessCode.ticket_type_id)
    return dict((await db.exec(codes.where(TicketType.event_id == event_id).order_by(col(AccessCode.id).desc()))).all())


async def types_opened_by(db: AsyncSession, event_id: int, code: str) -> set[int]:
    """Ids of the ticket types whose pre-sale this access code opens and still has uses for."""
    if not code:
        return set()
    usable = or_(col(AccessCode.max_uses).is_(None), col(AccessCode.used) < col(AccessCode.max_uses))
    opened = select(AccessCode.ticket_type_id).join(TicketType, col(TicketType.id) == AccessCode.ticket_type_id)
    return set((await db.exec(opened.where(TicketType.event_id == event_id, AccessCode.code == normal_code(code), usable))).all())


async def lapsed(db: AsyncSession, *, now: datetime, most: int) -> list[int]:
    """Ids of holds whose time is over, the longest over first."""
    over = select(Booking.id).where(Booking.state == "held", Booking.held_until <= now)
    return [found for found in (await db.exec(over.order_by(col(Booking.held_until)).limit(most))).all() if found]


async def counts_for(db: AsyncSession, user_id: int) -> dict[str, int]:
    """How many pre-sales are open and how many bookings are paid, for the personal page."""
    counted = select(Booking.state, Booking.kind, func.count()).where(Booking.user_id == user_id)
    rows = (await db.exec(counted.group_by(Booking.state, Booking.kind))).all()
    return {
        "presales": sum(number for state, kind, number in rows if kind == "presale" and state in HOLDING),
        "paid": sum(number for state, _kind, number in rows if state == "paid"),
    }


def normal_code(code: str) -> str:
    """Access codes are compared without regard to case and surrounding spaces."""
    return code.strip().upper()


async def _views(db: AsyncSession, ids: Sequence[int | None]) -> list[BookingView]:
    found = select(Booking, Event, Venue).join(Event, col(Event.id) == Booking.event_id)
    rows = (await db.exec(found.outerjoin(Venue, col(Venue.id) == Event.venue_id).where(col(Booking.id).in_(ids)))).all()
    of_all = select(BookingLine).where(col(BookingLine.booking_id).in_(ids)).order_by(col(BookingLine.ticket_type_id))
    all_lines = (await db.exec(of_all)).all()
    views = {
        b.id: BookingView(b, [line for line in all_lines if line.booking_id == b.id], event, venue) for b, event, venue in rows
    }
    return [views[booking_id] for booking_id in ids]
