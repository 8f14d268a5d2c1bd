"""Handing tickets out and taking them back, and letting people in with them.

Tickets come and go in the transaction in which the booking becomes paid or stops being it. At the door one guarded statement
decides for each scan, however many gates read the same code at once.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import delete, exists, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.bookings import actions as bookings
from app.bookings import queries, stock, waiting
from app.bookings.boxoffice import Sale
from app.bookings.models import HOLDING, Booking, BookingLine
from app.core import activity
from app.core.codes import random_id
from app.core.db import add_unless_there, changed, move
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.core.steps import Steps, run
from app.events.models import Event
from app.tickets import queries as door
from app.tickets.models import CheckIn, Gate, Refusal, Ticket
from app.tickets.rules import AFTER_THE_END, SAME_SCAN, UNDONE_WITHIN, Scanned, Verdict


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


# ---------- at the door ----------


async def check_in(
    tx: AsyncSession,
    event: Event,
    scanned: Scanned,
    *,
    way: str = "in",
    gate: str = "",
    nonce: str,
    by: int,
    now: datetime,
    at: datetime | None = None,
) -> Verdict:
    """Takes a ticket in, or out where the event lets people out, and says what became of it.

    Whether a ticket is good at all is looked at before whether it was used. The same `nonce` again, within a
    minute, gets the same answer.
    With `at` it happened at that moment on a device that had no network: somebody is inside already, and what the shop would
    not have admitted is written down as a conflict. Whoever is refused is written down too.
    """
    found = await door.at_door(tx, event, scanned)
    ticket, verdict = (None, found) if isinstance(found, Verdict) else found
    told: dict[str, Any] = {"gate": gate, "nonce": nonce, "by": by, "now": now, "at": at}
    if ticket:
        verdict = await _let_through(tx, event, ticket, verdict, way=way, **told)
    if not verdict.scan:
        await _note_refusal(tx, event, ticket, verdict.word, **told)
    return verdict


async def _let_through(
    tx: AsyncSession,
    event: Event,
    ticket: Ticket,
    face: Verdict,
    *,
    way: str,
    gate: str,
    nonce: str,
    by: int,
    now: datetime,
    at: datetime | None,
) -> Verdict:
    known = await door.by_nonce(tx, nonce, ticket_id=ticket.id or 0)
    if known and (at or now <= known.noted_at + SAME_SCAN):
        return _answered(known, face)
    row = CheckIn(
        event_id=event.id or 0,
        ticket_id=ticket.id or 0,
        kind=way,
        gate=gate,
        by_user_id=by,
        at=min(at or now, now),
        noted_at=now,
        nonce=random_id() if known else nonce,
        source="offline" if at else "online",
    )
    refusal = _refusal(event, ticket, way=way, now=row.at)
    if not refusal and await changed(tx, _moved(ticket, way)):
        return await _noted(tx, row, face)
    if not known and (known := await door.by_nonce(tx, nonce, ticket_id=ticket.id or 0)):
        return _answered(known, face)
    if at and way == "in" and refusal in ("", "void"):
        row.conflict = True
        return replace(await _noted(tx, row, face), word=refusal or "again")
    return replace(face, word=refusal) if refusal else await _told_before(tx, ticket, face)


async def _note_refusal(
    tx: AsyncSession,
    event: Event,
    ticket: Ticket | None,
    word: str,
    *,
    gate: str,
    nonce: str,
    by: int,
    now: datetime,
    at: datetime | None,
) -> None:
    # A draft has no door: whoever tries it out leaves nothing behind, so that it can be deleted.
    if not event.published_at:
        return
    refusal = Refusal(
        event_id=event.id or 0,
        ticket_id=ticket.id if ticket else None,
        word=word,
        gate=gate,
        by_user_id=by,
        at=min(at or now, now),
        noted_at=now,
        nonce=nonce,
    )
    await add_unless_there(tx, refusal)


async def undo(tx: AsyncSession, event: Event, scan: str, *, by: int, any_of: bool, now: datetime) -> Verdict:
    """Takes back a check-in: one's own within minutes, with `any_of` everybody's at any time. Raises Refused for others.

    A conflict moved nothing, so taking it back says that somebody has seen to it; that is not for whoever made it.
    """
    row = await door.check_in_of(tx, event.id or 0, scan)
    if not row or row.kind == "undo":
        raise Refused(_("There is nothing to undo."))
    if not any_of and (row.conflict or row.by_user_id != by or now > row.noted_at + UNDONE_WITHIN):
        raise Refused(_("You can undo your own scans for ten minutes. After that the event’s manager can."))
    ticket = await tx.get_one(Ticket, row.ticket_id)
    back = update(Ticket).where(col(Ticket.id) == ticket.id)
    if not row.conflict:
        later = (
            col(CheckIn.ticket_id) == ticket.id,
            col(CheckIn.id) > row.id,
            col(CheckIn.kind) != "undo",
            ~col(CheckIn.conflict),
        )
        back = back.where(~exists().where(*later), col(Ticket.inside).is_(row.kind == "in")).values(inside=row.kind == "out")
        if not await changed(tx, back):
            raise Refused(_("This was undone already, or the ticket was scanned again since."))
    undoing = CheckIn(
        **row.model_dump(exclude={"id", "code", "nonce", "source"})
        | {"kind": "undo", "undoes_id": row.id, "by_user_id": by, "at": now, "noted_at": now},
        nonce=random_id(),
    )
    try:
        async with tx.begin_nested():
            return await _noted(tx, undoing, await door.face(tx, ticket))
    except IntegrityError:
        raise Refused(_("This was undone already, or the ticket was scanned again since.")) from None


async def add_gate(tx: AsyncSession, event: Event, name: str, *, by: int) -> None:
    """A gate of this name, which may be there already."""
    await add_unless_there(tx, Gate(event_id=event.id or 0, name=name))
    await activity.record(tx, "gate.added", about=f"event:{event.id}", by=by)


async def remove_gate(tx: AsyncSession, event: Event, code: str, *, by: int) -> bool:
    """Takes a gate away; what was checked in there keeps its name. False when the event has no such gate."""
    if not await changed(tx, delete(Gate).where(col(Gate.event_id) == event.id, col(Gate.code) == code)):
        return False
    await activity.record(tx, "gate.removed", about=f"event:{event.id}", by=by)
    return True


async def forget_gates(tx: AsyncSession, event: Event) -> None:
    """All gates go with a draft."""
    await changed(tx, delete(Gate).where(col(Gate.event_id) == event.id))


async def let_out(tx: AsyncSession, event: Event, *, may: bool, by: int) -> None:
    """Whether people may leave and come back in with the same ticket."""
    if await changed(tx, update(Event).where(col(Event.id) == event.id, col(Event.has_exit).is_not(may)).values(has_exit=may)):
        await activity.record(tx, "event.exit_changed", about=f"event:{event.id}", by=by, may=may)


def _refusal(event: Event, ticket: Ticket, *, way: str, now: datetime) -> str:
    """Why nobody gets in with the ticket, whether it was used or not; empty when nothing speaks against it."""
    if event.is_called_off:
        return "called_off"
    if not ticket.is_valid and way == "in":
        return "void"
    if now >= event.ends_at + AFTER_THE_END:
        return "over"
    if way == "out" and not event.has_exit:
        return "no_exit"
    return ""


def _moved(ticket: Ticket, way: str) -> Any:
    """The guard: each scan moves a ticket once, and only a valid one goes in."""
    there = update(Ticket).where(col(Ticket.id) == ticket.id, col(Ticket.inside).is_(way == "out"))
    if way == "in":
        there = there.where(col(Ticket.state) == "valid")
    return there.values(inside=way == "in")


async def _noted(tx: AsyncSession, row: CheckIn, face: Verdict) -> Verdict:
    tx.add(row)
    await tx.flush()
    words = (
        {"in": "conflicted", "undo": "conflict_seen"}
        if row.conflict
        else {"in": "checked_in", "out": "let_out", "undo": "undone"}
    )
    done = words[row.kind]
    await activity.record(tx, f"ticket.{done}", about=f"ticket:{row.ticket_id}", by=row.by_user_id, check_in=row.id)
    return _answered(row, face)


async def _told_before(tx: AsyncSession, ticket: Ticket, face: Verdict) -> Verdict:
    """Who let the ticket in, or out, when and where. Between our look and the guard it may have become void."""
    present = await tx.get_one(Ticket, ticket.id, populate_existing=True)
    if not present.is_valid and not present.inside:
        return replace(face, word="void")
    last = await door.last_word(tx, ticket.id or 0)
    face = replace(face, word="again" if present.inside else "left")
    return replace(face, at=last[0].at, gate=last[0].gate, by=last[1]) if last else face


def _answered(row: CheckIn, face: Verdict) -> Verdict:
    words = {"in": "again", "undo": "seen"} if row.conflict else {"in": "admit", "out": "out", "undo": "undone"}
    word = words[row.kind]
    return replace(face, word=word, at=row.at, gate=row.gate, scan=row.code)


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
