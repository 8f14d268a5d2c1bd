"""Telling people, what they have read, and what they want to be told. Mails are rows here; flows.py sends them."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from sqlalchemy import insert, text, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import ERASED
from app.core import activity as activities
from app.core import clock
from app.core.activity import Activity
from app.core.codes import secret_code
from app.core.db import changed
from app.notifications import queries, recipients, rules
from app.notifications.models import OPTIONAL_TOPICS, Delivery, Notification
from app.notifications.recipients import Reader
from app.notifications.rules import KINDS

Finder = Callable[[AsyncSession, Activity], Awaitable[list[Reader]]]

# What happened -> what is told, and to whom. Where one person would be told twice about one activity, the first line wins.
TOLD: dict[str, tuple[tuple[str, Finder], ...]] = {
    "account.registered": (("verify", recipients.link_address),),
    "account.exists": (("account_exists", recipients.user),),
    "account.reset_asked": (("password_reset", recipients.link_address),),
    "account.password_changed": (("password_changed", recipients.user),),
    "account.second_factor_added": (("second_factor_added", recipients.user),),
    "account.second_factor_reset_asked": (("second_factor_reset", recipients.user),),
    "account.suspended": (("account_suspended", recipients.suspended),),
    "account.reinstated": (("reinstated", recipients.user),),
    "account.second_factor_removed": (("second_factor_removed", recipients.user),),
    "account.recovery_code_used": (("recovery_code_used", recipients.user),),
    "account.link_asked": (("sign_in_link", recipients.link_address),),
    "account.passkey_added": (("passkey_added", recipients.user),),
    "account.passkey_removed": (("passkey_removed", recipients.user),),
    "account.identity_linked": (("identity_linked", recipients.user),),
    "account.identity_removed": (("identity_removed", recipients.user),),
    "account.email_asked": (("email_change", recipients.link_address), ("email_change_asked", recipients.present_address)),
    "account.export_ready": (("export_ready", recipients.user),),
    "manager.invited": (("invitation", recipients.link_address),),
    "manager.promoted": (("promoted", recipients.user),),
    "manager.applied": (("manager_applied", recipients.admins_of_application),),
    "manager.application_rejected": (("application_rejected", recipients.applicant),),
    "manager.suspended": (("suspended", recipients.suspended),),
    "manager.reinstated": (("reinstated", recipients.user),),
    "event.submitted": (("event_submitted", recipients.admins_of_event),),
    "helper.invited": (("helper_invited", recipients.invited_helper),),
    "event.returned": (("event_returned", recipients.manager_of_returned),),
    "event.rejected": (("event_rejected", recipients.manager_of_returned),),
    "event.approved": (("event_approved", recipients.manager_who_waits),),
    "event.published": (("event_published", recipients.manager), ("new_event", recipients.followers)),
    "event.revised": (
        ("event_redated", recipients.buyers_of_redated),
        ("event_changed", recipients.buyers_of_changed),
        ("saved_changed", recipients.savers),
    ),
    "event.change_asked": (("event_change_asked", recipients.admins_of_event),),
    "event.change_approved": (("event_change_approved", recipients.manager),),
    "event.change_declined": (("event_change_declined", recipients.manager_of_declined),),
    "event.postponed": (("event_postponed", recipients.buyers_of_postponed), ("saved_changed", recipients.savers)),
    "event.date_kept": (("event_date_kept", recipients.buyers_of_kept_date), ("saved_changed", recipients.savers)),
    "event.called_off": (("event_called_off", recipients.buyers_of_called_off), ("saved_changed", recipients.savers)),
    "reminder.asked": (("reminder_asked", recipients.asked_to_confirm),),
    "event.sale_opened": (("sale_opened", recipients.waiting_for_sale),),
    "waiting.joined": (("waiting_joined", recipients.in_line),),
    "waiting.offered": (("waiting_offered", recipients.buyer_of_offer),),
    "waiting.ended": (("waiting_ended", recipients.in_line),),
    "booking.held": (("presale_held", recipients.buyer_of_presale),),
    "booking.paid": (("booking_paid", recipients.buyer),),
    "booking.tickets_resent": (("booking_paid", recipients.buyer),),
    "booking.released": (("booking_released", recipients.buyer_of_ended_hold),),
    "booking.expired": (("booking_lapsed", recipients.buyer_of_ended_hold),),
    "booking.lapses_soon": (("presale_lapses_soon", recipients.buyer),),
    "booking.day_before": (("day_before", recipients.buyer),),
    "booking.tickets_returned": (("tickets_returned", recipients.buyer_of_returned),),
    "refund.code_asked": (("refund_code", recipients.buyer_with_code),),
    "refund.succeeded": (("booking_refunded", recipients.buyer_of_refund),),
    "refund.failed": (("refund_failed", recipients.admins_of_refund),),
}

_SET_PREFERENCE = text(
    "INSERT INTO preferences (recipient, topic, wanted) VALUES (:recipient, :topic, :wanted) "
    "ON CONFLICT (recipient, topic) DO UPDATE SET wanted = excluded.wanted"
)


async def tell(tx: AsyncSession, activity: Activity) -> None:
    """The reaction to everything in TOLD: a notification per reader, and a mail unless the reader switched that topic off.

    Running it twice tells nobody twice. An activity that is quiet is told with another one of the same act.
    """
    if activity.details.get("quiet"):
        return
    told = set(await queries.told(tx, activity.id or 0))
    for kind, find in TOLD.get(activity.kind, ()):
        # Somebody who was erased meanwhile is told nothing.
        found = [reader for reader in await find(tx, activity) if not reader.email.endswith(ERASED)]
        readers = [reader for reader in found if reader.recipient not in told]
        told.update(reader.recipient for reader in readers)
        await write_down(tx, activity, kind, readers)


async def write_down(tx: AsyncSession, activity: Activity, kind: str, readers: list[Reader]) -> None:
    """A notification for each of the readers, who have none about the activity yet, and a mail unless they want none."""
    if not readers:
        return
    now = clock.now()
    notifications = [
        {
            "code": secret_code(),
            "activity_id": activity.id,
            "kind": kind,
            "recipient": reader.recipient,
            "user_id": reader.user_id,
            "email": reader.email,
            "language": reader.language,
            "facts": rules.stored(reader.facts),
            "in_panel": KINDS[kind].in_panel and reader.user_id is not None,
            "created_at": now,
        }
        for reader in readers
    ]
    # Thousands may follow a category, so these are plain rows and not objects of the session.
    await tx.exec(insert(Notification), params=notifications)
    if KINDS[kind].is_mailed:
        wanted = await queries.wanted_by_mail(tx, activity.id or 0, kind)
        queued = {"channel": "email", "state": "queued", "attempts": 0, "error": "", "created_at": now, "next_try_at": now}
        if wanted:
            await tx.exec(insert(Delivery), params=[queued | {"notification_id": found} for found in wanted])


async def mark_read(tx: AsyncSession, user_id: int, code: str) -> bool:
    """Whether the user has such a line in the panel; it counts as read from now on."""
    own = (col(Notification.code) == code, col(Notification.user_id) == user_id, col(Notification.in_panel).is_(True))
    await changed(
        tx,
        update(Notification).where(*own, col(Notification.read_at).is_(None)).values(read_at=clock.now()),
    )
    return (await tx.exec(select(Notification.id).where(*own))).first() is not None


async def mark_all_read(tx: AsyncSession, user_id: int) -> None:
    await changed(
        tx,
        update(Notification)
        .where(col(Notification.user_id) == user_id, col(Notification.in_panel).is_(True), col(Notification.read_at).is_(None))
        .values(read_at=clock.now()),
    )


async def set_preferences(tx: AsyncSession, recipient: str, wanted: dict[str, bool], *, by: int | None) -> None:
    """Which optional topics the recipient is mailed about, such as {"reminders": False}."""
    for topic in OPTIONAL_TOPICS:
        if topic in wanted:
            values = {"recipient": recipient, "topic": topic, "wanted": wanted[topic]}
            await (await tx.connection()).execute(_SET_PREFERENCE, values)
    # The address of someone without an account is personal, so the row names only the topics.
    about = recipient if recipient.startswith("user:") else "preferences:mail"
    await activities.record(tx, "preferences.changed", about=about, by=by, topics=sorted(wanted))


async def unsubscribe(tx: AsyncSession, recipient: str, topic: str) -> None:
    """No more mails about the topic; the panel still has them."""
    await set_preferences(tx, recipient, {topic: False}, by=None)


async def claim(tx: AsyncSession, delivery_id: int, *, now: datetime) -> bool:
    """Whether this caller sends the delivery now. Until it reports back nobody else does, for two minutes."""
    claimed = await changed(
        tx,
        update(Delivery)
        .where(col(Delivery.id) == delivery_id, col(Delivery.state) == "queued", col(Delivery.next_try_at) <= now)
        .values(attempts=Delivery.attempts + 1, next_try_at=now + rules.CLAIMED_FOR),
    )
    return claimed == 1


async def note_sent(tx: AsyncSession, delivery_id: int, *, now: datetime) -> None:
    await _move(tx, delivery_id, {"state": "sent", "sent_at": now, "error": ""})


async def note_failure(tx: AsyncSession, delivery_id: int, *, error: str, now: datetime) -> None:
    """The delivery is tried again after a growing pause; after a day it has failed and stands on the admin's desk."""
    delivery = await tx.get_one(Delivery, delivery_id)
    if now >= delivery.created_at + rules.GIVEN_UP_AFTER:
        await _move(tx, delivery_id, {"state": "failed", "error": error[:500]})
        await activities.record(tx, "delivery.failed", about=f"delivery:{delivery_id}", by=None)
    else:
        await _move(tx, delivery_id, {"next_try_at": now + rules.pause(delivery.attempts), "error": error[:500]})


async def retry(tx: AsyncSession, delivery_id: int, *, by: int, now: datetime) -> bool:
    """A mail that was given up is tried for another day. False when it is not one of those."""
    failed = (col(Delivery.id) == delivery_id, col(Delivery.state) == "failed")
    if not await changed(tx, update(Delivery).where(*failed).values(**_anew(now))):
        return False
    await activities.record(tx, "delivery.retried", about=f"delivery:{delivery_id}", by=by, states=["failed", "queued"])
    return True


async def retry_failed(tx: AsyncSession, *, until: int, by: int, now: datetime) -> int:
    """All mails that were given up, up to this number, are tried for another day; gives how many."""
    failed = (col(Delivery.id) <= until, col(Delivery.state) == "failed")
    many = await changed(tx, update(Delivery).where(*failed).values(**_anew(now)))
    if many:
        await activities.record(tx, "delivery.all_retried", about="deliveries:failed", by=by, rows=many)
    return many


async def drop(tx: AsyncSession, delivery_id: int, *, by: int) -> bool:
    """A mail that was given up is not sent any more. False when it is not one of those."""
    failed = update(Delivery).where(col(Delivery.id) == delivery_id, col(Delivery.state) == "failed")
    if not await changed(tx, failed.values(state="dropped")):
        return False
    await activities.record(tx, "delivery.dropped", about=f"delivery:{delivery_id}", by=by, states=["failed", "dropped"])
    return True


def _anew(now: datetime) -> dict[str, Any]:
    return {"state": "queued", "attempts": 0, "created_at": now, "next_try_at": now}


async def _move(tx: AsyncSession, delivery_id: int, values: dict[str, Any]) -> None:
    queued = update(Delivery).where(col(Delivery.id) == delivery_id, col(Delivery.state) == "queued")
    await changed(tx, queued.values(**values))


async def remind_of_events(tx: AsyncSession, *, now: datetime, most: int) -> int:
    """Records booking.day_before for up to `most` paid bookings, each once; gives how many."""
    ids = await queries.unreminded_of_event(tx, now=now, most=most)
    for booking_id in ids:
        await activities.record(tx, "booking.day_before", about=f"booking:{booking_id}", by=None)
    return len(ids)


async def remind_of_lapses(tx: AsyncSession, *, now: datetime, most: int) -> int:
    """Records booking.lapses_soon for up to `most` pre-sale bookings and offers, each once; gives how many."""
    ids = await queries.unreminded_of_lapse(tx, now=now, most=most)
    for booking_id in ids:
        await activities.record(tx, "booking.lapses_soon", about=f"booking:{booking_id}", by=None)
    return len(ids)
