"""Which page of somebody else's an admin has opened, in words."""

from app.admin.told import Told
from app.core.i18n import gettext as _


def looked(told: Told) -> str:
    """Which page, in one sentence."""
    if told.about == "users":
        return _("%(who)s looked for people.") % told
    if told.details["page"] == "jobs":
        return _("%(who)s opened the list of everybody’s jobs.") % told
    if told.number == "all":
        return _("%(who)s opened the list of every manager’s events.") % told
    pages = {
        "event": _("%(who)s opened the manager’s page of %(event)s."),
        "sales": _("%(who)s opened the sales page of %(event)s."),
        "waiting": _("%(who)s opened the waiting list of %(event)s."),
        "payments": _("%(who)s opened the payments of %(event)s."),
        "bookings": _("%(who)s opened the bookings of %(event)s."),
        "attendees": _("%(who)s opened the attendees of %(event)s."),
        "announcements": _("%(who)s opened the announcements of %(event)s."),
        "form": _("%(who)s opened the form of %(event)s."),
        "door": _("%(who)s opened the door of %(event)s."),
        "checkins": _("%(who)s took the check-ins of %(event)s away as a file."),
        "team": _("%(who)s opened the team of %(event)s."),
        "user": _("%(who)s opened the account of %(person)s."),
        "guest": _("%(who)s opened the page of the guest of booking %(booking)s."),
        "manager": _("%(who)s opened the page of the manager %(person)s."),
        "job": _("%(who)s opened the job %(job)s."),
        "codes": _("%(who)s opened the codes of %(event)s."),
        "comps": _("%(who)s opened the comps of %(event)s."),
        "box_office": _("%(who)s opened the box office of %(event)s."),
    }
    return pages[told.details["page"]] % told
