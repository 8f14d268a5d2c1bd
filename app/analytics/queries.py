"""How an event sells. Everything is counted in the database: an answer is as long as there are days, types and states."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Integer, and_, case, cast, extract, func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.analytics import rules
from app.bookings.models import HOLDING, Booking, BookingLine
from app.bookings.queries import LIVE
from app.core.db import database
from app.events.models import Event, TicketType
from app.events.queries import columns
from app.payments.models import Payment, Refund
from app.tickets.models import Ticket
from app.tickets.queries import open_conflicts

_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class TypeNumbers:
    """How one ticket type stands: places sold and held, how many of them in the pre-sale, and what the sold ones cost."""

    kind: TicketType
    sold: int
    sold_in_presale: int
    held: int
    held_in_presale: int
    value_minor: int


@dataclass(frozen=True)
class Numbers:
    """How an event stands. `kept_minor` is what the shop has of its money: what buyers paid, less what goes back.

    `at_the_till` are bookings under way, `presales` pre-sale bookings that wait to be paid, `paid` the paid ones.
    """

    types: Sequence[TypeNumbers]
    paid: int
    at_the_till: int
    presales: int
    kept_minor: int

    @property
    def sold(self) -> int:
        return sum(each.sold for each in self.types)

    @property
    def held(self) -> int:
        return sum(each.held for each in self.types)

    @property
    def value_minor(self) -> int:
        return sum(each.value_minor for each in self.types)

    @property
    def adjusted_minor(self) -> int:
        """What lies between the price of the sold places and the money: fees that were kept, sums that went back."""
        return self.kept_minor - self.value_minor


async def numbers(db: AsyncSession, event_id: int, types: Sequence[TicketType]) -> Numbers:
    """How an event and each of its types stand. Two queries."""
    places = col(BookingLine.qty) - col(BookingLine.returned)
    is_held = col(Booking.state).in_(HOLDING)
    group = (col(BookingLine.ticket_type_id), is_held, col(BookingLine.in_presale))
    sums = columns(*group, func.sum(places), func.sum(places * col(BookingLine.unit_minor)))
    claimed = sums.join(Booking, col(Booking.id) == BookingLine.booking_id)
    rows = (await db.exec(claimed.where(Booking.event_id == event_id, col(Booking.state).in_(LIVE)).group_by(*group))).all()
    of_state = columns(Booking.state, Booking.kind, func.count(), func.sum(Booking.kept_minor))
    counted = (await db.exec(of_state.where(Booking.event_id == event_id).group_by(Booking.state, Booking.kind))).all()
    under_way = [(kind, count) for state, kind, count, _minor in counted if state in HOLDING]
    return Numbers(
        types=[_of_type(kind, [row[1:] for row in rows if row[0] == kind.id]) for kind in types],
        paid=sum(count for state, _kind, count, _minor in counted if state == "paid"),
        at_the_till=sum(count for kind, count in under_way if kind != "presale"),
        presales=sum(count for kind, count in under_way if kind == "presale"),
        kept_minor=sum(int(minor or 0) for _state, _kind, _count, minor in counted),
    )


def _of_type(kind: TicketType, rows: Sequence[tuple[bool, bool, int, int]]) -> TypeNumbers:
    sold = [(bool(early), int(places), int(minor)) for is_held, early, places, minor in rows if not is_held]
    held = [(bool(early), int(places)) for is_held, early, places, _minor in rows if is_held]
    return TypeNumbers(
        kind=kind,
        sold=sum(places for _early, places, _minor in sold),
        sold_in_presale=sum(places for early, places, _minor in sold if early),
        held=sum(places for _early, places in held),
        held_in_presale=sum(places for early, places in held if early),
        value_minor=sum(minor for _early, _places, minor in sold),
    )


async def sold_by_day(db: AsyncSession, event: Event, *, now: datetime) -> Mapping[date, int]:
    """How many of the valid tickets were issued on which day in the event's zone; days without any are left out."""
    since = min(event.created_at, now) - timedelta(days=1)
    day = _day(col(Ticket.issued_at), rules.offsets(event.zone, since, now + timedelta(days=1)))
    counted = columns(day, func.count()).where(Ticket.event_id == event.id, Ticket.state == "valid").group_by(day)
    return {_EPOCH + timedelta(days=int(number)): count for number, count in (await db.exec(counted.order_by(day))).all()}


def _day(moment: Any, offsets: Sequence[tuple[datetime, int]]) -> Any:
    """The number of a moment's local day since 1970. PostgreSQL counts fractions of seconds, SQLite has no zones."""
    seconds = extract("epoch", moment)
    whole = cast(seconds if database().is_sqlite else func.floor(seconds), BigInteger)
    *changes, (_until, last) = offsets
    ahead = case(*((moment < until, offset) for until, offset in changes), else_=last) if changes else last
    return (whole + cast(ahead, Integer)) // 86_400


@dataclass(frozen=True)
class Waiting:
    """How much of an event waits for somebody: refunds that failed or go back by hand, pre-sale bookings that lapse soon, and
    tickets that the door let in twice."""

    failed_refunds: int
    cash_to_hand_back: int
    lapsing_presales: int
    conflicts: int


NOTHING_WAITS = Waiting(0, 0, 0, 0)


async def waiting(db: AsyncSession, event_ids: Sequence[int], *, now: datetime, within: timedelta) -> dict[int, Waiting]:
    """What waits, by event; events of which nothing waits are left out. `within` is how soon a pre-sale booking must lapse to
    count. Three queries for any number of events."""
    of_these = col(Booking.event_id).in_(event_ids)
    by_hand = and_(col(Refund.state) == "requested", col(Payment.provider) == "cash")
    failed, cash = func.count().filter(col(Refund.state) == "failed"), func.count().filter(by_hand)
    refunds = columns(Booking.event_id, failed, cash).select_from(Refund).join(Payment, col(Payment.id) == Refund.payment_id)
    refunds = refunds.join(Booking, col(Booking.id) == Payment.booking_id).where(of_these).group_by(col(Booking.event_id))
    found = {event_id: Waiting(failed, cash, 0, 0) for event_id, failed, cash in (await db.exec(refunds)).all() if failed or cash}
    held = (of_these, Booking.kind == "presale", Booking.state == "held", Booking.held_until > now)
    soon = select(Booking.event_id, func.count()).where(*held, Booking.held_until <= now + within)
    for event_id, count in (await db.exec(soon.group_by(col(Booking.event_id)))).all():
        found[event_id] = replace(found.get(event_id, NOTHING_WAITS), lapsing_presales=count)
    for event_id, count in (await db.exec(open_conflicts(event_ids))).all():
        found[event_id] = replace(found.get(event_id, NOTHING_WAITS), conflicts=count)
    return found
