"""Pure rules about what is on offer now: what a card and a picker say of an event and its ticket types."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from math import ceil
from typing import Any
from zoneinfo import ZoneInfo

from app.core import formats
from app.core.i18n import gettext as _
from app.core.i18n import ngettext
from app.events.models import Event, TicketType
from app.events.rules.searching import window

# Fewer places than this are worth saying; so is a fifth of the house.
FEW = 20

# More than ten radios in a row help nobody; larger groups book twice.
MOST_IN_PICKER = 10


@dataclass(frozen=True)
class Deal:
    """What a code that a buyer has typed does, by ticket type id: the pre-sales that it has `opened`, the `prices` with it, and
    the places that it keeps `aside`. `says` is that in words, `refusal` why it does nothing now."""

    code: str = ""
    opened: Collection[int] = ()
    prices: Mapping[int, int] = field(default_factory=dict)
    aside: Mapping[int, int] = field(default_factory=dict)
    says: str = ""
    refusal: str = ""
    is_known: bool = True

    @property
    def works(self) -> bool:
        return bool(self.opened or self.prices)


NO_DEAL = Deal()
NOTHING_HELD: Mapping[int, datetime] = {}


@dataclass(frozen=True)
class Offer:
    """A ticket type as the picker shows it now. `state`: open, locked (needs a code), later, paused, sold_out, over.

    `price_minor` is that with the buyer's code.
    """

    kind: TicketType
    state: str
    left: int
    opens_at: datetime | None
    in_presale: bool
    price_minor: int
    # All places are taken, and some only for a while: in so many minutes the first of those come back, unless they are paid.
    again_in: int | None = None

    @property
    def was_minor(self) -> int | None:
        """The usual price, when a code has lowered it."""
        return self.kind.price_minor if self.price_minor < self.kind.price_minor else None

    @property
    def shows_left(self) -> bool:
        """True counts only, and only when they matter."""
        return self.state == "open" and (self.left <= FEW or self.left * 5 <= self.kind.capacity)

    @property
    def most(self) -> int:
        """The largest number that the picker offers."""
        return min(self.kind.per_booking, self.left, MOST_IN_PICKER)


def offers(
    event: Event,
    types: Sequence[TicketType],
    *,
    deal: Deal = NO_DEAL,
    free_at: Mapping[int, datetime] = NOTHING_HELD,
    now: datetime,
) -> list[Offer]:
    """The ticket types as they can be bought now, by somebody with this deal.

    `free_at` says when the first places come back of types of which all are taken and some only held, by their id.
    """
    return [
        Offer(
            kind,
            _state_of(event, kind, deal, now=now),
            deal.aside.get(kind.id or 0, max(0, kind.left_now(now))),
            kind.opens_next(now),
            kind.is_in_presale(now) and kind.id not in deal.aside,
            deal.prices.get(kind.id or 0, kind.price_minor),
            _minutes_until(free_at.get(kind.id or 0), now=now),
        )
        for kind in types
    ]


def _minutes_until(moment: datetime | None, *, now: datetime) -> int | None:
    return max(1, ceil((moment - now).total_seconds() / 60)) if moment else None


def mark(offers: Sequence[Offer]) -> str:
    """Another one whenever a page that shows these offers would say something else."""
    numbers = [(offer.kind.code, offer.state, offer.left if offer.shows_left else -1, offer.again_in) for offer in offers]
    return hashlib.sha256(repr(numbers).encode()).hexdigest()[:12]


def _state_of(event: Event, kind: TicketType, deal: Deal, *, now: datetime) -> str:
    if event.is_postponed:
        return "paused"
    if event.sells(now) and kind.id in deal.aside:
        return "open"
    if not event.sells(now) or now >= kind.sale_to:
        return "over"
    if not kind.is_on_sale(now):
        return "later"
    if kind.left_now(now) <= 0:
        # A full pre-sale is not the end: what it may not take waits for the general sale.
        return "later" if kind.is_in_presale(now) and kind.left > 0 else "sold_out"
    return "locked" if kind.is_in_presale(now) and kind.needs_code and kind.id not in deal.opened else "open"


def offer_state(event: Event, offers: Sequence[Offer], *, now: datetime) -> str:
    """One word for the whole event, for the buy bar and the head of the picker."""
    if event.is_called_off or event.is_over(now):
        return "called_off" if event.is_called_off else "over"
    if event.is_postponed:
        return "postponed"
    states = {offer.state for offer in offers}
    for word in ("open", "locked", "later", "sold_out"):
        if word in states:
            return word
    return "over"


@dataclass(frozen=True)
class Badge:
    """A word on a card; kind and icon are those of ui.badge."""

    kind: str
    text: str
    icon: str


def badge(types: Sequence[TicketType], *, called_off: bool, postponed: bool = False, zone: str, now: datetime) -> Badge | None:
    """What a buyer must know before opening the page; None when tickets are simply on sale."""
    if called_off:
        return Badge("danger", _("Cancelled"), "x")
    if postponed:
        return Badge("warn", _("Postponed"), "clock")
    on_sale = [t for t in types if t.is_on_sale(now)]
    if on_sale and (any(t.left_now(now) > 0 for t in on_sale) or all(t.left <= 0 for t in on_sale)):
        return _stock_badge(on_sale, now=now)
    if types and is_sold_out(types):
        return Badge("", _("Sold out"), "")
    ahead = [(t.opens_next(now), t) for t in types]
    opening = sorted(((moment, t) for moment, t in ahead if moment), key=lambda pair: pair[0])
    if not opening:
        return Badge("", _("Sale closed"), "") if types else None
    moment, first = opening[0]
    day = formats.list_date(moment, zone)
    if moment == first.presale_from:
        return Badge("hue", _("Pre-sale %(date)s") % {"date": day}, "key")
    return Badge("", _("On sale %(date)s") % {"date": day}, "clock")


@dataclass(frozen=True)
class Next:
    """The phase of an event's sale that opens next, and when."""

    at: datetime
    is_presale: bool


def opens_next(event: Event, types: Sequence[TicketType], *, now: datetime) -> Next | None:
    """What somebody can be reminded of; None when the general sale is open already, or nothing opens."""
    if not event.sells(now) or any(t.is_in_general_sale(now) for t in types):
        return None
    at = min((moment for t in types if (moment := t.opens_next(now))), default=None)
    return Next(at, any(t.presale_from == at for t in types)) if at else None


def is_sold_out(types: Sequence[TicketType]) -> bool:
    """Nothing is left, and nothing is held that may come back."""
    return all(t.left <= 0 and t.held == 0 for t in types)


def left_together(types: Sequence[TicketType], *, now: datetime) -> int:
    """Places that can be held now in all these types; those of one quota together have no more than it has."""
    left = sum(t.left_now(now) for t in types if t.quota_id is None)
    for quota_id in {t.quota_id for t in types if t.quota_id is not None}:
        its = [t for t in types if t.quota_id == quota_id]
        left += max(0, min(its[0].quota_left, sum(t.left_now(now) for t in its)))
    return left


def _stock_badge(on_sale: Sequence[TicketType], *, now: datetime) -> Badge | None:
    left = left_together(on_sale, now=now)
    capacity = sum(t.capacity for t in on_sale)
    if left <= 0:
        # Held places may come back, so "sold out" would not be true yet.
        return Badge("", _("Sold out"), "") if all(t.held == 0 for t in on_sale) else Badge("", _("All held for now"), "clock")
    if not any(t.is_in_general_sale(now) for t in on_sale):
        return Badge("hue", _("Pre-sale"), "key")
    if left <= FEW or left * 5 <= capacity:
        return Badge("warn", ngettext("%(num)s left", "%(num)s left", left) % {"num": left}, "")
    return None


def state_word(event: Event, types: Sequence[TicketType], *, now: datetime) -> str:
    """Where the event stands, as a word that ui.state knows: its state, and when it is published what its times and stock say."""
    if event.state == "approved":
        return "scheduled"
    if event.state != "published":
        return "rejected" if event.is_rejected else event.state
    if event.is_postponed:
        return "postponed"
    if event.is_over(now):
        return "ended"
    if types and is_sold_out(types):
        return "sold_out"
    if any(t.is_in_general_sale(now) for t in types):
        return "on_sale"
    return "presale" if any(t.is_in_presale(now) for t in types) else "published"


@dataclass(frozen=True)
class Group:
    """Some cards of a list under one heading."""

    title: str
    note: str
    cards: Sequence[Any]


def grouped(cards: Sequence[Any], *, zone: str, now: datetime) -> list[Group]:
    """Cards (anything with starts_at, in order) under This weekend, Next week and Later; empty groups are left away.

    Whatever comes before the weekend is nearest and stands with it.
    """
    start, weekend_end = window("weekend", zone=zone, now=now)
    week_end = weekend_end + timedelta(days=7)
    last_day = (weekend_end - timedelta(minutes=1)).astimezone(ZoneInfo(zone))
    soon = [card for card in cards if card.starts_at < weekend_end]
    before = any(card.starts_at < start for card in soon)
    until = _("Until %(date)s") % {"date": formats.short_date(last_day, zone)}
    groups = [
        Group(_("This week") if before else _("This weekend"), until, soon),
        Group(_("Next week"), "", [card for card in cards if weekend_end <= card.starts_at < week_end]),
        Group(_("Later"), "", [card for card in cards if card.starts_at >= week_end]),
    ]
    return [group for group in groups if group.cards]


def by_time(cards: Sequence[Any], *, zone: str, now: datetime) -> list[Group]:
    """The same for a long list: what comes later stands under its months."""
    groups = grouped(cards, zone=zone, now=now)
    far = _("Later")
    return [part for group in groups for part in (by_month(group.cards) if group.title == far else [group])]


def by_month(cards: Sequence[Any]) -> list[Group]:
    """Cards under the months in which they begin, in the order given."""
    months: dict[date, list[Any]] = {}
    for card in cards:
        months.setdefault(card.starts_at.astimezone(ZoneInfo(card.zone)).date().replace(day=1), []).append(card)
    return [Group(formats.month_year(month), "", found) for month, found in months.items()]
