"""Handing tickets out and taking them back, in the transaction in which the booking becomes paid or stops being it."""

from datetime import datetime

from sqlalchemy import update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.bookings import actions as bookings
from app.bookings import queries, stock, waiting
from app.bookings.boxoffice import Sale
from app.bookings.models import HOLDING, Booking, BookingLine
from app.core import activity
from app.core.db import changed, move
from app.core.steps import Steps, run
from app.events.models import Event
from app.tickets.models import Ticket


async def settle(tx: AsyncSession, booking: Booking, *, now: datetime) -> bool:
    """A held booking becomes paid and its tickets exist. False when it was not held any more.

    Free bookings call it directly; payments calls it once the money is there.
    """
    if not await move(tx, booking, "paid", out_of=HOLDING, paid_at=now, kept_minor=col(Booking.total_minor)):
        return False
    lines = await queries.lines(tx, booking.id or 0)
    await run(tx, stock.sell(lines))
    await waiting.taken(tx, booking, now=now)
    await _issue(tx, booking, lines, now=now)
    return True


async def give(tx: AsyncSession, event: Event, sale: Sale, *, now: datetime) -> Booking:
    """A comp: free tickets for whoever is named, mailed at once. Raises Refused, SoldOut with what is left."""
    booking, is_new = await bookings.take_for_house(tx, event, sale, now=now)
    if is_new:
        places = sum(sale.places.values())
        about = f"booking:{booking.id}"
        await activity.record(tx, "booking.given", about=about, by=sale.seller_id, event=booking.event_id, places=places)
        await settle(tx, booking, now=now)
        await tx.refresh(booking)
    return booking


async def settle_late(tx: AsyncSession, booking: Booking, event: Event, *, now: datetime) -> bool:
    """Money came after the hold was over: the booking is paid if its places can be taken again. False if not.

    The places come out of the general stock now, at the price of the hold; what the lapsed hold had claimed of the pre-sale, or
    with a code, was given back.
    """
    lines = await queries.lines(tx, booking.id or 0)
    undo = await tx.begin_nested()
    late = {"paid_at": now, "is_late": True, "ended_at": None, "kept_minor": col(Booking.total_minor)}
    for line in lines:
        line.in_presale, line.access_code_id, line.promo_code_id, line.voucher_id = False, None, None, None
    taken = event.sells(now) and await move(tx, booking, "paid", out_of=("expired",), **late)
    if not taken or not await run(tx, _take_late(booking, event, lines)):
        await undo.rollback()
        return False
    await undo.commit()
    await waiting.taken(tx, booking, now=now)
    await _issue(tx, booking, lines, now=now)
    return True


async def take_back(tx: AsyncSession, booking: Booking, *, to: str, kept_minor: int = 0, now: datetime) -> bool:
    """A paid booking ends as "refunded" or "called_off": its tickets are void, its places free. False when it was not paid.

    `kept_minor` is the fee that the shop keeps; the money rule sends back the rest.
    """
    if not await move(tx, booking, to, out_of=("paid",), ended_at=now, kept_minor=kept_minor):
        return False
    lines = await queries.lines(tx, booking.id or 0)
    await run(tx, stock.unsell(lines))
    await run(tx, stock.unuse_codes(lines))
    await run(tx, stock.unclaim(booking.event_id, booking.buyer_key, lines))
    valid = update(Ticket).where(col(Ticket.booking_id) == booking.id, col(Ticket.state) == "valid")
    await changed(tx, valid.values(state="void", voided_at=now))
    await activity.record(tx, f"booking.{to}", about=f"booking:{booking.id}", by=None, event=booking.event_id)
    return True


async def take_back_one(tx: AsyncSession, booking: Booking, ticket: Ticket, *, now: datetime) -> bool:
    """One ticket of a paid booking becomes void and its place free. False when the ticket was void already.

    The booking stays paid; the caller, who has locked it, ends it by take_back when this was its last ticket.
    """
    valid = update(Ticket).where(col(Ticket.id) == ticket.id, col(Ticket.booking_id) == booking.id, col(Ticket.state) == "valid")
    if await changed(tx, valid.values(state="void", voided_at=now)) != 1:
        return False
    line = await tx.get(BookingLine, ticket.line_id, populate_existing=True)
    assert line is not None
    await run(tx, stock.unsell_one(line, line_id=ticket.line_id))
    await run(tx, stock.unclaim_one(booking.event_id, booking.buyer_key, line))
    await activity.record(tx, "ticket.voided", about=f"ticket:{ticket.id}", by=None, booking=booking.id)
    return True


async def name_holder(tx: AsyncSession, ticket: Ticket, holder: str, *, by: int) -> bool:
    """Another name on a valid ticket. False when it became void, or somebody else changed the name, since it was read."""
    same = (col(Ticket.id) == ticket.id, col(Ticket.state) == "valid", col(Ticket.holder) == ticket.holder)
    if not await changed(tx, update(Ticket).where(*same).values(holder=holder)):
        return False
    await activity.record(tx, "ticket.renamed", about=f"ticket:{ticket.id}", by=by, booking=ticket.booking_id)
    return True


def _take_late(booking: Booking, event: Event, lines: list[BookingLine]) -> Steps[bool]:
    return (yield from stock.sell_late(lines)) and (yield from stock.claim(event, booking.buyer_key, lines))


async def _issue(tx: AsyncSession, booking: Booking, lines: list[BookingLine], *, now: datetime) -> None:
    for line in lines:
        for n in range(1, line.qty + 1):
            tx.add(
                Ticket(
                    event_id=booking.event_id,
                    booking_id=booking.id or 0,
                    line_id=line.id or 0,
                    ticket_type_id=line.ticket_type_id,
                    n=n,
                    holder=booking.name,
                    issued_at=now,
                )
            )
    await activity.record(tx, "booking.paid", about=f"booking:{booking.id}", by=booking.user_id, event=booking.event_id)
