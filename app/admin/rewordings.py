"""What is different about an event and its ticket types, each as a phrase with before and after."""

from typing import Any

from app.admin.told import Told, quoted, word
from app.core.i18n import gettext as _
from app.core.i18n import lazy
from app.events.models import Category, TicketType, Venue

# The names of columns as an admin calls them.
FIELDS = {
    "title": lazy("title"),
    "summary": lazy("summary"),
    "description": lazy("description"),
    "language": lazy("language"),
    "texts": lazy("texts in other languages"),
    "access": lazy("note on access"),
    "minimum_age": lazy("minimum age"),
    "is_online": lazy("online"),
    "online_url": lazy("link to take part"),
    "category_id": lazy("category"),
    "venue_id": lazy("venue"),
    "starts_at": lazy("start"),
    "ends_at": lazy("end"),
    "doors_at": lazy("doors"),
    "zone": lazy("time zone"),
    "currency": lazy("currency"),
    "hue": lazy("colour"),
    "tone": lazy("tone"),
    "motif": lazy("motif"),
    "picture": lazy("picture"),
    "per_buyer": lazy("places for one buyer"),
    "presale_hours": lazy("hours to pay in the pre-sale"),
    "presale_per_buyer": lazy("places of the pre-sale for one buyer"),
    "publish_at": lazy("time of publication"),
    "refund_hours": lazy("hours before the start in which tickets can be given back"),
    "refund_fee_minor": lazy("fee for giving a ticket back"),
    "name": lazy("name"),
    "note": lazy("note"),
    "price_minor": lazy("price"),
    "capacity": lazy("capacity"),
    "per_booking": lazy("places in one booking"),
    "sale_from": lazy("start of the sale"),
    "sale_to": lazy("end of the sale"),
    "presale_from": lazy("start of the pre-sale"),
    "presale_places": lazy("places of the pre-sale"),
    "needs_code": lazy("need of a code"),
    "label": lazy("words of the question"),
    "kind": lazy("kind of answer"),
    "choices": lazy("answers to choose from"),
    "is_required": lazy("need of an answer"),
    "per_ticket": lazy("asked for every ticket"),
}
_TEXTS = ("title", "summary", "description", "texts", "access", "name", "note", "online_url", "label", "choices")
# What a new ticket type is described by.
_OF_NEW = ("price_minor", "capacity")


def of_event(told: Told) -> list[str]:
    """Phrases such as "start from Sat 12 Dec, 20:30 to Sat 12 Dec, 21:00", those of the ticket types behind them."""
    return [_change(told, name, pair) for name, pair in told.details.get("fields", {}).items()] + of_types(told)


def of_fields(told: Told) -> str:
    """Phrases about the fields of one part of an event."""
    return ", ".join(_change(told, name, pair) for name, pair in told.details.get("fields", {}).items())


def of_types(told: Told) -> list[str]:
    """Phrases about each ticket type that was added, changed or removed."""
    return [_type(told, each) for each in told.details.get("types", ())]


def _type(told: Told, each: dict[str, Any]) -> str:
    found = told.names.get(TicketType, each["type"], at=told.activity.at)
    named = quoted(found.name) if found else _("number %(number)s") % {"number": each["type"]}
    fields = each["fields"]
    if each["done"] == "removed":
        return _("ticket type %(name)s removed") % {"name": named}
    if each["done"] == "put_in":
        return _("ticket type %(name)s put in") % {"name": named}
    if each["done"] == "taken_out":
        return _("ticket type %(name)s taken out") % {"name": named}
    if each["done"] == "added":
        price, capacity = (fields.get(name, [None, 0])[1] for name in _OF_NEW)
        values = {"name": named, "price": told.amount(price), "places": capacity}
        return _("ticket type %(name)s added, %(places)s places at %(price)s") % values
    changes = ", ".join(_change(told, name, pair) for name, pair in fields.items()) or _("place in the list")
    return _("ticket type %(name)s: %(changes)s") % {"name": named, "changes": changes}


def _change(told: Told, name: str, pair: list[Any]) -> str:
    field = FIELDS.get(name, name)
    if name in _TEXTS:
        letters = {"field": field, "before": pair[0], "after": pair[1]}
        return _("%(field)s rewritten, %(before)s letters before and %(after)s now") % letters
    before, after = (_value(told, name, value) for value in pair)
    if before is None:
        return _("%(field)s set to %(after)s") % {"field": field, "after": after}
    if after is None:
        return _("%(field)s taken out, it was %(before)s") % {"field": field, "before": before}
    return _("%(field)s from %(before)s to %(after)s") % {"field": field, "before": before, "after": after}


def _value(told: Told, name: str, value: Any) -> str | None:
    """What stands in a column, as people say it; None when nothing does."""
    if value is None:
        return None
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if name.endswith("_minor"):
        return told.amount(value)
    if name.endswith(("_at", "_from", "_to")):
        return told.moment(value)
    if name in ("category_id", "venue_id"):
        found: Any = told.names.get(Category if name == "category_id" else Venue, value, at=told.activity.at)
        return quoted(found.name) if found else _("number %(number)s") % {"number": value}
    return word(value)
