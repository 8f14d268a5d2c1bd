"""Who is told about an activity, and the facts that their sentences need.

Every function takes the writing transaction and the activity and gives the readers; nobody when it is news for nobody.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts import queries as accounts
from app.accounts.models import Application, MailedLink, User
from app.bookings import queries as bookings
from app.bookings import waiting
from app.bookings.models import HOLDING, Booking, WaitingEntry
from app.bookings.queries import BookingView
from app.core.activity import Activity
from app.core.i18n import titled_in, told_in
from app.events import queries as events
from app.events import reminders, reviews
from app.events.decisions import Revision
from app.events.models import Event, Helper, TicketType, Venue
from app.events.reminders import Reminder
from app.events.rules import languages
from app.notifications.rules import TOLD_CHANGES
from app.payments.models import Payment, Refund, ReturnNote


@dataclass(frozen=True)
class Reader:
    """Someone who is told: a user ("user:5") or, without an account, an address ("mail:ada@example.org")."""

    recipient: str
    user_id: int | None
    email: str
    language: str
    facts: dict[str, Any]


async def link_address(tx: AsyncSession, activity: Activity) -> list[Reader]:
    """The address that a mailed link is to prove."""
    link = await accounts.link(tx, _id(activity))
    return [] if not link else [_at_address(link.email, link.language, _link_facts(link))]


async def present_address(tx: AsyncSession, activity: Activity) -> list[Reader]:
    """The user whose account is about to change its address, at the address it has now."""
    link = await accounts.link(tx, _id(activity))
    user = await accounts.by_id(tx, link.user_id) if link and link.user_id else None
    return [_user(user, {"new_email": link.email})] if link and user else []


async def invited_helper(tx: AsyncSession, activity: Activity) -> list[Reader]:
    """The address that is asked to help with an event, in the language of whoever asks; nobody once it has answered."""
    helper = await tx.get(Helper, int(_id(activity)))
    if not helper or helper.joined_at:
        return []
    event, inviter = await tx.get_one(Event, helper.event_id), await tx.get_one(User, helper.invited_by)
    facts = {"link": helper.code, "link_kind": "helping", "title": event.title}
    user = await accounts.by_email(tx, helper.email)
    return [_user(user, facts) if user else _at_address(helper.email, inviter.language, facts)]


async def user(tx: AsyncSession, activity: Activity) -> list[Reader]:
    """The user whom the activity is about."""
    found = await accounts.by_id(tx, int(_id(activity)))
    return [_user(found, {"name": found.name})] if found else []


async def suspended(tx: AsyncSession, activity: Activity) -> list[Reader]:
    """The user whose login was closed, with the reason."""
    found = await accounts.by_id(tx, int(_id(activity)))
    return [_user(found, {"reason": found.disabled_reason})] if found else []


async def applicant(tx: AsyncSession, activity: Activity) -> list[Reader]:
    """The user whose application was decided, with the reason."""
    wish, applied = await _application(tx, activity)
    return [_user(applied, {"reason": wish.reason})]


async def admins_of_application(tx: AsyncSession, activity: Activity) -> list[Reader]:
    """Every admin, about somebody who wants to become a manager."""
    wish, applied = await _application(tx, activity)
    facts = {"application": wish.code, "organisation": wish.organisation, "applicant": applied.email}
    return [_user(admin, facts) for admin in await accounts.admins(tx)]


async def admins_of_event(tx: AsyncSession, activity: Activity) -> list[Reader]:
    """Every admin, about an event."""
    event, venue = await _event(tx, activity)
    return [_user(admin, _desk_facts(event, venue)) for admin in await accounts.admins(tx)]


async def admins_of_refund(tx: AsyncSession, activity: Activity) -> list[Reader]:
    """Every admin, about a refund that did not go through."""
    view = await _view(tx, activity)
    facts = _booking_facts(view) | {"title": view.event.title, "minor": activity.details.get("minor", 0)}
    return [_user(admin, facts) for admin in await accounts.admins(tx)]


async def manager(tx: AsyncSession, activity: Activity) -> list[Reader]:
    """The manager of the event."""
    event, venue = await _event(tx, activity)
    found = await accounts.by_id(tx, event.manager_id)
    return [_user(found, _desk_facts(event, venue))] if found else []


async def manager_of_returned(tx: AsyncSession, activity: Activity) -> list[Reader]:
    """The manager of the event, with what an admin said about it: in all, and by section of its form."""
    event, venue = await _event(tx, activity)
    found = await accounts.by_id(tx, event.manager_id)
    said = {"reasons": event.wished_changes, "wishes": await reviews.wishes(tx, event)}
    return [_user(found, _desk_facts(event, venue) | said)] if found else []


async def manager_of_declined(tx: AsyncSession, activity: Activity) -> list[Reader]:
    """The manager of the event, with why an admin does not agree to the change."""
    event, venue = await _event(tx, activity)
    found = await accounts.by_id(tx, event.manager_id)
    revision = await tx.get_one(Revision, activity.details["revision"])
    return [_user(found, _desk_facts(event, venue) | {"reason": revision.reason})] if found else []


async def manager_who_waits(tx: AsyncSession, activity: Activity) -> list[Reader]:
    """The manager of an approved event, unless it went public in the same moment: then that news says it all."""
    event = await tx.get_one(Event, int(_id(activity)))
    return [] if event.is_public else await manager(tx, activity)


async def followers(tx: AsyncSession, activity: Activity) -> list[Reader]:
    """Users who marked the event or its category, but not the manager of the event."""
    event, venue = await _event(tx, activity)
    category = await events.category(tx, event)
    found = await events.followers(tx, event.category_id, event.id or 0)
    return [
        _user(follower, _event_facts(event, venue, follower.language) | {"summary": read.summary, "category": category.name})
        for follower in found
        if follower.id != event.manager_id and not follower.is_disabled and (read := languages.read_in(event, follower.language))
    ]


# What somebody who saved an event is told of, by what happened to it.
_NEWS = {
    "event.revised": "moved",
    "event.postponed": "postponed",
    "event.date_kept": "date_kept",
    "event.called_off": "called_off",
}


async def savers(tx: AsyncSession, activity: Activity) -> list[Reader]:
    """Users who saved the event, when its date or place is another one, or it does not take place; but not its manager."""
    news = _NEWS[activity.kind]
    if news == "moved" and not {"starts_at", "venue"}.intersection(activity.details.get("changed", ())):
        return []
    event, venue = await _event(tx, activity)
    found = await reminders.savers(tx, event.id or 0, before=activity.at) if event.is_public else []
    others = [saver for saver in found if saver.id != event.manager_id]
    return [_user(saver, _event_facts(event, venue, saver.language) | {"news": news}) for saver in others]


async def asked_to_confirm(tx: AsyncSession, activity: Activity) -> list[Reader]:
    """The address that somebody typed to be reminded of a sale."""
    reminder = await tx.get(Reminder, activity.details["reminder"])
    if not reminder:
        return []
    event, venue = await _event(tx, activity)
    facts = _event_facts(event, venue, reminder.language) | {"link": reminder.code, "link_kind": "reminder"}
    return [_at_address(reminder.email, reminder.language, facts)]


async def waiting_for_sale(tx: AsyncSession, activity: Activity) -> list[Reader]:
    """Users who saved the event, and addresses that asked for it; nobody when it was called off or postponed since."""
    event, venue = await _event(tx, activity)
    if not event.sells(activity.at):
        return []
    phase = {"phase": activity.details["phase"]}
    users = await reminders.savers(tx, event.id or 0, before=activity.at)
    known = {user.email for user in users}
    others = [one for one in await reminders.asked(tx, event.id or 0) if one.email not in known]
    told = [user for user in users if user.id != event.manager_id]
    readers = [_user(user, _event_facts(event, venue, user.language) | phase) for user in told]
    return readers + [_at_address(one.email, one.language, _event_facts(event, venue, one.language) | phase) for one in others]


async def buyers_of_changed(tx: AsyncSession, activity: Activity) -> list[Reader]:
    """Everybody who booked, when the date or the place is another one now; a new date after a postponing is news of its own."""
    changed = sorted(TOLD_CHANGES.intersection(activity.details.get("changed", ())))
    if not changed or activity.details.get("redated"):
        return []
    event, venue = await _event(tx, activity)
    return buyers(await _booked(tx, event, *HOLDING, "paid"), event, venue, {"changed": changed})


async def buyers_of_postponed(tx: AsyncSession, activity: Activity) -> list[Reader]:
    """Everybody who booked an event that does not take place when it was to."""
    event, venue = await _event(tx, activity)
    facts = {"reason": event.postponed_reason, "days": event.return_days}
    return buyers(await _booked(tx, event, *HOLDING, "paid"), event, venue, facts)


async def buyers_of_redated(tx: AsyncSession, activity: Activity) -> list[Reader]:
    """Everybody who had booked before the new date of a postponed event was known."""
    return await buyers_of_kept_date(tx, activity) if activity.details.get("redated") else []


async def buyers_of_kept_date(tx: AsyncSession, activity: Activity) -> list[Reader]:
    """Everybody who had booked before it was known when a postponed event takes place, and until when tickets go back whole."""
    event, venue = await _event(tx, activity)
    found = await _booked(tx, event, *HOLDING, "paid")
    before = [booking for booking in found if booking.created_at < activity.at]
    return buyers(before, event, venue, {"returns_until": event.returns_until})


async def buyers_of_called_off(tx: AsyncSession, activity: Activity) -> list[Reader]:
    """Everybody whose booking the end of the event ends, whether that has already been done or not."""
    event, venue = await _event(tx, activity)
    ended_by_it = and_(col(Booking.state).in_(("released", "refunded")), col(Booking.ended_at) >= activity.at)
    found = await _booked(tx, event, *HOLDING, "paid", "called_off", also=ended_by_it)
    return buyers(found, event, venue, {"reason": event.called_off_reason})


async def buyer(tx: AsyncSession, activity: Activity) -> list[Reader]:
    """Whose address is on the booking."""
    return _buyer(await _view(tx, activity))


async def buyer_of_refund(tx: AsyncSession, activity: Activity) -> list[Reader]:
    """Whose address is on the booking that money went back for, with what was said about it."""
    view = await _view(tx, activity)
    refund = await tx.get(Refund, activity.details.get("refund", ""))
    payment = await tx.get(Payment, refund.payment_id) if refund else None
    told = {
        "minor": activity.details.get("minor", 0),
        "refund": refund.id if refund else "",
        "note": refund.note if refund else "",
        "in_cash": payment is not None and payment.provider == "cash",
        "is_over": not view.booking.is_paid,
    }
    return _buyer(view, told)


async def buyer_of_returned(tx: AsyncSession, activity: Activity) -> list[Reader]:
    """Whose tickets became void, by their own wish or by a manager's."""
    note = await tx.get(ReturnNote, activity.details["note"])
    told = {"minor": activity.details["minor"], "returned": activity.details["places"], "note": note.words if note else ""}
    return _buyer(await _view(tx, activity), told)


async def buyer_with_code(tx: AsyncSession, activity: Activity) -> list[Reader]:
    """The address that a code is to prove. The facts hold what the digits are made from, not the digits."""
    return _buyer(await _view(tx, activity), {"nonce": activity.details["nonce"]})


async def buyer_of_presale(tx: AsyncSession, activity: Activity) -> list[Reader]:
    """Who booked in the pre-sale; a purchase is on its buyer's screen."""
    view = await _view(tx, activity)
    return _buyer(view) if view.booking.is_presale else []


async def buyer_of_ended_hold(tx: AsyncSession, activity: Activity) -> list[Reader]:
    """Who lost places: after a pre-sale booking or an attempt to pay. An event called off is news of its own."""
    view = await _view(tx, activity)
    if view.event.is_called_off:
        return []
    had_been_paying = await _had_payment(tx, view.booking)
    # Whoever lets an offer go by a press of a button knows that it is gone.
    is_news = view.booking.is_presale or (view.booking.is_offer and activity.kind == "booking.expired")
    return _buyer(view, {"had_been_paying": had_been_paying}) if is_news or had_been_paying else []


async def in_line(tx: AsyncSession, activity: Activity) -> list[Reader]:
    """Who has joined a waiting list, or whose wait is over; the place in line is that of this moment."""
    entry = await tx.get(WaitingEntry, activity.details["entry"])
    if not entry:
        return []
    event = await tx.get_one(Event, entry.event_id)
    venue = await tx.get(Venue, event.venue_id) if event.venue_id else None
    kind = await tx.get_one(TicketType, entry.ticket_type_id)
    facts = _event_facts(event, venue, entry.language) | {
        "entry": entry.code,
        "type": told_in(entry.language, kind.name, event),
        "places": entry.qty,
        "position": await waiting.ahead(tx, entry) + 1,
        "hours": event.offer_hours,
        "reason": activity.details.get("reason", ""),
    }
    recipient = f"user:{entry.user_id}" if entry.user_id else f"mail:{entry.email}"
    return [Reader(recipient, entry.user_id, entry.email, entry.language, facts)]


async def buyer_of_offer(tx: AsyncSession, activity: Activity) -> list[Reader]:
    """Who is next in line, with how many places they had wished for."""
    return _buyer(await _view(tx, activity), {"wished": activity.details["wished"]})


def buyers(found: Iterable[Booking], event: Event, venue: Venue | None, facts: dict[str, Any]) -> list[Reader]:
    """One reader per buyer, at the address of the booking and in its language."""
    readers = {}
    for booking in found:
        if booking.email:
            recipient = f"user:{booking.user_id}" if booking.user_id else f"mail:{booking.email}"
            was_paid = bool(booking.paid_at and booking.total_minor)
            of_event = _event_facts(event, venue, booking.language)
            of_booking = {"booking": booking.code, "booking_id": booking.id, "was_paid": was_paid}
            readers[recipient] = Reader(
                recipient, booking.user_id, booking.email, booking.language, of_event | facts | of_booking
            )
    return list(readers.values())


def _event_facts(event: Event, venue: Venue | None, language: str) -> dict[str, Any]:
    """What sentences say about an event to who reads that language."""
    return {
        "title": titled_in(language, event),
        "slug": event.slug,
        "hue": event.hue,
        "zone": event.zone,
        "starts_at": event.starts_at,
        "is_postponed": event.is_postponed,
        "is_series": event.series_id is not None,
        "doors_at": event.doors_at,
        "publish_at": event.publish_at,
        "venue": venue.name if venue else "",
        "address": venue.address if venue else "",
        "city": venue.city if venue else "",
    }


def _desk_facts(event: Event, venue: Venue | None) -> dict[str, Any]:
    """The same for its manager and the admins, who know it by its own title."""
    return _event_facts(event, venue, event.language) | {"title": event.title}


def _booking_facts(view: BookingView) -> dict[str, Any]:
    booking = view.booking
    names = {line.name: told_in(booking.language, line.name, view.event) for line in view.lines}
    return _event_facts(view.event, view.venue, booking.language) | {
        "booking": booking.code,
        "booking_id": booking.id,
        "reference": booking.reference,
        "places": view.places,
        "lines": [[line.qty, names[line.name], line.unit_minor, line.sum_minor] for line in view.lines],
        "total_minor": booking.total_minor,
        "currency": booking.currency,
        "held_until": booking.held_until,
        "is_offer": booking.is_offer,
    }


def _link_facts(link: MailedLink) -> dict[str, Any]:
    return {"link": link.id, "link_kind": link.kind, "email": link.email}


def _user(reader: User, facts: dict[str, Any]) -> Reader:
    return Reader(f"user:{reader.id}", reader.id, reader.email, reader.language, facts)


def _at_address(email: str, language: str, facts: dict[str, Any]) -> Reader:
    return Reader(f"mail:{email}", None, email, language, facts)


def _buyer(view: BookingView, more: dict[str, Any] | None = None) -> list[Reader]:
    return buyers([view.booking], view.event, view.venue, _booking_facts(view) | (more or {}))


async def _booked(tx: AsyncSession, event: Event, *states: str, also: Any = None) -> Sequence[Booking]:
    chosen = col(Booking.state).in_(states)
    found = select(Booking).where(Booking.event_id == event.id, chosen if also is None else or_(chosen, also))
    return (await tx.exec(found.order_by(col(Booking.id)))).all()


async def _had_payment(tx: AsyncSession, booking: Booking) -> bool:
    return (await tx.exec(select(Payment.id).where(Payment.booking_id == booking.id).limit(1))).first() is not None


async def _application(tx: AsyncSession, activity: Activity) -> tuple[Application, User]:
    wish = await tx.get_one(Application, activity.details["application"])
    return wish, await tx.get_one(User, wish.user_id)


async def _event(tx: AsyncSession, activity: Activity) -> tuple[Event, Venue | None]:
    event = await tx.get_one(Event, int(_id(activity)))
    return event, await tx.get(Venue, event.venue_id) if event.venue_id else None


async def _view(tx: AsyncSession, activity: Activity) -> BookingView:
    return await bookings.view(tx, int(_id(activity)))


def _id(activity: Activity) -> str:
    return activity.about.partition(":")[2]
