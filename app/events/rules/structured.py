"""What machines read of an event: https://schema.org/Event, by the rules of Google's event results.

https://developers.google.com/search/docs/appearance/structured-data/event
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from app.core.i18n import told
from app.core.money import major
from app.core.usual import category_name
from app.events.models import Category, Event, Venue
from app.events.rules.offering import Offer

SCHEMA = "https://schema.org/"

# Google knows these three. What nobody can buy any more, or for now, is no offer.
_STOCK = {"open": "InStock", "locked": "InStock", "later": "PreOrder", "sold_out": "SoldOut"}


def event_facts(
    event: Event,
    *,
    url: str,
    venue: Venue | None,
    category: Category,
    series: tuple[str, str] | None,
    offers: Sequence[Offer],
    images: Sequence[str],
    organizer: tuple[str, str],
) -> dict[str, Any]:
    """The event as JSON-LD; every moment in it carries its offset.

    `url`, `images` and the second of `series` and `organizer`, which have a name first, are whole addresses.
    """
    facts: dict[str, Any] = {
        "@context": SCHEMA.rstrip("/"),
        "@type": "Event",
        "name": event.title,
        "description": event.summary or event.title,
        "url": url,
        "startDate": _moment(event.starts_at, event),
        "endDate": _moment(event.ends_at, event),
        "eventStatus": SCHEMA + _status(event),
        "eventAttendanceMode": SCHEMA + _mode(event, venue),
        "image": list(images),
        "about": category_name(category.name),
        "organizer": {"@type": "Organization", "name": organizer[0], "url": organizer[1]},
    }
    if place := _location(event, venue, url):
        facts["location"] = place
    if event.doors_at:
        facts["doorTime"] = _moment(event.doors_at, event)
    if event.previous_starts_at and _status(event) == "EventRescheduled":
        facts["previousStartDate"] = _moment(event.previous_starts_at, event)
    if series:
        facts["superEvent"] = {"@type": "EventSeries", "name": series[0], "url": series[1]}
    if sold := [_offer(offer, event, url) for offer in offers if offer.state in _STOCK]:
        facts["offers"] = sold
    return facts


def _status(event: Event) -> str:
    if event.is_called_off:
        return "EventCancelled"
    if event.is_postponed:
        return "EventPostponed"
    return "EventRescheduled" if event.previous_starts_at not in (None, event.starts_at) else "EventScheduled"


def _mode(event: Event, venue: Venue | None) -> str:
    if venue and event.is_online:
        return "MixedEventAttendanceMode"
    return "OnlineEventAttendanceMode" if event.is_online else "OfflineEventAttendanceMode"


def _location(event: Event, venue: Venue | None, url: str) -> Any:
    """Where the link of an online event leads, only who holds a ticket is told; for everybody it is the event's page."""
    online = [{"@type": "VirtualLocation", "url": url}] if event.is_online else []
    if not venue:
        return online[0] if online else None
    lines = {"streetAddress": venue.address, "addressLocality": venue.city}
    address = {"@type": "PostalAddress"} | {name: line for name, line in lines.items() if line}
    place = {"@type": "Place", "name": venue.name, "address": address}
    return [place, *online] if online else place


def _offer(offer: Offer, event: Event, url: str) -> dict[str, Any]:
    kind = offer.kind
    return {
        "@type": "Offer",
        "name": told(kind.name, event),
        "price": str(major(kind.price_minor, event.currency)),
        "priceCurrency": event.currency,
        "availability": SCHEMA + _STOCK[offer.state],
        "validFrom": _moment(kind.presale_from or kind.sale_from, event),
        "validThrough": _moment(kind.sale_to, event),
        "url": f"{url}#tickets",
    }


def _moment(moment: datetime, event: Event) -> str:
    return moment.astimezone(event.tz).isoformat(timespec="seconds")
