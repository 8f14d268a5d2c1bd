"""Questions about money."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, case, exists, func, or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.bookings.models import Booking, BookingLine
from app.bookings.queries import LIVE
from app.events.models import Event
from app.payments.at_stripe import Session, StripeRefund
from app.payments.models import ACTIVE, Notice, Orphan, Payment, Refund, RefundCode
from app.tickets.models import Ticket


@dataclass(frozen=True)
class PaymentView:
    """A payment with its booking, its event and the money that went back."""

    payment: Payment
    booking: Booking
    event: Event
    refunds: Sequence[Refund]


async def by_session(db: AsyncSession, session_id: str) -> Payment | None:
    return (await db.exec(select(Payment).where(Payment.session_id == session_id))).first()


async def by_intent(db: AsyncSession, payment_intent: str) -> Payment | None:
    """The payment whose money Stripe keeps under this intent."""
    return (await db.exec(select(Payment).where(Payment.payment_intent == payment_intent))).first()


async def of_session(db: AsyncSession, session: Session) -> Payment | None:
    """The payment that a session was made for. One session at most: a second that names the same payment is nobody's."""
    payment = await by_session(db, session.id) or await db.get(Payment, session.payment_id)
    return payment if payment and payment.session_id in (None, session.id) else None


async def active(db: AsyncSession, booking_id: int) -> Payment | None:
    """The one payment of a booking through which money may still come."""
    return (await db.exec(select(Payment).where(Payment.booking_id == booking_id, col(Payment.state).in_(ACTIVE)))).first()


async def latest(db: AsyncSession, booking_id: int) -> Payment | None:
    """The last attempt to pay a booking, whatever became of it."""
    attempts = select(Payment).where(Payment.booking_id == booking_id)
    return (await db.exec(attempts.order_by(col(Payment.created_at).desc()))).first()


async def captured(db: AsyncSession, booking_id: int) -> list[Payment]:
    """Payments of a booking that brought money, as they are now, oldest first."""
    paid = select(Payment).where(Payment.booking_id == booking_id, Payment.state == "captured")
    present = paid.order_by(col(Payment.created_at), col(Payment.id)).execution_options(populate_existing=True)
    return list((await db.exec(present)).all())


async def of_user(db: AsyncSession, user_id: int) -> list[PaymentView]:
    """A user's payments, newest first, attempts that came to nothing left out."""
    shown = col(Payment.state).in_(("open", "processing", "captured"))
    found = select(Payment, Booking, Event).join(Booking, col(Booking.id) == Payment.booking_id)
    found = found.join(Event, col(Event.id) == Booking.event_id).where(Booking.user_id == user_id, shown)
    rows = (await db.exec(found.order_by(col(Payment.created_at).desc()).limit(200))).all()
    refunds = await refunds_by_payment(db, [payment.id for payment, _booking, _event in rows])
    return [PaymentView(payment, booking, event, refunds.get(payment.id, [])) for payment, booking, event in rows]


async def refunds_of_booking(db: AsyncSession, booking_id: int) -> list[Refund]:
    """Money that goes or went back for a booking, oldest first."""
    found = select(Refund).join(Payment, col(Payment.id) == Refund.payment_id).where(Payment.booking_id == booking_id)
    return list((await db.exec(found.order_by(col(Refund.created_at), col(Refund.id)))).all())


async def overdue(db: AsyncSession, *, now: datetime, most: int) -> list[Payment]:
    """Open payments whose minute is over."""
    late = select(Payment).where(Payment.state == "open", Payment.pay_until <= now)
    return list((await db.exec(late.order_by(col(Payment.pay_until)).limit(most))).all())


async def unanswered(db: AsyncSession, *, before: datetime, most: int) -> list[Payment]:
    """Payments whose creation at Stripe was never answered."""
    silent = select(Payment).where(Payment.state == "creating", Payment.created_at <= before)
    return list((await db.exec(silent.order_by(col(Payment.created_at)).limit(most))).all())


async def waiting_for_bank(db: AsyncSession, *, most: int) -> list[Payment]:
    return list((await db.exec(select(Payment).where(Payment.state == "processing").limit(most))).all())


async def open_notices(db: AsyncSession, *, now: datetime, most: int) -> list[Notice]:
    """Notices that are written down but not done."""
    waiting = select(Notice).where(col(Notice.done_at).is_(None), Notice.next_try_at <= now)
    return list((await db.exec(waiting.order_by(col(Notice.received_at)).limit(most))).all())


async def refunds_due(db: AsyncSession, *, now: datetime, most: int) -> list[Refund]:
    """Refunds that Stripe has not yet accepted. Cash goes back by hand, and Stripe sends nothing while a dispute is open."""
    by_stripe = select(Refund).join(Payment, col(Payment.id) == Refund.payment_id).where(Payment.provider == "stripe")
    waiting = by_stripe.where(Refund.state == "requested", Refund.next_try_at <= now, Payment.dispute != "open")
    return list((await db.exec(waiting.order_by(col(Refund.created_at)).limit(most))).all())


async def failed_refunds(db: AsyncSession, payment_id: str) -> int:
    """How many refunds of the payment that we had asked for have failed."""
    ours = select(func.count()).select_from(Refund).where(Refund.payment_id == payment_id, Refund.origin == "app")
    return (await db.exec(ours.where(Refund.state == "failed"))).one()


async def sent_minor(db: AsyncSession, payment_id: str) -> int:
    """What Stripe has accepted of our refunds of the payment."""
    ours = select(func.coalesce(func.sum(Refund.amount_minor), 0)).where(Refund.payment_id == payment_id, Refund.origin == "app")
    return int((await db.exec(ours.where(col(Refund.state).in_(("pending", "succeeded"))))).one())


async def refund_at_stripe(db: AsyncSession, payment: Payment, found: StripeRefund) -> Refund | None:
    """Our row for a refund that Stripe shows: known by Stripe's id, or still without an answer and named in its metadata."""
    waiting = select(Refund).where(
        Refund.id == found.refund_id,
        Refund.payment_id == payment.id,
        Refund.state == "requested",
        col(Refund.stripe_refund_id).is_(None),
    )
    return await refund_by_stripe_id(db, found.id) or (await db.exec(waiting)).first()


async def refund_by_stripe_id(db: AsyncSession, stripe_refund_id: str) -> Refund | None:
    return (await db.exec(select(Refund).where(Refund.stripe_refund_id == stripe_refund_id))).first()


async def refunds_on_their_way(db: AsyncSession, *, most: int) -> list[tuple[Refund, Payment]]:
    """Refunds that Stripe has accepted but not finished, with their payments."""
    pending = select(Refund, Payment).join(Payment, col(Payment.id) == Refund.payment_id).where(Refund.state == "pending")
    return list((await db.exec(pending.order_by(col(Refund.created_at)).limit(most))).all())


async def called_off_bookings(db: AsyncSession, *, now: datetime, most: int) -> list[int]:
    """Ids of bookings that still live although their event was called off, but for those whose payment is being closed."""
    may_pay = exists().where(col(Payment.booking_id) == Booking.id, col(Payment.state).in_(ACTIVE), col(Payment.pay_until) > now)
    found = select(Booking.id).join(Event, col(Event.id) == Booking.event_id)
    found = found.where(Event.state == "called_off", or_(col(Booking.state).in_(("held", "paid")), may_pay))
    found = found.order_by(col(Booking.id)).limit(most)
    return [booking_id for booking_id in (await db.exec(found)).all() if booking_id]


async def open_orphans(db: AsyncSession, *, most: int) -> Sequence[Orphan]:
    """Orphans that are still to be closed, oldest first."""
    return (await db.exec(select(Orphan).where(Orphan.state == "found").order_by(col(Orphan.found_at)).limit(most))).all()


async def orphan_of_intent(db: AsyncSession, payment_intent: str) -> Orphan | None:
    return (await db.exec(select(Orphan).where(Orphan.payment_intent == payment_intent))).first()


async def known_notices(db: AsyncSession, ids: Sequence[str]) -> set[str]:
    """Those of the ids that were written down before."""
    return set((await db.exec(select(Notice.id).where(col(Notice.id).in_(ids)))).all())


async def bookings_out_of_balance(db: AsyncSession, *, after: int, most: int) -> list[int]:
    """Ids of bookings with more money left than they keep, in ascending order after the given one."""
    left = col(Payment.captured_minor) - col(Payment.reserved_minor) - col(Payment.returned_minor)
    # A payment may be below nothing for a moment, until Stripe refuses a refund that somebody else has made already.
    kept: Any = func.sum(case((left > 0, left), else_=0))
    paid = select(Payment.booking_id, kept.label("minor")).where(col(Payment.captured_minor) > 0, col(Payment.booking_id) > after)
    money = paid.group_by(col(Payment.booking_id)).subquery()
    found = select(Booking.id).join(money, money.c.booking_id == col(Booking.id)).where(money.c.minor > col(Booking.kept_minor))
    found = found.order_by(col(Booking.id)).limit(most)
    return [booking_id for booking_id in (await db.exec(found)).all() if booking_id]


# ---------- giving back ----------


async def places(db: AsyncSession, booking_id: int) -> Sequence[tuple[Ticket, BookingLine]]:
    """Every ticket of a booking with its line, void ones too, as they are now, in the order of issue."""
    joined = select(Ticket, BookingLine).join(BookingLine, col(BookingLine.id) == Ticket.line_id)
    issued = joined.where(Ticket.booking_id == booking_id).order_by(col(Ticket.line_id), col(Ticket.n))
    return (await db.exec(issued.execution_options(populate_existing=True))).all()


async def is_disputed(db: AsyncSession, booking_id: int) -> bool:
    """Whether the bank of the buyer disputes a payment of the booking now."""
    disputed = select(Payment.id).where(Payment.booking_id == booking_id, Payment.dispute == "open")
    return (await db.exec(disputed)).first() is not None


async def live_code(db: AsyncSession, booking_id: int, *, now: datetime) -> RefundCode | None:
    """The code that was mailed for the booking, while it lives."""
    live = select(RefundCode).where(RefundCode.booking_id == booking_id, RefundCode.expires_at > now)
    return (await db.exec(live)).first()


async def booking_of_event(db: AsyncSession, event_id: int, reference: str) -> Booking | None:
    """The booking of the event that a manager names by its reference."""
    return (await db.exec(select(Booking).where(Booking.event_id == event_id, Booking.reference == reference))).first()


async def refunds_with_payments(db: AsyncSession, booking_id: int) -> Sequence[tuple[Refund, Payment]]:
    """The refunds of a booking with the payments they are of, oldest first."""
    joined = select(Refund, Payment).join(Payment, col(Payment.id) == Refund.payment_id)
    of_booking = joined.where(Payment.booking_id == booking_id)
    return (await db.exec(of_booking.order_by(col(Refund.created_at), col(Refund.id)))).all()


async def refund_of_event(db: AsyncSession, event_id: int, refund_id: str) -> tuple[Refund, Payment, Booking] | None:
    """A refund of the event with its payment and booking."""
    joined = select(Refund, Payment, Booking).join(Payment, col(Payment.id) == Refund.payment_id)
    joined = joined.join(Booking, col(Booking.id) == Payment.booking_id)
    return (await db.exec(joined.where(Booking.event_id == event_id, Refund.id == refund_id))).first()


# ---------- receipts ----------


@dataclass(frozen=True)
class Receipt:
    """A payment, or a refund of it, under the number that stands on its receipt, such as "7K2M-9QXD-R1"."""

    number: str
    payment: Payment
    refund: Refund | None = None

    @property
    def minor(self) -> int:
        return self.refund.amount_minor if self.refund else self.payment.captured_minor

    @property
    def at(self) -> datetime:
        """When the money came, or when it went, or else was sent on its way."""
        if self.refund:
            return self.refund.ended_at or self.refund.created_at
        return self.payment.captured_at or self.payment.created_at


async def receipts(db: AsyncSession, booking: Booking) -> list[Receipt]:
    """One for each captured payment and each refund that has not failed. Failed ones use a number up, so numbers never move."""
    paid = {payment.id: payment for payment in await captured(db, booking.id or 0)}
    back = enumerate(await refunds_of_booking(db, booking.id or 0), 1)
    return [
        *(Receipt(f"{booking.reference}-P{number}", payment) for number, payment in enumerate(paid.values(), 1)),
        *(
            Receipt(f"{booking.reference}-R{number}", paid[refund.payment_id], refund)
            for number, refund in back
            if refund.state != "failed" and refund.payment_id in paid
        ),
    ]


# ---------- history ----------


@dataclass(frozen=True)
class Sums:
    """What came in, what went back, and what is on its way back, in minor units of a currency."""

    currency: str
    captured_minor: int
    returned_minor: int
    on_its_way_minor: int

    @property
    def kept_minor(self) -> int:
        return self.captured_minor - self.returned_minor - self.on_its_way_minor


async def sums(db: AsyncSession, *, event_id: int | None = None, manager_id: int | None = None) -> list[Sums]:
    """One for each currency that ever came in, of one event, of all events of a manager, or of all."""
    of_event: list[Any] = [Booking.event_id == event_id] if event_id is not None else []
    if manager_id is not None:
        of_event = [col(Booking.event_id).in_(select(Event.id).where(Event.manager_id == manager_id))]
    paid = select(Payment.currency, func.sum(Payment.captured_minor)).join(Booking, col(Booking.id) == Payment.booking_id)
    paid = paid.where(col(Payment.captured_minor) > 0, *of_event).group_by(col(Payment.currency)).order_by(col(Payment.currency))
    back = select(Payment.currency, Refund.state, func.sum(Refund.amount_minor)).join(
        Payment, col(Payment.id) == Refund.payment_id
    )
    back = back.join(Booking, col(Booking.id) == Payment.booking_id).where(*of_event)
    rows = (await db.exec(back.group_by(col(Payment.currency), col(Refund.state)))).all()
    went = {(currency, state): int(minor) for currency, state, minor in rows}
    return [
        Sums(
            currency,
            int(minor),
            went.get((currency, "succeeded"), 0),
            went.get((currency, "requested"), 0) + went.get((currency, "pending"), 0),
        )
        for currency, minor in (await db.exec(paid)).all()
    ]


async def refunded(db: AsyncSession, *, since: datetime, until: datetime) -> dict[str, tuple[int, int]]:
    """How many refunds people asked for in that time and their sum in minor units, by currency.

    What goes back by itself, such as after an event was called off, is not among them.
    """
    asked = (col(Refund.reason).in_(("buyer", "manager", "admin")), Refund.created_at > since, Refund.created_at <= until)
    found = select(Payment.currency, func.count(), func.sum(Refund.amount_minor))
    found = found.join(Refund, col(Refund.payment_id) == Payment.id).where(*asked).group_by(col(Payment.currency))
    return {currency: (count, int(minor)) for currency, count, minor in (await db.exec(found)).all()}


@dataclass(frozen=True)
class Progress:
    """How far the refunds of an event that was called off have come: bookings done of bookings that had brought money."""

    done: int
    bookings: int
    sums: Sequence[Sums]

    @property
    def is_done(self) -> bool:
        return self.done == self.bookings


async def progress(db: AsyncSession, event_id: int) -> Progress:
    """A booking is done when it has ended and everything beyond what the shop may keep has arrived at its buyer."""
    left = func.sum(col(Payment.captured_minor) - col(Payment.reserved_minor) - col(Payment.returned_minor))
    of_booking: Any = select(col(Payment.booking_id).label("booking_id"), left.label("left_minor"))
    money = of_booking.where(col(Payment.captured_minor) > 0).group_by(col(Payment.booking_id)).subquery()
    waits = select(Payment.booking_id).join(Refund, col(Refund.payment_id) == Payment.id)
    waits = waits.where(col(Refund.state).in_(("requested", "pending")))
    done = and_(
        money.c.left_minor <= col(Booking.kept_minor),
        col(Booking.state).not_in(LIVE),
        col(Booking.id).not_in(waits),
    )
    counted = select(func.count(), func.coalesce(func.sum(case((done, 1), else_=0)), 0)).select_from(Booking)
    found = counted.join(money, money.c.booking_id == col(Booking.id)).where(Booking.event_id == event_id)
    bookings, finished = (await db.exec(found)).one()
    return Progress(int(finished), int(bookings), await sums(db, event_id=event_id))


async def orphans(db: AsyncSession, *, most: int) -> Sequence[Orphan]:
    """Sessions at Stripe that no payment of ours knows, the open ones first."""
    found = select(Orphan).order_by(col(Orphan.state).desc(), col(Orphan.found_at).desc())
    return (await db.exec(found.limit(most))).all()


async def refunds_by_payment(db: AsyncSession, payment_ids: Sequence[str]) -> dict[str, list[Refund]]:
    found = (await db.exec(select(Refund).where(col(Refund.payment_id).in_(payment_ids)).order_by(col(Refund.created_at)))).all()
    by_payment: dict[str, list[Refund]] = {}
    for refund in found:
        by_payment.setdefault(refund.payment_id, []).append(refund)
    return by_payment
