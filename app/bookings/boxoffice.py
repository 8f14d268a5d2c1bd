"""The box office: where places are held, and the one place where we go below the ORM.

All holds of a process go through one group commit (app/core/group.py), because on-sales are when everybody comes at once.
What a hold does stands here as steps, in the order in which everybody takes locks: event, ticket types in ascending id, quotas in
ascending id, limits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from app.accounts.models import Visitor
from app.bookings import codes, rules, stock
from app.bookings.codes import Code, Line
from app.bookings.models import TRANSITIONS, Booking, BookingLine, Voucher
from app.core import activity, clock, limits
from app.core.codes import secret_code
from app.core.errors import NotFound, NotYours, Refused
from app.core.group import group
from app.core.i18n import gettext as _
from app.core.i18n import language, told
from app.core.limits import Allowance
from app.core.settings import settings
from app.core.steps import TRY, Steps, insert, rows_of
from app.core.works import Work
from app.events.models import Event, TicketType


@dataclass(frozen=True)
class Wish:
    """What a visitor asks for: places by the code of their ticket type. The allowances are counted whatever comes of it,
    in this order; who is new to the shop cannot have held anything before."""

    slug: str
    places: Mapping[str, int]
    by: Visitor
    access_code: str = ""
    is_new: bool = False
    allowances: Sequence[Allowance] = ()


class Held(NamedTuple):
    """The booking that came of a wish."""

    id: int
    code: str
    is_presale: bool


async def hold(wish: Wish) -> Held:
    """Takes places for a while: all that are wanted or none. When this returns, the hold is on disk.

    A visitor's second hold for an event replaces their first. Raises NotFound for an event that is not public, TooMany,
    Refused with the reason, SoldOut with what is left.
    """
    locks = wish.allowances[0].key if wish.allowances else ""
    held: Held = await group().do(
        Work(wish.slug, _opened, lambda offered: _served(wish, *offered), whose=_buyer_key(wish.by), locks=locks)
    )
    if held.is_presale:
        activity.wake()
    return held


def _opened(slug: str) -> Steps[tuple[Event, list[TicketType], datetime]]:
    """What is on offer, and the moment that counts for everybody in the batch: so they ask in the same words what has lapsed."""
    event, types = yield from offer(slug)
    return event, types, clock.now()


def _served(wish: Wish, event: Event, types: list[TicketType], now: datetime) -> Steps[Held]:
    for allowance in wish.allowances:
        yield from limits.spend(allowance, now=now)
    yield TRY
    if not event.is_public:
        raise NotFound(_("There is no such event, or it is not public yet."))
    wanted = {kind.id or 0: wish.places[kind.code] for kind in types if kind.code in wish.places}
    return (yield from holding(event, types, wanted, by=wish.by, access_code=wish.access_code, now=now, is_new=wish.is_new))


def offer(slug: str) -> Steps[tuple[Event, list[TicketType]]]:
    """The event and its ticket types, locked in this order: on PostgreSQL calling off waits until these holds are done.

    A refusal must not undo these locks: they are what keeps batches from waiting for each other in a circle.
    """
    events = yield from rows_of(Event, "slug = :slug FOR SHARE", slug=slug)
    if not events:
        raise NotFound(_("There is no such event, or it is not public yet."))
    return events[0], (yield from _types(events[0].id or 0))


def _types(event_id: int) -> Steps[list[TicketType]]:
    """The ticket types in ascending id, locked: everybody takes stock in the same order, so nobody waits in a circle."""
    return (yield from rows_of(TicketType, "event_id = :event ORDER BY id FOR UPDATE", event=event_id))


def holding(
    event: Event,
    types: Sequence[TicketType],
    wanted: Mapping[int, int],
    *,
    by: Visitor,
    access_code: str,
    now: datetime,
    is_new: bool = False,
) -> Steps[Held]:
    """The steps of one hold; places by ticket type id. Who is new to the shop has no first hold to be looked for.

    `access_code` is what was typed: an access code, a voucher or a promo code.
    """
    if event.is_postponed:
        raise Refused(_("This event is postponed. Its sale goes on when the new date is known."))
    if not event.sells(now):
        raise Refused(_("This event is not on sale."))
    chosen = [(kind, wanted[kind.id or 0]) for kind in types if wanted.get(kind.id or 0, 0) > 0]
    rules.check_amounts(event, chosen)
    code = yield from codes.found(event.id or 0, access_code)
    is_presale = _is_presale(event, [kind for kind, _qty in chosen], code, now=now)
    if is_presale and not by.is_signed_in:
        raise NotYours(_("Pre-sale places are kept for accounts. Sign in or create an account, then book them."))
    if not is_presale and not is_new:
        yield from _replace_first(event, by, now=now)
    lines = []
    for kind, qty in chosen:
        code_id = (yield from _use_code(event, kind, access_code)) if is_presale and kind.needs_code else None
        lines.append(Line(kind.id or 0, qty, is_presale, code_id, kind.name, kind.price_minor))
    lines = yield from codes.applied(code, lines, event, now=now)
    yield from _take(event, lines, types, sale="presale" if is_presale else "general", now=now)
    buyer_key = _buyer_key(by)
    if not (yield from stock.claim(event, buyer_key, lines)):
        raise Refused(rules.limit_sentence(event, in_presale=is_presale))
    yield from codes.claimed(lines, code, buyer_key)
    held = yield from _write_down(
        event,
        lines,
        user_id=by.user_id,
        kind="presale" if is_presale else "purchase",
        visitor_key=by.key,
        buyer_key=buyer_key,
        email=by.email,
        name=by.name,
        created_at=now,
        held_until=event.presale_kept_until(now) if is_presale else now + timedelta(minutes=settings().hold_minutes),
    )
    # Only a pre-sale's buyer is told of the hold, so nobody need look at the others.
    yield from activity.recorded(
        "booking.held", about=f"booking:{held.id}", by=by.user_id, at=now, has_reactions=is_presale, event=event.id
    )
    return held


def _is_presale(event: Event, kinds: Sequence[TicketType], code: Code | None, *, now: datetime) -> bool:
    """Whether these types are in the pre-sale now. What a voucher has set aside is for it alone, whatever is open."""
    ordinary = [kind for kind in kinds if not (isinstance(code, Voucher) and kind.id == code.ticket_type_id)]
    is_presale = bool(ordinary) and rules.phase(event, ordinary, now=now) == "presale"
    if is_presale and len(ordinary) < len(kinds):
        raise Refused(_("Places of a voucher and of the pre-sale are booked separately. Choose one of them first."))
    return is_presale


@dataclass(frozen=True)
class Sale:
    """Places that somebody of the house takes, given away ("comp") or sold at the door ("door").

    `nonce` is that of the form, so that a form sent twice takes them once. `note` is for the house alone.
    """

    kind: str
    seller_id: int
    places: Mapping[int, int]
    nonce: str
    email: str = ""
    name: str = ""
    note: str = ""


def nonce_of(event: Event, sale: Sale) -> str:
    """The nonce as it is kept: that of another event's form is another."""
    return f"{event.id}:{sale.nonce}"


def for_house(event: Event, types: Sequence[TicketType], sale: Sale, *, now: datetime) -> Steps[Held]:
    """The steps of a sale by the house: neither the windows of the sales nor the limits per buyer bind it, the stock does.

    Raises Refused when the event is not published or is over, SoldOut with what is left.
    """
    if not event.sells(now):
        raise Refused(_("This event is not on sale."))
    chosen = [(kind, sale.places[kind.id or 0]) for kind in types if sale.places.get(kind.id or 0, 0) > 0]
    if not chosen:
        raise Refused(_("Choose at least one ticket."))
    is_gift = sale.kind == "comp"
    lines = [Line(kind.id or 0, qty, False, None, kind.name, 0 if is_gift else kind.price_minor) for kind, qty in chosen]
    yield from _take(event, lines, types, sale="house", now=now)
    key = f"{sale.kind}:{secret_code()}"
    yield from stock.claim_for_house(event.id or 0, key, lines)
    return (
        yield from _write_down(
            event,
            lines,
            kind=sale.kind,
            buyer_key=key,
            email=sale.email,
            name=sale.name,
            note=sale.note,
            sold_by_id=sale.seller_id,
            nonce=nonce_of(event, sale),
            created_at=now,
            held_until=now,
        )
    )


_END = "UPDATE bookings SET state = :state, ended_at = :now WHERE id = :id AND state = 'held' RETURNING event_id, buyer_key, kind"
_END_LAPSED = _END.replace("RETURNING", "AND held_until <= :now RETURNING")
_END_WISH = "UPDATE waiting_entries SET state = :state, ended_at = :now WHERE booking_id = :id AND state = 'offered'"


def ending(booking_id: int, *, to: str, now: datetime) -> Steps[bool]:
    """held → one of the ends, and everything the hold had taken goes back. False when it was not held, or not lapsed."""
    assert to in TRANSITIONS["held"]
    ended = yield _END_LAPSED if to == "expired" else _END, {"state": to, "id": booking_id, "now": now}
    if not ended:
        return False
    event_id, buyer_key, kind = ended[0]
    lines = yield from rows_of(BookingLine, "booking_id = :booking ORDER BY ticket_type_id", booking=booking_id)
    yield from stock.give_back(lines)
    yield from stock.unuse_codes(lines)
    yield from stock.unclaim(event_id, buyer_key, lines)
    if kind == "offer":
        yield _END_WISH, {"state": "left" if to == "released" else "lapsed", "id": booking_id, "now": now}
    yield from activity.recorded(f"booking.{to}", about=f"booking:{booking_id}", by=None, at=now, event=event_id)
    return True


_FREE = "SELECT id FROM bookings WHERE id = :id AND state = 'held' AND held_until <= :now FOR UPDATE SKIP LOCKED"


async def lapse(booking_id: int, slug: str, *, now: datetime) -> bool:
    """held → expired for a booking of that event. False when its time is not over, or somebody is just at work on it."""
    work = Work(slug, offer, lambda _offered: _lapsing(booking_id, now=now), whose=f"booking:{booking_id}")
    ended: bool = await group().do(work)
    return ended


def _lapsing(booking_id: int, *, now: datetime) -> Steps[bool]:
    """It does not wait for whoever works on the booking: they might wait for what its batch has locked."""
    yield TRY
    free = yield _FREE, {"id": booking_id, "now": now}
    return bool(free) and (yield from ending(booking_id, to="expired", now=now))


_FIRST = (
    "SELECT id FROM bookings WHERE event_id = :event AND state = 'held' AND kind = 'purchase' AND {whose} = :who "
    "ORDER BY id DESC LIMIT 1 FOR UPDATE SKIP LOCKED"
)
_FIRST_OF_USER, _FIRST_OF_BROWSER = _FIRST.format(whose="user_id"), _FIRST.format(whose="visitor_key")


def _buyer_key(by: Visitor) -> str:
    """Under which key this visitor's places are counted."""
    return f"mail:{by.email}" if by.is_signed_in else f"browser:{by.key}"


def _replace_first(event: Event, by: Visitor, *, now: datetime) -> Steps[None]:
    """The purchase that this visitor already holds for the event ends, unless they are just about to pay it."""
    assert by.is_signed_in or by.key, "without a key one client would replace another's hold"
    firsts, who = (_FIRST_OF_USER, by.user_id) if by.is_signed_in else (_FIRST_OF_BROWSER, by.key)
    for (first,) in (yield firsts, {"event": event.id, "who": who}):
        yield from ending(first, to="released", now=now)


def _use_code(event: Event, kind: TicketType, access_code: str) -> Steps[int]:
    used = yield from stock.use_code(kind.id or 0, rules.normal_code(access_code))
    if not used:
        raise Refused(_("The pre-sale of %(name)s needs an access code that still works.") % {"name": told(kind.name, event)})
    return used


def _take(event: Event, lines: Sequence[Line], types: Sequence[TicketType], *, sale: str, now: datetime) -> Steps[None]:
    """Takes every line that has no places of a voucher, or raises SoldOut with what is left. `sale` is as stock.take has it."""
    quotas = {kind.id or 0: kind.quota_id for kind in types}
    short = set()
    for line in lines:
        if not line.voucher_id and not (yield from _take_one(line, quotas[line.ticket_type_id], sale=sale, now=now)):
            short.add(line.ticket_type_id)
    if short:
        left = {row[0]: row for row in (yield _LEFT, {"event": event.id})}
        raise rules.sold_out(event, [(kind, _least(*left[kind.id][1:], sale=sale)) for kind in types if kind.id in short])


def _least(of_type: int, of_presale: int | None, of_quota: int | None, *, sale: str) -> int:
    """What a buyer may still have of a type: no more than any of the limits that there are leaves."""
    limits = [of_type, of_quota] + [of_presale] * (sale == "presale")
    return max(0, int(min(limit for limit in limits if limit is not None)))


def _take_one(line: Line, quota_id: int | None, *, sale: str, now: datetime) -> Steps[bool]:
    """A guard that fails ends lapsed holds of that type, or of its quota, first; if there were any, it tries once more."""
    if (yield from stock.take(line.ticket_type_id, line.qty, quota_id=quota_id, sale=sale, now=now)):
        return True
    lapsed = yield (
        (_LAPSED, {"now": now, "type": line.ticket_type_id})
        if quota_id is None
        else (_LAPSED_IN_QUOTA, {"now": now, "quota": quota_id})
    )
    for (booking_id,) in lapsed:
        yield from ending(booking_id, to="expired", now=now)
    return bool(lapsed) and (yield from stock.take(line.ticket_type_id, line.qty, quota_id=quota_id, sale=sale, now=now))


# Numbers alone: when a thousand people are too late, making the ticket types anew for each takes longer than all the rest.
_LEFT = (
    "SELECT id, capacity - held - sold - aside - waiting, presale_places - presale_taken, "
    "(SELECT capacity - held - sold - aside FROM quotas WHERE quotas.id = ticket_types.quota_id) - "
    "(SELECT SUM(others.waiting) FROM ticket_types AS others WHERE others.quota_id = ticket_types.quota_id) "
    "FROM ticket_types WHERE event_id = :event"
)
_LAPSED = (
    "SELECT id FROM bookings WHERE state = 'held' AND held_until <= :now AND EXISTS "
    "(SELECT 1 FROM booking_lines WHERE booking_lines.booking_id = bookings.id AND ticket_type_id = :type) "
    "ORDER BY held_until LIMIT 50 FOR UPDATE SKIP LOCKED"
)
_LAPSED_IN_QUOTA = _LAPSED.replace(
    "ticket_type_id = :type", "ticket_type_id IN (SELECT ticket_types.id FROM ticket_types WHERE quota_id = :quota)"
)


def _write_down(event: Event, lines: Sequence[Line], **columns: Any) -> Steps[Held]:
    """The new rows. Prices and the rule for refunds are those of this moment, whatever the manager changes later."""
    held = Held(0, secret_code(), columns["kind"] == "presale")
    booking_id = yield insert(
        Booking,
        code=held.code,
        event_id=event.id,
        language=language(),
        total_minor=sum(line.qty * line.unit_minor for line in lines),
        currency=event.currency,
        refund_hours=event.refund_hours,
        refund_fee_minor=event.refund_fee_minor,
        **columns,
    )
    held = held._replace(id=booking_id[0][0])
    for line in lines:
        yield insert(BookingLine, booking_id=held.id, **line._asdict())
    return held
