"""What may be booked together, and how refusals sound. Pure functions over plain values."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, TypeAlias

from app.bookings.models import BookingLine, PromoCode, Voucher
from app.core.codes import short_code
from app.core.errors import Refused
from app.core.formats import list_date, money
from app.core.formats import number as number_text
from app.core.i18n import gettext as _
from app.core.i18n import ngettext, told
from app.events.models import Event, Question, TicketType
from app.events.rules import asking

# More codes than these belong into several ticket types.
MOST_CODES = 5000

# Where an answer belongs: the ids of its question and of a line, and which place of the line, counted from 1.
# No line and 0 stand for the booking as a whole.
AnswerKey: TypeAlias = tuple[int, int | None, int]


class Asked(NamedTuple):
    """A question where it is asked: about the booking (no line), or about place number `n` of a line."""

    question: Question
    line: BookingLine | None = None
    n: int = 0

    @property
    def key(self) -> AnswerKey:
        return self.question.id or 0, self.line.id if self.line else None, self.n


class SoldOut(Refused):
    """Fewer places are left than were asked for. `left` says how many there are, by ticket type id."""

    def __init__(self, sentence: str, left: Mapping[int, int]) -> None:
        super().__init__(sentence)
        self.left = left


def asked(
    questions: Sequence[Question], lines: Sequence[BookingLine], *, void: Collection[tuple[int, int]] = frozenset()
) -> list[Asked]:
    """Everything that a booking is asked: about all of it, then place by place. `void` are places (line id, n) that are gone."""
    places = [(line, n) for line in lines for n in range(1, line.qty + 1) if (line.id or 0, n) not in void]
    about_all = [Asked(question) for question in questions if not question.per_ticket]
    return about_all + [Asked(question, line, n) for line, n in places for question in questions if question.per_ticket]


def choices(question: Question) -> list[str]:
    """What can be chosen as an answer."""
    return asking.choices(question.choices)


def phase(event: Event, types: Sequence[TicketType], *, now: datetime) -> str:
    """ "presale" or "purchase", the kind of booking that these types make now. Raises Refused for a mixture or none."""
    closed = [kind.name for kind in types if not kind.is_on_sale(now)]
    if closed:
        raise Refused(_("%(name)s is not on sale now.") % {"name": told(closed[0], event)})
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
            raise Refused(text % {"name": told(kind.name, event), "num": kind.per_booking})
    if total > event.per_buyer:
        text = ngettext(
            "Each buyer gets one ticket for this event.",
            "Each buyer gets %(num)s tickets for this event at most.",
            event.per_buyer,
        )
        raise Refused(text % {"num": event.per_buyer})


def sold_out(event: Event, short: Sequence[tuple[TicketType, int]]) -> SoldOut:
    """The refusal when places went while the buyer was choosing: the types of which they went, with what is left of each."""
    sentences = [_left_sentence(told(kind.name, event), left) for kind, left in short]
    return SoldOut(" ".join(sentences), {kind.id or 0: left for kind, left in short})


def new_codes(number: int, *, taken: Collection[str]) -> list[str]:
    """So many codes that nobody has yet. Raises Refused when the type would have more than it is good to look through.

    Eight letters of thirty are enough: whoever tries 300 a minute, the most that an address may, needs years to find one of 500.
    """
    if len(taken) + number > MOST_CODES:
        most = _("A ticket type has at most %(num)s codes. Withdraw the unused ones first.")
        raise Refused(most % {"num": number_text(MOST_CODES)})
    fresh: set[str] = set()
    while len(fresh) < number:
        fresh |= {short_code() for _number in range(number - len(fresh))} - set(taken)
    return sorted(fresh)


def movable(kind: TicketType, *, to: str) -> int:
    """Places that can move to the "general" sale because the pre-sale has not taken them, or back to the "presale"."""
    size = kind.capacity if kind.presale_places is None else kind.presale_places
    return size - kind.presale_taken if to == "general" else kind.capacity - size


def unmovable(kind: TicketType, *, to: str, now: datetime) -> str:
    """Why places cannot be moved, as a sentence."""
    if kind.presale_from is None or kind.sale_from <= now:
        return _("%(name)s has no pre-sale, or it is over.") % {"name": kind.name}
    most = movable(kind, to=to)
    if to == "general":
        text = ngettext(
            "The pre-sale of %(name)s has %(num)s place to move.", "The pre-sale of %(name)s has %(num)s places to move.", most
        )
    else:
        text = ngettext(
            "The pre-sale of %(name)s can get %(num)s place more.", "The pre-sale of %(name)s can get %(num)s places more.", most
        )
    return text % {"name": kind.name, "num": most}


def cannot_open(kind: TicketType, *, at: datetime, now: datetime) -> str:
    """Why the general sale cannot open at that moment, as a sentence; empty when it can."""
    rules = [
        (kind.sale_from > now, _("The general sale of %(name)s is open already.")),
        (at >= now, _("Choose a moment in the future for %(name)s.")),
        (at < kind.sale_to, _("The general sale of %(name)s must open before it ends.")),
        (kind.presale_from is None or at > kind.presale_from, _("The general sale of %(name)s must open after its pre-sale.")),
    ]
    return next((sentence % {"name": kind.name} for holds, sentence in rules if not holds), "")


def _left_sentence(name: str, left: int) -> str:
    if left == 0:
        return _("%(name)s just sold out.") % {"name": name}
    return ngettext("%(name)s: one place is left.", "%(name)s: %(num)s places are left.", left) % {"name": name, "num": left}


def limit_sentence(event: Event, *, in_presale: bool) -> str:
    """The refusal when a buyer would pass the limit per buyer with what is already theirs."""
    if in_presale and event.presale_per_buyer:
        text = ngettext(
            "Each buyer gets %(num)s place in the pre-sale of this event at most.",
            "Each buyer gets %(num)s places in the pre-sale of this event at most.",
            event.presale_per_buyer,
        )
        return text % {"num": event.presale_per_buyer}
    text = ngettext(
        "Each buyer gets %(num)s place for this event at most, and it is yours already.",
        "Each buyer gets %(num)s places for this event at most, and some are yours already.",
        event.per_buyer,
    )
    return text % {"num": event.per_buyer}


# ---------- promo codes and vouchers ----------


def reduced(price_minor: int, *, percent: int | None, off_minor: int | None) -> int:
    """The price of a ticket with a promo code, in whole minor units and never below 0.

    A percentage is rounded to the nearest unit, and a half of one is the buyer's: 15 % off 9.90 is 1.49 off.
    """
    off = (price_minor * percent + 50) // 100 if percent else off_minor or 0
    return max(0, price_minor - off)


def promo_price(promo: PromoCode, kind: TicketType) -> int:
    """What a ticket of that type costs with the code; its own price when the code is for another type."""
    fits = promo.ticket_type_id in (None, kind.id)
    return reduced(kind.price_minor, percent=promo.percent, off_minor=promo.off_minor) if fits else kind.price_minor


def voucher_price(voucher: Voucher, kind: TicketType) -> int:
    """What a ticket costs with the voucher."""
    return kind.price_minor if voucher.unit_minor is None else voucher.unit_minor


def unusable(code: PromoCode | Voucher, *, zone: str, now: datetime) -> str:
    """Why a code does not work now, as a sentence; empty when it does."""
    names = {"code": code.code}
    if code.ended_at or code.is_paused:
        return _("The code %(code)s does not work now.") % names
    if code.valid_until and code.valid_until <= now:
        return _("The code %(code)s was good until %(moment)s.") % (names | {"moment": list_date(code.valid_until, zone)})
    if isinstance(code, PromoCode) and code.valid_from and code.valid_from > now:
        return _("The code %(code)s is good from %(moment)s.") % (names | {"moment": list_date(code.valid_from, zone)})
    is_used_up = code.max_uses is not None and code.used >= code.max_uses
    if is_used_up or (isinstance(code, Voucher) and code.aside == 0):
        return _("The code %(code)s is used up.") % names
    return ""


def promise(code: PromoCode | Voucher, *, currency: str) -> str:
    """What a code does, for whoever has just typed it."""
    names = {"code": code.code}
    if isinstance(code, Voucher):
        text = ngettext("%(code)s keeps %(num)s place for you.", "%(code)s keeps %(num)s places for you.", code.aside)
        return text % (names | {"num": code.aside})
    if code.percent:
        said = _("%(code)s takes %(percent)s %% off.") % (names | {"percent": code.percent})
    else:
        said = _("%(code)s takes %(amount)s off each ticket.") % (names | {"amount": money(code.off_minor or 0, currency)})
    if code.least_places > 1:
        said = f"{said} {too_few_for(code)}"
    return said


def too_few_free(kind: TicketType) -> str:
    """The refusal when more places were to be set aside than are free."""
    left = max(0, kind.left)
    text = ngettext("Only %(num)s place of %(name)s is free.", "Only %(num)s places of %(name)s are free.", left)
    return text % {"num": left, "name": kind.name}


def too_few_aside(voucher: Voucher) -> str:
    """The refusal when a voucher has fewer places than are wanted."""
    text = ngettext("The code %(code)s has %(num)s place left.", "The code %(code)s has %(num)s places left.", voucher.aside)
    return text % {"code": voucher.code, "num": voucher.aside}


def too_few_for(promo: PromoCode) -> str:
    """The refusal when a promo code asks for more tickets than were chosen."""
    text = ngettext(
        "The code %(code)s needs at least %(num)s ticket.",
        "The code %(code)s needs at least %(num)s tickets.",
        promo.least_places,
    )
    return text % {"code": promo.code, "num": promo.least_places}


def used_enough(promo: PromoCode) -> str:
    """The refusal when a buyer has used a promo code as often as one buyer may."""
    text = ngettext(
        "Each buyer can use the code %(code)s for one booking, and you have.",
        "Each buyer can use the code %(code)s for %(num)s bookings, and you have.",
        promo.per_buyer or 1,
    )
    return text % {"code": promo.code, "num": promo.per_buyer}


def normal_code(code: str) -> str:
    """Access codes are compared without regard to case and surrounding spaces."""
    return code.strip().upper()
