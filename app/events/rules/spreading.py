"""Pure rules about taking a change of one date over to the other dates of its series: what goes together, and how times move."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.events.models import Event, TicketType
from app.events.rules import copying, repeating
from app.events.rules.proposing import TypeWish
from app.events.rules.snapshots import EVENT_FIELDS, TYPE_FIELDS

# Columns that make sense only together, so that one of them brings the others along.
TOGETHER = (
    ("starts_at", "ends_at", "doors_at", "zone"),
    ("venue_id", "is_online", "online_url"),
    ("hue", "tone", "motif", "picture"),
    ("per_buyer", "presale_per_buyer"),
    ("refund_hours", "refund_fee_minor"),
)
# Of a ticket type: its windows move along with each date, and a pre-sale for some is never one for everybody elsewhere.
TOGETHER_OF_TYPE = (("sale_from", "sale_to", "presale_from", "needs_code"), ("capacity", "presale_places"))
_COLUMNS = {"category": "category_id", "venue": "venue_id"}
_SECTIONS = {_COLUMNS.get(name, name): shown.section for name, shown in EVENT_FIELDS.items()}
_LABELS = {_COLUMNS.get(name, name): shown.label for name, shown in EVENT_FIELDS.items()}
_MOMENTS = TOGETHER[0]
# What a date that was let out never lacks.
_NEEDED = ("title", "summary", "description")


@dataclass(frozen=True)
class Change:
    """What is taken over: columns of an event, all of one section; or of a ticket type, by its code at the date where it was
    changed. `was` is the name that the type has at the other dates; empty for a new one, which is added to them."""

    fields: tuple[str, ...] = ()
    code: str = ""
    type_fields: tuple[str, ...] = ()
    was: str = ""

    @property
    def section(self) -> str:
        return _SECTIONS[self.fields[0]] if self.fields else "tickets"

    def __bool__(self) -> bool:
        return bool(self.fields or self.code)

    def labels(self) -> list[str]:
        """What it is about, in the words of the form."""
        return [str(_LABELS[name]) for name in self.fields] + [str(TYPE_FIELDS[name].label) for name in self.type_fields]


def change_of(fields: Collection[str], *, code: str = "", type_fields: Collection[str] = (), was: str = "") -> Change:
    """A change of those columns that can be taken over, with what belongs to them. Names that are none are passed over."""
    known = [name for name in _SECTIONS if name in _with(fields, TOGETHER)]
    section = _SECTIONS[known[0]] if known else ""
    of_type = tuple(name for name in TYPE_FIELDS if name in _with(type_fields, TOGETHER_OF_TYPE))
    return Change(tuple(name for name in known if _SECTIONS[name] == section), code, of_type if code else (), was if code else "")


def columns_for(source: Event, target: Event, change: Change, *, now: datetime) -> dict[str, Any]:
    """The columns as they become at another date: on its own day, at the same time on the wall. Raises Refused when it cannot
    have them."""
    values = {name: getattr(source, name) for name in change.fields if name not in _MOMENTS}
    if set(change.fields) & set(_MOMENTS):
        values |= _on_its_day(source, target)
    if target.state != "draft":
        if any(not values[name] for name in _NEEDED if name in values):
            # L10N: "It" is a date of a series, which stands before with a colon.
            raise Refused(_("It is public, so its texts cannot be empty."))
        if "venue_id" in values and not values["venue_id"] and not values["is_online"]:
            # L10N: "It" is a date of a series, which stands before with a colon.
            raise Refused(_("It is public, so it needs a venue."))
    if values.get("starts_at", target.starts_at) <= now:
        # L10N: "It" is a date of a series, which stands before with a colon.
        raise Refused(_("It would have begun already."))
    publish_at = values.get("publish_at")
    if publish_at and publish_at >= target.starts_at:
        # L10N: "It" is a date of a series, which stands before with a colon.
        raise Refused(_("It would be published after it has begun."))
    return values


def wish_for(source: Event, kind: TicketType, target: Event, present: TypeWish | None, change: Change) -> TypeWish:
    """The ticket type as it becomes at another date; `present` is how it is there, None when it is new."""
    days = (repeating.day_of(target) - repeating.day_of(source)).days
    values = copying.copied(kind, tuple(TYPE_FIELDS)) | copying.moved_type(kind, source, days=days)
    if present is None:
        return TypeWish(**values)
    wish = values | {name: getattr(present, name) for name in TYPE_FIELDS if name not in change.type_fields}
    return TypeWish(**wish if wish["presale_from"] else wish | {"presale_places": None, "needs_code": False})


def _on_its_day(source: Event, target: Event) -> dict[str, Any]:
    days = (repeating.day_of(target) - repeating.day_of(source)).days
    moved = copying.moved_event(source, days=days)
    return {name: moved[name] for name in _MOMENTS if name != "zone"} | {"zone": source.zone}


def _with(names: Collection[str], groups: Collection[tuple[str, ...]]) -> set[str]:
    return set(names) | {name for group in groups if set(group) & set(names) for name in group}
