"""The application with one rule broken each. The simulation is worth something because it finds every one of them.

The first sixteen are as old as the design. A mutant takes the place of a function while its life lasts.
"""

import copy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from sqlalchemy import update
from sqlmodel import col, select

from app.bookings import actions as bookings
from app.bookings import boxoffice, queries, stock
from app.bookings import flows as booking_flows
from app.bookings.models import Booking
from app.core import clock
from app.core.db import changed, reading, writing
from app.core.steps import run
from app.events.models import TicketType
from app.payments import queries as payment_queries
from app.payments import stripe
from app.payments.actions import asking, capture, money, notices, orphans, paying, refunding
from app.payments.flows import lists, refunds, release, sweeps
from app.payments.flows import notices as notice_flows
from app.payments.flows import orphans as orphan_flows
from app.payments.models import Notice, Payment, Refund
from app.tickets import actions as tickets
from app.tickets.models import Ticket

Mutant = Callable[[Any], AbstractContextManager[object]]
Changes = list[tuple[Any, str, Any]]

MUTANTS: dict[str, Mutant] = {}


def nothing(_life: Any) -> AbstractContextManager[object]:
    """The application as it is."""
    return nullcontext()


def mutant(make: Callable[[Any], Changes]) -> Callable[[Any], Changes]:
    """Lists the mutant under the name of its function."""

    @contextmanager
    def at_work(life: Any) -> Iterator[None]:
        with ExitStack() as stack:
            for holder, name, value in make(life):
                stack.enter_context(patch.object(holder, name, value))
            yield

    MUTANTS[make.__name__] = at_work
    return make


async def left_out(*_args: Any, **_kwargs: Any) -> None:
    """A flow or an action that does nothing."""


@mutant
def release_first(_life: Any) -> Changes:
    """Places of a lapsed payment go back by our own clock, before Stripe was asked."""

    async def close_due() -> None:
        async with reading() as db:
            late = await payment_queries.overdue(db, now=clock.now(), most=100)
        for payment in late:
            async with writing() as tx:
                booking = await tx.get_one(Booking, payment.booking_id)
                await bookings.stop_paying(tx, booking, now=clock.now())

    return [(sweeps, "close_due", close_due)]


@mutant
def void_on_silence(_life: Any) -> Changes:
    """A creation without an answer counts as none."""
    create = stripe.create_session

    async def create_session(params: Any, *, key: str) -> Any:
        try:
            return await create(params, key=key)
        except stripe.StripeSilent as silent:
            raise stripe.StripeRefused("silent", "") from silent

    return [(stripe, "create_session", create_session)]


@mutant
def refund_no_key(life: Any) -> Changes:
    """Refunds are sent without a key, and nobody looks whether they had arrived."""
    create, ask = stripe.create_refund, stripe.refunds_of

    async def create_refund(*, key: str, **params: Any) -> Any:
        return await create(key=f"{key}:{life.rng.getrandbits(64)}", **params)

    async def refunds_of(payment_intent: str) -> Any:
        async with reading() as db:
            heard = set((await db.exec(select(Refund.stripe_refund_id))).all())
        return [found for found in await ask(payment_intent) if not found.refund_id or found.id in heard]

    return [(stripe, "create_refund", create_refund), (stripe, "refunds_of", refunds_of)]


@mutant
def refund_unreserved(_life: Any) -> Changes:
    """A refund row is written without taking its sum out of the captured money."""

    async def request_refund(tx: Any, payment: Payment, minor: int, why: money.Why, *, now: Any) -> None:
        refund = Refund(payment_id=payment.id, amount_minor=minor, reason=why.reason, created_at=now, next_try_at=now)
        tx.add(refund)
        await tx.flush()

    return [(money, "request_refund", request_refund)]


@mutant
def refund_in_transaction(_life: Any) -> Changes:
    """Stripe is asked while the transaction is open."""

    async def set_right(tx: Any, booking_id: int, **_why: Any) -> None:
        for payment in await payment_queries.captured(tx, booking_id):
            intent, minor = payment.payment_intent or "", payment.captured_minor
            await stripe.create_refund(payment_intent=intent, amount_minor=minor, refund_id="", key=payment.id)

    return [(asking, "set_right", set_right)]


@mutant
def expired_by_booking(_life: Any) -> Changes:
    """The end of any session ends the booking, also when another session is open by now."""
    apply = capture.apply

    async def applied(tx: Any, payment: Payment, booking: Booking, event: Any, session: Any, *, now: Any) -> None:
        await apply(tx, payment, booking, event, session, now=now)
        if session.status == "expired":
            await bookings.stop_paying(tx, booking, now=now)

    return [(capture, "apply", applied)]


@mutant
def double_release(_life: Any) -> Changes:
    """Places go back whether or not this call was the one that ended the hold."""

    async def released(tx: Any, booking: Booking, *, now: Any) -> bool:
        if not await run(tx, boxoffice.ending(booking.id or 0, to="released", now=now)):
            await run(tx, stock.give_back(await queries.lines(tx, booking.id or 0)))
        return True

    return [(bookings, "release", released)]


@mutant
def quota_forgotten(_life: Any) -> Changes:
    """Places that come back come back to their type and not to its quota."""
    return [(stock, "_GIVE_QUOTA_BACK", "UPDATE quotas SET held = held WHERE id = :quota AND :qty > 0")]


@mutant
def voucher_twice(_life: Any) -> Changes:
    """A voucher that was redeemed still has its places."""
    return [(stock, "_REDEEM", stock._REDEEM.replace("aside = aside - :qty, ", "").replace("aside >= :qty", ":qty > 0"))]


@mutant
def wish_kept(_life: Any) -> Changes:
    """Whoever leaves the line is still counted, so that the next free place is kept for nobody."""
    return [(stock, "_UNWAIT", "UPDATE ticket_types SET waiting = waiting WHERE id = :type AND :qty > 0 RETURNING id")]


@mutant
def nobody_next(_life: Any) -> Changes:
    """Places that come back are offered to nobody."""
    return [(booking_flows, "pass_on", left_out)]


@mutant
def promo_kept(_life: Any) -> Changes:
    """The use of a promo code does not come back with the places."""
    return [(stock, "_UNUSE_PROMO", "UPDATE promo_codes SET used = used WHERE id = :id")]


@mutant
def trust_return(life: Any) -> Changes:
    """Whoever opens the return address has paid."""

    async def return_from(session_id: str) -> None:
        async with writing() as tx:
            payment = (await tx.exec(select(Payment).where(Payment.session_id == session_id))).first()
            if payment:
                await tickets.settle(tx, await tx.get_one(Booking, payment.booking_id), now=clock.now())

    return [(life.people, "return_from", return_from)]


@mutant
def price_now(_life: Any) -> Changes:
    """The session asks for today's price instead of the one of the hold."""
    start = paying.start

    async def started(tx: Any, view: Any, *, now: Any) -> Payment:
        payment = await start(tx, view, now=now)
        if payment.state == "creating" and payment.created_at == now:
            params = copy.deepcopy(payment.params)
            for line, item in zip(view.lines, params["line_items"], strict=True):
                kind = await tx.get_one(TicketType, line.ticket_type_id, populate_existing=True)
                item["price_data"]["unit_amount"] = kind.price_minor
            payment.params = params
            await tx.flush()
        return payment

    return [(paying, "start", started)]


@mutant
def no_reconcile(_life: Any) -> Changes:
    """Only notices move things; nobody compares with Stripe."""
    names = ("read_events", "compare_new_sessions", "compare_sessions", "compare_balance")
    without = [(sweeps, "close_due"), (sweeps, "resolve_creating"), (refunds, "follow_refunds")]
    return [(holder, name, left_out) for holder, name in [*without, *((lists, name) for name in names)]]


@mutant
def dedupe_first(life: Any) -> Changes:
    """A notice counts as done when it arrives, so a crash loses it; the list of notices is not read again."""

    async def a_notice_arrives() -> None:
        letter = life.day.letter()
        if not letter:
            return
        told = stripe.told(*letter)
        async with writing() as tx:
            is_new = await notices.note(tx, told, now=clock.now())
            await notices.notice_done(tx, told.id, now=clock.now())
        if is_new and told.object_id:
            await notice_flows._see(
                Notice(**{name: getattr(told, name) for name in ("id", "kind", "object_id", "payment_intent")})
            )

    names = ("read_events", "compare_balance")
    ignored = [(refunds, "follow_refunds", left_out), *((lists, name, left_out) for name in names)]
    return [(life.people, "a_notice_arrives", a_notice_arrives), *ignored]


@mutant
def unguarded_paid(_life: Any) -> Changes:
    """Every news of money sells the places once more."""
    apply = capture.apply

    async def applied(tx: Any, payment: Payment, booking: Booking, event: Any, session: Any, *, now: Any) -> None:
        was = payment.state
        await apply(tx, payment, booking, event, session, now=now)
        if was == "captured":
            await run(tx, stock.sell(await queries.lines(tx, booking.id or 0)))

    return [(capture, "apply", applied)]


@mutant
def key_per_booking(_life: Any) -> Changes:
    """A second attempt uses the key of the first."""
    create = stripe.create_session

    async def create_session(params: Any, *, key: str) -> Any:
        return await create(params, key=f"{key[:3]}{params['metadata']['booking_id']}")

    return [(stripe, "create_session", create_session)]


@mutant
def fresh_expiry(_life: Any) -> Changes:
    """A repeated creation is sent with new parameters, and nobody looks for the first."""

    async def resolve(payment: Payment) -> None:
        params = payment.params | {"expires_at": int((clock.now() + timedelta(minutes=35)).timestamp())}
        session = await stripe.create_session(params, key=f"cs:{payment.id}:{params['expires_at']}")
        async with writing() as tx:
            await paying.opened(tx, payment, session)

    return [(sweeps, "_resolve", resolve)]


@mutant
def seq_ids(life: Any) -> Changes:
    """Ids count up, so that a restored database gives some of them, and their keys, a second time."""
    counted, kept = [0], [0]

    def next_id() -> str:
        counted[0] += 1
        return f"{counted[0]:032d}"

    life.on_backup = lambda: kept.__setitem__(0, counted[0])
    life.on_restore = lambda: counted.__setitem__(0, kept[0])
    return [(paying, "random_id", next_id), (Refund.model_fields["id"], "default_factory", next_id)]


@mutant
def no_orphans(_life: Any) -> Changes:
    """Sessions that nobody here knows are left alone."""
    return [(orphans, "found", left_out), (orphan_flows, "close_orphans", left_out)]


@mutant
def short_promise(_life: Any) -> Changes:
    """Pay shortens the hold to its own, nearer minute."""
    start = bookings.start_paying

    async def start_paying(tx: Any, booking: Booking, *, now: Any) -> bool:
        soon = now + timedelta(minutes=1)
        started = await start(tx, booking, now=now)
        shorter = update(Booking).where(col(Booking.id) == booking.id, col(Booking.held_until) > soon)
        if started:
            await changed(tx, shorter.values(held_until=soon))
        return started

    return [(bookings, "start_paying", start_paying)]


@mutant
def release_while_open(_life: Any) -> Changes:
    """The buyer's places go back at once, while the payment page stays open."""

    async def released(booking_id: int) -> None:
        async with writing() as tx:
            booking = await tx.get_one(Booking, booking_id)
            await bookings.stop_paying(tx, booking, now=clock.now())
            await bookings.release(tx, booking, now=clock.now())

    return [(release, "release", released)]


@mutant
def ticket_twice(_life: Any) -> Changes:
    """A ticket that is void already is paid back again."""
    return [(Ticket, "is_valid", property(lambda _ticket: True))]


@mutant
def limit_kept(_life: Any) -> Changes:
    """A ticket that was given back goes on counting towards the buyer's limit."""

    def unclaim_one(*_args: Any) -> Any:
        yield from ()

    return [(stock, "unclaim_one", unclaim_one)]


@mutant
def dispute_ignored(_life: Any) -> Changes:
    """What the buyer's bank takes is not written down."""
    return [(refunding, "disputed", left_out)]


@mutant
def orphan_once(_life: Any) -> Changes:
    """An orphan counts as refunded once the refund was sent, though the bank may send it back."""
    ask = stripe.refunds_of

    async def refunds_of(payment_intent: str) -> Any:
        return [replace(found, status="succeeded") for found in await ask(payment_intent)]

    async def close(orphan: Any) -> None:
        with patch.object(stripe, "refunds_of", refunds_of):
            await closing(orphan)

    closing = orphan_flows._close
    return [(orphan_flows, "_close", close)]


@mutant
def rule_on_trigger(_life: Any) -> Changes:
    """A failed refund frees its sum and nobody sends it again: the money rule runs nowhere but at a capture."""

    async def seen(*args: Any, **kwargs: Any) -> None:
        with patch.object(money, "set_right", left_out):
            await see(*args, **kwargs)

    see = refunding.seen
    return [(sweeps, "set_money_right", left_out), (refunding, "seen", seen)]
