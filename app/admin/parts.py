"""The sentences about an event's questions to buyers and its quotas. What people call them stands nowhere in the log."""

from typing import Any

from app.admin import rewordings
from app.admin.made import Made
from app.admin.told import Told
from app.core.i18n import gettext as _
from app.core.i18n import lazy


def _changed(told: Told) -> str:
    values = {"who": told.who, "event": told.event, "changes": rewordings.of_fields(told)}
    return _("%(who)s changed a question to the buyers of %(event)s: %(changes)s.") % values


def _moved(told: Told) -> str:
    before, after = told.details["places"]
    values = {"who": told.who, "event": told.event, "before": before, "after": after}
    return _("%(who)s moved a question to the buyers of %(event)s from place %(before)s to place %(after)s.") % values


def _quota(sentence: Any) -> Made:
    """With what became of its name and places, and of the ticket types that came and went."""

    def make(told: Told) -> str:
        return str(sentence % {"who": told.who, "event": told.event, "changes": "; ".join(rewordings.of_event(told))})

    return Made(make)


SENTENCES: dict[str, Any] = {
    "quota.added": _quota(lazy("%(who)s let ticket types of %(event)s share their places in a new quota: %(changes)s.")),
    "quota.changed": _quota(lazy("%(who)s changed a quota of %(event)s: %(changes)s.")),
    "quota.removed": _quota(lazy("%(who)s removed a quota of %(event)s; its ticket types are sold each by itself: %(changes)s.")),
    "question.added": lazy("%(who)s added a question to the buyers of %(event)s."),
    "question.changed": Made(_changed),
    "question.moved": Made(_moved),
    "question.ended": lazy("%(who)s ended a question to the buyers of %(event)s; its answers stay."),
    "question.removed": lazy("%(who)s removed a question to the buyers of %(event)s that nobody had answered."),
}
