"""Promo codes and vouchers: what a code that a buyer types does to the lines of a hold, and how they are made and end.

One field takes access codes, vouchers and promo codes; a voucher goes before a promo code of the same name.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.bookings import queries, rules, stock
from app.bookings.models import PromoCode, Voucher
from app.core import activity
from app.core.codes import short_code
from app.core.db import changed
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.core.steps import Steps, rows_of, run
from app.events.models import Event, TicketType

Code: TypeAlias = PromoCode | Voucher


class Line(NamedTuple):
    """A booking line before it is one."""

    ticket_type_id: int
    qty: int
    in_presale: bool
    access_code_id: int | None
    name: str
    unit_minor: int
    full_minor: int | None = None
    promo_code_id: int | None = None
    voucher_id: int | None = None

    @property
    def places(self) -> int:
        return self.qty


def found(event_id: int, typed: str) -> Steps[Code | None]:
    """The event's voucher or promo code of that name. Without a name it asks nothing."""
    code = rules.normal_code(typed)
    if not code:
        return None
    named: list[Code] = [*(yield from rows_of(Voucher, _NAMED, event=event_id, code=code))]
    named += yield from rows_of(PromoCode, _NAMED, event=event_id, code=code)
    return named[0] if named else None


_NAMED = "event_id = :event AND code = :code"


def applied(code: Code | None, lines: Sequence[Line], event: Event, *, now: datetime) -> Steps[list[Line]]:
    """The lines with their prices of this moment, and the code used. Raises Refused with why it does not work.

    The places of a voucher's line are taken with that; those of the others are still to be taken.
    """
    if isinstance(code, Voucher):
        made = list(lines)
        for n, line in enumerate(made):
            if line.ticket_type_id == code.ticket_type_id:
                made[n] = yield from _redeemed(code, line, event, now=now)
        return made
    reducible = [line for line in lines if code and line.unit_minor and code.ticket_type_id in (None, line.ticket_type_id)]
    if not code or not reducible:
        return list(lines)
    if sum(line.qty for line in reducible) < code.least_places:
        raise Refused(rules.too_few_for(code))
    if not (yield from stock.use_promo(code.id or 0, now=now)):
        present = (yield from rows_of(PromoCode, "id = :id", id=code.id))[0]
        raise Refused(rules.unusable(present, zone=event.zone, now=now))
    return [_reduced(code, line) if line in reducible else line for line in lines]


def claimed(lines: Sequence[Line], code: Code | None, buyer_key: str) -> Steps[None]:
    """Counts the booking towards what one buyer may do with a promo code. Raises Refused when that passes it."""
    for promo_id in stock.promo_ids(lines):
        if not (yield from stock.claim_promo(promo_id, buyer_key)):
            assert isinstance(code, PromoCode)
            raise Refused(rules.used_enough(code))


def _reduced(promo: PromoCode, line: Line) -> Line:
    unit = rules.reduced(line.unit_minor, percent=promo.percent, off_minor=promo.off_minor)
    return line._replace(unit_minor=unit, full_minor=line.unit_minor, promo_code_id=promo.id)


def _redeemed(voucher: Voucher, line: Line, event: Event, *, now: datetime) -> Steps[Line]:
    if not (yield from stock.redeem(voucher.id or 0, line.ticket_type_id, line.qty, now=now)):
        present = (yield from rows_of(Voucher, "id = :id", id=voucher.id))[0]
        raise Refused(rules.unusable(present, zone=event.zone, now=now) or rules.too_few_aside(present))
    if voucher.unit_minor is None:
        return line._replace(voucher_id=voucher.id)
    return line._replace(voucher_id=voucher.id, unit_minor=voucher.unit_minor, full_minor=line.unit_minor)


# ---------- what managers do to codes ----------


@dataclass(frozen=True)
class PromoTerms:
    """What a promo code does, and when. `percent` or `off_minor`, not both; without a type it is for all of them."""

    ticket_type_id: int | None = None
    percent: int | None = None
    off_minor: int | None = None
    least_places: int = 1
    max_uses: int | None = None
    per_buyer: int | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None


@dataclass(frozen=True)
class VoucherTerms:
    """How many places each voucher sets aside, what one of them costs (None: the type's price), and until when."""

    places: int
    unit_minor: int | None = None
    max_uses: int | None = None
    valid_until: datetime | None = None


async def make_promos(
    tx: AsyncSession, event: Event, terms: PromoTerms, *, word: str = "", number: int = 1, by: int, now: datetime
) -> list[str]:
    """One promo code with that word, or so many with words of ours; gives them. Raises Refused when the word is taken."""
    names = await _fresh(tx, event, word, number)
    batch = short_code() if number > 1 else ""
    tx.add_all(PromoCode(event_id=event.id or 0, code=name, batch=batch, created_at=now, **asdict(terms)) for name in names)
    await tx.flush()
    await activity.record(tx, "code.promos_made", about=f"event:{event.id}", by=by, codes=number)
    return names


async def make_vouchers(
    tx: AsyncSession,
    event: Event,
    kind: TicketType,
    terms: VoucherTerms,
    *,
    word: str = "",
    number: int = 1,
    by: int,
    now: datetime,
) -> list[str]:
    """The same with vouchers, each of which takes its places out of the sale. Raises Refused when they are not free."""
    names = await _fresh(tx, event, word, number)
    batch, aside = short_code() if number > 1 else "", terms.places * number
    if not await run(tx, stock.set_aside(kind.id or 0, aside)):
        raise Refused(rules.too_few_free(await tx.get_one(TicketType, kind.id, populate_existing=True)))
    made: dict[str, Any] = {"event_id": event.id or 0, "ticket_type_id": kind.id or 0, "aside": terms.places, "batch": batch}
    tx.add_all(Voucher(code=name, created_at=now, **made, **asdict(terms)) for name in names)
    await tx.flush()
    await activity.record(tx, "code.vouchers_made", about=f"event:{event.id}", by=by, codes=number, places=aside)
    return names


async def pause(tx: AsyncSession, event: Event, codes: Sequence[Code], *, paused: bool, by: int) -> None:
    """The codes do not work until somebody lets them work again; places of vouchers stay aside. Bookings stay."""
    for kind in (PromoCode, Voucher):
        living = update(kind).where(col(kind.id).in_(_ids(codes, kind)), col(kind.ended_at).is_(None))
        await changed(tx, living.values(is_paused=paused))
    about, count = f"event:{event.id}", len(codes)
    if paused:
        await activity.record(tx, "code.paused", about=about, by=by, codes=count)
    else:
        await activity.record(tx, "code.resumed", about=about, by=by, codes=count)


async def withdraw(tx: AsyncSession, event: Event, codes: Sequence[Code], *, by: int, now: datetime) -> int:
    """The codes have ended for good, and what vouchers had aside is on sale again: so many places. Bookings stay."""
    living = update(PromoCode).where(col(PromoCode.id).in_(_ids(codes, PromoCode)), col(PromoCode.ended_at).is_(None))
    ended = await changed(tx, living.values(ended_at=now))
    vouchers, places = await _end_vouchers(tx, _ids(codes, Voucher), now=now)
    if not ended + vouchers:
        raise Refused(_("These codes were withdrawn before."))
    details = {"codes": ended + vouchers, "places": places}
    await activity.record(tx, "code.withdrawn", about=f"event:{event.id}", by=by, **details)
    return places


async def end_voucher(tx: AsyncSession, voucher: Voucher, *, now: datetime) -> bool:
    """A voucher whose time is over gives its places back to everybody. False when somebody was faster."""
    ended, places = await _end_vouchers(tx, [voucher.id or 0], now=now)
    if ended:
        await activity.record(tx, "code.lapsed", about=f"event:{voucher.event_id}", by=None, places=places)
    return bool(ended)


async def _end_vouchers(tx: AsyncSession, ids: Sequence[int], *, now: datetime) -> tuple[int, int]:
    """How many ended now, and how many places are on sale again. Types are locked first, as everybody locks them."""
    wanted = select(Voucher.ticket_type_id).where(col(Voucher.id).in_(ids))
    of_types = select(TicketType.id).where(col(TicketType.id).in_(wanted))
    await tx.exec(of_types.order_by(col(TicketType.id)).with_for_update())
    living = select(Voucher.id, Voucher.ticket_type_id, Voucher.aside)
    living = living.where(col(Voucher.id).in_(ids), col(Voucher.ended_at).is_(None)).with_for_update()
    aside: Counter[int] = Counter()
    found = (await tx.exec(living)).all()
    for _id, type_id, places in found:
        aside[type_id] += places
    ended = update(Voucher).where(col(Voucher.id).in_([row[0] for row in found]))
    await changed(tx, ended.values(ended_at=now, aside=0))
    for type_id in sorted(aside):
        await run(tx, stock.end_aside(type_id, aside[type_id]))
    return len(found), aside.total()


async def _fresh(tx: AsyncSession, event: Event, word: str, number: int) -> list[str]:
    """Names that no code of the event has. The event is locked, so that two people do not take the same."""
    await tx.exec(select(Event.id).where(Event.id == event.id).with_for_update())
    taken = await queries.names_of_codes(tx, event.id or 0)
    name = rules.normal_code(word)
    if name in taken:
        raise Refused(_("There is a code %(code)s already.") % {"code": name})
    return [name] if name else rules.new_codes(number, taken=taken)


def _ids(codes: Sequence[Code], kind: type[Code]) -> list[int]:
    return [code.id or 0 for code in codes if isinstance(code, kind)]
