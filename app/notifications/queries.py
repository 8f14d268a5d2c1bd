"""Questions about notifications: what stands in a panel, who wants which mails, and what is due."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, String, and_, case, cast, exists, func, literal
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.bookings.models import KEPT_LONG, Booking
from app.core.activity import Activity
from app.events.models import Event
from app.notifications import rules
from app.notifications.models import OPTIONAL_TOPICS, Delivery, Notification, Preference
from app.notifications.rules import BULK, KINDS

PER_PAGE = 20


@dataclass(frozen=True)
class PanelLine:
    """A line of the panel. `kind` and `facts` make its sentence, `path` is where it leads."""

    code: str
    kind: str
    facts: dict[str, Any]
    path: str
    at: datetime
    is_unread: bool


async def panel(db: AsyncSession, user_id: int, page: int) -> tuple[list[PanelLine], int]:
    """One page of a user's notifications, newest first, and how many pages there are."""
    own = (Notification.user_id == user_id, col(Notification.in_panel).is_(True))
    count = (await db.exec(select(func.count()).select_from(Notification).where(*own))).one()
    chosen = select(Notification).where(*own).order_by(col(Notification.id).desc())
    found = (await db.exec(chosen.limit(PER_PAGE).offset((page - 1) * PER_PAGE))).all()
    return [_line(notification) for notification in found], max(1, -(-count // PER_PAGE))


async def panel_line(db: AsyncSession, user_id: int, code: str) -> PanelLine | None:
    """One line of a user's own panel."""
    own = (Notification.code == code, Notification.user_id == user_id, col(Notification.in_panel).is_(True))
    found = (await db.exec(select(Notification).where(*own))).first()
    return _line(found) if found else None


async def unread_count(db: AsyncSession, user_id: int) -> int:
    unread = (Notification.user_id == user_id, col(Notification.in_panel).is_(True), col(Notification.read_at).is_(None))
    return (await db.exec(select(func.count()).select_from(Notification).where(*unread))).one()


async def preferences(db: AsyncSession, recipient: str) -> dict[str, bool]:
    """Every optional topic and whether the recipient wants mails about it."""
    chosen = dict((await db.exec(select(Preference.topic, Preference.wanted).where(Preference.recipient == recipient))).all())
    return {topic: chosen.get(topic, True) for topic in OPTIONAL_TOPICS}


async def told(db: AsyncSession, activity_id: int) -> Sequence[str]:
    """The recipients who have a notification about the activity."""
    return (await db.exec(select(Notification.recipient).where(Notification.activity_id == activity_id))).all()


async def wanted_by_mail(db: AsyncSession, activity_id: int, kind: str) -> Sequence[int]:
    """Ids of the activity's notifications of a kind that have no mail yet and whose readers have not switched the topic off."""
    of_kind = select(Notification.id).where(Notification.activity_id == activity_id, Notification.kind == kind)
    of_reader = and_(col(Preference.recipient) == Notification.recipient, col(Preference.topic) == KINDS[kind].topic)
    off = exists().where(of_reader, col(Preference.wanted).is_(False))
    has_mail = exists().where(col(Delivery.notification_id) == Notification.id)
    return [found for found in (await db.exec(of_kind.where(~off, ~has_mail))).all() if found]


async def due(db: AsyncSession, *, now: datetime, most: int) -> list[int]:
    """Ids of deliveries to try now; what somebody waits for goes before what goes to many."""
    open_ones = select(Delivery.id).join(Notification, col(Notification.id) == Delivery.notification_id)
    open_ones = open_ones.where(Delivery.state == "queued", Delivery.next_try_at <= now)
    bulk_last = case((col(Notification.kind).in_(BULK), 1), else_=0)
    in_order = open_ones.order_by(bulk_last, col(Delivery.next_try_at), col(Delivery.id))
    return [found for found in (await db.exec(in_order.limit(most))).all() if found]


async def delivery(db: AsyncSession, delivery_id: int) -> tuple[Delivery, Notification]:
    """A delivery and what it delivers. Raises NoResultFound for an unknown id."""
    joined = select(Delivery, Notification).join(Notification, col(Notification.id) == Delivery.notification_id)
    found, notification = (await db.exec(joined.where(Delivery.id == delivery_id))).one()
    return found, notification


async def unreminded_of_event(db: AsyncSession, *, now: datetime, most: int) -> list[int]:
    """Ids of paid bookings of public events that start within a day and were not reminded of that."""
    takes_place = (Event.state == "published", col(Event.postponed_at).is_(None))
    soon = (*takes_place, Event.starts_at > now, Event.starts_at <= now + rules.REMINDED_BEFORE_EVENT)
    paid = (Booking.state == "paid", Booking.email != "", col(Booking.paid_at) <= now - rules.JUST_BOUGHT)
    found = select(Booking.id).join(Event, col(Event.id) == Booking.event_id)
    found = found.where(*soon, *paid, ~_recorded("booking.day_before"))
    return [booking_id for booking_id in (await db.exec(found.order_by(col(Booking.id)).limit(most))).all() if booking_id]


async def unreminded_of_lapse(db: AsyncSession, *, now: datetime, most: int) -> list[int]:
    """Ids of held pre-sale bookings and offers that lapse soon and were not reminded of that."""
    soon = (Booking.held_until > now, Booking.held_until <= now + rules.REMINDED_BEFORE_LAPSE)
    held = (col(Booking.kind).in_(KEPT_LONG), Booking.state == "held", Booking.email != "")
    found = select(Booking.id, Booking.created_at, Booking.held_until).where(*held, *soon, ~_recorded("booking.lapses_soon"))
    rows = (await db.exec(found.order_by(col(Booking.held_until)))).all()
    ready = [booking_id for booking_id, created_at, held_until in rows if rules.lapse_reminder_due(created_at, held_until, now)]
    return [booking_id for booking_id in ready[:most] if booking_id]


def _recorded(kind: str) -> ColumnElement[bool]:
    """Whether an activity of the kind exists about the booking of the row."""
    about = literal("booking:").concat(cast(Booking.id, String(20)))
    return exists().where(col(Activity.kind) == kind, col(Activity.about) == about)


def _line(notification: Notification) -> PanelLine:
    return PanelLine(
        code=notification.code,
        kind=notification.kind,
        facts=rules.revived(notification.facts),
        path=rules.path(notification.kind, notification.facts),
        at=notification.created_at,
        is_unread=notification.read_at is None,
    )
