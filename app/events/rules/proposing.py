"""Pure rules about what a manager proposes: its address, its times, what is still missing."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zlib import crc32
from zoneinfo import ZoneInfo

from app.core.i18n import gettext as _
from app.events.models import SECTIONS, Category, Event, TicketType, Venue
from app.events.rules.looks import HUES, MOTIFS, TONES

# Addresses below /manager/events/ that are not an event's.
RESERVED_SLUGS = ("new", "poster", "description")

ZONES = (
    "Europe/Rome", "Europe/Paris", "Europe/Berlin", "Europe/London", "Europe/Lisbon", "Europe/Madrid", "Europe/Amsterdam",
    "Europe/Brussels", "Europe/Zurich", "Europe/Vienna", "Europe/Prague", "Europe/Warsaw", "Europe/Copenhagen",
    "Europe/Stockholm", "Europe/Oslo", "Europe/Helsinki", "Europe/Athens", "Europe/Bucharest", "Europe/Dublin",
    "Atlantic/Reykjavik", "Atlantic/Azores", "America/New_York", "America/Chicago", "America/Denver",
    "America/Los_Angeles", "America/Toronto", "America/Sao_Paulo", "Asia/Tokyo", "Asia/Singapore", "Asia/Kolkata",
    "Australia/Sydney", "Pacific/Auckland", "UTC",
)  # fmt: skip


LASTS_BY_DEFAULT = timedelta(hours=3)
MOST_TYPES = 20

# A new draft begins so many days ahead, at this hour, until its manager says something else.
SUGGESTED_AHEAD = timedelta(days=28)
SUGGESTED_HOUR = time(20)


class HourSkipped(ValueError):
    """Clocks go forward over this hour."""


class HourTwice(ValueError):
    """Clocks go back, and show this hour a second time."""


@dataclass(frozen=True)
class Place:
    """Where an event takes place; without a name it has no place."""

    name: str = ""
    address: str = ""
    city: str = ""


@dataclass(frozen=True)
class TypeWish:
    """A ticket type as a manager wants it; times are UTC."""

    name: str
    note: str
    price_minor: int
    capacity: int
    per_booking: int
    sale_from: datetime
    sale_to: datetime
    presale_from: datetime | None
    presale_places: int | None
    needs_code: bool = False


def slug_of(title: str) -> str:
    """ "Été à Noël!" becomes "ete-a-noel"; a title without a Latin letter or digit becomes "event"."""
    letters = unicodedata.normalize("NFKD", title.casefold()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", letters).strip("-")[:100].strip("-") or "event"


def free_slug(wanted: str, taken: set[str]) -> str:
    """The wanted slug, or the first of "slug-2", "slug-3" … that nobody has."""
    taken = taken | set(RESERVED_SLUGS)
    if wanted not in taken:
        return wanted
    return next(slug for slug in (f"{wanted}-{number}" for number in range(2, len(taken) + 3)) if slug not in taken)


def folded(text: str) -> str:
    """Lower case without marks, so that "ete" finds "Été"."""
    return "".join(char for char in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(char))


def missing(event: Event, venue: Venue | None, types: Sequence[TicketType], *, now: datetime) -> list[str]:
    """What must be there before an admin can look at the event, one sentence each; empty when it is complete."""
    rules = [
        (has_saved(event, "basics"), _("Look through the basics and save them: date and place are only suggestions.")),
        (bool(event.summary), _("Write the summary that stands on the card.")),
        (bool(event.description), _("Write the description.")),
        (venue is not None or event.is_online, _("Say where it takes place.")),
        (bool(types), _("Add a ticket type.")),
        (event.starts_at > now, _("Choose a start in the future.")),
        (all(t.sale_to > now for t in types), _("Let every ticket type be on sale until some time in the future.")),
    ]
    return [sentence for holds, sentence in rules if not holds]


def has_saved(event: Event, section: str) -> bool:
    return section in event.saved_sections.split()


def with_saved(event: Event, section: str) -> str:
    """The event's saved sections and this one, in the order of the form."""
    return " ".join(word for word in SECTIONS if word == section or has_saved(event, word))


def section_state(event: Event, section: str, *, has_venue: bool, has_types: bool, is_wished: bool) -> str:
    """How far a section of the form is: "changes" that an admin asked for, "not_started", "in_progress" or "done"."""
    complete = {
        "basics": bool(event.summary) and (has_venue or event.is_online),
        "tickets": has_types,
        "page": bool(event.description),
        "access": True,
    }
    if is_wished:
        return "changes"
    if not has_saved(event, section):
        return "not_started"
    return "done" if complete[section] else "in_progress"


def suggested(
    last: Event | None, kinds: Sequence[Category], title: str, *, zone: str, currency: str, now: datetime
) -> dict[str, Any]:
    """Columns of a draft of which only the title is known: like the manager's last event, four weeks ahead in the evening."""
    zone = last.zone if last else zone
    day = (now + SUGGESTED_AHEAD).astimezone(ZoneInfo(zone)).date()
    starts_at = datetime.combine(day, SUGGESTED_HOUR, ZoneInfo(zone)).astimezone(UTC)
    names = ("currency", "per_buyer", "presale_hours", "presale_per_buyer", "refund_hours", "refund_fee_minor", "venue_id")
    like_last = {name: getattr(last, name) for name in names} if last else {"currency": currency}
    dice = crc32(title.encode())
    look = {"hue": HUES[dice % len(HUES)], "tone": TONES[dice // 16 % len(TONES)], "motif": MOTIFS[dice // 64 % len(MOTIFS)]}
    times = {"zone": zone, "starts_at": starts_at, "ends_at": starts_at + LASTS_BY_DEFAULT}
    return like_last | look | times | {"category_id": kinds[0].id}


def in_utc(local: datetime, zone: str) -> datetime:
    """The moment behind a typed date and time. Raises HourSkipped in spring and HourTwice in autumn."""
    here = local.replace(tzinfo=ZoneInfo(zone), fold=0)
    moment = here.astimezone(UTC)
    if moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0) != local.replace(tzinfo=None, fold=0):
        raise HourSkipped(local)
    if here.utcoffset() != here.replace(fold=1).utcoffset():
        raise HourTwice(local)
    return moment


def in_zone(moment: datetime | None, zone: str) -> datetime | None:
    """What a clock on the wall shows, for a date and time field."""
    return moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None) if moment else None
