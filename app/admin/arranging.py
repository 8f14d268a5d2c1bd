"""What admins do to the shop itself, in sentences: its settings, categories and venues."""

from typing import Any

from app.admin.made import Made
from app.admin.told import Told
from app.core.i18n import gettext as _
from app.core.i18n import lazy, ngettext


def _changed_settings(told: Told) -> str:
    values, changed = told.details.get("values", {}), told.details.get("changed", ())
    said = [
        _("%(name)s from “%(before)s” to “%(after)s”") % {"name": name, "before": values[name][0], "after": values[name][1]}
        if name in values
        else name
        for name in changed
    ]
    return _("%(who)s changed the settings of the shop: %(changes)s.") % {"who": told.who, "changes": "; ".join(said)}


def _tried(works: Any, fails: Any) -> Made:
    return Made(lambda told: str((works if told.details.get("works") else fails) % told))


def _merged(words: Any) -> Made:
    """How many events moved stands behind the sentence."""

    def make(told: Told) -> str:
        events = told.details.get("events", 0)
        moved = ngettext("%(num)s event moved along.", "%(num)s events moved along.", events) % {"num": events}
        return f"{words % told} {moved}"

    return Made(make)


ARRANGED: dict[str, Any] = {
    "category.added": lazy("%(who)s added the category “%(after)s”."),
    "category.renamed": lazy("%(who)s renamed the category “%(before)s” to “%(after)s”."),
    "category.moved": lazy("%(who)s changed the order of the categories."),
    "category.merged": _merged(lazy("%(who)s merged the category “%(before)s” into “%(after)s”.")),
    "category.deleted": lazy("%(who)s deleted the category “%(before)s”."),
    "venue.added": lazy("%(who)s added the venue “%(after)s”."),
    "venue.changed": lazy("%(who)s changed the venue “%(before)s” to “%(after)s”."),
    "venue.merged": _merged(lazy("%(who)s merged the venue “%(before)s” into “%(after)s”.")),
    "venue.deleted": lazy("%(who)s deleted the venue “%(before)s”."),
    "settings.saved": Made(_changed_settings),
    "settings.mail_tried": _tried(
        lazy("%(who)s tried the mail server, which took the mail."),
        lazy("%(who)s tried the mail server, which did not take the mail."),
    ),
    "settings.stripe_checked": _tried(
        lazy("%(who)s checked the key and the endpoint at Stripe: they work."),
        lazy("%(who)s checked the key and the endpoint at Stripe: they do not work."),
    ),
}
