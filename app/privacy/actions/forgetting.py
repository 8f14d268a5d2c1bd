"""What the clock takes away by itself, a batch at a time."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import and_, delete, exists, or_, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import LONGEST_LIFE, Challenge, LoginSession, MailedLink
from app.bookings.models import HOLDING, Booking, WaitingEntry
from app.core import jobs
from app.core.db import changed
from app.core.jobs import Job
from app.core.settings import settings
from app.events import reminders
from app.events.models import Event
from app.events.reminders import UNANSWERED_KEPT, Opening, Reminder
from app.notifications.models import Delivery, Notification
from app.payments.models import Notice, Payment
from app.privacy import rules
from app.privacy.actions import blanking
from app.privacy.models import Export, KeptName
from app.tickets.models import Refusal

MOST = 200


class Sweep(NamedTuple):
    """`old` selects the keys of what is too old at a moment; `take` takes a batch of it away in a writing transaction.

    The search may read a whole table, so it is not part of the transaction: SQLite would let nobody else write meanwhile.
    """

    old: Callable[[datetime], Any]
    take: Callable[[AsyncSession, Sequence[Any]], Awaitable[None]]


async def find(db: AsyncSession, sweep: Sweep, *, now: datetime) -> Sequence[Any]:
    """Keys of the next batch, at most MOST."""
    found: Sequence[Any] = (await db.exec(sweep.old(now).limit(MOST))).all()
    return found


def _old_sessions(now: datetime) -> Any:
    """Login sessions that ended, or could not be used any more, 90 days ago."""
    before = now - rules.WAYS_IN_KEPT
    over = or_(col(LoginSession.ended_at) < before, col(LoginSession.created_at) < before - LONGEST_LIFE)
    return select(LoginSession.id_hash).where(over)


def _old_links(now: datetime) -> Any:
    before = now - rules.WAYS_IN_KEPT
    return select(MailedLink.id).where(or_(col(MailedLink.used_at) < before, col(MailedLink.expires_at) < before))


def _old_challenges(now: datetime) -> Any:
    return select(Challenge.id).where(col(Challenge.expires_at) < now - rules.CHALLENGES_KEPT)


def _old_notifications(now: datetime) -> Any:
    """With their mails. One that is still to be delivered stays until it is, or has failed."""
    waiting = exists().where(col(Delivery.notification_id) == col(Notification.id), col(Delivery.state) == "queued")
    old = select(Notification.id).where(col(Notification.created_at) < now - _retention(), ~waiting)
    return old.order_by(col(Notification.id))


async def _take_notifications(tx: AsyncSession, ids: Sequence[Any]) -> None:
    await changed(tx, delete(Delivery).where(col(Delivery.notification_id).in_(ids)))
    await changed(tx, delete(Notification).where(col(Notification.id).in_(ids)))


def _old_notices(now: datetime) -> Any:
    return select(Notice.id).where(col(Notice.done_at).is_not(None), col(Notice.received_at) < now - _retention())


def _old_exports(now: datetime) -> Any:
    return select(Export.id).where(col(Export.expires_at) <= now)


def _old_files(now: datetime) -> Any:
    """Jobs that are over and still have a file; the sweep of files that belong to nothing removes it."""
    return select(Job.id).where(col(Job.ended_at) < now - jobs.FILES_KEPT, col(Job.file) != "")


async def _take_files(tx: AsyncSession, ids: Sequence[Any]) -> None:
    await changed(tx, update(Job).where(col(Job.id).in_(ids)).values(file=""))


def _old_jobs(now: datetime) -> Any:
    return select(Job.id).where(col(Job.ended_at) < now - rules.JOBS_KEPT)


def _abandoned_bookings(now: datetime) -> Any:
    """Bookings that came to nothing: they ended without that money ever came."""
    ended = col(Booking.state).in_(("expired", "released", "called_off"))
    return _named(ended, col(Booking.ended_at) < now - rules.ABANDONED_KEPT, ~_brought_money())


def _old_waits(now: datetime) -> Any:
    """Who waited for places, some time after that was over."""
    return select(WaitingEntry.id).where(col(WaitingEntry.ended_at) < now - rules.ABANDONED_KEPT)


def _old_reminders(now: datetime) -> Any:
    """Nobody said yes in time, or there is nothing to be reminded of any more."""
    unanswered = and_(col(Reminder.confirmed_at).is_(None), col(Reminder.created_at) < now - UNANSWERED_KEPT)
    day = now - timedelta(days=1)
    ended = or_(col(Event.ends_at) < day, col(Event.called_off_at) < day)
    over = exists().where(col(Event.id) == col(Reminder.event_id), col(Event.postponed_at).is_(None), ended)
    return select(Reminder.id).where(or_(unanswered, reminders.was_told(col(Opening.at) < day), over))


def _old_refusals(now: datetime) -> Any:
    """Scans that let nobody in: whoever stands at the door reads the last of them."""
    return select(Refusal.id).where(col(Refusal.noted_at) < now - rules.ABANDONED_KEPT)


def _old_free_bookings(now: datetime) -> Any:
    """A guest's free tickets, some time after the event. An account's stay in its history."""
    over = exists().where(col(Event.id) == col(Booking.event_id), col(Event.ends_at) < now - _retention())
    ended = col(Booking.state).in_(("paid", "refunded", "called_off"))
    return _named(ended, col(Booking.user_id).is_(None), over, ~_brought_money())


def _old_paid_bookings(now: datetime) -> Any:
    """What the books need no more."""
    ahead = exists().where(col(Event.id) == col(Booking.event_id), col(Event.ends_at) > now)
    ended = col(Booking.state).not_in(HOLDING)
    return _named(ended, col(Booking.paid_at) < rules.books_open_since(now), ~ahead)


def _old_names(now: datetime) -> Any:
    return select(KeptName.booking_id).where(col(KeptName.until) < now.date())


def _gone(key: Any) -> Callable[[AsyncSession, Sequence[Any]], Awaitable[None]]:
    async def take(tx: AsyncSession, keys: Sequence[Any]) -> None:
        await changed(tx, delete(key.class_).where(key.in_(keys)))

    return take


SWEEPS: tuple[Sweep, ...] = (
    Sweep(_old_sessions, _gone(col(LoginSession.id_hash))),
    Sweep(_old_links, _gone(col(MailedLink.id))),
    Sweep(_old_challenges, _gone(col(Challenge.id))),
    Sweep(_old_notifications, _take_notifications),
    Sweep(_old_notices, _gone(col(Notice.id))),
    Sweep(_old_exports, _gone(col(Export.id))),
    Sweep(_old_files, _take_files),
    Sweep(_old_jobs, _gone(col(Job.id))),
    Sweep(_abandoned_bookings, blanking.blank),
    Sweep(_old_waits, _gone(col(WaitingEntry.id))),
    Sweep(_old_reminders, _gone(col(Reminder.id))),
    Sweep(_old_refusals, _gone(col(Refusal.id))),
    Sweep(_old_free_bookings, blanking.blank),
    Sweep(_old_paid_bookings, blanking.blank),
    Sweep(_old_names, _gone(col(KeptName.booking_id))),
)


def _named(*old: Any) -> Any:
    """Bookings that still name somebody."""
    named = ~col(Booking.buyer_key).startswith(blanking.BLANK)
    return select(Booking.id).where(*old, named).order_by(col(Booking.id))


def _brought_money() -> Any:
    return exists().where(col(Payment.booking_id) == col(Booking.id), col(Payment.captured_minor) > 0)


def _retention() -> timedelta:
    return timedelta(days=settings().retention_days)
