"""The waiting list of sold-out ticket types: who is in line, and how places that come back reach whoever is next.

Whoever changes a line has locked the event and its ticket types first, as holds do (boxoffice.offer). So a line stands still
while somebody works on it: the first is the first, and a place that comes back has one process that offers it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, exists, func, or_, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import User, Visitor
from app.bookings import boxoffice, stock
from app.bookings.codes import Line
from app.bookings.models import Booking, BookingLine, WaitingEntry
from app.core import activity, formats
from app.core.db import changed
from app.core.errors import NotFound, Refused
from app.core.i18n import gettext as _
from app.core.i18n import language, ngettext, told
from app.core.steps import run
from app.events.models import Event, Quota, TicketType

MOST_PLACES = 1_000_000


class Waiting(NamedTuple):
    """Somebody in line: the place counted from 1, and the type that it is about."""

    entry: WaitingEntry
    position: int
    kind: TicketType


# ---------- questions ----------


async def by_code(db: AsyncSession, code: str) -> WaitingEntry | None:
    """The entry that this code opens."""
    return (await db.exec(select(WaitingEntry).where(WaitingEntry.code == code))).first()


async def offering(db: AsyncSession, entry: WaitingEntry) -> tuple[Event, TicketType]:
    """The event and the ticket type that somebody waits for."""
    return await db.get_one(Event, entry.event_id), await db.get_one(TicketType, entry.ticket_type_id)


async def ahead(db: AsyncSession, entry: WaitingEntry) -> int:
    """How many people are before this entry in its line."""
    line = (WaitingEntry.ticket_type_id == entry.ticket_type_id, WaitingEntry.state == "waiting")
    return (await db.exec(select(func.count()).where(*line, col(WaitingEntry.id) < entry.id))).one()


async def people(db: AsyncSession, types: Sequence[TicketType]) -> dict[int, int]:
    """How many people wait for each of these types, by its id; types for which nobody does are left out."""
    ids = [kind.id for kind in types if kind.waiting]
    if not ids:
        return {}
    counted = select(WaitingEntry.ticket_type_id, func.count()).where(col(WaitingEntry.ticket_type_id).in_(ids))
    rows = await db.exec(counted.where(WaitingEntry.state == "waiting").group_by(col(WaitingEntry.ticket_type_id)))
    return dict(rows.all())


async def in_line(db: AsyncSession, types: Sequence[TicketType]) -> list[Waiting]:
    """Everybody who waits for one of these types, line by line."""
    kinds, found, place = {kind.id: kind for kind in types}, list[Waiting](), dict[int, int]()
    waiting = select(WaitingEntry).where(col(WaitingEntry.ticket_type_id).in_(kinds), WaitingEntry.state == "waiting")
    for entry in (await db.exec(waiting.order_by(col(WaitingEntry.ticket_type_id), col(WaitingEntry.id)))).all():
        place[entry.ticket_type_id] = place.get(entry.ticket_type_id, 0) + 1
        found.append(Waiting(entry, place[entry.ticket_type_id], kinds[entry.ticket_type_id]))
    return found


async def offered(db: AsyncSession, event_id: int) -> Sequence[tuple[WaitingEntry, Booking]]:
    """The offers of an event that are open now, the next to lapse first."""
    found = select(WaitingEntry, Booking).join(Booking, col(Booking.id) == WaitingEntry.booking_id)
    of_event = found.where(WaitingEntry.event_id == event_id, WaitingEntry.state == "offered")
    return (await db.exec(of_event.order_by(col(Booking.held_until), col(Booking.id)))).all()


async def with_room(db: AsyncSession, *, now: datetime, most: int) -> Sequence[str]:
    """Slugs of events where somebody waits for a type that has a free place."""
    its_quota = col(Quota.id) == col(TicketType.quota_id)
    room_in_quota = exists().where(its_quota, col(Quota.held) + col(Quota.sold) + col(Quota.aside) < col(Quota.capacity))
    has_room = and_(
        col(TicketType.waiting) > 0,
        col(TicketType.held) + col(TicketType.sold) + col(TicketType.aside) < col(TicketType.capacity),
        col(Event.postponed_at).is_(None),
        or_(col(TicketType.quota_id).is_(None), room_in_quota),
    )
    found = select(Event.slug).join(TicketType, col(TicketType.event_id) == Event.id).where(has_room, ~_is_over(now))
    return (await db.exec(found.distinct().order_by(Event.slug).limit(most))).all()


async def over(db: AsyncSession, *, now: datetime, most: int) -> Sequence[str]:
    """Slugs of events where somebody waits for a type that is not sold any more."""
    found = select(Event.slug).join(TicketType, col(TicketType.event_id) == Event.id)
    waited_for = found.where(col(TicketType.waiting) > 0, _is_over(now))
    return (await db.exec(waited_for.distinct().order_by(Event.slug).limit(most))).all()


def _is_over(now: datetime) -> ColumnElement[bool]:
    """Nothing will be offered any more. An event that is postponed is not over, whatever its old date was."""
    is_past = or_(col(Event.ends_at) <= now, col(TicketType.sale_to) <= now)
    return or_(col(Event.state) != "published", and_(col(Event.postponed_at).is_(None), is_past))


# ---------- in line ----------


async def join(tx: AsyncSession, slug: str, type_code: str, *, email: str, qty: int, by: Visitor, now: datetime) -> WaitingEntry:
    """Somebody waits for places; whoever waits already stays where they are, and is told so once more.

    Raises NotFound for an event or a type that is not there, Refused when the type is not sold out or its list is closed.
    """
    event, types = await run(tx, boxoffice.offer(slug))
    kind = next((found for found in types if found.code == type_code), None)
    if not event.is_public or not kind:
        raise NotFound(_("There is no such event, or it is not public yet."))
    entry = await _of_address(tx, kind, email)
    if not entry:
        await _counted(tx, event, kind, qty, now=now)
        entry = WaitingEntry(
            event_id=event.id or 0,
            ticket_type_id=kind.id or 0,
            user_id=by.user_id,
            email=email,
            language=language(),
            qty=qty,
            created_at=now,
        )
        tx.add(entry)
        await tx.flush()
    await activity.record(tx, "waiting.joined", by=by.user_id, **_told(entry))
    return entry


async def leave(tx: AsyncSession, entry: WaitingEntry, *, now: datetime) -> bool:
    """Somebody waits no more. False when they did not wait any more."""
    await _locked(tx, entry.event_id)
    if not await _end(tx, entry, "left", now=now):
        return False
    await activity.record(tx, "waiting.left", by=entry.user_id, **_told(entry))
    return True


async def _of_address(tx: AsyncSession, kind: TicketType, email: str) -> WaitingEntry | None:
    same = (WaitingEntry.ticket_type_id == kind.id, WaitingEntry.email == email)
    return (await tx.exec(select(WaitingEntry).where(*same, WaitingEntry.state == "waiting"))).first()


async def _counted(tx: AsyncSession, event: Event, kind: TicketType, qty: int, *, now: datetime) -> None:
    most = min(kind.per_booking, event.per_buyer)
    if qty > most:
        text = ngettext("%(name)s: one ticket a booking at most.", "%(name)s: %(num)s tickets a booking at most.", most)
        raise Refused(text % {"name": told(kind.name, event), "num": most})
    if not event.sells(now) or not kind.is_in_general_sale(now):
        raise Refused(_("%(name)s is not on sale now.") % {"name": told(kind.name, event)})
    if not event.is_waiting_list_open:
        raise Refused(_("The waiting list is closed."))
    if not await run(tx, stock.wait(kind.id or 0, qty, now=now)):
        raise Refused(_("%(name)s is not sold out. You can take a ticket right now.") % {"name": told(kind.name, event)})


# ---------- whose turn it is ----------


async def offer_next(tx: AsyncSession, slug: str, *, most: int, now: datetime) -> int:
    """Free places become offers to whoever is next, in the order in which they came; gives how many offers there are.

    Where fewer places are free than the first one wishes for, these are offered: they do not lie idle, and nobody overtakes.
    """
    event, types = await run(tx, boxoffice.offer(slug))
    rooms = {kind.id or 0: kind.capacity - kind.held - kind.sold - kind.aside for kind in types}
    free = col(Quota.capacity) - col(Quota.held) - col(Quota.sold) - col(Quota.aside)
    in_quotas = select(Quota.id, free).where(Quota.event_id == event.id)
    quotas = dict((await tx.exec(in_quotas)).all())
    kinds = {kind.id or 0: kind for kind in types}
    with_room = [found for found, room in rooms.items() if room > 0 and kinds[found].waiting]
    line = select(WaitingEntry).where(col(WaitingEntry.ticket_type_id).in_(with_room), WaitingEntry.state == "waiting")
    made = 0
    for entry in (await tx.exec(line.order_by(col(WaitingEntry.id)).limit(most))).all():
        kind = kinds[entry.ticket_type_id]
        room = min(rooms[kind.id or 0], quotas[kind.quota_id] if kind.quota_id else MOST_PLACES)
        if room <= 0:
            continue
        qty = min(entry.qty, room, kind.per_booking)
        if not await _offer(tx, event, kind, entry, qty, now=now):
            continue
        made += 1
        rooms[kind.id or 0] -= qty
        if kind.quota_id:
            quotas[kind.quota_id] -= qty
    return made


async def _offer(tx: AsyncSession, event: Event, kind: TicketType, entry: WaitingEntry, qty: int, *, now: datetime) -> bool:
    """The wish becomes a held booking. False when its buyer has all the places that one buyer gets, or the sale is over."""
    line = Line(kind.id or 0, qty, False, None, kind.name, kind.price_minor)
    buyer_key = f"mail:{entry.email}"
    if not await run(tx, stock.claim(event, buyer_key, [line])):
        await _end(tx, entry, "lapsed", now=now)
        await activity.record(tx, "waiting.ended", by=None, reason="limit", **_told(entry))
        return False
    undo = await tx.begin_nested()
    booking = await _booked(tx, event, kind, entry, line, buyer_key=buyer_key, now=now)
    taken = await run(tx, stock.offer(kind.id or 0, qty, wish=entry.qty, quota_id=kind.quota_id, now=now))
    if not taken or not await _move(tx, entry, "offered", booking_id=booking.id, offered_at=now):
        await undo.rollback()
        await run(tx, stock.unclaim(event.id or 0, buyer_key, [line]))
        return False
    await undo.commit()
    details = {"event": event.id, "entry": entry.id, "places": qty, "wished": entry.qty}
    await activity.record(tx, "waiting.offered", about=f"booking:{booking.id}", by=None, **details)
    return True


async def _booked(
    tx: AsyncSession, event: Event, kind: TicketType, entry: WaitingEntry, line: Line, *, buyer_key: str, now: datetime
) -> Booking:
    user = await tx.get(User, entry.user_id) if entry.user_id else None
    booking = Booking(
        event_id=event.id or 0,
        user_id=entry.user_id,
        kind="offer",
        buyer_key=buyer_key,
        email=entry.email,
        name=user.name if user else "",
        language=entry.language,
        held_until=min(now + timedelta(hours=event.offer_hours), kind.sale_to, event.ends_at),
        total_minor=line.qty * line.unit_minor,
        currency=event.currency,
        refund_hours=event.refund_hours,
        refund_fee_minor=event.refund_fee_minor,
        created_at=now,
    )
    tx.add(booking)
    await tx.flush()
    tx.add(BookingLine(booking_id=booking.id or 0, **line._asdict()))
    await tx.flush()
    return booking


async def taken(tx: AsyncSession, booking: Booking, *, now: datetime) -> None:
    """A booking was paid: if it was an offer, the wish is fulfilled. Perhaps the money came a little late."""
    if not booking.is_offer:
        return
    paid = update(WaitingEntry).where(col(WaitingEntry.booking_id) == booking.id)
    open_or_late = col(WaitingEntry.state).in_(("offered", "lapsed"))
    await changed(tx, paid.where(open_or_late).values(state="taken", ended_at=now))


async def end_over(tx: AsyncSession, slug: str, *, most: int, now: datetime) -> int:
    """Nobody waits any more for types that are not sold any more; they are told. Gives how many did."""
    event, types = await run(tx, boxoffice.offer(slug))
    is_over = event.state != "published" or event.is_over(now)
    ended = [kind.id for kind in types if is_over or (kind.sale_to <= now and not event.is_postponed)]
    waiting = select(WaitingEntry).where(col(WaitingEntry.ticket_type_id).in_(ended), WaitingEntry.state == "waiting")
    entries = (await tx.exec(waiting.order_by(col(WaitingEntry.id)).limit(most))).all()
    reason = "called_off" if event.is_called_off else "over"
    for entry in entries:
        await _end(tx, entry, "lapsed", now=now)
        await activity.record(tx, "waiting.ended", by=None, reason=reason, **_told(entry))
    return len(entries)


# ---------- on its manager's desk ----------


async def add_places(tx: AsyncSession, kind: TicketType, places: int, *, by: int) -> None:
    """So many places more, which go to whoever waits. Raises Refused beyond a million."""
    more = update(TicketType).where(col(TicketType.id) == kind.id, col(TicketType.capacity) + places <= MOST_PLACES)
    if not await changed(tx, more.values(capacity=col(TicketType.capacity) + places)):
        raise Refused(_("A ticket type has at most %(num)s places.") % {"num": formats.number(MOST_PLACES)})
    details = {"event": kind.event_id, "places": places}
    await activity.record(tx, "waiting.places_added", about=f"ticket_type:{kind.id}", by=by, **details)


async def set_list(tx: AsyncSession, event: Event, *, is_open: bool, hours: int, by: int) -> None:
    """Whether people may join, and how long offers last from now on. Whoever is in line stays there."""
    setting = update(Event).where(col(Event.id) == event.id)
    await changed(tx, setting.values(is_waiting_list_open=is_open, offer_hours=hours))
    details = {"open": is_open, "hours": hours}
    await activity.record(tx, "waiting.list_set", about=f"event:{event.id}", by=by, **details)


# ---------- parts ----------


async def _locked(tx: AsyncSession, event_id: int) -> None:
    slug = (await tx.exec(select(Event.slug).where(Event.id == event_id))).one()
    await run(tx, boxoffice.offer(slug))


async def _end(tx: AsyncSession, entry: WaitingEntry, state: str, *, now: datetime) -> bool:
    if not await _move(tx, entry, state, ended_at=now):
        return False
    await run(tx, stock.unwait(entry.ticket_type_id, entry.qty))
    return True


async def _move(tx: AsyncSession, entry: WaitingEntry, state: str, **values: object) -> bool:
    moved = update(WaitingEntry).where(col(WaitingEntry.id) == entry.id, col(WaitingEntry.state) == "waiting")
    return await changed(tx, moved.values(state=state, **values)) == 1


def _told(entry: WaitingEntry) -> dict[str, Any]:
    """What the log knows of an entry: its type, its event and its number, and no address."""
    return {"about": f"ticket_type:{entry.ticket_type_id}", "event": entry.event_id, "entry": entry.id}
