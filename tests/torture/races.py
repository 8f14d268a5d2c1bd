"""The races: a crowd of twenty wants the same thing in the same moment, from a real server.

A race is a class, a round of it an object: `prepare` fills the books, `run` lets the crowd loose, `judge` reads the books.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar

from sqlalchemy import func, update
from sqlmodel import col, select

from app.accounts import flows as accounts
from app.accounts.models import MailedLink, User, Visitor
from app.bookings import actions as bookings
from app.bookings.models import AccessCode, Booking, BuyerLimit
from app.core import clock, tokens
from app.core.db import reading, writing
from app.events.actions import deciding
from app.events.models import Event, TicketType
from app.payments import queries as payment_queries
from app.payments.flows.checkout import checkout
from app.payments.flows.converge import converge
from app.payments.models import Notice, Payment
from app.tickets import queries as ticket_queries
from tests import world
from tests.torture.evidence import (
    a_link,
    activities,
    booking_of,
    code_of,
    events_at,
    letter,
    refunded_at_stripe,
    refunds_of,
    same,
    sent_to,
    server_errors,
    sessions_at,
    statuses,
)
from tests.torture.stand import Buyer, Stand, guest

CROWD = 20
# One buyer may ask for places ten times a minute.
WINDOWS = 8
COPIES = 16


class Race:
    """One round of a race, with twenty users who are signed in."""

    name: ClassVar[str]

    def __init__(self, number: int, crowd: Sequence[Buyer]) -> None:
        self.number = number
        self.crowd = crowd

    async def prepare(self) -> None:
        """What has to stand in the books before the server starts."""

    async def run(self, stand: Stand) -> None:
        """The moment itself. Raises AssertionError when the answers are not what they must be."""

    async def leave(self, stand: Stand) -> None:
        """What else there is for the workers to find, once the server has stopped."""

    async def judge(self, stand: Stand) -> None:
        """What has to stand in the books after two workers have swept."""

    def guests(self, number: int = CROWD) -> list[Buyer]:
        return [guest(f"{self.name.replace(' ', '-')}-{self.number}-{buyer}") for buyer in range(number)]

    async def opens(self, *, presale: bool = False, capacity: int = 100, price_minor: int = 0, **columns: Any) -> None:
        """An event of its own for this round."""
        async with writing() as tx:
            title = f"{self.name} {self.number}"
            self.event: Event = await world.event(tx, title=title, capacity=capacity, price_minor=price_minor, **columns)
            self.kind: TicketType = await world.only_type(tx, self.event)
            if presale:
                self.kind.presale_from = clock.now() - timedelta(days=1)
                self.kind.sale_from = clock.now() + timedelta(days=7)

    def holding(self, buyer: Buyer, places: int = 1, **fields: str) -> bytes:
        return buyer.post(f"/events/{self.event.slug}/hold", {f"q-{self.kind.code}": str(places), **fields})


class LastTicket(Race):
    name = "last ticket"

    async def prepare(self) -> None:
        await self.opens(capacity=1)

    async def run(self, stand: Stand) -> None:
        same(statuses(await stand.at_once(self.holding(buyer) for buyer in self.guests())), {303: 1, 409: CROWD - 1})

    async def judge(self, stand: Stand) -> None:
        async with reading() as db:
            kind = await world.only_type(db, self.event)
        same((kind.held, kind.sold), (1, 0))


class OneUse(Race):
    name = "access code with one use"

    async def prepare(self) -> None:
        await self.opens(presale=True)
        async with writing() as tx:
            tx.add(AccessCode(ticket_type_id=self.kind.id or 0, code="ONCE", max_uses=1))
            await tx.exec(update(TicketType).where(col(TicketType.id) == self.kind.id).values(needs_code=True))

    async def run(self, stand: Stand) -> None:
        answers = await stand.at_once(self.holding(buyer, code="once") for buyer in self.crowd)
        same(statuses(answers), {303: 1, 422: CROWD - 1})

    async def judge(self, stand: Stand) -> None:
        async with reading() as db:
            used = select(AccessCode.used).where(AccessCode.ticket_type_id == self.kind.id)
            same((await db.exec(used)).all(), [1])


class BuyersLimit(Race):
    """Bookings of a pre-sale do not replace each other, so only the limit stops the many windows of one buyer."""

    name = "limit of one buyer"

    async def prepare(self) -> None:
        await self.opens(presale=True, per_buyer=3)

    async def run(self, stand: Stand) -> None:
        answers = await stand.at_once(self.holding(self.crowd[0]) for _window in range(WINDOWS))
        same(statuses(answers), {303: 3, 422: WINDOWS - 3})

    async def judge(self, stand: Stand) -> None:
        async with reading() as db:
            counted = select(BuyerLimit.qty).where(
                BuyerLimit.event_id == self.event.id, BuyerLimit.buyer_key == f"mail:{self.crowd[0].email}"
            )
            same((await db.exec(counted)).all(), [3])


class OneAddress(Race):
    """Twenty browsers hold a place each, and all name the same address when they check out."""

    name = "limit of one address"

    async def prepare(self) -> None:
        await self.opens(per_buyer=3)

    async def run(self, stand: Stand) -> None:
        people = self.guests()
        codes = [code_of(answer) for answer in await stand.at_once(self.holding(buyer) for buyer in people)]
        details = {"email": f"one-{self.number}@example.com", "name": "Mallory"}
        answers = await stand.at_once(
            buyer.post(f"/bookings/{code}/checkout", details) for buyer, code in zip(people, codes, strict=True)
        )
        same(statuses(answers)[303], 3)
        same(server_errors(answers), 0)

    async def judge(self, stand: Stand) -> None:
        async with reading() as db:
            paid = select(func.count()).select_from(Booking).where(Booking.event_id == self.event.id, Booking.state == "paid")
            same((await db.exec(paid)).one(), 3)


class DoublePay(Race):
    name = "double Pay"

    async def prepare(self) -> None:
        await self.opens(price_minor=1850)

    async def run(self, stand: Stand) -> None:
        (buyer,) = self.guests(1)
        self.code = code_of(await stand.ask(self.holding(buyer)))
        paying = buyer.post(f"/bookings/{self.code}/checkout", {"email": buyer.email, "name": "Bob"})
        answers = await stand.at_once([paying] * CROWD)
        pages = {answer.location for answer in answers if "/sandbox/pay/" in answer.location}
        same(len(pages), 1)
        same(server_errors(answers), 0)

    async def judge(self, stand: Stand) -> None:
        booking = await booking_of(self.code)
        made = [doc for doc in sessions_at(stand) if doc["client_reference_id"] == booking.reference]
        same(len(made), 1)
        async with reading() as db:
            attempts = (await db.exec(select(Payment).where(Payment.booking_id == booking.id))).all()
        same(len(attempts), 1)


class WebhooksAndLanding(Race):
    """Stripe tells it sixteen times while the buyer comes back."""

    name = "webhooks and landing"

    async def prepare(self) -> None:
        await self.opens(price_minor=1850)

    async def run(self, stand: Stand) -> None:
        (buyer,) = self.guests(1)
        self.code, session_id = await charged(stand, buyer, self.holding(buyer, 2))
        self.told = next(
            event for event in events_at(stand, "checkout.session.completed") if event["data"]["object"]["id"] == session_id
        )
        landing = buyer.get(f"/bookings/{self.code}/return?s={session_id}")
        answers = await stand.at_once([*(letter(stand, self.told) for _copy in range(COPIES)), landing])
        same(statuses(answers), {200: COPIES, 303: 1})

    async def judge(self, stand: Stand) -> None:
        booking = await booking_of(self.code)
        same(booking.state, "paid")
        async with reading() as db:
            same(len(await ticket_queries.of_booking(db, booking.id or 0)), 2)
            same(len((await db.exec(select(Notice).where(Notice.id == self.told["id"]))).all()), 1)
        same(await activities("booking.paid", booking), 1)
        same(len(await stand.fake.mailbox.messages(booking.email)), 1)


class Refunds(Race):
    """Two tickets; half of the crowd gives the one back, half the other: each goes back once."""

    name = "refund"

    async def prepare(self) -> None:
        await self.opens(price_minor=1850, refund_hours=1)

    async def run(self, stand: Stand) -> None:
        buyer = self.crowd[1]
        self.code, session_id = await charged(stand, buyer, self.holding(buyer, 2))
        await stand.ask(buyer.get(f"/bookings/{self.code}/return?s={session_id}"))
        page = (await stand.ask(buyer.get(f"/bookings/{self.code}/refund"))).body.decode()
        short_codes = sorted(set(re.findall(r"[0-9A-Z]{4}-[0-9A-Z]{4}(?=\")", page)))
        same(len(short_codes), 2)
        wanted = short_codes * (CROWD // 2)
        answers = await stand.at_once(
            buyer.post(f"/bookings/{self.code}/refund", {"ticket": short, "chosen": "1"}) for short in wanted
        )
        same(statuses(answers)[303], 2)
        same(server_errors(answers), 0)

    async def judge(self, stand: Stand) -> None:
        booking = await booking_of(self.code)
        same((booking.state, booking.kept_minor), ("refunded", 0))
        same([refund.amount_minor for refund in await refunds_of(booking)], [1850, 1850])
        same(await refunded_at_stripe(stand, booking), [1850, 1850])


class OneReset(Race):
    name = "password reset link"

    async def prepare(self) -> None:
        async with writing() as tx:
            user = await world.person(tx, f"Forgetful{self.number}")
            self.user_id = user.id or 0
            self.link = await a_link(tx, "reset", user.email, user_id=user.id)
        self.passwords = [f"nine pianos in the rain {number}" for number in range(CROWD)]

    async def run(self, stand: Stand) -> None:
        where = f"/password/reset/{tokens.sign('reset', self.link)}"
        answers = await stand.at_once(guest("").post(where, {"password": password}) for password in self.passwords)
        same(statuses(answers), {303: 1, 410: CROWD - 1})
        self.chosen = self.passwords[[answer.status for answer in answers].index(303)]

    async def judge(self, stand: Stand) -> None:
        async with reading() as db:
            user = await db.get(User, self.user_id)
        assert user
        same(await accounts.is_right(self.chosen, user.password_hash), True)


class OneRegistration(Race):
    """The form sent twenty times mails one link."""

    name = "register one address"

    async def run(self, stand: Stand) -> None:
        details = {"email": f"new-{self.number}@example.com", "password": world.PASSWORD}
        same(statuses(await stand.at_once(guest("").post("/register", details) for _time in range(CROWD))), {200: CROWD})

    async def judge(self, stand: Stand) -> None:
        async with reading() as db:
            links = await db.exec(select(MailedLink).where(MailedLink.email == f"new-{self.number}@example.com"))
            same(len(links.all()), 1)


class OneAccount(Race):
    """Twenty links for one address, from twenty days, are opened together."""

    name = "open one account"

    async def prepare(self) -> None:
        self.email = f"twenty-{self.number}@example.com"
        async with writing() as tx:
            self.links = [await a_link(tx, "register", self.email) for _time in range(CROWD)]

    async def run(self, stand: Stand) -> None:
        answers = await stand.at_once(guest("").post(f"/verify/{tokens.sign('register', link)}") for link in self.links)
        same(statuses(answers), {303: 1, 410: CROWD - 1})

    async def judge(self, stand: Stand) -> None:
        async with reading() as db:
            same(len((await db.exec(select(User).where(User.email == self.email))).all()), 1)


class SecondHold(Race):
    """One browser holds in many windows: the last hold counts, the others are released."""

    name = "second hold replaces the first"

    async def prepare(self) -> None:
        await self.opens(per_buyer=2)

    async def run(self, stand: Stand) -> None:
        (buyer,) = self.guests(1)
        same(statuses(await stand.at_once(self.holding(buyer, 2) for _window in range(WINDOWS))), {303: WINDOWS})

    async def judge(self, stand: Stand) -> None:
        async with reading() as db:
            states = await db.exec(select(Booking.state).where(Booking.event_id == self.event.id))
            same(Counter(states.all()), {"held": 1, "released": WINDOWS - 1})


class TwoSweeps(Race):
    """Nobody comes; two workers find the same lapsed hold and the same event that was called off."""

    name = "two sweeps"

    async def prepare(self) -> None:
        await self.opens(price_minor=1850)
        self.lapsed = await self._held("lapses")
        async with writing() as tx:
            await tx.exec(update(Booking).where(col(Booking.id) == self.lapsed.id).values(held_until=clock.now()))
        self.paid = await self._held("pays")
        await checkout(self.paid.id or 0, email=f"called-off-{self.number}@example.com", name="Bob", by=Visitor(key="pays"))

    async def leave(self, stand: Stand) -> None:
        async with reading() as db:
            payment = await payment_queries.latest(db, self.paid.id or 0)
        assert payment
        stand.fake.stripe.pay(payment.session_id or "", "paid")
        await asyncio.gather(converge(payment.session_id or ""), converge(payment.session_id or ""))
        async with writing() as tx:
            event = await tx.get_one(Event, self.event.id)
            await deciding.call_off(tx, event, reason="Nobody will play.", by=event.manager_id, now=clock.now())

    async def judge(self, stand: Stand) -> None:
        same((await booking_of(self.lapsed.code)).state, "expired")
        same(await activities("booking.expired", self.lapsed), 1)
        paid = await booking_of(self.paid.code)
        same(paid.state, "called_off")
        same(await refunded_at_stripe(stand, paid), [1850])
        same(len(await stand.fake.mailbox.messages(paid.email)), await sent_to(paid.email))

    async def _held(self, key: str) -> Booking:
        async with writing() as tx:
            return await bookings.hold(tx, self.event, {self.kind.id or 0: 1}, by=Visitor(key=key), now=clock.now())


async def charged(stand: Stand, buyer: Buyer, holding: bytes) -> tuple[str, str]:
    """Somebody holds places and pays for them on Stripe's page; nobody has told the shop. The codes of booking and session."""
    code = code_of(await stand.ask(holding))
    sent = await stand.ask(buyer.post(f"/bookings/{code}/checkout", {"email": buyer.email, "name": "Bob Buyer"}))
    session_id = sent.location.rpartition("/")[2]
    stand.fake.stripe.pay(session_id, "paid")
    return code, session_id
