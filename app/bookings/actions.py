"""Verbs on bookings: hold, extend, release, expire. Each is one change in the caller's writing block."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, func, insert, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import User, Visitor
from app.bookings import boxoffice, queries, rules, stock
from app.bookings.boxoffice import Sale
from app.bookings.models import AccessCode, Answer, Booking, BookingLine, PromoCode, Voucher, WaitingEntry
from app.bookings.rules import AnswerKey
from app.core import activity
from app.core.db import changed, move
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.core.settings import settings
from app.core.steps import run
from app.events.models import Event, Question, TicketType


async def hold(
    tx: AsyncSession, event: Event, wanted: Mapping[int, int], *, by: Visitor, access_code: str = "", now: datetime
) -> Booking:
    """The box office's hold in the caller's writing block, for whoever does more in the same block.

    Places by ticket type id. Raises Refused with the reason, SoldOut with what is left.
    """
    present, types = await run(tx, boxoffice.offer(event.slug))
    made = await run(tx, boxoffice.holding(present, types, wanted, by=by, access_code=access_code, now=now))
    return (await tx.exec(select(Booking).where(Booking.id == made.id))).one()


async def take_for_house(tx: AsyncSession, event: Event, sale: Sale, *, now: datetime) -> tuple[Booking, bool]:
    """Places for whoever is given them or buys at the door, held until the same block settles them; whether that is new.

    A form that comes a second time finds the booking of the first. Raises Refused, SoldOut with what is left.
    """
    present, types = await run(tx, boxoffice.offer(event.slug))
    named = select(Booking).where(Booking.nonce == boxoffice.nonce_of(present, sale))
    twin = (await tx.exec(named)).first()
    if not twin:
        await run(tx, boxoffice.for_house(present, types, sale, now=now))
    return twin or (await tx.exec(named)).one(), not twin


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
    return await run(tx, boxoffice.ending(booking.id or 0, to="released", now=now))


async def expire(tx: AsyncSession, booking: Booking, *, now: datetime) -> bool:
    """A hold whose time is over ends. False when it was extended, paid or ended meanwhile."""
    return await run(tx, boxoffice.ending(booking.id or 0, to="expired", now=now))


async def call_off(tx: AsyncSession, booking: Booking, *, now: datetime) -> bool:
    """A hold ends because its event will not take place."""
    return await run(tx, boxoffice.ending(booking.id or 0, to="called_off", now=now))


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
        lines = await queries.lines(tx, booking.id or 0)
        if not await run(tx, stock.claim(event, buyer_key, lines)):
            raise Refused(rules.limit_sentence(event, in_presale=booking.is_presale))
        for promo_id in stock.promo_ids(lines):
            if not await run(tx, stock.claim_promo(promo_id, buyer_key)):
                raise Refused(rules.used_enough(await tx.get_one(PromoCode, promo_id)))
        await run(tx, stock.unclaim(booking.event_id, booking.buyer_key, lines))
        booking.buyer_key = buyer_key
    await tx.flush()


async def answer(tx: AsyncSession, booking: Booking, answers: Mapping[AnswerKey, str], *, by: int | None) -> None:
    """What the buyer says to the event's questions, in the place of what was said before. Empty answers are none.

    A question that ended meanwhile is passed over. The caller has locked the booking.
    """
    of_event = select(Question.id).where(Question.event_id == booking.event_id, col(Question.ended_at).is_(None))
    # Locked, so that its manager does not delete a question between this look and the answer.
    present = [found or 0 for found in (await tx.exec(of_event.order_by(col(Question.id)).with_for_update(read=True))).all()]
    old = delete(Answer).where(col(Answer.booking_id) == booking.id, col(Answer.question_id).in_(present))
    await changed(tx, old)
    given = [(key, value) for key, value in answers.items() if value and key[0] in present]
    for (question_id, line_id, n), value in given:
        tx.add(Answer(booking_id=booking.id or 0, question_id=question_id, line_id=line_id, n=n, value=value))
    details = {"event": booking.event_id, "answers": len(given)}
    await activity.record(tx, "booking.answered", about=f"booking:{booking.id}", by=by, **details)


async def adopt(tx: AsyncSession, user: User) -> int:
    """Guest bookings of the user's proved address, and their places in line, join the account. Returns how many bookings."""
    of_guest = update(Booking).where(col(Booking.email) == user.email, col(Booking.user_id).is_(None))
    joined = await changed(tx, of_guest.values(user_id=user.id))
    in_line = update(WaitingEntry).where(col(WaitingEntry.email) == user.email, col(WaitingEntry.user_id).is_(None))
    await changed(tx, in_line.values(user_id=user.id))
    if joined:
        await activity.record(tx, "booking.adopted", about=f"user:{user.id}", by=user.id, bookings=joined)
    return joined


# ---------- the sale, on its manager's desk ----------


async def share_code(tx: AsyncSession, kind: TicketType, word: str, *, max_uses: int | None, by: int, now: datetime) -> None:
    """A code for many people; without `max_uses` for any number of bookings. From now on the pre-sale asks for a code.

    Raises Refused when the type has that code, or its pre-sale is over.
    """
    await _ask_for_codes(tx, kind, now=now)
    code = rules.normal_code(word)
    if code in await queries.codes_of(tx, kind.id or 0):
        raise Refused(_("%(name)s has the code %(code)s already.") % {"name": kind.name, "code": code})
    tx.add(AccessCode(ticket_type_id=kind.id or 0, code=code, max_uses=max_uses))
    details = {"event": kind.event_id, "max_uses": max_uses}
    await activity.record(tx, "presale.code_shared", about=f"ticket_type:{kind.id}", by=by, **details)


async def make_codes(tx: AsyncSession, kind: TicketType, number: int, *, by: int, now: datetime) -> None:
    """So many new codes for one booking each. From now on the pre-sale asks for a code. Raises Refused when it is over."""
    await _ask_for_codes(tx, kind, now=now)
    fresh = rules.new_codes(number, taken=await queries.codes_of(tx, kind.id or 0))
    rows = [{"ticket_type_id": kind.id, "code": code, "max_uses": 1, "used": 0} for code in fresh]
    await tx.exec(insert(AccessCode), params=rows)
    details = {"event": kind.event_id, "codes": number}
    await activity.record(tx, "presale.codes_made", about=f"ticket_type:{kind.id}", by=by, **details)


async def withdraw_code(tx: AsyncSession, kind: TicketType, code: str, *, by: int) -> None:
    """A code opens nothing any more; bookings made with it stay. Raises Refused when there is none."""
    if not await _withdraw(tx, kind.id or 0, code):
        raise Refused(_("That code was withdrawn before."))
    await activity.record(tx, "presale.code_withdrawn", about=f"ticket_type:{kind.id}", by=by, event=kind.event_id)


async def withdraw_unused(tx: AsyncSession, kind: TicketType, *, by: int) -> int:
    """The codes for one booking that nobody has used are gone; how many. A code that a held booking uses counts as used."""
    unused = (col(AccessCode.ticket_type_id) == kind.id, col(AccessCode.max_uses) == 1, col(AccessCode.used) == 0)
    # Bookings that ended have given their use back; they need not name the code any more.
    ids = (await tx.exec(select(AccessCode.id).where(*unused).with_for_update())).all()
    await changed(tx, update(BookingLine).where(col(BookingLine.access_code_id).in_(ids)).values(access_code_id=None))
    gone = await changed(tx, delete(AccessCode).where(*unused, col(AccessCode.id).in_(ids)))
    if gone:
        details = {"event": kind.event_id, "codes": gone}
        await activity.record(tx, "presale.codes_withdrawn", about=f"ticket_type:{kind.id}", by=by, **details)
    return gone


async def replace_code(tx: AsyncSession, ticket_type_id: int, *, was: str, code: str, by: int | None) -> None:
    """The code that everybody may use becomes another; empty stands for none. Codes with a number of uses stay."""
    wanted = rules.normal_code(code)
    if wanted == rules.normal_code(was):
        return
    await _withdraw(tx, ticket_type_id, was)
    if wanted in await queries.codes_of(tx, ticket_type_id):
        same = update(AccessCode).where(col(AccessCode.ticket_type_id) == ticket_type_id, col(AccessCode.code) == wanted)
        await changed(tx, same.values(max_uses=None))
    elif wanted:
        tx.add(AccessCode(ticket_type_id=ticket_type_id, code=wanted))
    kind = await tx.get_one(TicketType, ticket_type_id)
    details = {"event": kind.event_id, "codes": [bool(rules.normal_code(was)), bool(wanted)]}
    await activity.record(tx, "presale.code_replaced", about=f"ticket_type:{ticket_type_id}", by=by, **details)


async def copy_codes(tx: AsyncSession, event: Event, types: Sequence[tuple[TicketType, TicketType]], *, by: int | None) -> None:
    """The codes that everybody may use, from the ticket types of an event to those that were made from them."""
    codes = await queries.access_codes(tx, event.id or 0)
    for source, made in types:
        await replace_code(tx, made.id or 0, was="", code=codes.get(source.id or 0, ""), by=by)


async def forget_codes(tx: AsyncSession, ticket_type_id: int) -> None:
    """All codes go with a ticket type that is on no booking. Vouchers that live give their places back before."""
    living = select(Voucher).where(Voucher.ticket_type_id == ticket_type_id, col(Voucher.ended_at).is_(None))
    for voucher in (await tx.exec(living)).all():
        await run(tx, stock.end_aside(ticket_type_id, voucher.aside))
    for kind in (AccessCode, PromoCode, Voucher):
        await changed(tx, delete(kind).where(col(kind.ticket_type_id) == ticket_type_id))


async def forget_promos(tx: AsyncSession, event_id: int) -> None:
    """Promo codes for all types go with a draft."""
    await changed(tx, delete(PromoCode).where(col(PromoCode.event_id) == event_id))


async def move_places(tx: AsyncSession, kind: TicketType, places: int | None, *, to: str, by: int, now: datetime) -> int:
    """Moves places that the pre-sale has not taken to the "general" sale, or back to the "presale"; all when `places` is None.

    Gives how many. Raises Refused when the pre-sale is over, or so many cannot be moved.
    """
    present = await _locked_type(tx, kind)
    most = rules.movable(present, to=to)
    moving = most if places is None else places
    size = func.coalesce(col(TicketType.presale_places), col(TicketType.capacity)) + (-moving if to == "general" else moving)
    goes_on = (col(TicketType.presale_from).is_not(None), col(TicketType.sale_from) > now)
    fits = (size >= col(TicketType.presale_taken), size <= col(TicketType.capacity))
    moved = update(TicketType).where(col(TicketType.id) == kind.id, *goes_on, *fits)
    if moving < 1 or not await changed(tx, moved.values(presale_places=size)):
        raise Refused(rules.unmovable(present, to=to, now=now))
    before = present.capacity if present.presale_places is None else present.presale_places
    after = before + (-moving if to == "general" else moving)
    details = {"event": kind.event_id, "places": moving, "to": to, "presale": [before, after]}
    await activity.record(tx, "presale.places_moved", about=f"ticket_type:{kind.id}", by=by, **details)
    return moving


async def open_general_sale(tx: AsyncSession, kind: TicketType, *, at: datetime, by: int, now: datetime) -> None:
    """The general sale opens at another moment, at once when that is now; until then the pre-sale goes on.

    Raises Refused when it is open, or `at` does not fit. What the pre-sale keeps for buyers stays kept until its minute.
    """
    present = await _locked_type(tx, kind)
    why_not = rules.cannot_open(present, at=at, now=now)
    if why_not:
        raise Refused(why_not)
    await changed(tx, update(TicketType).where(col(TicketType.id) == kind.id).values(sale_from=at))
    details = {"event": kind.event_id, "opens": [present.sale_from.isoformat(), at.isoformat()]}
    await activity.record(tx, "sale.moved", about=f"ticket_type:{kind.id}", by=by, **details)


async def _ask_for_codes(tx: AsyncSession, kind: TicketType, *, now: datetime) -> None:
    """The pre-sale opens with a code only. Codes without a pre-sale would be keys without a door, so that is refused."""
    opens = (col(TicketType.presale_from).is_not(None), col(TicketType.sale_from) > now)
    asking = update(TicketType).where(col(TicketType.id) == kind.id, *opens).values(needs_code=True)
    if not await changed(tx, asking):
        raise Refused(_("%(name)s has no pre-sale, or it is over.") % {"name": kind.name})


async def _withdraw(tx: AsyncSession, ticket_type_id: int, code: str) -> bool:
    """Removes a code. Bookings made with it live on without naming it, so a use that comes back opens nothing again."""
    found = select(AccessCode).where(AccessCode.ticket_type_id == ticket_type_id, AccessCode.code == rules.normal_code(code))
    # Whoever uses the code this moment waits here or is waited for; afterwards there is none to use.
    present = (await tx.exec(found.with_for_update())).first()
    if not present:
        return False
    await changed(tx, update(BookingLine).where(col(BookingLine.access_code_id) == present.id).values(access_code_id=None))
    return await changed(tx, delete(AccessCode).where(col(AccessCode.id) == present.id)) == 1


async def _locked_type(tx: AsyncSession, kind: TicketType) -> TicketType:
    """The ticket type as it is now, and stays until the writing block ends."""
    locked = select(TicketType).where(TicketType.id == kind.id).with_for_update().execution_options(populate_existing=True)
    return (await tx.exec(locked)).one()
