"""One life of the shop out of one seed: people, Stripe, the clock, crashes and a restore do what they like, then it must rest."""

import random
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.simulation.model.bookings import MINUTE, NotPossible
from tests.simulation.model.invariants import Watch
from tests.simulation.model.payments import PAY
from tests.simulation.model.shop import Shop
from tests.simulation.model.store import Crash, Violation
from tests.simulation.model.stripe import HostileStripe, StripeRefused, StripeSilent

HOUR = 60 * MINUTE
BUYERS = ("browser:bob", "browser:carol", "mail:dora", "mail:erin", "mail:frank")
ROUNDS_TO_REST = 14


class Found(Violation):
    """A violation with the way to see it again."""


@dataclass
class Outcome:
    """What one run came to. `trace` names every step, so that two runs can be compared."""

    steps: int = 0
    tally: dict[str, int] = field(default_factory=dict)
    trace: list[str] = field(default_factory=list)


class World:
    """A shop with one event of two ticket types, and everybody who does something to it."""

    def __init__(self, seed: int, steps: int, kind: type[Shop]) -> None:
        self.rng = rng = random.Random(seed)
        self.stripe = HostileStripe(rng)
        self.shop = shop = kind(self.stripe, rng)
        self.watch = Watch(shop)
        self.trace: list[str] = []
        with_presale = rng.random() < 0.3
        opens = self.stripe.now + (rng.choice([HOUR, 6 * HOUR]) if with_presale else 0)
        event = "INSERT INTO events VALUES (1, 'published', ?, ?, ?, ?)"
        shop.change(event, opens, rng.choice([HOUR, 4 * HOUR, 9 * HOUR]), rng.choice([3, 4, 20]), rng.choice([0, 200]))
        for type_id, price in ((1, 2500), (2, rng.choice([0, 900, 4000]))):
            insert = "INSERT INTO ticket_types (id, capacity, price_minor, presale_places, needs_code) VALUES (?, ?, ?, ?, ?)"
            shop.change(insert, type_id, rng.choice([3, 5, 8]), price, rng.choice([None, 2, 3]), rng.choice([0, 1]))
            shop.change("INSERT INTO access_codes (id, max_uses) VALUES (?, 3)", type_id)
        self.stripe.is_mute = rng.random() < 0.15
        self.call_off_at = rng.randrange(steps) if rng.random() < 0.25 else -1
        self.back_up_at = rng.randrange(steps // 2) if rng.random() < 0.25 else -1
        self.hand_at = rng.randrange(steps) if rng.random() < 0.1 else -1
        self.restore_at = self.back_up_at + rng.randrange(5, 60) if self.back_up_at >= 0 else -1
        shop.meanwhile = self._somebody_else

    # One step

    def step(self, number: int) -> None:
        if number == self.back_up_at:
            self._backup = sqlite3.connect(":memory:")
            self.shop.db.backup(self._backup)
        if number == self.restore_at:
            self._backup.backup(self.shop.db)
            self.watch.is_meddled_with = True
        if number == self.hand_at:
            self._end_by_hand()
        act = self.shop.call_off if number == self.call_off_at else self._choose()
        self.trace.append(act.__name__)
        self._try(act)

    def _end_by_hand(self) -> None:
        """Somebody ends a booking in the database although its session is open: what comes then is money that is late."""
        for payment in self.shop.rows("SELECT * FROM payments WHERE state = 'open'"):
            self.shop.move("payments", payment["id"], "expired", out_of=("open",))
            self.shop.move("bookings", payment["booking_id"], "expired", out_of=("paying",))
            self.shop.give_back(payment["booking_id"])
            self.watch.is_meddled_with = True

    def _choose(self) -> Callable[[], None]:
        act: Callable[[], None] = getattr(self, self.rng.choices(NAMES, cum_weights=CUMULATED)[0])
        return act

    def _somebody_else(self) -> None:
        act = self._choose()
        self.trace.append(f"meanwhile {act.__name__}")
        self._try(act)

    def _try(self, act: Callable[[], None]) -> None:
        """A crash, a silent Stripe and a refusal end what was being done, nothing else."""
        try:
            act()
        except (Crash, NotPossible, StripeSilent, StripeRefused):
            return
        except sqlite3.IntegrityError as broken:
            raise Violation(f"constraint: {broken}") from broken

    # What buyers do

    def hold(self) -> None:
        wanted = {self.rng.choice([1, 1, 2]): self.rng.choice([1, 1, 2, 3])}
        if self.rng.random() < 0.25:
            wanted = {1: self.rng.choice([1, 2]), 2: 1}
        self.shop.hold(self.rng.choice(BUYERS), wanted)

    def pay_at_the_shop(self) -> None:
        if booking_id := self._booking():
            self.shop.checkout(booking_id)

    def click_twice(self) -> None:
        if booking_id := self._booking():
            self.shop.checkout(booking_id)
            self.shop.checkout(booking_id)

    def extend(self) -> None:
        if booking_id := self._booking("held"):
            self.shop.extend(booking_id)

    def give_back(self) -> None:
        if booking_id := self._booking():
            self.watch.ended_early.add(booking_id)
            self.shop.release(booking_id)

    def pay_at_stripe(self) -> None:
        if payable := self.stripe.payable():
            self.stripe.pay(self.rng.choice(payable[-6:]), slowly=self.rng.random() < 0.15)

    def come_back(self) -> None:
        """Perhaps too early, perhaps with the address of somebody else's session."""
        if self.stripe.sessions:
            self.shop.come_back(self.rng.choice(list(self.stripe.sessions)))

    def give_a_ticket_back(self) -> None:
        booking_id = self._booking("paid")
        if booking_id and self.shop.sells():
            line = self.rng.choice(self.shop.lines(booking_id))
            self.shop.refund_one(booking_id, line, self.rng.randint(1, line["qty"]))

    # What the house does

    def refund_a_booking(self) -> None:
        if booking_id := self._booking("paid"):
            self.shop.refund_all(booking_id, self.rng.choice([0, 0, 300]))

    def refund_a_part(self) -> None:
        if booking_id := self._booking("paid"):
            self.shop.refund_part(booking_id, self.rng.choice([100, 1000]))

    def refund_in_the_dashboard(self) -> None:
        if self.stripe.intents:
            intent = self.rng.choice(list(self.stripe.intents.values()))
            left = intent.amount - self.stripe.sent_back(intent.id)
            if left > 0:
                self.stripe.refund_in_dashboard(intent.id, self.rng.choice([intent.amount, left, min(left, 500)]))

    def change_the_price(self) -> None:
        self.shop.change("UPDATE ticket_types SET price_minor = price_minor + 100 WHERE price_minor > 0")

    def sweep(self) -> None:
        self.shop.sweep()

    # What Stripe, the banks and the clock do

    def a_notice_arrives(self) -> None:
        """In any order."""
        if waiting := self.stripe.on_the_way:
            self.shop.note(waiting.pop(self.rng.randrange(len(waiting))))

    def banks_answer(self) -> None:
        self.stripe.banks_answer()

    def refunds_move(self) -> None:
        self.stripe.refunds_move()

    def a_buyer_complains(self) -> None:
        if self.stripe.intents:
            self.stripe.dispute(self.rng.choice(list(self.stripe.intents)))

    def complaints_end(self) -> None:
        self.stripe.disputes_close()

    def time_passes(self) -> None:
        self.stripe.tick(self.rng.choice([5, 60, 300, 901, 1800, 7200]))

    def _booking(self, *states: str) -> int | None:
        """One of the last six, in one of the states if any are named."""
        marks = f"WHERE state IN ({', '.join('?' * len(states))})" if states else ""
        found = self.shop.rows(f"SELECT id FROM bookings {marks} ORDER BY created_at DESC, id LIMIT 6", *states)
        return int(self.rng.choice(found)[0]) if found else None

    # The end

    def come_to_rest(self) -> None:
        """A good day for everybody, without the notices that were still on their way."""
        self.stripe.faults = False
        for _ in range(ROUNDS_TO_REST):
            self.stripe.banks_answer()
            self.stripe.refunds_move()
            self.stripe.disputes_close()
            self.stripe.tick(4000)
            self.deliver_or_lose()
            self._try(self.shop.sweep)
        self.watch.at_rest()
        if self.shop.is_alive_without_notices:
            self.buy_after_all()

    def deliver_or_lose(self) -> None:
        while self.stripe.on_the_way:
            told = self.stripe.on_the_way.pop()
            if not self.shop.is_alive_without_notices:
                self.shop.note(told)

    def buy_after_all(self) -> None:
        """The shop still sells: somebody lets the first page lapse and pays on a second one."""
        shop = self.shop
        left = shop.value("SELECT capacity - held - sold FROM ticket_types WHERE id = 1")
        if not shop.sells() or left < 1:
            return
        booking_id = shop.hold("mail:last", {1: 1})
        if not booking_id:
            raise Violation("free places cannot be held")
        for _ in range(3):
            shop.extend(booking_id)
        shop.checkout(booking_id)
        self.stripe.tick(PAY + MINUTE)
        shop.sweep()
        shop.checkout(booking_id)
        payment = shop.active(booking_id)
        if not payment or not payment["session_id"] or not self.stripe.pay(payment["session_id"]):
            raise Violation("no page on which a buyer can pay the second time")
        shop.come_back(payment["session_id"])
        if shop.get("bookings", booking_id)["state"] != "paid":
            raise Violation("paid, and no ticket")


# Who does how much of what.
ACTS = {
    World.hold: 18,
    World.pay_at_the_shop: 18,
    World.click_twice: 4,
    World.extend: 3,
    World.give_back: 3,
    World.pay_at_stripe: 11,
    World.come_back: 4,
    World.give_a_ticket_back: 4,
    World.refund_a_booking: 1,
    World.refund_a_part: 1,
    World.refund_in_the_dashboard: 1,
    World.change_the_price: 2,
    World.sweep: 6,
    World.a_notice_arrives: 14,
    World.banks_answer: 2,
    World.refunds_move: 2,
    World.a_buyer_complains: 1,
    World.complaints_end: 0.5,
    World.time_passes: 7,
}
NAMES = [act.__name__ for act in ACTS]
CUMULATED = [sum(list(ACTS.values())[: n + 1]) for n in range(len(ACTS))]


def run(seed: int, steps: int, kind: type[Shop] = Shop) -> Outcome:
    """The life of one shop. Raises Found with the seed and the step of the first broken promise."""
    world = World(seed, steps, kind)
    done = "at the start"
    try:
        for number in range(steps):
            done = f"at step {number}"
            world.step(number)
            world.watch.look()
        done = "at rest"
        world.come_to_rest()
    except Violation as wrong:
        last = ", ".join(world.trace[-3:])
        raise Found(f"{wrong} (seed {seed}, {done}; last: {last})") from wrong
    return Outcome(steps, world.shop.tally, world.trace)
