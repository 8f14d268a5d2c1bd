"""Pure rules about what a manager proposes: its address, the words it is found by, its times, what is still missing."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from app.core.i18n import gettext as _
from app.events.models import Event, TicketType, Venue

LASTS_BY_DEFAULT = timedelta(hours=3)

# Addresses below /manager/events/ that are not an event's.
RESERVED_SLUGS = ("new", "poster")

ZONES = (
    "Europe/Rome", "Europe/Paris", "Europe/Berlin", "Europe/London", "Europe/Lisbon", "Europe/Madrid", "Europe/Amsterdam",
    "Europe/Brussels", "Europe/Zurich", "Europe/Vienna", "Europe/Prague", "Europe/Warsaw", "Europe/Copenhagen",
    "Europe/Stockholm", "Europe/Oslo", "Europe/Helsinki", "Europe/Athens", "Europe/Bucharest", "Europe/Dublin",
    "Atlantic/Reykjavik", "Atlantic/Azores", "America/New_York", "America/Chicago", "America/Denver",
    "America/Los_Angeles", "America/Toronto", "America/Sao_Paulo", "Asia/Tokyo", "Asia/Singapore", "Asia/Kolkata",
    "Australia/Sydney", "Pacific/Auckland", "UTC",
)  # fmt: skip


@dataclass(frozen=True)
class TypeWish:
    """A ticket type as a manager wants it. `code` names the present one, "" asks for a new one; times are UTC."""

    code: str
    name: str
    note: str
    price_minor: int
    capacity: int
    per_booking: int
    sale_from: datetime
    sale_to: datetime
    presale_from: datetime | None
    presale_places: int | None
    access_code: str
    # Also without a code of its own: the sales page makes more of them.
    needs_code: bool = False


@dataclass(frozen=True)
class EventWish:
    """An event as a manager wants it; times are UTC."""

    title: str
    summary: str
    description: str
    category_id: int
    venue: str
    address: str
    city: str
    starts_at: datetime
    ends_at: datetime
    doors_at: datetime | None
    zone: str
    currency: str
    hue: str
    tone: str
    motif: str
    picture: str
    access: str
    per_buyer: int
    presale_hours: int
    publish_at: datetime | None
    types: tuple[TypeWish, ...]
    presale_per_buyer: int | None = None
    refund_hours: int | None = None
    refund_fee_minor: int = 0


def blank_wish(title: str, *, category_id: int, zone: str, currency: str, now: datetime) -> EventWish:
    """An event of which only title and category are known: an evening in four weeks, as a first form shows it."""
    evening = (now.astimezone(ZoneInfo(zone)) + timedelta(days=28)).replace(hour=20, minute=0, second=0, microsecond=0)
    return EventWish(
        title=title,
        summary="",
        description="",
        category_id=category_id,
        venue="",
        address="",
        city="",
        starts_at=evening.astimezone(UTC),
        ends_at=evening.astimezone(UTC) + LASTS_BY_DEFAULT,
        doors_at=None,
        zone=zone,
        currency=currency,
        hue="cobalt",
        tone="deep",
        motif="keys",
        picture="",
        access="",
        per_buyer=6,
        presale_hours=48,
        publish_at=None,
        types=(),
    )


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


def search_text(*, title: str, summary: str, venue: str, city: str, category: str) -> str:
    """What the search looks into, folded; fits the column."""
    return folded(" ".join(word for word in (title, summary, venue, city, category) if word))[:1500]


def missing(event: Event, venue: Venue | None, types: Sequence[TicketType], *, now: datetime) -> list[str]:
    """What must be there before an admin can look at the event, one sentence each; empty when it is complete."""
    rules = [
        (bool(event.summary), _("Write the summary that stands on the card.")),
        (bool(event.description), _("Write the description.")),
        (venue is not None, _("Say where it takes place.")),
        (bool(types), _("Add a ticket type.")),
        (event.starts_at > now, _("Choose a start in the future.")),
        (all(t.sale_to > now for t in types), _("Let every ticket type be on sale until some time in the future.")),
    ]
    return [sentence for holds, sentence in rules if not holds]


def in_utc(local: datetime, zone: str) -> datetime:
    """The moment behind a typed date and time. Raises ValueError for an hour that the zone skips in spring."""
    moment = local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    if moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None) != local.replace(tzinfo=None):
        raise ValueError(local)
    return moment


def in_zone(moment: datetime | None, zone: str) -> datetime | None:
    """What a clock on the wall shows, for a date and time field."""
    return moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None) if moment else None
