"""The longer sentences about how an event sells: what was shared, moved, set aside and sold at the door."""

from app.admin.told import Told
from app.core.i18n import gettext as _
from app.core.i18n import ngettext


def shared(told: Told) -> str:
    if told.details.get("max_uses") is None:
        return _("%(who)s shared a code for the pre-sale of %(kind)s, %(event)s.") % told
    return (
        ngettext(
            "%(who)s shared a code for the pre-sale of %(kind)s, %(event)s, for %(num)s booking.",
            "%(who)s shared a code for the pre-sale of %(kind)s, %(event)s, for %(num)s bookings.",
            told.num,
        )
        % told
    )


def replaced(told: Told) -> str:
    had, has = told.details["codes"]
    if had and has:
        return _("%(who)s replaced the code of the pre-sale of %(kind)s, %(event)s, with another.") % told
    if has:
        return _("%(who)s gave the pre-sale of %(kind)s, %(event)s, a code; it had none.") % told
    return _("%(who)s took the code of the pre-sale of %(kind)s, %(event)s, away.") % told


def moved(told: Told) -> str:
    to_general = told.details["to"] == "general"
    if not told.has("presale"):
        moved = (
            _("%(who)s moved places of %(kind)s, %(event)s, to the general sale."),
            _("%(who)s moved places of %(kind)s, %(event)s, back to the pre-sale."),
        )
        return moved[not to_general] % told
    return (
        _("%(who)s moved places of %(kind)s, %(event)s, to the general sale: the pre-sale had %(before)s and has %(after)s.")
        if to_general
        else _("%(who)s moved places of %(kind)s, %(event)s, back to the pre-sale: it had %(before)s and has %(after)s.")
    ) % told


def opened(told: Told) -> str:
    if told.details.get("phase") == "presale":
        return _("The pre-sale of %(event)s opened; who waited for it is told.") % told
    return _("The sale of %(event)s opened; who waited for it is told.") % told


def vouchers_made(told: Told) -> str:
    made = ngettext(
        "%(who)s made %(num)s voucher for %(event)s; places aside: %(places)s.",
        "%(who)s made %(num)s vouchers for %(event)s; places aside: %(places)s.",
        told.num,
    )
    return made % {"who": told.who, "num": told.num, "event": told.event, "places": told.details["places"]}


def sold_at_door(told: Told) -> str:
    if told.details["provider"] == "cash":
        return _("%(who)s sold booking %(booking)s, %(event)s, at the door for cash.") % told
    return _("%(who)s sold booking %(booking)s, %(event)s, at the door by card.") % told


def places_added(told: Told) -> str:
    text = ngettext(
        "%(who)s added %(num)s place of %(kind)s, %(event)s, for those who wait.",
        "%(who)s added %(num)s places of %(kind)s, %(event)s, for those who wait.",
        told.num,
    )
    return text % told


def list_set(told: Told) -> str:
    """Whether people may join the waiting list, and how long an offer lasts."""
    hours = told.details["hours"]
    if told.details["open"]:
        said = ngettext(
            "%(who)s keeps the waiting list of %(event)s open; offers last %(num)s hour.",
            "%(who)s keeps the waiting list of %(event)s open; offers last %(num)s hours.",
            hours,
        )
    else:
        said = ngettext(
            "%(who)s closed the waiting list of %(event)s; offers last %(num)s hour.",
            "%(who)s closed the waiting list of %(event)s; offers last %(num)s hours.",
            hours,
        )
    return said % {"who": told.who, "event": told.event, "num": hours}
