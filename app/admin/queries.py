"""What the operator's desk asks: what waits, who manages, and what the site's own pages say."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import User
from app.admin.models import SiteText
from app.bookings.models import Booking
from app.events.models import Event
from app.notifications.models import Delivery, Notification
from app.payments.models import Notice, Payment, Refund

# What Stripe told us is normally done within a second.
NOTICE_PATIENCE = timedelta(minutes=10)
SHOWN = 10


@dataclass(frozen=True)
class Waiting:
    """What an admin has to look at. The lists are cut after SHOWN rows, the numbers are whole; oldest first."""

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
        return not (self.event_count or self.delivery_count or self.refund_count or self.notice_count)


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
        events=(await db.exec(events.order_by(col(Event.submitted_at)).limit(SHOWN))).all(),
        event_count=await _count(db, Event, submitted),
        deliveries=(await db.exec(deliveries.order_by(col(Delivery.id)).limit(SHOWN))).all(),
        delivery_count=await _count(db, Delivery, undelivered),
        refunds=(await db.exec(to_booking.where(unreturned).order_by(col(Refund.created_at)).limit(SHOWN))).all(),
        refund_count=await _count(db, Refund, unreturned),
        notices=(await db.exec(select(Notice).where(*undone).order_by(col(Notice.received_at)).limit(SHOWN))).all(),
        notice_count=await _count(db, Notice, *undone),
    )


async def events_per_manager(db: AsyncSession) -> dict[int, int]:
    """How many events each manager has proposed, drafts included."""
    counted = select(Event.manager_id, func.count()).group_by(col(Event.manager_id))
    return dict((await db.exec(counted)).all())


async def site_text(db: AsyncSession, name: str) -> SiteText | None:
    """What the operator wrote for a page; None means that the page shows our default."""
    return await db.get(SiteText, name)


async def site_texts(db: AsyncSession) -> dict[str, SiteText]:
    return {text.name: text for text in (await db.exec(select(SiteText))).all()}


async def _count(db: AsyncSession, table: type, *conditions: object) -> int:
    return (await db.exec(select(func.count()).select_from(table).where(*conditions))).one()  # type: ignore[arg-type]
