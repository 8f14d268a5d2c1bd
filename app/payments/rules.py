"""What a buyer gets back for which tickets, and the digits that prove an address. Pure functions over plain values."""

import hashlib
import hmac
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from app.bookings.models import Booking, BookingLine
from app.core.i18n import gettext as _
from app.events.models import Event
from app.tickets.models import Ticket

CODE_LIFE = timedelta(minutes=15)
MOST_TRIES = 5

Places = Sequence[tuple[Ticket, BookingLine]]


@dataclass(frozen=True)
class Choice:
    """A ticket that may be given back now: `back_minor` is its price less the fee."""

    ticket_id: int
    short_code: str
    name: str
    price_minor: int
    back_minor: int

    @property
    def fee_minor(self) -> int:
        return self.price_minor - self.back_minor


class Rule(NamedTuple):
    """Until when tickets that cost money go back, and for which fee a ticket.

    `until` is None where no end is known, and where the rule never allows it. `is_open` says whether tickets go back now,
    `is_whole` that the event was postponed, so that they do for their full price.
    """

    until: datetime | None
    fee_minor: int
    is_open: bool
    is_whole: bool


@dataclass(frozen=True)
class RefundOffer:
    """What the buyer may give back now. Without choices `refusal` says why; `rule` is the one that counts at this moment.

    `most_minor` is what is left of the money: after a goodwill refund the tickets are worth less than their price.
    """

    choices: tuple[Choice, ...]
    refusal: str
    rule: Rule
    most_minor: int

    @property
    def is_open(self) -> bool:
        return bool(self.choices)

    def chosen(self, codes: Collection[str]) -> list[Choice]:
        """The choices with these short codes; what cannot be given back is passed over."""
        return [choice for choice in self.choices if choice.short_code in codes]

    def back_minor(self, chosen: Iterable[Choice]) -> int:
        """What comes back for these tickets together."""
        return min(self.most_minor, sum(choice.back_minor for choice in chosen))


def refund_offer(booking: Booking, places: Places, event: Event, *, disputed: bool, now: datetime) -> RefundOffer:
    """What the rule allows at this moment, with its fee for each ticket.

    Free tickets can be given back until the start, whatever the rule says. Void tickets are passed over.
    """
    rule = rule_of(booking, event, now=now)
    refusal = _refusal(booking, event, disputed=disputed, now=now)
    if not refusal:
        valid = [(ticket, line) for ticket, line in places if ticket.is_valid]
        returnable = [(ticket, line) for ticket, line in valid if line.unit_minor == 0 or rule.is_open]
        choices = tuple(choice(ticket, line, fee_minor=rule.fee_minor) for ticket, line in returnable)
        refusal = "" if choices else _too_late(rule.until)
    else:
        choices = ()
    return RefundOffer(choices, refusal, rule, booking.kept_minor)


def rule_of(booking: Booking, event: Event, *, now: datetime) -> Rule:
    """The rule of the moment of the hold: until so many hours before the start, less a fee.

    An event that was postponed gives everything back to who booked before, until some days after its new date was known.
    """
    if event.gives_all_back(booking.created_at, now):
        return Rule(event.returns_until, 0, is_open=True, is_whole=True)
    until = None if booking.refund_hours is None else event.starts_at - timedelta(hours=booking.refund_hours)
    return Rule(until, booking.refund_fee_minor, is_open=until is not None and now < until, is_whole=False)


def choice(ticket: Ticket, line: BookingLine, *, fee_minor: int) -> Choice:
    """A ticket as something that may be given back for this fee."""
    back_minor = less_fee(line.unit_minor, fee_minor)
    return Choice(ticket.id or 0, ticket.short_code, line.name, line.unit_minor, back_minor)


def less_fee(price_minor: int, fee_minor: int) -> int:
    """The fee is at most the price: nobody pays for giving a ticket back."""
    return max(0, price_minor - fee_minor)


# Fewer refunds in a day than this are never unusual, and so many times a usual day is.
UNUSUAL_FROM, UNUSUAL_TIMES = 10, 5


def is_unusual(count: int, minor: int, *, usual_count: float, usual_minor: float) -> bool:
    """Whether so many refunds in a day, or such a sum of them, is out of the ordinary. Usual numbers are those of a mean day."""
    return count >= UNUSUAL_FROM and (count > UNUSUAL_TIMES * usual_count or minor > UNUSUAL_TIMES * usual_minor)


def code_digits(secret_key: str, booking_id: int, nonce: str) -> str:
    """The eight digits of a mailed code, such as "04711234": whoever lacks the key cannot tell them from the row."""
    proof = hmac.digest(secret_key.encode(), f"refund-code|{booking_id}|{nonce}".encode(), hashlib.sha256)
    return f"{int.from_bytes(proof[:16]) % 10**8:08d}"


def is_code(typed: str, digits: str) -> bool:
    """Whether the typed text is the code; spaces do not count, and how long it takes tells nothing."""
    return hmac.compare_digest("".join(typed.split()).encode(), digits.encode())


def _refusal(booking: Booking, event: Event, *, disputed: bool, now: datetime) -> str:
    if event.is_called_off:
        return _("This event was called off. Everything that was paid goes back by itself.")
    if booking.state in ("refunded", "called_off"):
        return _("This booking has no valid tickets any more.")
    if not booking.is_paid:
        return _("This booking is not paid, so nothing can be given back.")
    if event.has_started(now):
        return _("The event has begun, so tickets cannot be given back any more.")
    return _("Your bank is looking into this payment. Until it has decided, nothing can be given back here.") if disputed else ""


def _too_late(until: datetime | None) -> str:
    if until is None:
        return _("Tickets for this event cannot be given back. If it is called off, you get all your money back.")
    return _("The time in which tickets for this event could be given back is over.")
