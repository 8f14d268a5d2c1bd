"""What an admin says about an event that they give back: the sections of the form, and words for what often lacks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from app.core.i18n import gettext as _
from app.core.i18n import lazy, ngettext

SECTION_NAMES = {"basics": lazy("Basics"), "tickets": lazy("Tickets"), "page": lazy("Page"), "access": lazy("Access")}

# Words to pick from, by section. They come out in the language of whoever reads them first: the manager.
REASONS: dict[str, dict[str, Any]] = {
    "basics": {
        "title": lazy("Give the event the title that is on the posters, without prices and without capitals throughout."),
        "summary": lazy("Write one sentence that says what happens on stage."),
        "venue": lazy("Give the full address, so that people find the entrance."),
        "time": lazy("Check the date, the doors and the end; they do not fit together."),
    },
    "tickets": {
        "price": lazy("Say what each ticket type includes, and why their prices differ."),
        "places": lazy("Check the number of places: there are more than the venue has."),
        "sale": lazy("Let the sale begin early enough, and end when the event starts."),
        "refund": lazy("Say until when tickets can be given back."),
    },
    "page": {
        "description": lazy("Describe the event: who performs, what happens, how long it lasts."),
        "picture": lazy("Use a picture that you may publish, and that shows this event."),
        "links": lazy("Take out links to other ticket shops."),
    },
    "access": {
        "entrance": lazy("Say whether there are steps, a lift and places for wheelchairs."),
        "age": lazy("Say from which age people are let in."),
    },
}


# Columns of a public event that an admin has agreed to: when, where, and in which money.
REVIEWED = ("starts_at", "ends_at", "doors_at", "zone", "venue_id", "is_online", "currency")


def merged(waiting: Mapping[str, Any], wanted: Mapping[str, Any], present: Mapping[str, Any]) -> dict[str, Any]:
    """What waits when this is wanted now: values that are live already need not wait."""
    return {name: value for name, value in {**waiting, **wanted}.items() if name not in present or present[name] != value}


def revived(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Stored columns as they were: names that end in _at, _from or _to hold moments."""
    moments = {name for name, value in columns.items() if value and name.endswith(("_at", "_from", "_to"))}
    return {name: datetime.fromisoformat(value) if name in moments else value for name, value in columns.items()}


def gone() -> str:
    """Why an admin cannot decide about a change."""
    return _("This change does not wait any more: it was decided, taken back, or replaced. Look at the event again.")


@dataclass(frozen=True)
class Said:
    """What an admin says when they give an event back: about it as a whole, and by section of its form."""

    reason: str
    wishes: Mapping[str, str] = field(default_factory=dict)


def in_words(section: str, chosen: Sequence[str], own: str) -> str:
    """The chosen reasons and then the admin's own words, one on each line; a reason that stands there already comes once."""
    reasons = [str(sentence) for word, sentence in REASONS[section].items() if word in chosen]
    lines = own.splitlines()
    return "\n".join([*(reason for reason in reasons if reason not in lines), *([own] if own else [])])


def ago(since: datetime, now: datetime) -> str:
    """When something began to wait: "3 days ago", below two days in hours, below two hours in minutes."""
    waited = now - since
    if waited < timedelta(hours=2):
        minutes = max(0, int(waited.total_seconds() // 60))
        return ngettext("%(num)s minute ago", "%(num)s minutes ago", minutes) % {"num": minutes}
    if waited < timedelta(days=2):
        hours = int(waited.total_seconds() // 3600)
        return ngettext("%(num)s hour ago", "%(num)s hours ago", hours) % {"num": hours}
    return ngettext("%(num)s day ago", "%(num)s days ago", waited.days) % {"num": waited.days}
