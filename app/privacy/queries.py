"""Questions about privacy: who somebody is to the shop, why they cannot be erased yet, and which copies wait."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, false, func, or_, union
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import MailedLink, User
from app.bookings.models import HOLDING, Booking, WaitingEntry
from app.events.conditions import is_ahead
from app.events.models import Event
from app.events.reminders import Reminder
from app.notifications.models import Notification
from app.payments.models import Payment, Refund
from app.privacy import rules
from app.privacy.models import Erasure, Export, KeptName
from app.privacy.rules import Line


@dataclass(frozen=True)
class Person:
    """Somebody with an account, or a guest who is only an address; `emails` are theirs. Rows made after `until` are not."""

    user: User | None
    emails: tuple[str, ...]
    until: datetime

    @property
    def recipients(self) -> list[str]:
        """Under which names notifications and preferences know them."""
        return [*([f"user:{self.user.id}"] if self.user else []), *(f"mail:{email}" for email in self.emails)]

    @property
    def user_id(self) -> int:
        return self.user.id or 0 if self.user else 0


async def person(db: AsyncSession, email: str, *, now: datetime) -> Person:
    """Whoever has the address: an account, or a guest."""
    address = email.strip().lower()
    user = (await db.exec(select(User).where(User.email == address))).first()
    return Person(user, (address,), now)


async def person_of_user(db: AsyncSession, user_id: int, *, now: datetime) -> Person:
    user = await db.get_one(User, user_id)
    return Person(user, (user.email,), now)


async def person_of_line(db: AsyncSession, line: Line, known: dict[str, list[str]]) -> Person:
    """Whom a line of the file means in this database. `known` are all its addresses by their hashes."""
    user = (await db.exec(select(User).where(User.code == line.user_code))).first() if line.user_code else None
    emails = {*known.get(line.address_hash, ()), *([user.email] if user else [])}
    return Person(user, tuple(sorted(emails)), line.at)


async def addresses(db: AsyncSession) -> dict[str, list[str]]:
    """Every address in the database by its hash: of bookings, links and what guests were told."""
    columns = (col(Booking.email), col(WaitingEntry.email), col(Reminder.email), col(MailedLink.email), col(Notification.email))
    every = union(*(select(column.label("email")) for column in columns)).subquery()
    found: dict[str, list[str]] = {}
    for email in (await db.exec(select(every.c.email).where(every.c.email != ""))).all():
        found.setdefault(rules.address_hash(email), []).append(email)
    return found


async def is_known(db: AsyncSession, person: Person) -> bool:
    """Whether the shop has anything about the person."""
    if person.user:
        return True
    tables: tuple[Any, ...] = (
        select(Booking.id).where(own_bookings(person)),
        select(MailedLink.id).where(col(MailedLink.email).in_(person.emails)),
        select(WaitingEntry.id).where(col(WaitingEntry.email).in_(person.emails)),
        select(Reminder.id).where(col(Reminder.email).in_(person.emails)),
        select(Notification.id).where(col(Notification.recipient).in_(person.recipients)),
    )
    return any([(await db.exec(found.limit(1))).first() is not None for found in tables])


def own_bookings(person: Person) -> Any:
    """The condition: bookings of the account, and a guest's under the address, as far as they are old enough."""
    as_guest = and_(col(Booking.user_id).is_(None), col(Booking.email).in_(person.emails))
    of_account = col(Booking.user_id) == person.user_id if person.user else false()
    return and_(or_(of_account, as_guest), col(Booking.created_at) <= person.until)


async def booking_ids(db: AsyncSession, person: Person) -> list[int]:
    found = select(Booking.id).where(own_bookings(person)).order_by(col(Booking.id))
    return [booking_id for booking_id in (await db.exec(found)).all() if booking_id]


async def why_not(db: AsyncSession, person: Person, *, now: datetime) -> list[str]:
    """Words of rules.REFUSALS: what is still going on. Empty when the person can be erased now."""
    own = own_bookings(person)
    of_booking = select(Payment.id).join(Booking, col(Booking.id) == Payment.booking_id).where(own)
    asked: dict[str, Any] = {
        "hold": select(Booking.id).where(own, col(Booking.state).in_(HOLDING)),
        "ticket": select(Booking.id)
        .join(Event, col(Event.id) == Booking.event_id)
        .where(own, Booking.state == "paid", is_ahead(now)),
        "refund": of_booking.join(Refund, col(Refund.payment_id) == Payment.id).where(
            col(Refund.state).in_(("requested", "pending"))
        ),
        "dispute": of_booking.where(Payment.dispute == "open"),
    }
    if not await _has(db, asked["refund"]):
        asked["refund"] = _out_of_balance(own)
    if person.user and person.user.role == "admin":
        others = select(User.id).where(User.role == "admin", col(User.disabled_at).is_(None), User.id != person.user_id)
        if not await _has(db, others):
            asked["last_admin"] = select(User.id).where(User.id == person.user_id)
    if person.user:
        ahead = (col(Event.state).in_(("submitted", "approved", "published")), is_ahead(now))
        asked["events"] = select(Event.id).where(Event.manager_id == person.user_id, *ahead)
    return [word for word, found in asked.items() if await _has(db, found)]


def _out_of_balance(own: Any) -> Any:
    """Bookings of which the shop has more or less than it may keep."""
    here = func.sum(Payment.captured_minor - Payment.reserved_minor - Payment.returned_minor)
    joined = select(Booking.id).join(Payment, col(Payment.booking_id) == Booking.id)
    return (
        joined.where(own, Payment.state == "captured")
        .group_by(col(Booking.id), col(Booking.kept_minor))
        .having(here != Booking.kept_minor)
    )


async def _has(db: AsyncSession, found: Any) -> bool:
    return (await db.exec(found.limit(1))).first() is not None


async def erasures(db: AsyncSession) -> list[Line]:
    """Every erasure that the database knows."""
    found = (await db.exec(select(Erasure).order_by(col(Erasure.at)))).all()
    return [Line(row.id, row.user_code, row.address_hash, row.origin, row.at) for row in found]


# ---------- copies ----------


async def newest_export(db: AsyncSession, user_id: int, *, now: datetime) -> Export | None:
    """The copy that a user asked for last, unless its time is over."""
    own = select(Export).where(Export.user_id == user_id, Export.expires_at > now)
    return (await db.exec(own.order_by(col(Export.id).desc()).limit(1))).first()


async def is_being_exported(db: AsyncSession, user_id: int) -> bool:
    return await _has(db, select(Export.id).where(Export.user_id == user_id, Export.state == "asked"))


async def ready_export(db: AsyncSession, user_id: int, code: str, *, now: datetime) -> Export | None:
    """A user's own copy that can be downloaded now."""
    found = (await db.exec(select(Export).where(Export.code == code, Export.user_id == user_id))).first()
    return found if found and found.is_ready(now) else None


async def exports_due(db: AsyncSession, *, now: datetime, most: int) -> Sequence[Export]:
    """Copies that are still to be made, oldest first."""
    due = select(Export).where(Export.state == "asked", Export.next_try_at <= now)
    return (await db.exec(due.order_by(col(Export.id)).limit(most))).all()


async def export_files(db: AsyncSession) -> set[str]:
    """Names of the files that belong to a copy."""
    return set((await db.exec(select(Export.file).where(Export.file != ""))).all())


# ---------- for the books ----------


async def kept_name(db: AsyncSession, booking_id: int) -> str:
    """Who paid a booking whose buyer was erased; empty when that is not kept, or not any more."""
    found = await db.get(KeptName, booking_id)
    return found.name if found else ""
