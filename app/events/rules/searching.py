"""Pure rules about what a visitor looks for: filters as links, times in words, and the marks of a browser."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from math import cos, hypot, radians
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from app.core.i18n import to
from app.events.rules import words

WHENS = ("tonight", "tomorrow", "weekend", "week", "month", "past")
PRICES = ("free", "under20")
# "Up to" so many of whatever the currency is.
_MOST = re.compile(r"[1-9][0-9]{0,4}")

# Near a city means at most so many kilometres north, south, east or west of its middle.
FAR = 100
KM_OF_A_DEGREE = 111.2

MOST_MARKS = 50
# Browsers drop a cookie of more than 4,096 bytes; encoding and signing add a third and some.
MOST_MARKED = 2_600
_MARK = re.compile(r"[ce]:[a-z0-9-]{1,120}")
_MONTH = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])")
_SLUG = re.compile(r"[a-z0-9-]{1,120}")


@dataclass(frozen=True)
class Search:
    """A state of the filters; every one has an address. Empty values do not filter."""

    q: str = ""
    category: str = ""
    city: str = ""
    near: str = ""
    when: str = ""
    since: date | None = None
    until: date | None = None
    price: str = ""
    places: str = ""
    view: str = ""
    month: str = ""
    page: int = 1

    @property
    def is_empty(self) -> bool:
        return replace(self, page=1, view="", month="") == Search()

    @property
    def words(self) -> list[str]:
        return words.wanted(self.q)

    def url(self, **changes: Any) -> str:
        """The address of this state with some values changed, in this language; a changed filter starts at page 1 again."""
        values = {**vars(self), "page": 1, **changes}
        if values["page"] == 1:
            values["page"] = ""
        query = urlencode({name: str(value) for name, value in values.items() if value})
        return to(f"/events?{query}" if query else "/events")


def canonical(search: Search) -> str:
    """The path under which search engines are to know a list: what only a category or a city parts from the rest has a page."""
    bare, path = replace(search, page=1), "/events"
    if search.category and bare == Search(category=search.category):
        path = f"/categories/{search.category}"
    elif search.city and bare == Search(city=search.city):
        path = f"/cities/{words.address_of_city(search.city)}"
    elif not bare.is_empty:
        return path
    return path + (f"?page={search.page}" if search.page > 1 else "")


def search_from(params: Mapping[str, str]) -> Search:
    """The filters in an address. What makes no sense counts as absent."""
    page = params.get("page", "")
    slug = params.get("category", "")
    when, price = params.get("when", ""), params.get("price", "")
    when = when if when in WHENS else ""
    since, until = _day(params.get("since", "")), _day(params.get("until", ""))
    near = _printable(params.get("near", ""))
    # A month says itself which days it shows, and in no order but theirs.
    in_month = params.get("view") == "month" and not (when or since or until or near)
    return Search(
        q=_printable(params.get("q", "")),
        category=slug if _SLUG.fullmatch(slug) else "",
        city=_printable(params.get("city", "")),
        near=near,
        # Two dates say more than a word.
        when="" if since or until else when,
        since=since,
        until=until,
        price=price if price in PRICES or _MOST.fullmatch(price) else "",
        places="1" if params.get("places") == "1" else "",
        view="month" if in_month else "",
        month=params["month"] if in_month and _MONTH.fullmatch(params.get("month", "")) else "",
        page=max(1, int(page)) if re.fullmatch(r"[0-9]{1,4}", page) else 1,
    )


def window(when: str, *, zone: str, now: datetime) -> tuple[datetime, datetime]:
    """From and until (exclusive) of tonight, tomorrow, the weekend (Friday to Sunday), the next 7 or the next 30 days."""
    today = now.astimezone(ZoneInfo(zone)).date()
    if when == "tonight":
        return _midnight(today, zone), _midnight(today + timedelta(days=1), zone) + timedelta(hours=4)
    if when == "tomorrow":
        return _midnight(today + timedelta(days=1), zone), _midnight(today + timedelta(days=2), zone)
    if when == "weekend":
        friday = max(today, today + timedelta(days=4 - today.weekday()))
        return _midnight(friday, zone), _midnight(today + timedelta(days=7 - today.weekday()), zone)
    return now, now + timedelta(days=7 if when == "week" else 30)


def span(wanted: Search, *, zone: str, now: datetime) -> tuple[datetime | None, datetime | None]:
    """From when until when the wanted events begin; None where the search leaves it open."""
    if wanted.when and wanted.when != "past":
        return window(wanted.when, zone=zone, now=now)
    return between(wanted.since, wanted.until, zone=zone)


def between(since: date | None, until: date | None, *, zone: str) -> tuple[datetime | None, datetime | None]:
    """From the first day's beginning until (exclusive) the last day's end."""
    return _midnight(since, zone) if since else None, _midnight(until + timedelta(days=1), zone) if until else None


def box(centre: tuple[float, float]) -> tuple[tuple[float, float], tuple[float, float]]:
    """South and north, west and east of what is near. Over the 180th meridian it does not reach."""
    north, east = FAR / KM_OF_A_DEGREE, FAR / KM_OF_A_DEGREE / narrowing(centre)
    return (centre[0] - north, centre[0] + north), (centre[1] - east, centre[1] + east)


def narrowing(centre: tuple[float, float]) -> float:
    """How much shorter a degree from west to east is there than one from south to north."""
    return max(0.01, cos(radians(centre[0])))


def km(centre: tuple[float, float], place: Sequence[float]) -> int:
    """Whole kilometres between two places near each other."""
    return round(hypot(place[0] - centre[0], (place[1] - centre[1]) * narrowing(centre)) * KM_OF_A_DEGREE)


def marks(value: Any) -> list[str]:
    """The favourites in a client's cookie, as "c:slug" and "e:slug"; anything else counts as none."""
    if not isinstance(value, list):
        return []
    return [mark for mark in value if isinstance(mark, str) and _MARK.fullmatch(mark)][:MOST_MARKS]


def toggled(marks_now: Sequence[str], mark: str) -> list[str]:
    """The marks with one more, or one less when it was there; the oldest make room, also when they are too long for a cookie."""
    if mark in marks_now:
        return [other for other in marks_now if other != mark]
    kept = [*marks_now, mark][-MOST_MARKS:]
    while sum(len(other) + len('"",') for other in kept) > MOST_MARKED:
        kept = kept[1:]
    return kept


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
