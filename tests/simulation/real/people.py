"""Everybody who does something to the shop, one act at a time."""

import random
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import time_machine
from sqlalchemy import text
from sqlmodel import col, select

from app.accounts.models import Visitor
from app.bookings import actions as booking_actions
from app.bookings import boxoffice, codes, waiting
from app.bookings import queries as booking_queries
from app.bookings.boxoffice import Sale
from app.bookings.codes import VoucherTerms
from app.bookings.models import Booking, WaitingEntry
from app.core import clock
from app.core.db import reading, writing
from app.core.errors import Unavailable
from app.core.settings import settings
from app.events import queries as event_queries
from app.events.actions import deciding
from app.events.models import Event, TicketType
from app.payments import queries as payment_queries
from app.payments import rules, stripe
from app.payments.actions import asking, notices, paying
from app.payments.flows import checkout, converge, door, give_back, release
from app.payments.models import Payment, Refund, RefundCode
from app.tickets import actions as tickets
from app.worker import SCHEDULE, Worker
from tests.simulation.real.fate import Fate
from tests.simulation.real.stage import CODE, PROMO, VOUCHER, BadDay, Scene
from tests.simulation.real.watch import Watch

RARELY = ("check_invariants", "forget_old_limits")


class People:
    """The acts. Each is what a page or the worker would do, without the page."""

    def __init__(self, scene: Scene, day: BadDay, fate: Fate, watch: Watch, traveller: time_machine.Traveller) -> None:
        self.scene, self.day, self.fate, self.watch, self.traveller = scene, day, fate, watch, traveller
        self.rng: random.Random = fate.rng

    # What buyers do

    async def hold(self) -> None:
        first, second = self.scene.kinds.values()
        wanted = {self.rng.choice([first, first, second]): self.rng.choice([1, 1, 2, 3])}
        if self.rng.random() < 0.3:
            wanted = {first: self.rng.choice([1, 2]), second: 1}
        code = self.rng.choice([CODE, CODE, CODE, PROMO, PROMO, VOUCHER, "WRONG"])
        await boxoffice.hold(boxoffice.Wish(self.scene.slug, wanted, self.rng.choice(self.scene.buyers), access_code=code))

    async def pay_at_the_shop(self) -> None:
        if booking := await self._booking("held", "paying", "processing", "expired"):
            await self.press_pay(booking)

    async def click_twice(self) -> None:
        if booking := await self._booking("held", "paying"):
            await self.press_pay(booking)
            await self.press_pay(booking)

    async def get_no_answer(self) -> None:
        """The page is made at Stripe and nobody hears of it; the worker looks after the attempt some minutes later."""
        booking = await self._booking("held")
        if booking:
            self.day.loses_the_next_page()
            with suppress(Unavailable):
                await self.press_pay(booking)
            self.pass_time(150)
            await current("app.payments.flows.sweeps", "resolve_creating")()

    async def try_again(self) -> None:
        """The first page lapses before the hold does, and the buyer presses Pay once more."""
        if booking := await self._booking("held"):
            for _ in range(3):
                await self.extend_now(booking.id or 0)
            await self.press_pay(booking)
            self.pass_time(31 * 60)
            await current("app.payments.flows.sweeps", "close_due")()
            await self.press_pay(booking)
            await self.come_back()

    async def press_pay(self, booking: Booking) -> None:
        by = self._owner(booking)
        email = booking.email if booking.is_offer else by.email or f"{booking.visitor_key or 'nobody'}@example.com"
        await checkout.checkout(booking.id or 0, email=email, name="A Buyer", by=by)

    async def extend(self) -> None:
        if booking := await self._booking("held"):
            await self.extend_now(booking.id or 0)

    async def extend_now(self, booking_id: int) -> None:
        async with writing() as tx:
            fresh = await tx.get_one(Booking, booking_id)
            await booking_actions.extend(tx, fresh, now=clock.now())

    async def give_places_back(self) -> None:
        if booking := await self._booking("held", "paying", "paid"):
            self.watch.ended_early.add(booking.id or 0)
            await release.release(booking.id or 0)

    async def join_the_line(self) -> None:
        """With an account or with an address alone, for what is sold out; where nothing is, they are refused."""
        by, qty = self.rng.choice(self.scene.buyers), self.rng.choice([1, 1, 2])
        async with reading() as db:
            types = await event_queries.ticket_types(db, self.scene.event_id)
        kind = self.rng.choice([found.code for found in types if not found.left] or [found.code for found in types])
        email = by.email or f"{by.key}@example.com"
        async with writing() as tx:
            await waiting.join(tx, self.scene.slug, kind, email=email, qty=qty, by=by, now=clock.now())

    async def leave_the_line(self) -> None:
        async with reading() as db:
            types = await event_queries.ticket_types(db, self.scene.event_id)
            line = await waiting.in_line(db, types)
        if line:
            entry = self.rng.choice(line).entry
            async with writing() as tx:
                await waiting.leave(tx, await tx.get_one(WaitingEntry, entry.id), now=clock.now())

    async def pay_at_stripe(self) -> None:
        self.day.pays()

    async def come_back(self) -> None:
        """Perhaps too early, perhaps with the address of somebody else's session, or of one that never was."""
        ids = self.day.session_ids()
        if ids and self.rng.random() < 0.95:
            await self.return_from(self.rng.choice(ids[:8]))
        elif self.rng.random() < 0.2:
            await self.return_from("cs_test_forged")

    async def return_from(self, session_id: str) -> None:
        await converge.converge(session_id)

    async def give_tickets_back(self) -> None:
        """As the owner, or as a guest with the code that was mailed; with a wrong one now and then."""
        booking = await self._booking("paid")
        if not booking:
            return
        async with reading() as db:
            places = await payment_queries.places(db, booking.id or 0)
            event = await db.get_one(Event, booking.event_id)
        offer = rules.refund_offer(booking, places, event, disputed=False, now=clock.now())
        if not offer.choices:
            return
        chosen = self.rng.sample(offer.choices, self.rng.randint(1, len(offer.choices)))
        codes = [choice.short_code for choice in chosen]
        code = "" if booking.user_id else await self._code_for(booking)
        await give_back.give_back(booking, codes, by=booking.user_id, reason="buyer", code=code)

    async def _code_for(self, booking: Booking) -> str:
        await give_back.send_code(booking)
        async with reading() as db:
            nonce = (await db.exec(select(RefundCode.nonce).where(RefundCode.booking_id == booking.id))).one()
        digits = rules.code_digits(settings().secret_key, booking.id or 0, nonce)
        return digits if self.rng.random() < 0.9 else "00000000"

    # What the house does

    async def refund_tickets(self) -> None:
        if booking := await self._booking("paid"):
            async with reading() as db:
                places = await payment_queries.places(db, booking.id or 0)
            valid = [ticket.id or 0 for ticket, _line in places if ticket.is_valid]
            some = self.rng.sample(valid, self.rng.randint(1, len(valid))) if valid else []
            fee, by = self.rng.choice([0, 0, 300]), self.scene.manager_id
            async with writing() as tx:
                await asking.return_tickets(tx, booking, some, reason="manager", by=by, fee_minor_each=fee, now=clock.now())

    async def refund_a_part(self) -> None:
        if booking := await self._booking("paid"):
            minor, out_of = self.rng.choice([100, 1000]), booking.kept_minor
            by = self.scene.manager_id
            async with writing() as tx:
                await asking.refund_money(tx, booking, minor, out_of_minor=out_of, reason="manager", by=by, now=clock.now())

    async def give_away(self) -> None:
        async with writing() as tx:
            event = await tx.get_one(Event, self.scene.event_id)
            await tickets.give(tx, event, self._sale("comp"), now=clock.now())

    async def sell_at_the_door(self) -> None:
        """Now and then the seller presses twice."""
        sale, provider = self._sale("door"), self.rng.choice(["cash", "card"])
        for _ in range(self.rng.choice([1, 1, 2])):
            await door.sell(self.scene.slug, sale, provider=provider)

    def _sale(self, kind: str) -> Sale:
        places = {self.rng.choice(list(self.scene.kinds)): self.rng.choice([1, 1, 2])}
        return Sale(kind, self.scene.manager_id, places, nonce=f"{self.rng.getrandbits(128):032x}")

    async def hand_back(self) -> None:
        """What was paid at the door goes back by hand, sooner or later."""
        async with reading() as db:
            by_hand = select(Refund).join(Payment, col(Payment.id) == Refund.payment_id)
            by_hand = by_hand.where(Refund.state == "requested", Payment.provider != "stripe").order_by(col(Refund.created_at))
            refund = (await db.exec(by_hand.limit(1))).first()
            payment = await db.get_one(Payment, refund.payment_id) if refund else None
        if refund and payment:
            by = self.scene.manager_id
            async with writing() as tx:
                await asking.hand_back(tx, refund, booking_id=payment.booking_id, by=by, now=clock.now())

    async def change_the_codes(self) -> None:
        """A code rests, works again, or ends; another voucher takes its place."""
        act = self.rng.choice(["pause", "resume", "resume", "withdraw", "again"])
        async with writing() as tx:
            event, by, now = await tx.get_one(Event, self.scene.event_id), self.scene.manager_id, clock.now()
            found = await booking_queries.codes_named(tx, event.id or 0, code=self.rng.choice([PROMO, VOUCHER]))
            if act == "withdraw":
                await codes.withdraw(tx, event, found, by=by, now=now)
            elif act == "again":
                kind = await tx.get_one(TicketType, self.rng.choice(list(self.scene.kinds)))
                word = f"{VOUCHER}-{self.rng.getrandbits(40):x}"
                await codes.make_vouchers(tx, event, kind, VoucherTerms(places=1), word=word, by=by, now=now)
            else:
                await codes.pause(tx, event, found, paused=act == "pause", by=by)

    async def refund_in_the_dashboard(self) -> None:
        self.day.refund_elsewhere()

    async def change_the_price(self) -> None:
        async with writing() as tx:
            await tx.exec(text("UPDATE ticket_types SET price_minor = price_minor + 100 WHERE price_minor > 0"))  # type: ignore[call-overload]

    async def call_off(self) -> None:
        async with writing() as tx:
            event = await tx.get_one(Event, self.scene.event_id)
            await deciding.call_off(tx, event, reason="The stage is flooded.", by=event.manager_id, now=clock.now())

    async def end_by_hand(self) -> None:
        """Somebody ends bookings in the database although their session is open: what comes then is money that is late."""
        async with reading() as db:
            payments = (await db.exec(select(Payment).where(Payment.state == "open").order_by(col(Payment.id)))).all()
        self.watch.is_meddled_with = True
        for payment in payments:
            async with writing() as tx:
                booking = await tx.get_one(Booking, payment.booking_id)
                await paying.end_payment_soon(tx, payment.booking_id, now=clock.now())
                await tx.exec(text("UPDATE payments SET state = 'expired' WHERE id = :id"), params={"id": payment.id})  # type: ignore[call-overload]
                await booking_actions.stop_paying(tx, booking, now=clock.now())
        if payments:
            self.day.pays(payments[0].session_id or "")

    # What the worker does

    async def sweep_a_little(self) -> None:
        for flow in self.rng.sample(flows(), 4):
            await flow()

    async def sweep_all(self) -> None:
        for flow in flows():
            await flow()
            self.fate.may_die()
        await self.react()

    async def react(self) -> None:
        await Worker().react()

    async def a_notice_arrives(self) -> None:
        if letter := self.day.letter():
            told = stripe.told(*letter)
            async with writing() as tx:
                await notices.note(tx, told, now=clock.now())
            if self.rng.random() < 0.7:
                await current("app.payments.flows.notices", "work_notices")()

    # What Stripe, the banks and the clock do

    async def refunds_move(self) -> None:
        self.day.refunds_move()

    async def a_buyer_complains(self) -> None:
        self.day.a_buyer_complains()

    async def complaints_end(self) -> None:
        self.day.complaints_end()

    async def time_passes(self) -> None:
        """The worker sweeps meanwhile, or not."""
        self.pass_time(self.rng.choice([5, 60, 200, 300, 901, 1800, 7200]))
        if self.rng.random() < 0.5:
            await self.sweep_a_little()

    def pass_time(self, seconds: float) -> None:
        self.traveller.shift(timedelta(seconds=seconds))

    async def booking(self, booking_id: int) -> Booking:
        async with reading() as db:
            return await db.get_one(Booking, booking_id)

    def _owner(self, booking: Booking) -> Visitor:
        return next((one for one in self.scene.buyers if one.key == booking.visitor_key), Visitor(key=booking.visitor_key))

    async def _booking(self, *states: str) -> Booking | None:
        """One of the last six; three times of four in one of the states, if there is one."""
        async with reading() as db:
            wanted = select(Booking).order_by(col(Booking.id).desc()).limit(6)
            if self.rng.random() < 0.75:
                wanted = wanted.where(col(Booking.state).in_(states))
            found = (await db.exec(wanted)).all()
        return self.rng.choice(found) if found else None


def current(module: str, name: str) -> Callable[[], Awaitable[Any]]:
    """The function as it is called now: a mutant may have taken its place."""
    found: Callable[[], Awaitable[Any]] = getattr(sys.modules[module], name)
    return found


def flows() -> list[Callable[[], Awaitable[Any]]]:
    """Everything on the worker's schedule but what only looks."""
    wanted: list[Any] = [sweep.flow for sweep in SCHEDULE]
    return [current(flow.__module__, flow.__name__) for flow in wanted if flow.__name__ not in RARELY]


# Who does how much of what.
ACTS = {
    People.hold: 18,
    People.pay_at_the_shop: 16,
    People.click_twice: 4,
    People.get_no_answer: 1,
    People.try_again: 1,
    People.extend: 3,
    People.give_places_back: 3,
    People.join_the_line: 6,
    People.leave_the_line: 0.5,
    People.pay_at_stripe: 12,
    People.come_back: 5,
    People.give_tickets_back: 4,
    People.refund_tickets: 3,
    People.refund_a_part: 1,
    People.give_away: 1.5,
    People.sell_at_the_door: 3,
    People.hand_back: 1.5,
    People.change_the_codes: 1,
    People.refund_in_the_dashboard: 1,
    People.change_the_price: 1,
    People.sweep_a_little: 8,
    People.sweep_all: 1,
    People.react: 1,
    People.a_notice_arrives: 12,
    People.refunds_move: 2,
    People.a_buyer_complains: 0.7,
    People.complaints_end: 0.7,
    People.time_passes: 7,
}
NAMES = [act.__name__ for act in ACTS]
CUMULATED = [sum(list(ACTS.values())[: n + 1]) for n in range(len(ACTS))]
