"""Questions about bookings. A booking is always found through who may see it, or through its code."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, exists, func, or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.bookings import rules
from app.bookings.models import HOLDING, KEPT_LONG, AccessCode, Answer, Booking, BookingLine, PromoCode, Voucher, WaitingEntry
from app.bookings.rules import AnswerKey
from app.events.models import Event, Question, TicketType, Venue
from app.events.rules.offering import Deal

# Whoever looks at a page may wait for so long, and not for days.
SOON = timedelta(hours=1)

LIVE = (*HOLDING, "paid")


@dataclass(frozen=True)
class BookingView:
    """A booking with everything that a page or a mail says about it."""

    booking: Booking
    lines: Sequence[BookingLine]
    event: Event
    venue: Venue | None

    @property
    def places(self) -> int:
        return sum(line.qty for line in self.lines)


@dataclass(frozen=True)
class TypeSales:
    """How a ticket type sells: its pre-sale places held and sold, its codes for many, and how many there are for one booking."""

    kind: TicketType
    presale_held: int
    presale_sold: int
    shared: Sequence[AccessCode]
    single: int
    single_used: int

    @property
    def single_unused(self) -> int:
        return self.single - self.single_used


async def by_code(db: AsyncSession, code: str) -> Booking | None:
    """The booking that this code opens."""
    return (await db.exec(select(Booking).where(Booking.code == code))).first()


async def by_id(db: AsyncSession, booking_id: int) -> Booking | None:
    return await db.get(Booking, booking_id)


async def lock(tx: AsyncSession, booking_id: int) -> None:
    """Until the writing block ends nobody else changes the booking; what is read after this is the present state."""
    await tx.exec(select(Booking.id).where(Booking.id == booking_id).with_for_update())


async def lines(db: AsyncSession, booking_id: int) -> list[BookingLine]:
    """The lines of a booking in ascending ticket type, the order in which stock is taken."""
    of_booking = select(BookingLine).where(BookingLine.booking_id == booking_id)
    return list((await db.exec(of_booking.order_by(col(BookingLine.ticket_type_id)))).all())


async def view(db: AsyncSession, booking_id: int) -> BookingView:
    """The booking, its lines, event and venue. Raises NoResultFound for an unknown id."""
    return (await _views(db, [booking_id]))[0]


async def presales_of(db: AsyncSession, user_id: int, *, now: datetime) -> list[BookingView]:
    """Pre-sale bookings and offers that still claim places without being paid, the first to lapse first."""
    kept = or_(col(Booking.state) != "held", col(Booking.held_until) > now)
    own = (Booking.user_id == user_id, col(Booking.kind).in_(KEPT_LONG))
    held = select(Booking.id).where(*own, col(Booking.state).in_(HOLDING), kept)
    ids = (await db.exec(held.order_by(col(Booking.held_until)))).all()
    return await _views(db, ids)


async def live_of_event(db: AsyncSession, event_id: int) -> list[Booking]:
    """Bookings that claim or own places of the event, oldest first."""
    live = select(Booking).where(Booking.event_id == event_id, col(Booking.state).in_(LIVE))
    return list((await db.exec(live.order_by(col(Booking.id)))).all())


async def booked_types(db: AsyncSession, event_id: int) -> set[int]:
    """Ids of the ticket types of the event that stand on some booking or were waited for, so that they cannot be removed."""
    booked = select(BookingLine.ticket_type_id).join(TicketType, col(TicketType.id) == BookingLine.ticket_type_id)
    waited_for = select(WaitingEntry.ticket_type_id).where(WaitingEntry.event_id == event_id)
    found = set((await db.exec(booked.where(TicketType.event_id == event_id).distinct())).all())
    return found | set((await db.exec(waited_for.distinct())).all())


async def revenue(db: AsyncSession, event_ids: Sequence[int]) -> dict[int, int]:
    """What the shop has of the money of each event, in minor units: what was paid, less what goes back. Events without any are
    left out."""
    paid = select(Booking.event_id, func.sum(Booking.kept_minor)).where(
        col(Booking.event_id).in_(event_ids), col(Booking.kept_minor) > 0
    )
    return {event_id: int(minor) for event_id, minor in (await db.exec(paid.group_by(col(Booking.event_id)))).all()}


async def access_codes(db: AsyncSession, event_id: int) -> dict[int, str]:
    """The code of each ticket type of the event that any number of bookings may use; the oldest when there are several."""
    codes = select(AccessCode.ticket_type_id, AccessCode.code).join(TicketType, col(TicketType.id) == AccessCode.ticket_type_id)
    unlimited = codes.where(TicketType.event_id == event_id, col(AccessCode.max_uses).is_(None))
    return dict((await db.exec(unlimited.order_by(col(AccessCode.id).desc()))).all())


def named(search: str) -> ColumnElement[bool]:
    """Bookings with this reference, or with this in their address."""
    part = search.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return or_(col(Booking.reference) == search.upper(), col(Booking.email).like(f"%{part}%", escape="\\"))


async def find(db: AsyncSession, search: str, *, event_id: int | None, most: int) -> Sequence[tuple[Booking, Event]]:
    """Bookings of one event, or of all, that a reference or a part of an address names; the newest first."""
    found = select(Booking, Event).join(Event, col(Event.id) == Booking.event_id).where(named(search))
    if event_id is not None:
        found = found.where(Booking.event_id == event_id)
    return (await db.exec(found.order_by(col(Booking.created_at).desc(), col(Booking.id).desc()).limit(most))).all()


async def codes_of(db: AsyncSession, ticket_type_id: int) -> set[str]:
    """All codes of a ticket type, used up or not."""
    return set((await db.exec(select(AccessCode.code).where(AccessCode.ticket_type_id == ticket_type_id))).all())


async def single_codes(db: AsyncSession, ticket_type_id: int) -> list[AccessCode]:
    """A ticket type's codes for one booking, in the order of the alphabet."""
    single = select(AccessCode).where(AccessCode.ticket_type_id == ticket_type_id, AccessCode.max_uses == 1)
    return list((await db.exec(single.order_by(AccessCode.code))).all())


async def sales(db: AsyncSession, types: Sequence[TicketType]) -> list[TypeSales]:
    """How each of these ticket types sells. Three queries."""
    ids = [kind.id or 0 for kind in types]
    places = func.sum(col(BookingLine.qty) - col(BookingLine.returned))
    taken = select(BookingLine.ticket_type_id, Booking.state, places).join(Booking, col(Booking.id) == BookingLine.booking_id)
    taken = taken.where(col(BookingLine.ticket_type_id).in_(ids), col(BookingLine.in_presale), col(Booking.state).in_(LIVE))
    states = (await db.exec(taken.group_by(col(BookingLine.ticket_type_id), col(Booking.state)))).all()
    of_types = col(AccessCode.ticket_type_id).in_(ids)
    shared = select(AccessCode).where(of_types, or_(col(AccessCode.max_uses).is_(None), col(AccessCode.max_uses) != 1))
    several = (await db.exec(shared.order_by(col(AccessCode.id)))).all()
    single = select(AccessCode.ticket_type_id, func.count(), func.sum(AccessCode.used)).where(of_types, AccessCode.max_uses == 1)
    counted = {
        found: (number, int(used))
        for found, number, used in (await db.exec(single.group_by(col(AccessCode.ticket_type_id)))).all()
    }
    return [
        TypeSales(
            kind=kind,
            presale_held=sum(number for found, state, number in states if found == kind.id and state in HOLDING),
            presale_sold=sum(number for found, state, number in states if found == kind.id and state == "paid"),
            shared=[code for code in several if code.ticket_type_id == kind.id],
            single=counted.get(kind.id or 0, (0, 0))[0],
            single_used=counted.get(kind.id or 0, (0, 0))[1],
        )
        for kind in types
    ]


async def types_opened_by(db: AsyncSession, event_id: int, code: str) -> set[int]:
    """Ids of the ticket types whose pre-sale this access code opens and still has uses for."""
    if not code:
        return set()
    usable = or_(col(AccessCode.max_uses).is_(None), col(AccessCode.used) < col(AccessCode.max_uses))
    opened = select(AccessCode.ticket_type_id).join(TicketType, col(TicketType.id) == AccessCode.ticket_type_id)
    return set(
        (await db.exec(opened.where(TicketType.event_id == event_id, AccessCode.code == rules.normal_code(code), usable))).all()
    )


async def is_access_code(db: AsyncSession, event_id: int, code: str) -> bool:
    """Whether this is one of the event's codes, used up or not."""
    known = select(AccessCode.id).join(TicketType, col(TicketType.id) == AccessCode.ticket_type_id)
    known = known.where(TicketType.event_id == event_id, AccessCode.code == rules.normal_code(code))
    return (await db.exec(known.limit(1))).first() is not None


async def lapsed(db: AsyncSession, *, now: datetime, most: int) -> list[tuple[int, str]]:
    """Holds whose time is over, the longest over first: their ids, and the slugs of their events."""
    over = select(Booking.id, Event.slug).join(Event, col(Event.id) == Booking.event_id)
    over = over.where(Booking.state == "held", Booking.held_until <= now).order_by(col(Booking.held_until)).limit(most)
    return [(booking_id or 0, slug) for booking_id, slug in (await db.exec(over)).all()]


async def of_house(db: AsyncSession, event_id: int, kind: str, reference: str) -> Booking | None:
    """A comp, or a sale at the door, of this event."""
    same = (Booking.event_id == event_id, Booking.kind == kind, Booking.reference == reference.upper())
    return (await db.exec(select(Booking).where(*same))).first()


async def comps(db: AsyncSession, event_id: int) -> list[BookingView]:
    """What was given away, the newest first; what was taken back too."""
    given = select(Booking.id).where(Booking.event_id == event_id, Booking.kind == "comp")
    return await _views(db, (await db.exec(given.order_by(col(Booking.id).desc()))).all())


async def counts_for(db: AsyncSession, user_id: int) -> dict[str, int]:
    """How many pre-sales are open and how many bookings are paid, for the personal page."""
    counted = select(Booking.state, Booking.kind, func.count()).where(Booking.user_id == user_id)
    rows = (await db.exec(counted.group_by(Booking.state, Booking.kind))).all()
    return {
        "presales": sum(number for state, kind, number in rows if kind in KEPT_LONG and state in HOLDING),
        "paid": sum(number for state, _kind, number in rows if state == "paid"),
    }


# ---------- questions at the checkout ----------


async def questions(db: AsyncSession, event_id: int) -> list[Question]:
    """What the event's buyers are asked now, in the order of its manager."""
    asked = select(Question).where(Question.event_id == event_id, col(Question.ended_at).is_(None))
    return list((await db.exec(asked.order_by(col(Question.position), col(Question.id)))).all())


async def events_that_ask(db: AsyncSession, event_ids: Sequence[int]) -> set[int]:
    """Those of the events that have a question for their buyers."""
    asking = select(Question.event_id).where(col(Question.event_id).in_(event_ids), col(Question.ended_at).is_(None))
    return set((await db.exec(asking.distinct())).all())


async def is_answered(db: AsyncSession, question: Question) -> bool:
    """Whether some booking, in whatever state, has an answer to it."""
    return (await db.exec(select(Answer.id).where(Answer.question_id == question.id).limit(1))).first() is not None


async def answers(db: AsyncSession, booking_id: int) -> dict[AnswerKey, str]:
    """What the buyer has answered."""
    given = (await db.exec(select(Answer).where(Answer.booking_id == booking_id))).all()
    return {(answer.question_id, answer.line_id, answer.n): answer.value for answer in given}


async def _views(db: AsyncSession, ids: Sequence[int | None]) -> list[BookingView]:
    found = select(Booking, Event, Venue).join(Event, col(Event.id) == Booking.event_id)
    rows = (await db.exec(found.outerjoin(Venue, col(Venue.id) == Event.venue_id).where(col(Booking.id).in_(ids)))).all()
    of_all = select(BookingLine).where(col(BookingLine.booking_id).in_(ids)).order_by(col(BookingLine.ticket_type_id))
    all_lines = (await db.exec(of_all)).all()
    views = {
        b.id: BookingView(b, [line for line in all_lines if line.booking_id == b.id], event, venue) for b, event, venue in rows
    }
    return [views[booking_id] for booking_id in ids]


# ---------- promo codes and vouchers ----------


# A voucher goes before a promo code of the same name.
_CODE_TABLES: dict[str, Any] = {"voucher": Voucher, "promo": PromoCode}


@dataclass(frozen=True)
class CodeGroup:
    """Promo codes or vouchers that were made together, on the same terms; one that was made alone is a group as well."""

    kind: str
    codes: Sequence[PromoCode | Voucher]

    @property
    def first(self) -> PromoCode | Voucher:
        return self.codes[0]

    @property
    def is_one(self) -> bool:
        return not self.first.batch

    @property
    def has_ended(self) -> bool:
        return all(code.ended_at for code in self.codes)

    @property
    def used(self) -> int:
        return sum(code.used for code in self.codes)

    @property
    def most_uses(self) -> int | None:
        """How many bookings may use them together; None for any number."""
        return None if self.first.max_uses is None else self.first.max_uses * len(self.codes)

    @property
    def aside(self) -> int:
        """Places that stand aside for vouchers."""
        return sum(code.aside for code in self.codes if isinstance(code, Voucher))


async def code_groups(db: AsyncSession, event_id: int) -> list[CodeGroup]:
    """All promo codes and vouchers of an event, the newest first; those that have ended come last."""
    groups: dict[tuple[str, str], list[PromoCode | Voucher]] = {}
    for kind, table in _CODE_TABLES.items():
        for code in (await db.exec(select(table).where(table.event_id == event_id).order_by(col(table.id).desc()))).all():
            groups.setdefault((kind, code.batch or f"alone {code.id}"), []).append(code)
    made = [CodeGroup(kind, codes) for (kind, _together), codes in groups.items()]
    return sorted(made, key=lambda group: (group.has_ended, -group.first.created_at.timestamp()))


async def codes_named(db: AsyncSession, event_id: int, *, code: str, batch: str = "") -> list[PromoCode | Voucher]:
    """The promo codes and vouchers of an event with this word, or of this batch."""
    found: list[PromoCode | Voucher] = []
    for table in _CODE_TABLES.values():
        named = table.batch == batch if batch else table.code == rules.normal_code(code)
        found += (await db.exec(select(table).where(table.event_id == event_id, named).order_by(col(table.id)))).all()
    return found


async def names_of_codes(db: AsyncSession, event_id: int) -> set[str]:
    """The words of all codes of an event, of every kind."""
    of_types = select(AccessCode.code).join(TicketType, col(TicketType.id) == AccessCode.ticket_type_id)
    wanted: list[Any] = [select(table.code).where(table.event_id == event_id) for table in _CODE_TABLES.values()]
    return {code for one in [*wanted, of_types.where(TicketType.event_id == event_id)] for code in (await db.exec(one)).all()}


@cache
def takes_codes() -> ColumnElement[bool]:
    """Of each event of a query: whether somebody may have a promo code or a voucher of it."""
    return or_(*(exists().where(table.event_id == Event.id, table.ended_at.is_(None)) for table in _CODE_TABLES.values()))


async def vouchers_over(db: AsyncSession, *, now: datetime, most: int) -> Sequence[Voucher]:
    """Vouchers whose time is over while places still stand aside for them."""
    over = select(Voucher).where(col(Voucher.ended_at).is_(None), col(Voucher.valid_until) <= now)
    return (await db.exec(over.order_by(col(Voucher.id)).limit(most))).all()


async def free_at(db: AsyncSession, types: Sequence[TicketType], *, now: datetime) -> dict[int, datetime]:
    """When the first places come back of types of which none is left, but some are only held, by their ids.

    Asked only where such a type is. Places that somebody waits for, and those kept for days, come back to nobody here.
    """
    wanted = [
        kind.id for kind in types if kind.left <= 0 < kind.held and not kind.waiting and kind.sold + kind.aside < kind.capacity
    ]
    if not wanted:
        return {}
    first = select(BookingLine.ticket_type_id, func.min(Booking.held_until))
    first = first.join(Booking, col(Booking.id) == BookingLine.booking_id).where(col(BookingLine.ticket_type_id).in_(wanted))
    soon = col(Booking.state).in_(HOLDING), col(Booking.held_until) > now, col(Booking.held_until) < now + SOON
    return dict((await db.exec(first.where(*soon).group_by(col(BookingLine.ticket_type_id)))).all())


async def deal(db: AsyncSession, event: Event, types: Sequence[TicketType], typed: str, *, now: datetime) -> Deal:
    """What a typed code does at this event now. One that is not known at all is told apart from one that is used up."""
    code = rules.normal_code(typed)
    opened = await types_opened_by(db, event.id or 0, code)
    named = await codes_named(db, event.id or 0, code=code)
    if not named:
        return Deal(code, opened, is_known=bool(opened) or await is_access_code(db, event.id or 0, code))
    refusal = rules.unusable(named[0], zone=event.zone, now=now)
    if refusal:
        return Deal(code, opened, refusal=refusal)
    if isinstance(named[0], Voucher):
        kind = next(kind for kind in types if kind.id == named[0].ticket_type_id)
        prices, aside = {kind.id or 0: rules.voucher_price(named[0], kind)}, {kind.id or 0: named[0].aside}
    else:
        prices, aside = {kind.id or 0: rules.promo_price(named[0], kind) for kind in types}, {}
    return Deal(code, opened, prices, aside, says=rules.promise(named[0], currency=event.currency))
