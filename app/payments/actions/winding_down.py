"""The bookings of an event that was called off."""

from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from app.bookings import actions as bookings
from app.bookings.models import Booking
from app.payments.actions import money, paying
from app.tickets import actions as tickets


async def wind_down(tx: AsyncSession, booking: Booking, *, now: datetime) -> None:
    """One booking of an event that was called off: places back, tickets void, money on its way back.

    While the buyer is paying, only Stripe can say that no money comes: the payment's minute ends now, the sweep asks.
    """
    if booking.is_being_paid():
        await paying.end_payment_soon(tx, booking.id or 0, now=now)
    elif booking.state == "held":
        await bookings.call_off(tx, booking, now=now)
    elif await tickets.take_back(tx, booking, to="called_off", now=now):
        await money.set_right(tx, booking.id or 0, now=now)
