"""The storm of webhooks: what Stripe tells comes late, twice, out of order or never, and some of it is forged.

The shop runs in this process, behind a real port, so that the days can be made to pass.
"""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import stripe as sdk
import time_machine
from sqlmodel import col, select

from app.accounts.models import Visitor
from app.bookings import actions as bookings
from app.bookings.models import Booking
from app.core import clock
from app.core.db import reading, writing
from app.events.models import Event
from app.notifications.models import Delivery, Notification
from app.payments import queries as payment_queries
from app.payments.actions import asking
from app.payments.flows.checkout import checkout
from app.payments.flows.converge import converge
from app.prove.client import Connection
from app.tickets import queries as ticket_queries
from main import create_app
from tests import world
from tests.stage import serving
from tests.torture.evidence import activities, booking_of, came_in, events_at, refunded_at_stripe, sent_to, webhook
from tests.torture.stand import Stand
from tests.torture.sweeping import swept

AT_ONCE = 16
PLACES = 2
PRICE_MINOR = 1850

# What becomes of a booking, and how often.
TALES = {
    "pays": 30,
    "pays at the second attempt": 20,
    "pays, and Stripe's dashboard sends all of it back": 10,
    "pays, and Stripe's dashboard sends a part of it back": 5,
    "pays, and gives a ticket back": 5,
    "pays by a slow bank": 10,
    "pays by a bank that says no": 5,
    "leaves": 15,
}


# The worker at work; gives what failed.
Sweeping = Callable[[], Awaitable[list[str]]]


@dataclass
class Letter:
    """A webhook on its way. `kind` says what is wrong with it; "good" is as Stripe sends it."""

    kind: str
    request: bytes


@dataclass
class Outcome:
    """What came of the storm."""

    bookings: int
    letters: Counter[str] = field(default_factory=Counter)
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    paid: int = 0
    refunded_minor: int = 0
    seconds: float = 0
    p99: float = 0
    faults: list[str] = field(default_factory=list)


async def run_letters(stand: Stand, *, number: int, dice: random.Random, sweep: Sweeping = swept) -> Outcome:
    """So many bookings, all that Stripe has to say about them, and the days until everything has to be in its place."""
    post, began = Post(stand, dice), time.perf_counter()
    outcome = Outcome(number, letters=post.letters, answers=post.answers)
    with time_machine.travel(datetime.now(UTC), tick=True) as moment:
        async with _served(stand):
            codes = await _tales(stand, number, dice)
            await post.carry(outcome)
            outcome.faults += await sweep()
            moment.shift(timedelta(seconds=20))
            stand.fake.stripe.tick()
            await post.carry(outcome)
            outcome.faults += await sweep()
            # The last minute of every attempt to pay passes.
            moment.shift(timedelta(minutes=45))
            stand.fake.stripe.tick()
            await post.carry(outcome)
            outcome.faults += await sweep()
            moment.shift(timedelta(days=3))
            await post.carry_late()
            outcome.faults += await sweep()
            charged = came_in(stand)
            for code in codes:
                outcome.faults += await _judged(stand, outcome, code, charged=charged)
            outcome.faults += await stand.broken()
    outcome.faults += post.wrong_answers()
    outcome.p99 = post.p99
    outcome.seconds = time.perf_counter() - began
    return outcome


class Post:
    """The post: writes letters about what has happened at Stripe since it last looked, and spoils some of them."""

    def __init__(self, stand: Stand, dice: random.Random) -> None:
        self.stand = stand
        self.dice = dice
        self.letters: Counter[str] = Counter()
        self.answers: Counter[tuple[str, int]] = Counter()
        self._latencies: list[float] = []
        self._seen: set[str] = set()
        self._late: list[Letter] = []
        # The first events meet these fates, so that a small storm has some of each.
        self._first = [0.12, 0.16, 0.175]

    @property
    def p99(self) -> float:
        """In milliseconds."""
        return sorted(self._latencies)[int(0.99 * (len(self._latencies) - 1))]

    async def carry(self, outcome: Outcome) -> None:
        """Brings all new letters in any order, sixteen at once."""
        new = [event for event in events_at(self.stand) if event["id"] not in self._seen]
        self._seen.update(event["id"] for event in new)
        letters = [letter for event in new for letter in self._about(event)]
        self._late += [letter for letter in letters if letter.kind == "late"]
        await self._bring([letter for letter in letters if letter.kind != "late"])

    async def carry_late(self) -> None:
        """Letters that lay about for days, with the signature of then."""
        await self._bring(self._late)

    def wrong_answers(self) -> list[str]:
        """Good letters are taken, all others refused, and nothing breaks."""
        return [
            f"{count} {kind} letters were answered {status}"
            for (kind, status), count in self.answers.items()
            if (status != 200 if kind == "good" else not 400 <= status < 500)
        ]

    def _about(self, event: dict[str, Any]) -> list[Letter]:
        fate = self._first.pop() if self._first else self.dice.random()
        if fate < 0.10:
            return []
        if fate < 0.15:
            return [self._letter("late", event)]
        if fate < 0.17:
            return [self._letter("wrong mode", event | {"livemode": True})]
        if fate < 0.18:
            return [self._forged(event)]
        good = [self._letter("good", event) for _copy in range(self.dice.randint(1, 5))]
        return [*good, self._forged(event)] if self.dice.random() < 0.05 else good

    def _letter(self, kind: str, event: dict[str, Any]) -> Letter:
        body, headers = self.stand.fake.webhooks.letter(event)
        return Letter(kind, webhook(body.encode(), headers))

    def _forged(self, event: dict[str, Any]) -> Letter:
        """Not signed, signed with another secret, changed after it was signed, or signed in letters that no header may have."""
        body, headers = self.stand.fake.webhooks.letter(event)
        own = headers["Stripe-Signature"]
        foreign = sdk.WebhookSignature.generate_signature_header(body, "whsec_of_somebody_else")
        changed = json.dumps(json.loads(body) | {"id": f"evt_{self.dice.getrandbits(64):x}"})
        body, signature = self.dice.choice([(body, ""), (body, foreign), (changed, own), (body, "t=1,v1=\xe9")])
        return Letter("forged", webhook(body.encode(), headers | {"Stripe-Signature": signature}))

    async def _bring(self, letters: list[Letter]) -> None:
        self.dice.shuffle(letters)
        left = iter(letters)
        await asyncio.gather(*(self._carrier(left) for _carrier in range(AT_ONCE)))

    async def _carrier(self, left: Iterator[Letter]) -> None:
        connection = Connection(self.stand.settings.port)
        for letter in left:
            began = time.perf_counter()
            answer = await connection.ask(letter.request)
            self._latencies.append(1000 * (time.perf_counter() - began))
            self.letters[letter.kind] += 1
            self.answers[letter.kind, answer.status] += 1
        connection.close()


@asynccontextmanager
async def _served(stand: Stand) -> AsyncIterator[None]:
    async with serving(create_app(), stand.settings.port):
        yield


async def _tales(stand: Stand, number: int, dice: random.Random) -> list[str]:
    """The bookings' codes, after everything has happened at Stripe and nobody has told the shop."""
    async with writing() as tx:
        event = await world.event(
            tx, title="Letters", capacity=PLACES * number, price_minor=PRICE_MINOR, refund_hours=1, per_buyer=PLACES
        )
    return [await _tale(stand, event, dice.choices(*zip(*TALES.items(), strict=True))[0], n) for n in range(number)]


async def _tale(stand: Stand, event: Event, tale: str, number: int) -> str:
    by, fake = Visitor(key=f"letters-{number}"), stand.fake.stripe
    async with writing() as tx:
        kind = await world.only_type(tx, event)
        booking = await bookings.hold(tx, event, {kind.id or 0: PLACES}, by=by, now=clock.now())
    buyer = {"email": f"letters-{number}@example.com", "name": "Bob", "by": by}
    session_id = (await checkout(booking.id or 0, **buyer)).rpartition("/")[2]  # type: ignore[arg-type]
    if tale == "pays at the second attempt":
        fake.expire_session(session_id, {})
        await checkout(booking.id or 0, **buyer)  # type: ignore[arg-type]
        session_id = (await checkout(booking.id or 0, **buyer)).rpartition("/")[2]  # type: ignore[arg-type]
    if tale == "leaves":
        return booking.code
    outcomes = {"pays by a slow bank": "later", "pays by a bank that says no": "never"}
    session = fake.pay(session_id, outcomes.get(tale, "paid"))  # type: ignore[arg-type]
    if tale == "pays, and Stripe's dashboard sends all of it back":
        fake.refund_elsewhere(session["payment_intent"])
    elif tale == "pays, and Stripe's dashboard sends a part of it back":
        fake.refund_elsewhere(session["payment_intent"], 500)
    elif tale == "pays, and gives a ticket back":
        await converge(session_id)
        await _gives_one_back(booking)
    return booking.code


async def _gives_one_back(booking: Booking) -> None:
    async with reading() as db:
        ticket = (await ticket_queries.of_booking(db, booking.id or 0))[0].ticket
    async with writing() as tx:
        await asking.return_by_rule(tx, booking, [ticket.short_code], reason="buyer", by=None, now=clock.now())


async def _judged(stand: Stand, outcome: Outcome, code: str, *, charged: Mapping[str, int]) -> list[str]:
    """What is wrong with a booking, measured by where its money is at Stripe."""
    booking = await booking_of(code)
    came = charged.get(booking.reference, 0)
    back = await refunded_at_stripe(stand, booking)
    async with reading() as db:
        valid = [view for view in await ticket_queries.of_booking(db, booking.id or 0) if view.ticket.is_valid]
        returned = sum(refund.places for refund in await payment_queries.refunds_of_booking(db, booking.id or 0))
        told = select(Delivery.state).join(Notification, col(Notification.id) == Delivery.notification_id)
        told = told.where(Notification.kind == "booking_paid", Notification.email == booking.email)
        mails = list((await db.exec(told)).all())
    kept = came - sum(back)
    outcome.paid += booking.is_paid
    outcome.refunded_minor += sum(back)
    wanted = {
        "state": "paid" if kept else "refunded" if came else "expired",
        "kept": kept,
        "tickets": PLACES - returned if kept else 0,
        "paid once": 1 if came else 0,
        "mails with tickets": ["sent"] if came else [],
        "mails": await sent_to(booking.email),
    }
    found = {
        "state": booking.state,
        "kept": booking.kept_minor,
        "tickets": len(valid),
        "paid once": await activities("booking.paid", booking),
        "mails with tickets": mails,
        "mails": len(await stand.fake.mailbox.messages(booking.email)),
    }
    wrong = {name: (found[name], wanted[name]) for name in wanted if found[name] != wanted[name]}
    return [f"{booking.reference} (found, wanted): {wrong}"] if wrong else []
