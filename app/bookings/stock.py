"""The guarded statements: the only place where counters of places change.

The row count of each statement decides; nothing is read, compared and written back. CHECK constraints stand behind.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, exists, or_, text, update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.bookings.models import AccessCode, BookingLine
from app.core.db import changed
from app.events.models import Event, TicketType


async def take(tx: AsyncSession, ticket_type_id: int, qty: int, *, in_presale: bool, now: datetime) -> bool:
    """Moves places from free to held, if the phase is open, the event is published and enough are left."""
    kind = TicketType
    fits = [
        col(kind.id) == ticket_type_id,
        col(kind.held) + col(kind.sold) + qty <= col(kind.capacity),
        qty <= col(kind.per_booking),
        exists().where(col(Event.id) == col(kind.event_id), col(Event.state) == "published", col(Event.ends_at) > now),
    ]
    values: dict[str, Any] = {"held": col(kind.held) + qty}
    if in_presale:
        within = or_(col(kind.presale_places).is_(None), col(kind.presale_taken) + qty <= col(kind.presale_places))
        fits += [col(kind.presale_from) <= now, col(kind.sale_from) > now, within]
        values["presale_taken"] = col(kind.presale_taken) + qty
    else:
        fits.append(and_(col(kind.sale_from) <= now, col(kind.sale_to) > now))
    return await _one(tx, update(kind).where(*fits).values(**values))


async def give_back(tx: AsyncSession, lines: Sequence[BookingLine]) -> None:
    """Held places become free again."""
    for line in lines:
        await _must(tx, _of(line).values(held=col(TicketType.held) - line.qty, **_presale(line)))


async def sell(tx: AsyncSession, lines: Sequence[BookingLine]) -> None:
    """Held places become sold."""
    for line in lines:
        moved = {"held": col(TicketType.held) - line.qty, "sold": col(TicketType.sold) + line.qty}
        await _must(tx, _of(line).values(**moved))


async def sell_late(tx: AsyncSession, lines: Sequence[BookingLine]) -> bool:
    """Free places become sold at once, for money that came after the hold was over; False when one line does not fit.

    The caller undoes the whole savepoint on False.
    """
    for line in lines:
        fits = col(TicketType.held) + col(TicketType.sold) + line.qty <= col(TicketType.capacity)
        if not await _one(tx, _of(line).where(fits).values(sold=col(TicketType.sold) + line.qty)):
            return False
    return True


async def unsell(tx: AsyncSession, lines: Sequence[BookingLine]) -> None:
    """Sold places become free again."""
    for line in lines:
        await _must(tx, _of(line).values(sold=col(TicketType.sold) - line.qty, **_presale(line)))


_CLAIM = text(
    "INSERT INTO buyer_limits (event_id, buyer_key, qty, max_qty) VALUES (:event, :buyer, :qty, :most) "
    "ON CONFLICT (event_id, buyer_key) DO UPDATE SET qty = buyer_limits.qty + :qty, max_qty = :most "
    "WHERE buyer_limits.qty + :qty <= :most"
)
_UNCLAIM = text("UPDATE buyer_limits SET qty = qty - :qty WHERE event_id = :event AND buyer_key = :buyer")


async def claim(tx: AsyncSession, event: Event, buyer_key: str, qty: int) -> bool:
    """Counts places towards the buyer's limit at this event; False when that would pass it."""
    if qty > event.per_buyer:
        return False
    values = {"event": event.id, "buyer": buyer_key, "qty": qty, "most": event.per_buyer}
    return (await (await tx.connection()).execute(_CLAIM, values)).rowcount == 1


async def unclaim(tx: AsyncSession, event_id: int, buyer_key: str, qty: int) -> None:
    """The places no longer count towards the buyer's limit."""
    values = {"event": event_id, "buyer": buyer_key, "qty": qty}
    await (await tx.connection()).execute(_UNCLAIM, values)


async def use_code(tx: AsyncSession, access_code_id: int) -> bool:
    """Counts one more use of an access code; False when it has none left."""
    left = or_(col(AccessCode.max_uses).is_(None), col(AccessCode.used) < col(AccessCode.max_uses))
    return await _one(
        tx, update(AccessCode).where(col(AccessCode.id) == access_code_id, left).values(used=col(AccessCode.used) + 1)
    )


async def unuse_codes(tx: AsyncSession, lines: Sequence[BookingLine]) -> None:
    """Gives the uses of access codes back."""
    for code_id in {line.access_code_id for line in lines if line.access_code_id}:
        await _one(tx, update(AccessCode).where(col(AccessCode.id) == code_id).values(used=col(AccessCode.used) - 1))


def _of(line: BookingLine) -> Any:
    return update(TicketType).where(col(TicketType.id) == line.ticket_type_id)


def _presale(line: BookingLine) -> dict[str, Any]:
    return {"presale_taken": col(TicketType.presale_taken) - line.qty} if line.in_presale else {}


async def _one(tx: AsyncSession, statement: Any) -> bool:
    return await changed(tx, statement) == 1


async def _must(tx: AsyncSession, statement: Any) -> None:
    if not await _one(tx, statement):
        raise RuntimeError("A ticket type that stands on a booking is gone.")
