"""What managers write to those who come: whom it reaches, sending it once, and how far it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import String, cast, exists, func, literal
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import ERASED, User
from app.bookings.models import Booking
from app.core import activity, jobs
from app.core.activity import Activity
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.core.i18n import lazy
from app.events.models import Event, Venue
from app.events.queries import columns
from app.notifications.actions import write_down
from app.notifications.mails import Letter
from app.notifications.models import Announcement, Delivery, Notification
from app.notifications.recipients import buyers
from app.tickets.models import Ticket
from app.tickets.queries import has_presence

MOST_A_DAY = 3
KIND = "announcement.told"
TITLE = lazy("Announcement: %(subject)s")


@dataclass(frozen=True)
class Draft:
    """What is about to be sent: a subject of one line, a body in Markdown, and to whom.

    `type_ids` are ids of ticket types, none for all; `presence` is one of PRESENCES, or empty for all.
    """

    code: str
    subject: str
    body: str
    type_ids: Sequence[int]
    presence: str = ""


class OtherCount(Refused):
    """Since the page was shown, somebody has bought or given back."""


@dataclass(frozen=True)
class Reached:
    """How many people were told, and how many of their mails have arrived, wait or were given up."""

    people: int
    sent: int
    queued: int
    failed: int


async def count(db: AsyncSession, event_id: int, type_ids: Sequence[int], presence: str = "") -> int:
    """How many people it would reach: buyers with a valid ticket, each once however many bookings they have."""
    by_account = literal("user:").concat(cast(col(Booking.user_id), String(20)))
    person = func.coalesce(by_account, literal("mail:").concat(col(Booking.email)))
    counted = select(func.count(person.distinct())).select_from(Booking)
    counted = counted.where(*_reached(event_id, type_ids, presence))
    return (await db.exec(counted)).one()


async def send(tx: AsyncSession, event: Event, draft: Draft, *, people: int, by: int, now: datetime) -> Announcement:
    """Writes an announcement down and starts the job that tells everybody; what is already there is only given back.

    `people` is the number that was confirmed. Raises OtherCount when it is another one now, and Refused beyond three a day.
    """
    # One after the other, so that two at once cannot both be the third of the day.
    await tx.exec(select(Event.id).where(Event.id == event.id).with_for_update())
    if there := await by_code(tx, event.id or 0, draft.code):
        return there
    since = (Announcement.event_id == event.id, Announcement.created_at > now - timedelta(days=1))
    if (await tx.exec(select(func.count()).select_from(Announcement).where(*since))).one() >= MOST_A_DAY:
        raise Refused(_("Three announcements of this event went out in the last 24 hours. Wait until tomorrow."))
    present = await count(tx, event.id or 0, draft.type_ids, draft.presence)
    if present != people or not present:
        raise OtherCount(_("The number of people has changed. Look at it and confirm it again."))
    about = f"event:{event.id}"
    told = await activity.record(tx, "announcement.sent", about=about, by=by, people=people)
    back = f"/manager/events/{event.slug}/announcements/{draft.code}"
    made = Announcement(
        code=draft.code,
        event_id=event.id or 0,
        by_user_id=by,
        activity_id=told.id or 0,
        subject=draft.subject,
        body=draft.body,
        type_ids=list(draft.type_ids),
        presence=draft.presence,
        people=people,
        created_at=now,
    )
    try:
        async with tx.begin_nested():
            tx.add(made)
            await tx.flush()
    except IntegrityError as taken:
        raise Refused(_("This announcement was already sent. Write a new one.")) from taken
    wish = {"announcement": made.id}
    job = await jobs.start(tx, KIND, about=about, by=by, title=TITLE, name=made.subject, wish=wish, total=people, back=back)
    made.job_code = job.code
    return made


async def tell_next(tx: AsyncSession, announcement_id: int, *, after: int, most: int) -> tuple[int, int | None]:
    """Tells the buyers of the next bookings behind an id. Gives how many people, and the id to go on behind, None at the end."""
    made = await tx.get_one(Announcement, announcement_id)
    event, about = await tx.get_one(Event, made.event_id), await tx.get_one(Activity, made.activity_id)
    venue = await tx.get(Venue, event.venue_id) if event.venue_id else None
    chosen = select(Booking).where(*_reached(made.event_id, made.type_ids, made.presence), col(Booking.id) > after)
    found = (await tx.exec(chosen.order_by(col(Booking.id)).limit(most))).all()
    facts = {"announcement": made.id, "subject": made.subject}
    readers = {reader.recipient: reader for reader in buyers(found, event, venue, facts)}
    same = (Notification.activity_id == made.activity_id, col(Notification.recipient).in_(list(readers)))
    told = set((await tx.exec(select(Notification.recipient).where(*same))).all())
    fresh = [reader for recipient, reader in readers.items() if recipient not in told]
    await write_down(tx, about, "announcement", fresh)
    return len(fresh), found[-1].id if len(found) == most else None


async def letter(db: AsyncSession, notification: Notification) -> Letter | None:
    """What the mail of an announcement says, and whom it answers to: the manager of the event, unless they were erased."""
    if notification.kind != "announcement":
        return None
    joined = select(Announcement.body, User.email).join(Event, col(Event.id) == Announcement.event_id)
    found = joined.join(User, col(User.id) == Event.manager_id).where(Announcement.id == notification.facts["announcement"])
    body, email = (await db.exec(found)).one()
    return Letter(body, "" if email.endswith(ERASED) else email)


async def by_code(db: AsyncSession, event_id: int, code: str) -> Announcement | None:
    """An announcement of the event."""
    same = (Announcement.code == code, Announcement.event_id == event_id)
    return (await db.exec(select(Announcement).where(*same))).first()


async def of_event(db: AsyncSession, event_id: int) -> Sequence[Announcement]:
    """The newest fifty announcements of an event."""
    found = select(Announcement).where(Announcement.event_id == event_id)
    return (await db.exec(found.order_by(col(Announcement.id).desc()).limit(50))).all()


async def reached(db: AsyncSession, announcement: Announcement) -> Reached:
    """How far it is. One query."""
    states = columns(Delivery.state, func.count()).select_from(Notification)
    joined = states.outerjoin(Delivery, col(Delivery.notification_id) == Notification.id)
    of_it = joined.where(Notification.activity_id == announcement.activity_id).group_by(col(Delivery.state))
    numbers: dict[Any, int] = dict((await db.exec(of_it)).all())
    by_state = [numbers.get(state, 0) for state in ("sent", "queued", "failed")]
    return Reached(sum(numbers.values()), *by_state)


def _reached(event_id: int, type_ids: Sequence[int], presence: str) -> list[Any]:
    """The conditions: paid bookings with an address and a valid ticket, of one of the types if there are any, whose holder has
    come, or has not, if that is asked for."""
    valid = [col(Ticket.booking_id) == col(Booking.id), col(Ticket.state) == "valid"]
    if type_ids:
        valid.append(col(Ticket.ticket_type_id).in_(type_ids))
    if presence:
        valid.append(has_presence(presence))
    has_address = (col(Booking.email) != "", ~col(Booking.email).endswith(ERASED))
    return [col(Booking.event_id) == event_id, col(Booking.state) == "paid", *has_address, exists().where(*valid)]
