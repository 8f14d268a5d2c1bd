"""Verbs on bookings: hold, extend, release, expire. Each is one change in the caller's writing block."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import delete, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import User, Visitor
from app.bookings import queries, rules, stock
from app.bookings.models import AccessCode, Booking, BookingLine
from app.core import activity
from app.core.db import changed, move
from app.core.errors import NotYours, Refused
from app.core.i18n import gettext as _
from app.core.i18n import language
from app.core.settings import settings
from app.events.models import Event, TicketType


async def hold(
    tx: AsyncSession, event: Event, wanted: Mapping[int, int], *, by: Visitor, access_code: str = "", now: datetime
) -> Booking:
    """Takes places for a while: all that are wanted (places by ticket type id) or none.

    A visitor's second hold for an event replaces their first. Raises Refused with the reason, SoldOut with what is left.
    """
    event = await _locked(tx, event, now=now)
    types = await _types(tx, event, wanted)
    chosen = [(kind, wanted[kind.id or 0]) for kind in types if wanted[kind.id or 0] > 0]
    rules.check_amounts(event, chosen)
    kind = rules.phase([kind for kind, _qty in chosen], now=now)
    if kind == "presale" and not by.is_signed_in:
        raise NotYours(_("Pre-sale places are kept for accounts. Sign in or create an account, then book them."))
    codes = await _codes(tx, chosen, access_code) if kind == "presale" else {}
    first = await queries.held_by(tx, event.id or 0, by)
    if first and kind == "purchase":
        await _end(tx, first, to="released", now=now)
    await _take(tx, chosen, in_presale=kind == "presale", now=now)
    buyer_key = f"mail:{by.email}" if by.is_signed_in else f"browser:{by.key}"
    if not await stock.claim(tx, event, buyer_key, sum(qty for _kind, qty in chosen)):
        raise Refused(_limit_sentence(event))
    booking = Booking(
        event_id=event.id or 0,
        user_id=by.user_id,
        kind=kind,
        visitor_key=by.key,
        buyer_key=buyer_key,
        email=by.email,
        name=by.name,
        language=language(),
        total_minor=sum(kind.price_minor * qty for kind, qty in chosen),
        currency=event.currency,
        created_at=now,
        held_until=event.presale_kept_until(now) if kind == "presale" else now + timedelta(minutes=settings().hold_minutes),
    )
    tx.add(booking)
    await tx.flush()
    for ticket_type, qty in chosen:
        tx.add(
            BookingLine(
                booking_id=booking.id or 0,
                ticket_type_id=ticket_type.id or 0,
                name=ticket_type.name,
                qty=qty,
                unit_minor=ticket_type.price_minor,
                in_presale=kind == "presale",
                access_code_id=codes.get(ticket_type.id or 0),
            )
        )
    await activity.record(tx, "booking.held", about=f"booking:{booking.id}", by=by.user_id, event=event.id)
    return booking


async def extend(tx: AsyncSession, booking: Booking, *, now: datetime) -> None:
    """More time for a purchase, counted from the present end. Raises Refused when it is over or was extended enough."""
    present = (await tx.exec(select(Booking.held_until).where(Booking.id == booking.id).with_for_update())).one()
    longer = present + timedelta(minutes=settings().extend_minutes)
    may = (
        col(Booking.state) == "held",
        col(Booking.kind) == "purchase",
        col(Booking.held_until) > now,
        col(Booking.extensions) < settings().extensions,
    )
    extended = update(Booking).where(col(Booking.id) == booking.id, *may)
    if not await changed(tx, extended.values(held_until=longer, extensions=col(Booking.extensions) + 1)):
        raise Refused(_("This hold cannot be made longer."))
    await activity.record(tx, "booking.extended", about=f"booking:{booking.id}", by=booking.user_id)


async def release(tx: AsyncSession, booking: Booking, *, now: datetime) -> bool:
    """The buyer gives held places back. False when the booking was no longer held."""
    return await _end(tx, booking, to="released", now=now)


async def expire(tx: AsyncSession, booking: Booking, *, now: datetime) -> bool:
    """A hold whose time is over ends. False when it was extended, paid or ended meanwhile."""
    return await _end(tx, booking, to="expired", now=now)


async def call_off(tx: AsyncSession, booking: Booking, *, now: datetime) -> bool:
    """A hold ends because its event will not take place."""
    return await _end(tx, booking, to="called_off", now=now)


async def start_paying(tx: AsyncSession, booking: Booking, *, now: datetime) -> bool:
    """held → paying. False when the hold is over, or somebody already pays."""
    return await move(tx, booking, "paying", col(Booking.held_until) > now, out_of=("held",))


async def wait_for_bank(tx: AsyncSession, booking: Booking) -> bool:
    """paying → processing: the buyer has done their part, the bank has not."""
    return await move(tx, booking, "processing", out_of=("paying",))


async def stop_paying(tx: AsyncSession, booking: Booking, *, now: datetime) -> None:
    """The attempt ended without money: the places stay held until the promised minute, or go back now."""
    if await move(tx, booking, "held", out_of=("paying", "processing")):
        await expire(tx, booking, now=now)


async def fill_in(tx: AsyncSession, booking: Booking, event: Event, *, email: str, name: str, by: Visitor) -> None:
    """Who buys. From now on the limit per buyer counts by the address. Raises Refused when that passes it.

    An account's booking keeps the address it was made with; a guest's joins the account of whoever has signed in meanwhile.
    """
    booking.name = name
    if booking.user_id is None:
        booking.user_id, booking.email = by.user_id, by.email or email
    buyer_key = f"mail:{booking.email}"
    if buyer_key != booking.buyer_key:
        places = sum(line.qty for line in await queries.lines(tx, booking.id or 0))
        if not await stock.claim(tx, event, buyer_key, places):
            raise Refused(_limit_sentence(event))
        await stock.unclaim(tx, booking.event_id, booking.buyer_key, places)
        booking.buyer_key = buyer_key
    await tx.flush()


async def adopt(tx: AsyncSession, user: User, *, now: datetime) -> int:
    """Guest bookings of the user's proved address join the account. Returns how many."""
    of_guest = update(Booking).where(col(Booking.email) == user.email, col(Booking.user_id).is_(None))
    joined = await changed(tx, of_guest.values(user_id=user.id))
    if joined:
        await activity.record(tx, "booking.adopted", about=f"user:{user.id}", by=user.id, bookings=joined)
    return joined


async def set_access_code(tx: AsyncSession, ticket_type_id: int, code: str) -> None:
    """The one shared code of a ticket type's pre-sale; an empty one removes it. Codes that were used stay, without uses left."""
    wanted = queries.normal_code(code)
    others = select(AccessCode).where(AccessCode.ticket_type_id == ticket_type_id, AccessCode.code != wanted)
    for other in (await tx.exec(others)).all():
        if other.used:
            await tx.exec(update(AccessCode).where(col(AccessCode.id) == other.id).values(max_uses=other.used))
        else:
            await tx.exec(delete(AccessCode).where(col(AccessCode.id) == other.id))
    same = (
        await tx.exec(select(AccessCode).where(AccessCode.ticket_type_id == ticket_type_id, AccessCode.code == wanted))
    ).first()
    if same:
        same.max_uses = None
    elif wanted:
        tx.add(AccessCode(ticket_type_id=ticket_type_id, code=wanted))


async def _locked(tx: AsyncSession, event: Event, *, now: datetime) -> Event:
    """On PostgreSQL calling off waits until this hold is done, so that none slips through; SQLite has one writer anyway."""
    locked = select(Event).where(Event.id == event.id).with_for_update(read=True).execution_options(populate_existing=True)
    present = (await tx.exec(locked)).one()
    if not present.sells(now):
        raise Refused(_("This event is not on sale."))
    return present


async def _types(tx: AsyncSession, event: Event, wanted: Mapping[int, int]) -> list[TicketType]:
    """The wanted ticket types in ascending id: everybody takes stock in the same order, so nobody waits in a circle."""
    of_event = select(TicketType).where(TicketType.event_id == event.id, col(TicketType.id).in_(list(wanted)))
    return list((await tx.exec(of_event.order_by(col(TicketType.id)))).all())


async def _take(tx: AsyncSession, chosen: list[tuple[TicketType, int]], *, in_presale: bool, now: datetime) -> None:
    """Takes every line, or raises SoldOut. A guard that fails ends lapsed holds of that type first and tries once more."""
    short = []
    for ticket_type, qty in chosen:
        type_id = ticket_type.id or 0
        if await stock.take(tx, type_id, qty, in_presale=in_presale, now=now):
            continue
        await _expire_lapsed(tx, type_id, now=now)
        if not await stock.take(tx, type_id, qty, in_presale=in_presale, now=now):
            short.append(type_id)
    if short:
        fresh = select(TicketType).where(col(TicketType.id).in_(short)).execution_options(populate_existing=True)
        raise rules.sold_out((await tx.exec(fresh)).all(), now=now)


async def _expire_lapsed(tx: AsyncSession, ticket_type_id: int, *, now: datetime) -> None:
    over = select(Booking).join(BookingLine, col(BookingLine.booking_id) == Booking.id)
    over = over.where(BookingLine.ticket_type_id == ticket_type_id, Booking.state == "held", Booking.held_until <= now)
    for booking in (await tx.exec(over.order_by(col(Booking.id)).limit(50))).all():
        await expire(tx, booking, now=now)


async def _codes(tx: AsyncSession, chosen: list[tuple[TicketType, int]], access_code: str) -> dict[int, int]:
    """Uses the access code once for each type that asks for one; ids of the codes by ticket type id."""
    used = {}
    for ticket_type, _qty in chosen:
        if not ticket_type.needs_code:
            continue
        wanted = select(AccessCode).where(
            AccessCode.ticket_type_id == ticket_type.id, AccessCode.code == queries.normal_code(access_code)
        )
        found = (await tx.exec(wanted)).first()
        if not found or not await stock.use_code(tx, found.id or 0):
            raise Refused(_("The pre-sale of %(name)s needs an access code that still works.") % {"name": ticket_type.name})
        used[ticket_type.id or 0] = found.id or 0
    return used


async def _end(tx: AsyncSession, booking: Booking, *, to: str, now: datetime) -> bool:
    """held → one of the ends, and everything the hold had taken goes back."""
    over = [col(Booking.held_until) <= now] if to == "expired" else []
    if not await move(tx, booking, to, *over, out_of=("held",), ended_at=now):
        return False
    lines = await queries.lines(tx, booking.id or 0)
    present = (await tx.exec(select(Booking.buyer_key).where(Booking.id == booking.id))).one()
    await stock.give_back(tx, lines)
    await stock.unuse_codes(tx, lines)
    await stock.unclaim(tx, booking.event_id, present, sum(line.qty for line in lines))
    await activity.record(tx, f"booking.{to}", about=f"booking:{booking.id}", by=None, event=booking.event_id)
    return True


def _limit_sentence(event: Event) -> str:
    return _("Each buyer gets %(num)s places for this event at most, and some are yours already.") % {"num": event.per_buyer}
