"""What Google asks of an event, and of which schema.org types its values may be: a table, and a function that finds faults.

https://developers.google.com/search/docs/appearance/structured-data/event and https://schema.org/Event, read in November 2026.
"""

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

SCHEMA = "https://schema.org/"
AVAILABILITIES = ("InStock", "SoldOut", "PreOrder")
STATUSES = ("EventScheduled", "EventCancelled", "EventPostponed", "EventRescheduled", "EventMovedOnline")
MODES = ("OfflineEventAttendanceMode", "OnlineEventAttendanceMode", "MixedEventAttendanceMode")

Check = Callable[[Any], bool]


def text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def url(value: Any) -> bool:
    return isinstance(value, str) and urlsplit(value).scheme in ("http", "https") and bool(urlsplit(value).netloc)


def moment(value: Any) -> bool:
    """With its offset: without one Google takes a guess."""
    try:
        return datetime.fromisoformat(value).utcoffset() is not None
    except (TypeError, ValueError):
        return False


def price(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"\d+(\.\d{1,3})?", value) is not None


def currency(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch("[A-Z]{3}", value) is not None


def word_of(*words: str) -> Check:
    return lambda value: value in {SCHEMA + word for word in words}


def images(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 3 and all(url(one) for one in value)


# By type: what must be there, what should be, and what may be, each with what its value must look like. A type in the place of
# a check is a nested thing.
TABLE: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "Event": (
        {"name": text, "startDate": moment, "location": ("Place", "VirtualLocation")},
        {
            "description": text, "endDate": moment, "eventStatus": word_of(*STATUSES), "image": images,
            "organizer": ("Organization", "Person"), "offers": ("Offer",), "eventAttendanceMode": word_of(*MODES),
        },
        {"@context": lambda value: value == "https://schema.org", "url": url, "doorTime": moment, "about": text,
         "performer": ("PerformingGroup", "Person"), "previousStartDate": moment, "superEvent": ("EventSeries",)},
    ),
    "Place": ({"address": ("PostalAddress",)}, {"name": text}, {}),
    "PostalAddress": ({}, {"addressLocality": text}, {"streetAddress": text, "postalCode": text, "addressCountry": text}),
    "VirtualLocation": ({"url": url}, {}, {}),
    "Offer": (
        {},
        {"availability": word_of(*AVAILABILITIES), "price": price, "priceCurrency": currency, "validFrom": moment, "url": url},
        {"name": text, "validThrough": moment},
    ),
    "Organization": ({}, {"name": text, "url": url}, {}),
    "EventSeries": ({}, {"name": text, "url": url}, {}),
}  # fmt: skip


def faults(thing: dict[str, Any], where: str = "Event", *, without: tuple[str, ...] = ()) -> list[str]:
    """What Google would refuse or miss; `without` names what this event does not have, such as offers when nothing is sold."""
    kind = thing.get("@type", "")
    if kind not in TABLE:
        return [f"{where} is a {kind!r}"]
    must, should, may = TABLE[kind]
    found = [f"{where}.{name} is missing" for name in (*must, *should) if name not in thing and name not in without]
    checks = {**must, **should, **may}
    for name, value in thing.items():
        if name == "@type":
            continue
        if name not in checks:
            found.append(f"{where}.{name} is no property that is read")
        else:
            found += _wrong(value, checks[name], f"{where}.{name}")
    return found + (list(_contradictions(thing, where)) if kind == "Event" else [])


def _wrong(value: Any, check: Any, where: str) -> list[str]:
    if not isinstance(check, tuple):
        return [] if check(value) else [f"{where} is {value!r}"]
    several = value if isinstance(value, list) else [value]
    found = [] if several else [f"{where} is empty"]
    for one in several:
        if not isinstance(one, dict) or one.get("@type") not in check:
            found.append(f"{where} is {one!r}")
        else:
            found += faults(one, where)
    return found


def _contradictions(thing: dict[str, Any], where: str) -> Iterator[str]:
    if "previousStartDate" in thing and not thing["eventStatus"].endswith("EventRescheduled"):
        yield f"{where}.previousStartDate stands beside {thing['eventStatus']}"
    if thing.get("endDate", "9") < thing.get("startDate", "0"):
        yield f"{where} ends before it starts"
    places = thing.get("location", [])
    kinds = {one.get("@type") for one in (places if isinstance(places, list) else [places])}
    if ("VirtualLocation" in kinds) != (not thing.get("eventAttendanceMode", "").endswith("OfflineEventAttendanceMode")):
        yield f"{where}.eventAttendanceMode does not fit {sorted(kinds)}"
