"""What kinds of notification there are, and plain truths about them. No I/O."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.core import tokens

GIVEN_UP_AFTER = timedelta(days=1)
# A claimed delivery is tried again after this long if its process dies while sending.
CLAIMED_FOR = timedelta(minutes=2)
REMINDED_BEFORE_LAPSE = timedelta(hours=6)
REMINDED_BEFORE_EVENT = timedelta(hours=24)
# Whoever bought this shortly ago has the tickets on top of the mailbox and needs no reminder.
JUST_BOUGHT = timedelta(hours=6)


@dataclass(frozen=True)
class Kind:
    """A kind of notification. `leads_to` is the path behind its link, filled in from the facts, and a token when it is mailed.

    With a topic the reader may switch its mails off. Bulk goes out after everything that somebody waits for.
    """

    leads_to: str = ""
    topic: str = ""
    in_panel: bool = True
    is_mailed: bool = True
    is_bulk: bool = False


KINDS = {
    "verify": Kind("/verify/{token}", in_panel=False),
    "account_exists": Kind("/login", in_panel=False),
    "password_reset": Kind("/password/reset/{token}", in_panel=False),
    "password_changed": Kind("/password/forgot", in_panel=False),
    "second_factor_added": Kind("/password/forgot", in_panel=False),
    "second_factor_removed": Kind("/password/forgot", in_panel=False),
    "recovery_code_used": Kind("/password/forgot", in_panel=False),
    "sign_in_link": Kind("/login/link/{token}", in_panel=False),
    "passkey_added": Kind("/me/security/passkeys", in_panel=False),
    "passkey_removed": Kind("/me/security/passkeys", in_panel=False),
    "identity_linked": Kind("/me/security/identities", in_panel=False),
    "identity_removed": Kind("/me/security/identities", in_panel=False),
    "email_change": Kind("/verify/{token}", in_panel=False),
    "email_change_asked": Kind("/me/password", in_panel=False),
    "export_ready": Kind("/me/data", in_panel=False),
    "helper_invited": Kind("/helping/{token}", in_panel=False),
    "invitation": Kind("/invitations/{token}", in_panel=False),
    "manager_applied": Kind("/admin/applications/{application}"),
    "application_rejected": Kind("/me/manager"),
    "second_factor_reset": Kind("/me/security", in_panel=False),
    "account_suspended": Kind(in_panel=False),
    "suspended": Kind(in_panel=False),
    "reinstated": Kind("/login", in_panel=False),
    "promoted": Kind("/manager"),
    "event_submitted": Kind("/admin/events/{slug}"),
    "event_returned": Kind("/manager/events/{slug}"),
    "event_rejected": Kind("/manager/events/{slug}"),
    "event_approved": Kind("/manager/events/{slug}"),
    "event_published": Kind("/manager/events/{slug}"),
    "new_event": Kind("/events/{slug}", topic="favourites", is_bulk=True),
    "reminder_asked": Kind("/reminders/{token}", in_panel=False),
    "sale_opened": Kind("/events/{slug}", topic="saved", is_bulk=True),
    "saved_changed": Kind("/events/{slug}", topic="saved", is_bulk=True),
    "event_changed": Kind("/bookings/{booking}"),
    "event_change_asked": Kind("/admin/events/{slug}"),
    "event_change_approved": Kind("/manager/events/{slug}"),
    "event_change_declined": Kind("/manager/events/{slug}"),
    "event_postponed": Kind("/bookings/{booking}"),
    "event_redated": Kind("/bookings/{booking}"),
    "event_date_kept": Kind("/bookings/{booking}"),
    "event_called_off": Kind("/bookings/{booking}"),
    "presale_held": Kind("/bookings/{booking}"),
    "presale_lapses_soon": Kind("/bookings/{booking}", topic="presales"),
    "waiting_joined": Kind("/waiting-list/{entry}"),
    "waiting_offered": Kind("/bookings/{booking}"),
    "waiting_ended": Kind("/events/{slug}"),
    "booking_paid": Kind("/bookings/{booking}"),
    "booking_released": Kind("/events/{slug}", topic="presales"),
    "booking_lapsed": Kind("/events/{slug}", topic="presales"),
    "booking_refunded": Kind("/bookings/{booking}"),
    "tickets_returned": Kind("/bookings/{booking}"),
    "refund_code": Kind("/bookings/{booking}/refund", in_panel=False),
    "refund_failed": Kind("/admin", is_mailed=False),
    "announcement": Kind("/bookings/{booking}", is_bulk=True),
    "day_before": Kind("/bookings/{booking}", topic="reminders", is_bulk=True),
}

BULK = tuple(name for name, kind in KINDS.items() if kind.is_bulk)

# A change of one of these is news for people who have booked.
TOLD_CHANGES = {"starts_at", "ends_at", "doors_at", "venue", "zone", "online_url"}


def path(kind: str, facts: dict[str, Any], *, token: str = "") -> str:
    """Where a notification leads: a path of the shop, or nothing."""
    return KINDS[kind].leads_to.format_map(facts | {"token": token})


def link_token(facts: dict[str, Any]) -> str:
    """The token of the mailed link that the facts name: made when it is needed, stored nowhere."""
    return tokens.sign(facts["link_kind"], facts["link"]) if "link" in facts else ""


def stored(facts: dict[str, Any]) -> dict[str, Any]:
    """Facts as JSON can hold them."""
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in facts.items()}


def revived(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts as they were before stored(): names that end in _at or _until hold moments."""
    moments = {name for name, value in facts.items() if value and name.endswith(("_at", "_until"))}
    return {name: datetime.fromisoformat(value) if name in moments else value for name, value in facts.items()}


def unsubscribe_token(recipient: str, topic: str) -> str:
    return tokens.sign("unsubscribe", f"{recipient}|{topic}")


def unsubscribed(token: str) -> tuple[str, str] | None:
    """The recipient and topic of an unsubscribe token, or None."""
    recipient, bar, topic = (tokens.unsign("unsubscribe", token) or "").rpartition("|")
    return (recipient, topic) if bar else None


def pause(attempts: int) -> timedelta:
    """How long to wait after so many failed attempts: 30 seconds, doubling, at most an hour."""
    return min(timedelta(hours=1), timedelta(seconds=30 << min(attempts - 1, 10)))


def lapse_reminder_due(created_at: datetime, held_until: datetime, now: datetime) -> bool:
    """Six hours before a booking lapses, but not before half of its time has passed."""
    return now >= held_until - min(REMINDED_BEFORE_LAPSE, (held_until - created_at) / 2)
