"""What the operator's desk asks: what waits, who manages, and what the site's own pages say."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import User
from app.admin.models import CspReport, InvariantResult
from app.bookings.models import Booking
from app.core import alarms
from app.core.alarms import Alarm
from app.core.texts import SiteText
from app.events.models import Event
from app.notifications.models import Delivery, Notification
from app.payments.models import Notice, Payment, Refund

# What Stripe told us is normally done within a second.
NOTICE_PATIENCE = timedelta(minutes=10)
SHOWN = 10


@dataclass(frozen=True)
class Sounding:
    """An open alarm, and the page on which somebody can see to it: "" when that is only at Stripe."""

    alarm: Alarm
    path: str
    reference: str


@dataclass(frozen=True)
class Waiting:
    """What an admin has to look at. The lists are cut after SHOWN rows, the numbers are whole; oldest first."""

    alarms: Sequence[Sounding]
    events: Sequence[tuple[Event, User]]
    event_count: int
    deliveries: Sequence[tuple[Delivery, Notification]]
    delivery_count: int
    refunds: Sequence[tuple[Refund, Booking]]
    refund_count: int
    notices: Sequence[Notice]
    notice_count: int

    @property
    def is_nothing(self) -> bool:
        return not (self.alarms or self.event_count or self.delivery_count or self.refund_count or self.notice_count)


async def waiting(db: AsyncSession, *, now: datetime) -> Waiting:
    """Submitted events, deliveries and refunds that were given up, and notices that nobody could work off."""
    submitted = Event.state == "submitted"
    undelivered = Delivery.state == "failed"
    unreturned = Refund.state == "failed"
    undone = (col(Notice.done_at).is_(None), Notice.received_at < now - NOTICE_PATIENCE)
    events = select(Event, User).join(User, col(User.id) == Event.manager_id).where(submitted)
    deliveries = (
        select(Delivery, Notification).join(Notification, col(Notification.id) == Delivery.notification_id).where(undelivered)
    )
    to_booking = (
        select(Refund, Booking)
        .join(Payment, col(Payment.id) == Refund.payment_id)
        .join(Booking, col(Booking.id) == Payment.booking_id)
    )
    return Waiting(
        alarms=await open_alarms(db),
        events=(await db.exec(events.order_by(col(Event.submitted_at)).limit(SHOWN))).all(),
        event_count=await _count(db, Event, submitted),
        deliveries=(await db.exec(deliveries.order_by(col(Delivery.id)).limit(SHOWN))).all(),
        delivery_count=await _count(db, Delivery, undelivered),
        refunds=(await db.exec(to_booking.where(unreturned).order_by(col(Refund.created_at)).limit(SHOWN))).all(),
        refund_count=await _count(db, Refund, unreturned),
        notices=(await db.exec(select(Notice).where(*undone).order_by(col(Notice.received_at)).limit(SHOWN))).all(),
        notice_count=await _count(db, Notice, *undone),
    )


async def open_alarms(db: AsyncSession) -> list[Sounding]:
    """Alarms that nobody has settled, the newest first, each with the booking that it is about."""
    found = await alarms.open_ones(db)
    ids = {_booking_of(alarm) for alarm in found} - {None}
    rows = (await db.exec(select(Booking).where(col(Booking.id).in_(ids)))).all() if ids else ()
    bookings = {booking.id: booking for booking in rows}
    return [_sounding(alarm, bookings.get(_booking_of(alarm))) for alarm in found]


async def results(db: AsyncSession) -> dict[str, InvariantResult]:
    """What the last look at the invariants found, by their ids."""
    return {row.name: row for row in (await db.exec(select(InvariantResult))).all()}


async def reports(db: AsyncSession) -> Sequence[CspReport]:
    """What browsers reported, the newest first."""
    return (await db.exec(select(CspReport).order_by(col(CspReport.last_at).desc(), col(CspReport.times).desc()))).all()


async def events_per_manager(db: AsyncSession) -> dict[int, int]:
    """How many events each manager has proposed, drafts included."""
    counted = select(Event.manager_id, func.count()).group_by(col(Event.manager_id))
    return dict((await db.exec(counted)).all())


async def site_text(db: AsyncSession, name: str) -> SiteText | None:
    """What the operator wrote for a page; None means that the page shows our default."""
    return await db.get(SiteText, name)


async def site_texts(db: AsyncSession) -> dict[str, SiteText]:
    return {text.name: text for text in (await db.exec(select(SiteText))).all()}


def _sounding(alarm: Alarm, booking: Booking | None) -> Sounding:
    if booking:
        return Sounding(alarm, f"/bookings/{booking.code}", booking.reference)
    if alarm.kind == "job_failed":
        return Sounding(alarm, f"/manager/jobs/{alarm.about.removeprefix('job:')}", "")
    return Sounding(alarm, "/admin/invariants" if alarm.kind == "invariant" else "", "")


def _booking_of(alarm: Alarm) -> int | None:
    """The id of the booking that an alarm names, in its details or as what it is about."""
    kind, _colon, number = alarm.about.partition(":")
    named = alarm.details.get("booking", number if kind == "booking" else "")
    return int(named) if str(named).isdecimal() else None


async def _count(db: AsyncSession, table: type, *conditions: object) -> int:
    return (await db.exec(select(func.count()).select_from(table).where(*conditions))).one()  # type: ignore[arg-type]
