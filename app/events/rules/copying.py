"""Pure rules about a copy of an event: what it takes over, what it begins anew, and when it takes place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from app.events.models import Event, Question, Quota, TicketType
from app.events.rules import proposing
from app.events.rules.snapshots import EVENT_FIELDS, TYPE_FIELDS

# A copy takes place so many days after the original, or after today if that is later.
AHEAD = timedelta(days=28)

# Moments that move along with the start; everything else that the form shows is taken over as it is.
MOVED = ("starts_at", "ends_at", "doors_at", "publish_at")
MOVED_OF_TYPE = ("sale_from", "sale_to", "presale_from")

# What is taken over besides what the form shows under the name of its column.
ALSO_COPIED = ("manager_id", "category_id", "venue_id", "is_waiting_list_open", "offer_hours", "has_exit")
# What happened to the original did not happen to its copy.
ANEW = (
    "id", "slug", "series_id", "saved_sections", "state", "wished_changes", "called_off_reason", "postponed_reason",
    "postponed_at", "redated_at", "previous_starts_at", "return_days", "created_at", "submitted_at", "rejected_at",
    "published_at", "called_off_at", "changed_at", "version",
)  # fmt: skip

COPIED = (*(name for name in EVENT_FIELDS if name in Event.model_fields and name not in MOVED), *ALSO_COPIED)
COPIED_OF_TYPE = (*(name for name in TYPE_FIELDS if name not in MOVED_OF_TYPE), "position")
COPIED_OF_QUESTION = tuple(name for name in Question.model_fields if name not in ("id", "code", "event_id", "ended_at"))
COPIED_OF_QUOTA = tuple(
    name for name in Quota.model_fields if name not in ("id", "code", "event_id", "held", "sold", "aside")
)  # fmt: skip


@dataclass(frozen=True)
class Placed:
    """A moment behind a time on the wall. `oddity`: "skipped" when clocks go over that hour, "twice" when they show it twice."""

    moment: datetime
    oddity: str = ""


def placed(local: datetime, zone: str) -> Placed:
    """Of an hour that comes twice the first; an hour that is skipped begins that much later, as clocks do."""
    moment = local.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC)
    try:
        proposing.in_utc(local, zone)
    except proposing.HourSkipped:
        return Placed(moment, "skipped")
    except proposing.HourTwice:
        return Placed(moment, "twice")
    return Placed(moment)


def on_the_wall(moment: datetime, *, days: int, zone: str) -> Placed:
    """The same time on the wall, so many days later or earlier."""
    return placed(moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0) + timedelta(days=days), zone)


def days_ahead(event: Event, now: datetime) -> int:
    """By how many days a copy moves: it takes place four weeks after the original, or from today on."""
    tz = ZoneInfo(event.zone)
    day = event.starts_at.astimezone(tz).date()
    return (max(day, now.astimezone(tz).date()) + AHEAD - day).days


def moved_event(event: Event, *, days: int) -> dict[str, datetime | None]:
    """The moments of the event so many days later; what came before the start, with it or after it still does."""
    return {name: _moved(getattr(event, name), event, days=days) for name in MOVED}


def moved_type(kind: TicketType, event: Event, *, days: int) -> dict[str, datetime | None]:
    """The windows of a ticket type so many days later, in the same order."""
    present: dict[str, datetime | None] = {name: getattr(kind, name) for name in MOVED_OF_TYPE}
    moved = {name: _moved(moment, event, days=days) for name, moment in present.items()}
    if _fits(moved):
        return moved
    # A change of clocks would turn them round.
    along = on_the_wall(event.starts_at, days=days, zone=event.zone).moment - event.starts_at
    return {name: moment + along if moment else None for name, moment in present.items()}


def copied(row: object, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def copied_title(title: str, word: str) -> str:
    """The title with the word behind it, cut to what a title may hold."""
    return f"{title[: 120 - len(word) - 1]} {word}"


def _moved(moment: datetime | None, event: Event, *, days: int) -> datetime | None:
    if moment is None:
        return None
    start = on_the_wall(event.starts_at, days=days, zone=event.zone).moment
    found = on_the_wall(moment, days=days, zone=event.zone).moment
    before, after = moment - event.starts_at, found - start
    same_side = (before > timedelta(0)) == (after > timedelta(0)) and (before < timedelta(0)) == (after < timedelta(0))
    return found if same_side else start + before


def _fits(moments: Mapping[str, datetime | None]) -> bool:
    """Whether the pre-sale begins before the general sale, and that before its end."""
    found = [moment for moment in (moments["presale_from"], moments["sale_from"], moments["sale_to"]) if moment]
    return all(before < after for before, after in pairwise(found))
