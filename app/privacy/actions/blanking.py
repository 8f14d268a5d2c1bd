"""Bookings that go on existing for the books, while nothing in them names or reaches a person."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, delete, func, literal, text, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.bookings import queries as bookings
from app.bookings import stock
from app.bookings.models import Answer, Booking, BuyerLimit
from app.core.db import changed
from app.core.steps import run
from app.payments.models import Payment, Refund, RefundCode, ReturnNote
from app.privacy import rules
from app.privacy.models import KeptName
from app.tickets.models import Ticket

BLANK = "erased:"

_KEEP_NAME = text(
    "INSERT INTO kept_names (booking_id, name, until) VALUES (:booking, :name, :until) ON CONFLICT (booking_id) DO NOTHING"
)
# The count moves with the booking to a key that stands for this booking alone.
_CLAIM_AS = text(
    "INSERT INTO buyer_limits (event_id, buyer_key, qty, max_qty) "
    "SELECT event_id, :new, :qty, max_qty FROM buyer_limits WHERE event_id = :event AND buyer_key = :old"
)


async def keep_names(tx: AsyncSession, ids: Sequence[int], *, now: datetime) -> None:
    """Puts the names on paid receipts where only the books look, until the law needs them no more."""
    paid = select(Booking.id, Booking.name, func.max(Payment.captured_at)).join(Payment, col(Payment.booking_id) == Booking.id)
    paid = paid.where(col(Booking.id).in_(ids), Booking.name != "", Payment.captured_minor > 0)
    for booking_id, name, paid_at in (await tx.exec(paid.group_by(col(Booking.id), col(Booking.name)))).all():
        until = rules.kept_until(paid_at or now)
        if until >= now.date():
            kept = _KEEP_NAME.bindparams(bindparam("until", type_=KeptName.__table__.c.until.type))  # type: ignore[attr-defined]
            await (await tx.connection()).execute(kept, {"booking": booking_id, "name": name, "until": until})


async def blank(tx: AsyncSession, ids: Sequence[int]) -> None:
    """Takes the names, addresses, browsers and words out of bookings and of all that belongs to them."""
    locked = select(Booking).where(col(Booking.id).in_(ids), ~col(Booking.buyer_key).startswith(BLANK))
    in_order = locked.order_by(col(Booking.id)).with_for_update().execution_options(populate_existing=True)
    for booking in (await tx.exec(in_order)).all():
        await _count_under_no_name(tx, booking)
    own_key = literal(BLANK).concat(col(Booking.code))
    nobody = {"email": "", "name": "", "visitor_key": "", "note": "", "buyer_key": own_key}
    await changed(tx, update(Booking).where(col(Booking.id).in_(ids)).values(**nobody))
    await changed(tx, update(Ticket).where(col(Ticket.booking_id).in_(ids)).values(holder=""))
    await changed(tx, delete(Answer).where(col(Answer.booking_id).in_(ids)))
    await _forget_used_up_counts(tx, ids)
    await _blank_payments(tx, ids)


async def _count_under_no_name(tx: AsyncSession, booking: Booking) -> None:
    """The limit per buyer counts by the address, so the places of this booking are counted under another key from now on."""
    old, event_id = booking.buyer_key, booking.event_id
    if booking.state in bookings.LIVE:
        lines = await bookings.lines(tx, booking.id or 0)
        all_of_them, in_presale = sum(line.places for line in lines), sum(line.places for line in lines if line.in_presale)
        new, connection = f"{BLANK}{booking.code}", await tx.connection()
        counts = [(old, new, all_of_them), (stock.presale_key(old), stock.presale_key(new), in_presale)]
        counts += [(stock.promo_key(old, promo), stock.promo_key(new, promo), 1) for promo in stock.promo_ids(lines)]
        for key, own, qty in counts:
            if qty:
                await connection.execute(_CLAIM_AS, {"event": event_id, "old": key, "new": own, "qty": qty})
        await run(tx, stock.unclaim(event_id, old, lines))


async def _forget_used_up_counts(tx: AsyncSession, ids: Sequence[int]) -> None:
    """A count of nothing says only that somebody was here, by the address or by the browser."""
    events = select(Booking.event_id).where(col(Booking.id).in_(ids))
    used_up = delete(BuyerLimit).where(col(BuyerLimit.event_id).in_(events), col(BuyerLimit.qty) == 0)
    await changed(tx, used_up)


async def _blank_payments(tx: AsyncSession, ids: Sequence[int]) -> None:
    of_bookings = select(Payment).where(col(Payment.booking_id).in_(ids))
    payments = (await tx.exec(of_bookings)).all()
    for payment in payments:
        params = {name: value for name, value in payment.params.items() if name != "customer_email"}
        bare = update(Payment).where(col(Payment.id) == payment.id).values(params=params, session_url="")
        await changed(tx, bare)
    payment_ids = [payment.id for payment in payments]
    await changed(tx, update(Refund).where(col(Refund.payment_id).in_(payment_ids)).values(note=""))
    await changed(tx, delete(ReturnNote).where(col(ReturnNote.booking_id).in_(ids)))
    await changed(tx, delete(RefundCode).where(col(RefundCode.booking_id).in_(ids)))
