"""Tickets given back and money given back, asked for by a buyer, a manager or an admin.

The booking is locked first, so that of two people who ask at once the second finds what the first has left.
"""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import delete, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.bookings import queries as bookings
from app.bookings.models import Booking
from app.core import activity
from app.core.codes import random_id
from app.core.db import changed, move
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.events.models import Event
from app.payments import queries, rules
from app.payments.actions.money import set_right
from app.payments.models import Refund, RefundCode, ReturnNote
from app.tickets import actions as tickets


async def return_by_rule(
    tx: AsyncSession, booking: Booking, short_codes: Collection[str], *, reason: str, by: int | None, now: datetime
) -> int:
    """The buyer's way: only what the rule offers at this moment, less its fee. Raises Refused with the rule."""
    event = await tx.get_one(Event, booking.event_id, populate_existing=True)
    booking = await _locked(tx, booking)
    offer = rules.refund_offer(booking, await queries.places(tx, booking.id or 0), event, disputed=False, now=now)
    chosen = offer.chosen(short_codes)
    if len(chosen) != len(set(short_codes)):
        raise Refused(offer.refusal or _gone())
    ids = [choice.ticket_id for choice in chosen]
    return await return_tickets(tx, booking, ids, reason=reason, by=by, fee_minor_each=offer.rule.fee_minor, now=now)


async def return_tickets(
    tx: AsyncSession,
    booking: Booking,
    ticket_ids: Collection[int],
    *,
    reason: str,
    by: int | None,
    note: str = "",
    fee_minor_each: int,
    now: datetime,
) -> int:
    """Makes tickets of a paid booking void and sends their price, less the fee, on its way back. Gives the minor units.

    With its last valid ticket the booking ends. Raises Refused, and changes nothing, when one of them is void already.
    """
    booking = await _locked(tx, booking)
    if not booking.is_paid:
        raise Refused(_("This booking has no valid tickets any more."))
    valid = [(ticket, line) for ticket, line in await queries.places(tx, booking.id or 0) if ticket.is_valid]
    chosen = [(ticket, line) for ticket, line in valid if ticket.id in ticket_ids]
    if not chosen or len(chosen) != len(ticket_ids):
        raise Refused(_gone())
    worth = sum(rules.less_fee(line.unit_minor, fee_minor_each) for _ticket, line in chosen)
    kept = booking.kept_minor
    minor = min(worth, kept)
    if len(chosen) == len(valid):
        await tickets.take_back(tx, booking, to="refunded", kept_minor=kept - minor, now=now)
    else:
        for ticket, _line in chosen:
            await tickets.take_back_one(tx, booking, ticket, now=now)
        await _keep_less(tx, booking, minor)
    about, note_id = f"booking:{booking.id}", await _noted(tx, booking, note)
    details = {"places": len(chosen), "minor": minor, "kept": [kept, kept - minor], "note": note_id}
    await activity.record(tx, "booking.tickets_returned", about=about, by=by, **details)
    await set_right(tx, booking.id or 0, now=now, reason=reason, by=by, note=note, places=len(chosen))
    return minor


async def refund_money(
    tx: AsyncSession,
    booking: Booking,
    minor: int,
    *,
    out_of_minor: int,
    reason: str,
    by: int | None,
    note: str = "",
    now: datetime,
) -> None:
    """Sends a part of the money back; the tickets stay as they are.

    `out_of_minor` is what the shop kept when the amount was chosen: a second click, or a second admin, finds less.
    """
    booking = await _locked(tx, booking)
    if booking.kept_minor != out_of_minor:
        raise Refused(_("Money of this booking went back meanwhile. Look at the amounts again; nothing was changed."))
    if not 0 < minor <= booking.kept_minor:
        raise Refused(_("Choose an amount that is more than nothing and at most what is left."))
    kept = booking.kept_minor
    await _keep_less(tx, booking, minor)
    details = {"minor": minor, "kept": [kept, kept - minor]}
    await activity.record(tx, "booking.money_returned", about=f"booking:{booking.id}", by=by, **details)
    await set_right(tx, booking.id or 0, now=now, reason=reason, by=by, note=note)


async def hand_back(tx: AsyncSession, refund: Refund, *, booking_id: int, by: int, now: datetime) -> None:
    """Cash was put into the buyer's hand. Raises Refused when somebody has said so before."""
    if not await move(tx, refund, "succeeded", out_of=("requested",), ended_at=now):
        raise Refused(_("Somebody has noted already that this money was handed back."))
    about = f"booking:{booking_id}"
    details = {"refund": refund.id, "minor": refund.amount_minor, "states": ["requested", "succeeded"]}
    await activity.record(tx, "refund.succeeded", about=about, by=by, **details)


async def make_code(tx: AsyncSession, booking: Booking, *, now: datetime) -> None:
    """A new code for a guest, mailed to the booking's address; it takes the place of an older one."""
    await bookings.lock(tx, booking.id or 0)
    await changed(tx, delete(RefundCode).where(col(RefundCode.booking_id) == booking.id))
    nonce = random_id()
    tx.add(RefundCode(booking_id=booking.id or 0, nonce=nonce, expires_at=now + rules.CODE_LIFE))
    await tx.flush()
    await activity.record(tx, "refund.code_asked", about=f"booking:{booking.id}", by=None, nonce=nonce)


async def try_code(tx: AsyncSession, booking_id: int, *, now: datetime) -> str:
    """Counts one more try and gives the nonce to compare with; empty when no code lives or its tries are used up."""
    live = (col(RefundCode.booking_id) == booking_id, col(RefundCode.tries) < rules.MOST_TRIES, col(RefundCode.expires_at) > now)
    if not await changed(tx, update(RefundCode).where(*live).values(tries=col(RefundCode.tries) + 1)):
        return ""
    return (await tx.exec(select(RefundCode.nonce).where(RefundCode.booking_id == booking_id))).one()


async def use_code(tx: AsyncSession, booking_id: int, nonce: str) -> None:
    """A code works once. Raises Refused for the second of two who send it together."""
    same = delete(RefundCode).where(col(RefundCode.booking_id) == booking_id, col(RefundCode.nonce) == nonce)
    if not await changed(tx, same):
        raise Refused(_("This code was used already. Ask for a new one."))


async def _locked(tx: AsyncSession, booking: Booking) -> Booking:
    """The booking as it is now, and nobody else's until the block ends. Raises Refused while its payment is disputed."""
    await bookings.lock(tx, booking.id or 0)
    present = await tx.get_one(Booking, booking.id, populate_existing=True)
    if await queries.is_disputed(tx, booking.id or 0):
        raise Refused(_("The buyer’s bank disputes this payment. Until that is decided, no money goes back from here."))
    return present


async def _noted(tx: AsyncSession, booking: Booking, words: str) -> str:
    """The id of what was said, for the activity, which holds no personal words; empty when nothing was said."""
    if not words:
        return ""
    note = ReturnNote(booking_id=booking.id or 0, words=words)
    tx.add(note)
    await tx.flush()
    return note.id


async def _keep_less(tx: AsyncSession, booking: Booking, minor: int) -> None:
    enough = update(Booking).where(col(Booking.id) == booking.id, col(Booking.kept_minor) >= minor)
    if not await changed(tx, enough.values(kept_minor=col(Booking.kept_minor) - minor)):
        raise RuntimeError("More would go back than the booking keeps, although it is locked.")


def _gone() -> str:
    return _("Some of these tickets were given back already. Look at the list again; nothing was changed.")
