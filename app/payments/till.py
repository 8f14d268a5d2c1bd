"""What is in the till: what each seller took at the door on each day, and what was handed back."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import User
from app.bookings.models import Booking, BookingLine
from app.events.models import Event
from app.payments.models import Payment, Refund


@dataclass(frozen=True)
class Day:
    """One seller's day, in minor units. A refund counts on the day on which it was handed back, for whoever asked for it."""

    day: datetime
    seller: str
    tickets: int = 0
    cash_minor: int = 0
    card_minor: int = 0
    cash_back_minor: int = 0
    card_back_minor: int = 0

    @property
    def in_till_minor(self) -> int:
        return self.cash_minor - self.cash_back_minor


async def days(db: AsyncSession, event: Event) -> list[Day]:
    """The days on which somebody sold at the door of the event, the newest first. Three queries."""
    sums: dict[tuple[date, int], dict[str, int]] = defaultdict(lambda: defaultdict(int))

    def add(at: datetime | None, seller_id: int | None, what: str, number: int) -> None:
        if at:
            sums[at.astimezone(ZoneInfo(event.zone)).date(), seller_id or 0][what] += number

    for seller_id, at, tickets in (await db.exec(_sold(event))).all():
        add(at, seller_id, "tickets", int(tickets))
    for seller_id, at, provider, minor in (await db.exec(_taken(event))).all():
        add(at, seller_id, f"{provider}_minor", minor)
    for by, at, provider, minor in (await db.exec(_handed_back(event))).all():
        add(at, by, f"{provider}_back_minor", minor)
    names = dict((await db.exec(select(User.id, User.name).where(col(User.id).in_({seller for _day, seller in sums})))).all())
    noon = time(12, tzinfo=ZoneInfo(event.zone))
    made = [Day(datetime.combine(day, noon), names.get(seller, ""), **counted) for (day, seller), counted in sums.items()]
    return sorted(made, key=lambda one: (-one.day.toordinal(), one.seller))


def _sold(event: Event) -> Any:
    """Tickets of sales at the door, those that were given back since too."""
    sold = select(Booking.sold_by_id, Booking.paid_at, func.sum(BookingLine.qty))
    sold = sold.join(BookingLine, col(BookingLine.booking_id) == Booking.id)
    at_door = (Booking.event_id == event.id, Booking.kind == "door", col(Booking.paid_at).is_not(None))
    return sold.where(*at_door).group_by(col(Booking.id), col(Booking.sold_by_id), col(Booking.paid_at))


def _taken(event: Event) -> Any:
    taken = select(Booking.sold_by_id, Payment.captured_at, Payment.provider, Payment.captured_minor)
    taken = taken.join(Payment, col(Payment.booking_id) == Booking.id)
    return taken.where(Booking.event_id == event.id, Booking.kind == "door", Payment.state == "captured")


def _handed_back(event: Event) -> Any:
    back = select(Refund.by_user_id, Refund.ended_at, Payment.provider, Refund.amount_minor)
    back = back.join(Payment, col(Payment.id) == Refund.payment_id).join(Booking, col(Booking.id) == Payment.booking_id)
    return back.where(Booking.event_id == event.id, Booking.kind == "door", Refund.state == "succeeded")
