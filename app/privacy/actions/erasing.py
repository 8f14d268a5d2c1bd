"""Erasing a person: what names or reaches them goes, what the books need stays without them."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, false, or_, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts import rules as account_rules
from app.accounts.models import (
    ERASED,
    Application,
    Authenticator,
    Challenge,
    FactorReset,
    Identity,
    LoginAttempts,
    LoginSession,
    MailedLink,
    Passkey,
    RecoveryCode,
    User,
)
from app.bookings import actions as bookings
from app.bookings import waiting
from app.bookings.models import Booking, WaitingEntry
from app.core import activity, clock, jobs
from app.core.activity import Activity
from app.core.codes import random_id
from app.core.db import changed
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.core.jobs import OF_EVERYBODY, OPEN, Job
from app.events.models import Favourite, Helper
from app.events.reminders import Reminder
from app.notifications.models import Delivery, Notification, Preference
from app.privacy import queries, rules
from app.privacy.actions import blanking
from app.privacy.models import Erasure, Export
from app.privacy.queries import Person
from app.privacy.rules import Line

Step = Callable[[AsyncSession, Person], Awaitable[None]]


async def erase(tx: AsyncSession, person: Person, *, origin: str, by: int | None, now: datetime) -> Line:
    """Erases a person, who asked or was named by the operator. Gives the line for the file.

    Raises Refused while something of theirs is live.
    """
    await _locked(tx, person)
    reasons = await queries.why_not(tx, person, now=now)
    if reasons:
        raise Refused(" ".join(str(rules.REFUSALS[reason]) for reason in reasons))
    code = person.user.code if person.user else ""
    line = Line(random_id(), code, rules.address_hash(person.emails[0]), origin, now)
    await _carried_out(tx, person, line, by=by, now=now)
    return line


async def repeat(tx: AsyncSession, person: Person, line: Line, *, now: datetime) -> None:
    """Erases somebody again whom a restore brought back. What is still held is released; a payment under way is waited for."""
    await _locked(tx, person)
    own = select(Booking).where(queries.own_bookings(person)).execution_options(populate_existing=True)
    for booking in (await tx.exec(own)).all():
        if booking.is_being_paid():
            raise Refused(_("A payment is under way. This erasure is repeated when it is over."))
        if booking.state == "held":
            await bookings.release(tx, booking, now=now)
    await _carried_out(tx, person, line, by=None, now=now)


async def _locked(tx: AsyncSession, person: Person) -> None:
    if person.user:
        await tx.exec(select(User.id).where(User.id == person.user_id).with_for_update())


async def _carried_out(tx: AsyncSession, person: Person, line: Line, *, by: int | None, now: datetime) -> None:
    ids = await queries.booking_ids(tx, person)
    await blanking.keep_names(tx, ids, now=now)
    for step in STEPS:
        await step(tx, person)
    if person.user:
        await changed(tx, update(User).where(col(User.id) == person.user_id).values(**_nobody(now)))
    tx.add(Erasure(**asdict(line)))
    about = f"user:{person.user_id}" if person.user else f"erasure:{line.id}"
    await activity.record(tx, "account.erased", about=about, by=by, erasure=line.id)


def _nobody(now: datetime) -> dict[str, Any]:
    """What stays in an account's row."""
    gone = dict.fromkeys(("name", "password_hash", "disabled_reason"), "")
    return gone | {"email": f"erased-{random_id()}{ERASED}", "role": "user", "disabled_at": now, "trusted_at": None}


async def _blank_bookings(tx: AsyncSession, person: Person) -> None:
    ids = await queries.booking_ids(tx, person)
    for start in range(0, len(ids), 500):
        await blanking.blank(tx, ids[start : start + 500])


async def _forget_notifications(tx: AsyncSession, person: Person) -> None:
    """What was told, and each attempt to deliver it: to the account, to the address, and to an address of before or of a wish."""
    theirs = or_(
        col(Notification.user_id) == person.user_id,
        col(Notification.recipient).in_(person.recipients),
        col(Notification.email).in_(person.emails),
        await _told_elsewhere(tx, person),
    )
    old_enough = col(Notification.created_at) <= person.until
    own = select(Notification.id).where(theirs, old_enough)
    await changed(tx, delete(Delivery).where(col(Delivery.notification_id).in_(own)))
    await changed(tx, delete(Notification).where(theirs, old_enough))


async def _told_elsewhere(tx: AsyncSession, person: Person) -> ColumnElement[bool]:
    """The condition: told to a bare address about a link or a booking of the account."""
    if not person.user:
        return false()
    links = (await tx.exec(select(MailedLink.id).where(MailedLink.user_id == person.user_id))).all()
    own = await queries.booking_ids(tx, person)
    events = (await tx.exec(select(Booking.event_id).where(col(Booking.id).in_(own)).distinct())).all()
    about_links = [f"link:{found}" for found in links]
    about_rest = [*(f"booking:{found}" for found in own), *(f"event:{found}" for found in events)]
    of_booking = and_(
        col(Notification.activity_id).in_(_activities(about_rest)), col(Notification.facts)["booking_id"].as_integer().in_(own)
    )
    of_link = col(Notification.activity_id).in_(_activities(about_links))
    return and_(col(Notification.user_id).is_(None), or_(of_link, of_booking))


def _activities(abouts: list[str]) -> Any:
    return select(Activity.id).where(col(Activity.about).in_(abouts))


async def _forget_preferences(tx: AsyncSession, person: Person) -> None:
    await changed(tx, delete(Preference).where(col(Preference.recipient).in_(person.recipients)))


async def _forget_links(tx: AsyncSession, person: Person) -> None:
    theirs = or_(col(MailedLink.user_id) == person.user_id, col(MailedLink.email).in_(person.emails))
    await changed(tx, delete(MailedLink).where(theirs, col(MailedLink.created_at) <= person.until))


async def _forget_ways_in(tx: AsyncSession, person: Person) -> None:
    """Browsers that are signed in, second factors, passkeys, accounts at providers, and what was tried."""
    for table in (LoginSession, Authenticator, RecoveryCode, Passkey, Identity, FactorReset):
        await changed(tx, delete(table).where(col(table.user_id) == person.user_id))
    asked = or_(col(Challenge.user_id) == person.user_id, col(Challenge.email).in_(person.emails))
    await changed(tx, delete(Challenge).where(asked))
    keys = [account_rules.email_key(email) for email in person.emails]
    await changed(tx, delete(LoginAttempts).where(col(LoginAttempts.email_key).in_(keys)))


async def _forget_applications(tx: AsyncSession, person: Person) -> None:
    await changed(tx, delete(Application).where(col(Application.user_id) == person.user_id))


async def _leave_waiting_lists(tx: AsyncSession, person: Person) -> None:
    """Whoever waits does so no more, and what is left of it goes: of the account, and of the addresses."""
    theirs = or_(col(WaitingEntry.user_id) == person.user_id, col(WaitingEntry.email).in_(person.emails))
    own = (theirs, col(WaitingEntry.created_at) <= person.until)
    in_line = select(WaitingEntry).where(*own, WaitingEntry.state == "waiting").order_by(col(WaitingEntry.event_id))
    for entry in (await tx.exec(in_line)).all():
        await waiting.leave(tx, entry, now=clock.now())
    await changed(tx, delete(WaitingEntry).where(*own))


async def _forget_favourites(tx: AsyncSession, person: Person) -> None:
    await changed(tx, delete(Favourite).where(col(Favourite.user_id) == person.user_id))


async def _forget_reminders(tx: AsyncSession, person: Person) -> None:
    own = (col(Reminder.email).in_(person.emails), col(Reminder.created_at) <= person.until)
    await changed(tx, delete(Reminder).where(*own))


async def _forget_helping(tx: AsyncSession, person: Person) -> None:
    """Rights on events, and invitations to help that wait for an answer."""
    theirs = or_(col(Helper.user_id) == person.user_id, col(Helper.email).in_(person.emails))
    await changed(tx, delete(Helper).where(theirs, col(Helper.created_at) <= person.until))


async def _forget_exports(tx: AsyncSession, person: Person) -> None:
    """The rows; the sweep removes files that belong to no row."""
    await changed(tx, delete(Export).where(col(Export.user_id) == person.user_id))


async def _forget_files(tx: AsyncSession, person: Person) -> None:
    """Files about the events of their bookings may name them, and so may those that they had made. What is still being
    written begins again, without them."""
    ids = await queries.booking_ids(tx, person)
    events = (await tx.exec(select(Booking.event_id).where(col(Booking.id).in_(ids)).distinct())).all()
    about = col(Job.about).in_([*(f"event:{event}" for event in events), "events:all", *OF_EVERYBODY])
    named = or_(about, col(Job.by_user_id) == person.user_id)
    await changed(tx, update(Job).where(named, col(Job.state).not_in(OPEN)).values(file=""))
    await jobs.restart(tx, named, col(Job.file) != "")


# Each takes out what one feature keeps of a person. Lines come first: everybody locks ticket types before limits per buyer;
# then bookings, because they are found by the address.
STEPS: tuple[Step, ...] = (
    _leave_waiting_lists,
    _blank_bookings,
    _forget_notifications,
    _forget_preferences,
    _forget_links,
    _forget_ways_in,
    _forget_applications,
    _forget_favourites,
    _forget_reminders,
    _forget_helping,
    _forget_exports,
    _forget_files,
)
