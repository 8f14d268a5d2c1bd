"""What is kept of people and for how long, and how an erasure is written down. No I/O."""

import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from app.core.i18n import lazy
from app.core.settings import settings

# Login sessions that have ended and mailed links that are used or too old.
WAYS_IN_KEPT = timedelta(days=90)
CHALLENGES_KEPT = timedelta(days=1)
JOBS_KEPT = timedelta(days=90)
# The name, address and browser of a booking that came to nothing.
ABANDONED_KEPT = timedelta(days=30)

# Why somebody cannot be erased yet.
REFUSALS = {
    "hold": lazy("A booking of yours is still held or being paid. Pay it, or release its places."),
    "ticket": lazy("You have tickets for an event that is not over. Give them back first, or wait until it is over."),
    "refund": lazy("Money is still on its way back to you. Wait until it has arrived."),
    "dispute": lazy("Your bank disputes a payment. Wait until that is decided."),
    "last_admin": lazy("You are the only admin. Make somebody else an admin first."),
    "events": lazy("Events of yours are still ahead. Call them off first, or wait until they are over."),
}

# What an erasure does to every table, and what the clock does by itself. Whoever adds a table adds it here (a test insists).
# "gone": the person's rows are deleted. "blank": the row stays for the books, and nothing in it names or reaches the person.
# "none": the table knows nobody; ids of accounts may stand in it, and after the erasure they lead to nobody.
TREATMENT = {
    "access_codes": "none",
    "activities": "none",
    "activity_seals": "none",
    "activity_work": "none",
    "alarms": "none",
    "announcements": "none",
    "answers": "gone",
    "applications": "gone",
    "authenticators": "gone",
    "booking_lines": "none",
    "bookings": "blank",
    "buyer_limits": "blank",
    "categories": "none",
    "challenges": "gone",
    "check_ins": "none",
    "csp_reports": "none",
    "cursors": "none",
    "deliveries": "gone",
    "erasures": "none",
    "event_search": "none",
    "events": "none",
    "exports": "gone",
    "factor_resets": "gone",
    "favourites": "gone",
    "gates": "none",
    "helpers": "gone",
    "identities": "gone",
    "invariant_results": "none",
    # Their files can name people: those about the person's events go at once (erasing.STEPS), the others after a week.
    "jobs": "none",
    "kept_names": "kept for the books",
    "leases": "none",
    "limits": "none",
    "login_attempts": "gone",
    "login_sessions": "gone",
    "mailed_links": "gone",
    "moved_addresses": "none",
    "notices": "none",
    "notifications": "gone",
    "openings": "none",
    "orphans": "none",
    "passkeys": "gone",
    "payments": "blank",
    "preferences": "gone",
    "promo_codes": "none",
    "questions": "none",
    "quotas": "none",
    "recovery_codes": "gone",
    "refusals": "none",
    "refund_codes": "gone",
    "refunds": "blank",
    "reminders": "gone",
    "return_notes": "gone",
    "revisions": "none",
    # A series goes with its last event; it names its manager as events do.
    "series": "none",
    "settings": "none",
    "site_texts": "none",
    "ticket_types": "none",
    "tickets": "blank",
    "users": "blank",
    "venues": "none",
    "vouchers": "none",
    "waiting_entries": "gone",
    "wished_changes": "none",
}


@dataclass(frozen=True)
class Line:
    """An erasure as the file outside the database has it."""

    id: str
    user_code: str
    address_hash: str
    origin: str
    at: datetime


def as_text(line: Line) -> str:
    """One line of JSON, without its end."""
    told = {"id": line.id, "user": line.user_code, "address": line.address_hash, "origin": line.origin}
    return json.dumps(told | {"at": line.at.isoformat()})


def lines_of(text: str) -> list[Line]:
    """The lines of the file, each once. One that is not complete, as after a full disk, is left out."""
    return list({line.id: line for line in map(_read, text.splitlines()) if line}.values())


def _read(text: str) -> Line | None:
    try:
        told = json.loads(text)
        return Line(told["id"], told["user"], told["address"], told["origin"], datetime.fromisoformat(told["at"]))
    except (ValueError, KeyError, TypeError):
        return None


def address_hash(email: str) -> str:
    """Stands for an address. Without the shop's secret key nobody can try addresses until one fits."""
    key = hashlib.sha256(f"erasures:{settings().secret_key}".encode()).digest()
    return hmac.new(key, email.strip().lower().encode(), hashlib.sha256).hexdigest()


def kept_until(paid_at: datetime) -> date:
    """The last day on which the books need a receipt: full years after the end of the year in which the money came."""
    return date(paid_at.year + settings().accounting_years, 12, 31)


def books_open_since(now: datetime) -> datetime:
    """Money that came before this moment needs no receipt any more."""
    return now.replace(year=now.year - settings().accounting_years, month=1, day=1, hour=0, minute=0, second=0, microsecond=0)
