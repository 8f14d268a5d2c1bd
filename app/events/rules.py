"""Pure rules about events: addresses, words to search by, times in a zone, what a card says, what is still missing."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from app.core import formats
from app.core.i18n import gettext as _
from app.core.i18n import ngettext
from app.events.models import Event, TicketType, Venue

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

WHENS = ("tonight", "weekend", "week", "month")
PRICES = ("free", "under20")

# Fewer places than this are worth saying; so is a fifth of the house.
FEW = 20

MOST_MARKS = 50
_MARK = re.compile(r"[ce]:[a-z0-9-]{1,120}")
_SLUG = re.compile(r"[a-z0-9-]{1,120}")


# ---------- what a manager proposes ----------


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


# ---------- what a card says ----------


@dataclass(frozen=True)
class Badge:
    """A word on a card; kind and icon are those of ui.badge."""

    kind: str
    text: str
    icon: str


def badge(types: Sequence[TicketType], *, called_off: bool, zone: str, now: datetime) -> Badge | None:
    """What a buyer must know before opening the page; None when tickets are simply on sale."""
    if called_off:
        return Badge("danger", _("Cancelled"), "x")
    on_sale = [t for t in types if t.is_on_sale(now)]
    if on_sale:
        return _stock_badge(on_sale, now=now)
    if types and all(t.capacity == t.sold for t in types):
        return Badge("", _("Sold out"), "")
    ahead = [(t.opens_next(now), t) for t in types]
    opening = sorted(((moment, t) for moment, t in ahead if moment), key=lambda pair: pair[0])
    if not opening:
        return Badge("", _("Sale closed"), "") if types else None
    moment, first = opening[0]
    day = formats.list_date(moment, zone)
    if moment == first.presale_from:
        return Badge("hue", _("Pre-sale %(date)s") % {"date": day}, "key")
    return Badge("", _("On sale %(date)s") % {"date": day}, "clock")


def _stock_badge(on_sale: Sequence[TicketType], *, now: datetime) -> Badge | None:
    left = sum(t.left_now(now) for t in on_sale)
    capacity = sum(t.capacity for t in on_sale)
    if left <= 0:
        # Held places may come back, so "sold out" would not be true yet.
        return Badge("", _("Sold out"), "") if all(t.held == 0 for t in on_sale) else Badge("", _("All held for now"), "clock")
    if not any(t.is_in_general_sale(now) for t in on_sale):
        return Badge("hue", _("Pre-sale"), "key")
    if left <= FEW or left * 5 <= capacity:
        return Badge("warn", ngettext("%(num)s left", "%(num)s left", left) % {"num": left}, "")
    return None


def state_word(event: Event, types: Sequence[TicketType], *, now: datetime) -> str:
    """Where the event stands, as a word that ui.state knows: its state, and when it is published what its times and stock say."""
    if event.state == "approved":
        return "scheduled"
    if event.state != "published":
        return event.state
    if event.is_over(now):
        return "ended"
    if types and all(t.capacity == t.sold for t in types):
        return "sold_out"
    if any(t.is_in_general_sale(now) for t in types):
        return "on_sale"
    return "presale" if any(t.is_in_presale(now) for t in types) else "published"


@dataclass(frozen=True)
class Group:
    """Some cards of the home page under one heading."""

    title: str
    note: str
    cards: Sequence[Any]


def grouped(cards: Sequence[Any], *, zone: str, now: datetime) -> list[Group]:
    """Cards (anything with starts_at, in order) under This weekend, Next week and Later; empty groups are left away.

    Whatever comes before the weekend is nearest and stands with it.
    """
    start, weekend_end = window("weekend", zone=zone, now=now)
    week_end = weekend_end + timedelta(days=7)
    last_day = (weekend_end - timedelta(minutes=1)).astimezone(ZoneInfo(zone))
    soon = [card for card in cards if card.starts_at < weekend_end]
    before = any(card.starts_at < start for card in soon)
    until = _("Until %(date)s") % {"date": formats.short_date(last_day, zone)}
    groups = [
        Group(_("This week") if before else _("This weekend"), until, soon),
        Group(_("Next week"), "", [card for card in cards if weekend_end <= card.starts_at < week_end]),
        Group(_("Later"), "", [card for card in cards if card.starts_at >= week_end]),
    ]
    return [group for group in groups if group.cards]


# ---------- what a visitor looks for ----------


@dataclass(frozen=True)
class Search:
    """A state of the filters; every one has an address. Empty values do not filter."""

    q: str = ""
    category: str = ""
    city: str = ""
    when: str = ""
    since: date | None = None
    until: date | None = None
    price: str = ""
    page: int = 1

    @property
    def is_empty(self) -> bool:
        return replace(self, page=1) == Search()

    @property
    def words(self) -> list[str]:
        return folded(self.q).split()[:8]

    def url(self, **changes: Any) -> str:
        """The address of this state with some values changed; a changed filter starts at page 1 again."""
        state = replace(self, **{"page": 1, **changes})
        values = {field.name: getattr(state, field.name) for field in fields(state)}
        if state.page == 1:
            values["page"] = ""
        query = urlencode({name: str(value) for name, value in values.items() if value})
        return f"/events?{query}" if query else "/events"


def search_from(params: Mapping[str, str]) -> Search:
    """The filters in an address. What makes no sense counts as absent."""
    page = params.get("page", "")
    slug = params.get("category", "")
    when, price = params.get("when", ""), params.get("price", "")
    since, until = _day(params.get("since", "")), _day(params.get("until", ""))
    return Search(
        q=_printable(params.get("q", "")),
        category=slug if _SLUG.fullmatch(slug) else "",
        city=_printable(params.get("city", "")),
        # Two dates say more than a word.
        when=when if when in WHENS and not (since or until) else "",
        since=since,
        until=until,
        price=price if price in PRICES else "",
        page=max(1, int(page)) if re.fullmatch(r"[0-9]{1,4}", page) else 1,
    )


def window(when: str, *, zone: str, now: datetime) -> tuple[datetime, datetime]:
    """From and until (exclusive) of tonight, the weekend (Friday to Sunday), the next 7 or the next 30 days."""
    today = now.astimezone(ZoneInfo(zone)).date()
    if when == "tonight":
        return _midnight(today, zone), _midnight(today + timedelta(days=1), zone) + timedelta(hours=4)
    if when == "weekend":
        friday = max(today, today + timedelta(days=4 - today.weekday()))
        return _midnight(friday, zone), _midnight(today + timedelta(days=7 - today.weekday()), zone)
    return now, now + timedelta(days=7 if when == "week" else 30)


def between(since: date | None, until: date | None, *, zone: str) -> tuple[datetime | None, datetime | None]:
    """From the first day's beginning until (exclusive) the last day's end."""
    return _midnight(since, zone) if since else None, _midnight(until + timedelta(days=1), zone) if until else None


def marks(value: Any) -> list[str]:
    """The favourites in a client's cookie, as "c:slug" and "e:slug"; anything else counts as none."""
    if not isinstance(value, list):
        return []
    return [mark for mark in value if isinstance(mark, str) and _MARK.fullmatch(mark)][:MOST_MARKS]


def toggled(marks_now: Sequence[str], mark: str) -> list[str]:
    """The marks with one more, or one less when it was there; the oldest make room."""
    if mark in marks_now:
        return [other for other in marks_now if other != mark]
    return [*marks_now, mark][-MOST_MARKS:]


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), tzinfo=ZoneInfo(zone)).astimezone(UTC)


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 2000 <= day.year <= 2100 else None


def _printable(text: str) -> str:
    """Typed words without what cannot be printed: NUL would be an error on PostgreSQL."""
    kept = "".join(char for char in text[:200] if unicodedata.category(char)[0] != "C" and char != "\ufffd")
    return unicodedata.normalize("NFC", kept).strip()[:100]
