"""Everything that the shop keeps about one user or guest, as plain values: the JSON of a copy.

Nothing about other people, and nothing that opens a door: no hashes, no secrets, no parameters of calls to Stripe.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlmodel import SQLModel, col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import Application, Authenticator, Identity, LoginSession, MailedLink, Passkey, User
from app.bookings.models import Answer, Booking, BookingLine, WaitingEntry
from app.core.activity import Activity
from app.core.settings import settings
from app.events.models import Category, Event, Favourite, Helper, Question
from app.events.reminders import Reminder
from app.notifications.models import Delivery, Notification, Preference
from app.payments.models import Payment, Refund
from app.privacy.queries import Person, own_bookings
from app.tickets.models import Ticket

Values = dict[str, Any]

# What stands in the facts of a notification so that its mail can be written, and would open a door.
_SECRET_FACTS = ("nonce", "link", "link_kind")


async def everything(db: AsyncSession, user_id: int, *, now: datetime) -> Values:
    """The whole copy. Money is in minor units beside its currency; moments are UTC."""
    user = await db.get_one(User, user_id)
    person = Person(user, (user.email,), now)
    return {
        "about": _about(now),
        "account": _picked(user, "code email name role language disabled_at disabled_reason created_at"),
        "ways_in": await _ways_in(db, user_id),
        "signed_in_browsers": await _sessions(db, user_id),
        "mailed_links": await _links(db, person),
        "applications_to_manage_events": await _applications(db, user_id),
        "favourites": await _favourites(db, user_id),
        "helping": await _helping(db, person),
        "bookings": await _bookings(db, Booking.user_id == user_id),
        "waiting_lists": await _waits(db, person),
        "reminders": await _reminders(db, person),
        "notifications": await _notifications(db, Notification.user_id == user_id),
        "preferences": await _preferences(db, person),
        "activities": await _activities(db, user_id),
    }


async def everything_of_guest(db: AsyncSession, person: Person, *, now: datetime) -> Values:
    """The same about somebody who is only an address."""
    return {
        "about": _about(now),
        "address": person.emails[0],
        "mailed_links": await _links(db, person),
        "helping": await _helping(db, person),
        "bookings": await _bookings(db, own_bookings(person)),
        "waiting_lists": await _waits(db, person),
        "reminders": await _reminders(db, person),
        "notifications": await _notifications(db, col(Notification.recipient).in_(person.recipients)),
        "preferences": await _preferences(db, person),
    }


def _about(now: datetime) -> Values:
    return {"shop": settings().site_name, "address": settings().base_url, "made_at": _plain(now)}


async def paid_bookings(db: AsyncSession, user_id: int) -> Sequence[Booking]:
    """Bookings that have papers: tickets, receipts."""
    own = select(Booking).where(Booking.user_id == user_id, col(Booking.paid_at).is_not(None))
    return (await db.exec(own.order_by(col(Booking.id)))).all()


async def _ways_in(db: AsyncSession, user_id: int) -> Values:
    """That there are second factors, passkeys and providers, by their names. Keys and secrets stay where they are."""
    passkeys = (await db.exec(select(Passkey).where(Passkey.user_id == user_id))).all()
    identities = (await db.exec(select(Identity).where(Identity.user_id == user_id))).all()
    authenticator = await db.get(Authenticator, user_id)
    return {
        "passkeys": [_picked(row, "name created_at last_used_at") for row in passkeys],
        "providers": [_picked(row, "issuer email created_at last_used_at") for row in identities],
        "authenticator_app_since": _plain(authenticator.confirmed_at) if authenticator else None,
    }


async def _sessions(db: AsyncSession, user_id: int) -> list[Values]:
    own = select(LoginSession).where(LoginSession.user_id == user_id).order_by(col(LoginSession.created_at))
    return [_picked(row, "device created_at last_seen_at ended_at") for row in (await db.exec(own)).all()]


async def _links(db: AsyncSession, person: Person) -> list[Values]:
    own = select(MailedLink).where(_theirs(MailedLink, person))
    return [_picked(row, "kind email created_at expires_at used_at") for row in (await db.exec(own)).all()]


async def _applications(db: AsyncSession, user_id: int) -> list[Values]:
    own = select(Application).where(Application.user_id == user_id).order_by(col(Application.id))
    rows = (await db.exec(own)).all()
    return [_picked(row, "state organisation website why reason created_at decided_at") for row in rows]


async def _favourites(db: AsyncSession, user_id: int) -> list[Values]:
    own = select(Favourite, Category.name, Event.title).where(Favourite.user_id == user_id)
    joined = own.join(Category, col(Category.id) == Favourite.category_id, isouter=True)
    rows = (await db.exec(joined.join(Event, col(Event.id) == Favourite.event_id, isouter=True))).all()
    return [{"category": category, "event": event, "since": _plain(row.created_at)} for row, category, event in rows]


async def _helping(db: AsyncSession, person: Person) -> list[Values]:
    """Rights on other people's events, and invitations to help."""
    own = select(Helper, Event).where(_theirs(Helper, person))
    rows = (await db.exec(own.join(Event, col(Event.id) == Helper.event_id))).all()
    return [_picked(row, "email created_at joined_at") | {"event": event.title, "rights": row.rights} for row, event in rows]


async def _bookings(db: AsyncSession, theirs: Any) -> list[Values]:
    own = select(Booking, Event).join(Event, col(Event.id) == Booking.event_id).where(theirs)
    rows = (await db.exec(own.order_by(col(Booking.id)))).all()
    ids = [booking.id for booking, _event in rows]
    lines = _grouped((await db.exec(select(BookingLine).where(col(BookingLine.booking_id).in_(ids)))).all(), "booking_id")
    tickets = _grouped((await db.exec(select(Ticket).where(col(Ticket.booking_id).in_(ids)))).all(), "booking_id")
    payments = (await db.exec(select(Payment).where(col(Payment.booking_id).in_(ids)))).all()
    paid = _grouped(payments, "booking_id")
    of_payments = select(Refund).where(col(Refund.payment_id).in_([payment.id for payment in payments]))
    refunds = _grouped((await db.exec(of_payments)).all(), "payment_id")
    answers = await _answers(db, ids)
    named = "reference code kind state email name note language total_minor kept_minor currency created_at paid_at ended_at"
    return [
        _picked(booking, named)
        | {
            "event": _picked(event, "title starts_at ends_at zone"),
            "lines": [_picked(line, "name qty returned unit_minor full_minor") for line in lines.get(booking.id, [])],
            "answers": answers.get(booking.id, []),
            "tickets": [_picked(one, "code short_code holder state issued_at voided_at") for one in tickets.get(booking.id, [])],
            "payments": [_payment(payment, refunds.get(payment.id, [])) for payment in paid.get(booking.id, [])],
        }
        for booking, event in rows
    ]


async def _answers(db: AsyncSession, booking_ids: Sequence[int | None]) -> dict[int | None, list[Values]]:
    """By booking: what was asked, about which place (none: about the booking), and what was answered."""
    given = select(Answer, Question.label).join(Question, col(Question.id) == Answer.question_id)
    rows = (await db.exec(given.where(col(Answer.booking_id).in_(booking_ids)).order_by(col(Answer.id)))).all()
    found: dict[int | None, list[Values]] = {}
    for answer, label in rows:
        told = {"question": label, "place": answer.n or None, "answer": answer.value}
        found.setdefault(answer.booking_id, []).append(told)
    return found


def _payment(payment: Payment, refunds: Iterable[Any]) -> Values:
    named = "provider state amount_minor captured_minor returned_minor currency dispute payment_intent created_at captured_at"
    sent_back = [_picked(refund, "amount_minor state reason note places created_at ended_at") for refund in refunds]
    return _picked(payment, named) | {"refunds": sent_back}


async def _waits(db: AsyncSession, person: Person) -> list[Values]:
    own = select(WaitingEntry, Event.title).join(Event, col(Event.id) == WaitingEntry.event_id)
    rows = (await db.exec(own.where(_theirs(WaitingEntry, person)))).all()
    named = "code email language qty state created_at offered_at ended_at"
    return [{"event": title} | _picked(entry, named) for entry, title in rows]


async def _reminders(db: AsyncSession, person: Person) -> list[Values]:
    own = select(Reminder, Event.title).join(Event, col(Event.id) == Reminder.event_id)
    rows = (await db.exec(own.where(col(Reminder.email).in_(person.emails)))).all()
    return [{"event": title} | _picked(row, "email language created_at confirmed_at") for row, title in rows]


async def _notifications(db: AsyncSession, theirs: Any) -> list[Values]:
    own = select(Notification, Delivery).where(theirs)
    joined = own.join(Delivery, col(Delivery.notification_id) == Notification.id, isouter=True)
    return [
        _picked(told, "kind email created_at read_at")
        | {
            "facts": {name: value for name, value in told.facts.items() if name not in _SECRET_FACTS},
            "mail": _picked(mail, "state sent_at") if mail else None,
        }
        for told, mail in (await db.exec(joined.order_by(col(Notification.id)))).all()
    ]


async def _preferences(db: AsyncSession, person: Person) -> list[Values]:
    # An account has its own; what was said by a mail to the bare address stays with the address.
    own = select(Preference).where(Preference.recipient == person.recipients[0])
    return [_picked(row, "topic wanted") for row in (await db.exec(own)).all()]


async def _activities(db: AsyncSession, user_id: int) -> list[Values]:
    """What the user did and what was done to the account. What it was done with is an id that says nothing outside the shop."""
    own = select(Activity).where(or_(Activity.by_user_id == user_id, Activity.about == f"user:{user_id}"))
    rows = (await db.exec(own.order_by(col(Activity.id)))).all()
    return [_picked(row, "kind at") | {"by_you": row.by_user_id == user_id} for row in rows]


def _theirs(table: Any, person: Person) -> Any:
    """The condition: of the account, or under the address."""
    under_address = col(table.email).in_(person.emails)
    return or_(col(table.user_id) == person.user_id, under_address) if person.user else under_address


def _picked(row: SQLModel, names: str) -> Values:
    return {name: _plain(getattr(row, name)) for name in names.split()}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _grouped(rows: Iterable[SQLModel], name: str) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = {}
    for row in rows:
        found.setdefault(getattr(row, name), []).append(row)
    return found
