"""What the operator's desk asks: what waits, who manages, and what the site's own pages say."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import and_, col, func, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts import queries as accounts
from app.accounts.models import RESET_LIFE, Application, FactorReset, User
from app.admin.models import CspReport, InvariantResult
from app.admin.queues import NOTICE_PATIENCE, failed_lately
from app.bookings.models import Booking
from app.core import alarms
from app.core.activity import Activity
from app.core.alarms import Alarm
from app.core.errors import NotFound
from app.core.i18n import gettext as _
from app.core.jobs import OPEN, Job
from app.core.texts import SiteText
from app.events.models import Event, Venue
from app.notifications.models import Delivery, Notification
from app.payments.models import Notice, Payment, Refund

SHOWN = 10
# A mail normally leaves within seconds.
LATE = timedelta(minutes=10)


# Larger than any row's number, and within what both databases count with.
MOST_NUMBER = 2**62


@dataclass(frozen=True)
class Sounding:
    """An open alarm, and the page on which somebody can see to it: "" when that is only at Stripe."""

    alarm: Alarm
    path: str
    reference: str


@dataclass(frozen=True)
class Waiting:
    """What an admin has to look at, one by one. Each list is cut after SHOWN rows; oldest first, failed jobs before others."""

    alarms: Sequence[Sounding]
    applications: Sequence[tuple[Application, User]]
    events: Sequence[tuple[Event, User]]
    resets: Sequence[tuple[FactorReset, User]]
    deliveries: Sequence[tuple[Delivery, Notification]]
    refunds: Sequence[tuple[Refund, Booking, Event]]
    notices: Sequence[Notice]
    jobs: Sequence[Job]


async def waiting(db: AsyncSession, *, now: datetime) -> Waiting:
    """Whoever waits for an answer, what was given up, and notices that nobody could work off."""
    submitted = Event.state == "submitted"
    undelivered = Delivery.state == "failed"
    unreturned = Refund.state == "failed"
    undone = (col(Notice.done_at).is_(None), Notice.received_at < now - NOTICE_PATIENCE)
    resets = (
        select(FactorReset, User).join(User, col(User.id) == FactorReset.user_id).where(FactorReset.asked_at > now - RESET_LIFE)
    )
    events = select(Event, User).join(User, col(User.id) == Event.manager_id).where(submitted)
    deliveries = (
        select(Delivery, Notification).join(Notification, col(Notification.id) == Delivery.notification_id).where(undelivered)
    )
    to_booking = (
        select(Refund, Booking, Event)
        .join(Payment, col(Payment.id) == Refund.payment_id)
        .join(Booking, col(Booking.id) == Payment.booking_id)
        .join(Event, col(Event.id) == Booking.event_id)
    )
    unfinished = select(Job).where(or_(and_(*failed_lately(now)), col(Job.state).in_(OPEN)))
    return Waiting(
        alarms=await open_alarms(db),
        applications=(await accounts.open_applications(db))[:SHOWN],
        events=(await db.exec(events.order_by(col(Event.submitted_at)).limit(SHOWN))).all(),
        resets=(await db.exec(resets.order_by(col(FactorReset.asked_at)).limit(SHOWN))).all(),
        deliveries=(await db.exec(deliveries.order_by(col(Delivery.created_at), col(Delivery.id)).limit(SHOWN))).all(),
        refunds=(await db.exec(to_booking.where(unreturned).order_by(col(Refund.created_at)).limit(SHOWN))).all(),
        notices=(await db.exec(select(Notice).where(*undone).order_by(col(Notice.received_at)).limit(SHOWN))).all(),
        jobs=(await db.exec(unfinished.order_by(col(Job.state), col(Job.created_at), col(Job.id)).limit(SHOWN))).all(),
    )


async def activity_row(db: AsyncSession, number: int) -> Activity:
    """One row of the log. Raises NotFound."""
    row = await db.get(Activity, number) if number < MOST_NUMBER else None
    if not row:
        raise NotFound(_("Nothing of this number was written down."))
    return row


async def venue(db: AsyncSession, number: int) -> Venue:
    """Any venue, whoever made it. Raises NotFound."""
    found = await db.get(Venue, number) if number < MOST_NUMBER else None
    if not found:
        raise NotFound(_("There is no such venue."))
    return found


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


@dataclass(frozen=True)
class Mails:
    """Mails that were given up, oldest first, and how many wait to be sent for longer than they should."""

    failed: Sequence[tuple[Delivery, Notification]]
    failed_count: int
    late_count: int


async def mails(db: AsyncSession, *, now: datetime, most: int) -> Mails:
    """What did not reach anybody; at most so many rows, the numbers are whole."""
    failed = select(Delivery, Notification).join(Notification, col(Notification.id) == Delivery.notification_id)
    failed = failed.where(Delivery.state == "failed").order_by(col(Delivery.created_at), col(Delivery.id))
    count = select(func.count()).select_from(Delivery)
    late = count.where(Delivery.state == "queued", Delivery.created_at < now - LATE)
    return Mails(
        failed=(await db.exec(failed.limit(most))).all(),
        failed_count=(await db.exec(count.where(Delivery.state == "failed"))).one(),
        late_count=(await db.exec(late)).one(),
    )


async def newest_failed_mail(db: AsyncSession) -> int:
    """The highest number among the mails that were given up; 0 without any."""
    return (await db.exec(select(func.max(Delivery.id)).where(Delivery.state == "failed"))).one() or 0


async def site_text(db: AsyncSession, name: str) -> SiteText | None:
    """What the operator wrote for a page; None means that the page shows our default."""
    return await db.get(SiteText, name)


async def site_texts(db: AsyncSession) -> dict[str, SiteText]:
    return {text.name: text for text in (await db.exec(select(SiteText))).all()}


# Where somebody sees to an alarm that names no booking.
_WHERE = {
    "invariant": "/admin/invariants",
    "orphan": "/admin/payments#orphans",
    "refunds_unusual": "/admin/payments?show=refunds",
    "ledger": "/admin/payments",
    "refund_stuck": "/admin/payments?show=stuck",
}


def _sounding(alarm: Alarm, booking: Booking | None) -> Sounding:
    if booking:
        return Sounding(alarm, f"/bookings/{booking.code}", booking.reference)
    if alarm.kind == "job_failed":
        return Sounding(alarm, f"/manager/jobs/{alarm.about.removeprefix('job:')}", "")
    return Sounding(alarm, _WHERE.get(alarm.kind, ""), "")


def _booking_of(alarm: Alarm) -> int | None:
    """The id of the booking that an alarm names, in its details or as what it is about."""
    kind, _colon, number = alarm.about.partition(":")
    named = alarm.details.get("booking", number if kind == "booking" else "")
    return int(named) if str(named).isdecimal() else None
