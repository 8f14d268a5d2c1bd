"""Handing tickets out and taking them back, in the transaction in which the booking becomes paid or stops being it."""

from datetime import datetime

from sqlalchemy import update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.bookings import queries, stock
from app.bookings.models import HOLDING, Booking, BookingLine
from app.core import activity
from app.events.models import Event
from app.tickets.models import Ticket


async def settle(tx: AsyncSession, booking: Booking, *, now: datetime) -> bool:
    """A held booking becomes paid and its tickets exist. False when it was not held any more.

    Free bookings call it directly; payments calls it once the money is there.
    """
    if not await _become_paid(tx, booking, HOLDING, late=False, now=now):
        return False
    lines = await queries.lines(tx, booking.id or 0)
    await stock.sell(tx, lines)
    await _issue(tx, booking, lines, now=now)
    return True


async def settle_late(tx: AsyncSession, booking: Booking, event: Event, *, now: datetime) -> bool:
    """Money came after the hold was over: the booking is paid if its places can be taken again. False if not.

    The places come out of the general stock now; what the lapsed hold had claimed of the pre-sale was given back.
    """
    lines = await queries.lines(tx, booking.id or 0)
    places = sum(line.qty for line in lines)
    undo = await tx.begin_nested()
    taken = event.sells(now) and await _become_paid(tx, booking, ("expired",), late=True, now=now)
    if not taken or not await stock.sell_late(tx, lines) or not await stock.claim(tx, event, booking.buyer_key, places):
        await undo.rollback()
        return False
    for line in lines:
        line.in_presale, line.access_code_id = False, None
    await undo.commit()
    await _issue(tx, booking, lines, now=now)
    return True


async def take_back(tx: AsyncSession, booking: Booking, *, to: str, now: datetime) -> bool:
    """A paid booking ends as "refunded" or "called_off": its tickets are void, its places free. False when it was not paid."""
    ended = await tx.exec(
        update(Booking)
        .where(col(Booking.id) == booking.id, col(Booking.state) == "paid")
        .values(state=to, ended_at=now)
        .execution_options(synchronize_session=False)
    )
    if ended.rowcount != 1:
        return False
    lines = await queries.lines(tx, booking.id or 0)
    await stock.unsell(tx, lines)
    await stock.unuse_codes(tx, lines)
    await stock.unclaim(tx, booking.event_id, booking.buyer_key, sum(line.qty for line in lines))
    await tx.exec(
        update(Ticket)
        .where(col(Ticket.booking_id) == booking.id, col(Ticket.state) == "valid")
        .values(state="void", voided_at=now)
        .execution_options(synchronize_session=False)
    )
    await activity.record(tx, f"booking.{to}", about=f"booking:{booking.id}", by=None, event=booking.event_id)
    return True


async def _become_paid(tx: AsyncSession, booking: Booking, source: tuple[str, ...], *, late: bool, now: datetime) -> bool:
    paid = await tx.exec(
        update(Booking)
        .where(col(Booking.id) == booking.id, col(Booking.state).in_(source))
        .values(state="paid", paid_at=now, is_late=late, ended_at=None)
        .execution_options(synchronize_session=False)
    )
    return bool(paid.rowcount == 1)


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
