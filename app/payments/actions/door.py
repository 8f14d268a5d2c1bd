"""A sale at the door: places, money and tickets in one transaction, because the buyer stands there."""

from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from app.bookings import actions as bookings
from app.bookings.boxoffice import Sale
from app.bookings.models import Booking
from app.core import activity
from app.events.models import Event
from app.payments.models import Payment
from app.tickets import actions as tickets


async def sell(tx: AsyncSession, event: Event, sale: Sale, *, provider: str, now: datetime) -> Booking:
    """Sells for "cash", or for a "card" at the terminal beside: the money is in the seller's hand, so it is captured.

    A form that is sent twice gives the first booking again. Raises Refused, SoldOut with what is left.
    """
    booking, is_new = await bookings.take_for_house(tx, event, sale, now=now)
    if not is_new:
        return booking
    about = f"booking:{booking.id}"
    if booking.total_minor:
        minor, currency = booking.total_minor, booking.currency
        payment = Payment(
            booking_id=booking.id or 0,
            provider=provider,
            state="captured",
            amount_minor=minor,
            captured_minor=minor,
            currency=currency,
            pay_until=now,
            created_at=now,
            captured_at=now,
            ended_at=now,
        )
        tx.add(payment)
        await tx.flush()
        await activity.record(tx, "payment.captured", about=about, by=sale.seller_id, payment=payment.id, minor=minor)
    await tickets.settle(tx, booking, now=now)
    await activity.record(tx, "booking.sold_at_door", about=about, by=sale.seller_id, provider=provider, event=event.id)
    await tx.refresh(booking)
    return booking
