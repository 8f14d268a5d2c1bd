"""What may be booked together, and how refusals sound. Pure functions over plain values."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.core.i18n import ngettext
from app.events.models import Event, TicketType


class SoldOut(Refused):
    """Fewer places are left than were asked for. `left` says how many there are, by ticket type id."""

    def __init__(self, sentence: str, left: Mapping[int, int]) -> None:
        super().__init__(sentence)
        self.left = left


def phase(types: Sequence[TicketType], *, now: datetime) -> str:
    """ "presale" or "purchase", the kind of booking that these types make now. Raises Refused for a mixture or none."""
    closed = [kind.name for kind in types if not kind.is_on_sale(now)]
    if closed:
        raise Refused(_("%(name)s is not on sale now.") % {"name": closed[0]})
    kinds = {"purchase" if kind.is_in_general_sale(now) else "presale" for kind in types}
    if len(kinds) > 1:
        raise Refused(_("Pre-sale places and places of the general sale are booked separately. Choose one of them first."))
    return kinds.pop()


def check_amounts(event: Event, chosen: Sequence[tuple[TicketType, int]]) -> None:
    """Raises Refused when nothing, or more than the limits, was asked for."""
    total = sum(qty for _kind, qty in chosen)
    if total == 0:
        raise Refused(_("Choose at least one ticket."))
    for kind, qty in chosen:
        if qty > kind.per_booking:
            text = ngettext(
                "%(name)s: one ticket a booking at most.", "%(name)s: %(num)s tickets a booking at most.", kind.per_booking
            )
            raise Refused(text % {"name": kind.name, "num": kind.per_booking})
    if total > event.per_buyer:
        text = ngettext(
            "Each buyer gets one ticket for this event.",
            "Each buyer gets %(num)s tickets for this event at most.",
            event.per_buyer,
        )
        raise Refused(text % {"num": event.per_buyer})


def sold_out(short: Sequence[TicketType], *, now: datetime) -> SoldOut:
    """The refusal when places went while the buyer was choosing: what went, and what is left of it."""
    left = {kind.id or 0: max(0, kind.left_now(now)) for kind in short}
    sentences = [_left_sentence(kind.name, left[kind.id or 0]) for kind in short]
    return SoldOut(" ".join(sentences), left)


def _left_sentence(name: str, left: int) -> str:
    if left == 0:
        return _("%(name)s just sold out.") % {"name": name}
    return ngettext("%(name)s: one place is left.", "%(name)s: %(num)s places are left.", left) % {"name": name, "num": left}
