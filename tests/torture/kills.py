"""The kill loop: SIGKILL at any moment while people buy, pay, give back and come. What they were told must still be so."""

import asyncio
import random
import re
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import time_machine
from sqlmodel import select

from app.core.db import reading, writing
from app.events.models import Event, TicketType
from app.payments import queries as payment_queries
from app.prove.client import Answer
from app.tickets import queries as ticket_queries
from app.tickets.models import CheckIn, Ticket
from tests import world
from tests.torture.evidence import booking_of, came_in, code_of, refunded_at_stripe, sent_to
from tests.torture.stand import Buyer, Stand, guest, signed_in
from tests.torture.sweeping import swept

CLIENTS = 8
PRICE_MINOR = 1850
# What a client sets out to do, and how often.
PLANS = {"free": 1, "comes": 3, "paid": 4, "gives back": 3, "releases": 1, "only holds": 1}
# On PostgreSQL the worker is a process apart, and either may die alone.
VICTIMS = (("serve",), ("worker",), ("serve", "worker"))
ADMIT, ALREADY_IN = "Admit", "Already in"


@dataclass
class Journal:
    """What the clients were told, written down outside of the shop. Bookings and tickets by code."""

    held: set[str] = field(default_factory=set)
    paid: set[str] = field(default_factory=set)
    released: set[str] = field(default_factory=set)
    returned: Counter[str] = field(default_factory=Counter)
    charged: dict[str, str] = field(default_factory=dict)
    admitted: set[str] = field(default_factory=set)
    broken_off: int = 0
    strange: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        return (
            f"{len(self.held)} holds, {len(self.paid)} bookings paid, {len(self.charged)} cards charged, "
            f"{sum(self.returned.values())} tickets given back, {len(self.released)} releases, {len(self.admitted)} admitted; "
            f"{self.broken_off} requests cut off"
        )


@dataclass
class Havoc:
    """What came of it, in seconds where it is about time."""

    kills: Counter[str] = field(default_factory=Counter)
    journal: Journal = field(default_factory=Journal)
    restarts: list[float] = field(default_factory=list)
    sweeping: float = 0
    faults: list[str] = field(default_factory=list)


async def run_kills(stand: Stand, *, kills: int, dice: random.Random) -> Havoc:
    """So many kills under load, then a clean stop, the sweeps, and the comparison with the journal."""
    havoc, apart = Havoc(), stand.kind == "postgresql"
    async with stand.books():
        async with writing() as tx:
            free = await world.event(tx, title="Free", capacity=100_000, price_minor=0, per_buyer=100_000)
            paid = await world.event(
                tx, title="Paid", capacity=100_000, price_minor=PRICE_MINOR, per_buyer=100_000, refund_hours=1
            )
            offers = {"free": (free, await world.only_type(tx, free)), "paid": (paid, await world.only_type(tx, paid))}
            await world.helper(tx, free, await world.erin(tx), "door")
        erin, *users = await signed_in(["Erin", *(f"Killed{number}" for number in range(CLIENTS))])
    stand.fake.faults.silent = False
    crowd = Crowd(stand, havoc.journal, offers, erin)
    await stand.start(*(("serve", "worker") if apart else ("serve",)), workers=2 if apart else 1, worker_inside=not apart)
    clients = [asyncio.create_task(crowd.buys(user, random.Random(dice.random()))) for user in users]
    for _kill in range(kills):
        await asyncio.sleep(dice.uniform(0.2, 2))
        victims = dice.choice(VICTIMS) if apart else ("serve",)
        havoc.kills[" and ".join(victims)] += 1
        stand.kill(*victims)
        began = time.perf_counter()
        await stand.start(*victims, workers=2 if apart else 1, worker_inside=not apart)
        havoc.restarts.append(time.perf_counter() - began)
    await asyncio.sleep(1)
    crowd.closed.set()
    await asyncio.gather(*clients)
    await stand.stop()
    await _compared(stand, havoc)
    return havoc


class Crowd:
    """Eight people who buy without rest, and Erin at the door of the free event.

    A request that was cut off counts for nothing: they do not know what became of it.
    """

    def __init__(self, stand: Stand, journal: Journal, offers: dict[str, tuple[Event, TicketType]], erin: Buyer) -> None:
        self.stand = stand
        self.journal = journal
        self.offers = offers
        self.erin = erin
        self.closed = asyncio.Event()
        self._guests = 0

    async def buys(self, user: Buyer, dice: random.Random) -> None:
        while not self.closed.is_set():
            plan = dice.choices(*zip(*PLANS.items(), strict=True))[0]
            try:
                await self._follows(plan, user if plan == "gives back" else self._new_guest(), dice)
            except ConnectionRefusedError:
                # Nobody is there: the next start takes a moment.
                await asyncio.sleep(0.1)
            except OSError:
                self.journal.broken_off += 1
            except TooOften:
                await asyncio.sleep(1)
            except Strange as strange:
                self.journal.strange[str(strange)] += 1

    async def _follows(self, plan: str, buyer: Buyer, dice: random.Random) -> None:
        event, kind = self.offers["free" if plan in ("free", "comes", "releases") else "paid"]
        places = dice.randint(1, 3)
        answer = await self.stand.ask(buyer.post(f"/events/{event.slug}/hold", {f"q-{kind.code}": str(places)}))
        _wanted(answer, 303, "hold")
        code = code_of(answer)
        self.journal.held.add(code)
        if plan == "only holds":
            return
        if plan == "releases":
            await self._done(buyer, code, "release")
            self.journal.released.add(code)
            return
        sent = await self._done(buyer, code, "checkout", email=buyer.email, name="Bob Buyer")
        if plan in ("free", "comes"):
            self.journal.paid.add(code)
            if plan == "comes":
                await self._comes(buyer, code, event, dice)
            return
        session_id = sent.location.rpartition("/")[2]
        if not session_id.startswith("cs_"):
            raise Strange(f"checkout led to {sent.location.partition('?')[0][:12]}")
        self.stand.fake.stripe.pay(session_id, "paid")
        self.journal.charged[session_id] = code
        await self.stand.ask(buyer.get(f"/bookings/{code}/return?s={session_id}"))
        if plan == "gives back":
            await self._gives_back(buyer, code, dice)

    async def _gives_back(self, buyer: Buyer, code: str, dice: random.Random) -> None:
        """One ticket, or all of them."""
        page = (await self.stand.ask(buyer.get(f"/bookings/{code}/refund"))).body.decode()
        short_codes = sorted(set(re.findall(r"[0-9A-Z]{4}-[0-9A-Z]{4}(?=\")", page)))
        if not short_codes:
            raise Strange("no ticket to give back right after the return")
        self.journal.paid.add(code)
        wanted = short_codes if dice.random() < 0.5 else short_codes[:1]
        answer = await self.stand.ask(buyer.post_many(f"/bookings/{code}/refund", [("ticket", short) for short in wanted]))
        _wanted(answer, 303, "refund")
        self.journal.returned[code] += len(wanted)

    async def _comes(self, buyer: Buyer, code: str, event: Event, dice: random.Random) -> None:
        """With all tickets, and now and then with one of them again."""
        page = (await self.stand.ask(buyer.get(f"/bookings/{code}"))).body.decode()
        tickets = sorted(set(re.findall(r"/tickets/([\w-]{22})", page)))
        if not tickets:
            raise Strange("no ticket right after a free checkout")
        for ticket in tickets:
            word, is_first = await self._scanned(event, ticket, f"{dice.getrandbits(128):032x}")
            if word != ADMIT and (is_first or word != ALREADY_IN):
                raise Strange(f"the first scan was answered {word}")
            self.journal.admitted.add(ticket)
        if dice.random() < 0.5:
            word, _is_first = await self._scanned(event, dice.choice(tickets), f"{dice.getrandbits(128):032x}")
            if word != ALREADY_IN:
                raise Strange(f"a second scan was answered {word}")

    async def _scanned(self, event: Event, ticket: str, nonce: str) -> tuple[str, bool]:
        """Erin scans until there is an answer, for somebody stands before her; gives it, and whether it came at once."""
        is_first = True
        while True:
            try:
                answer = await self.stand.ask(
                    self.erin.post(f"/manager/events/{event.slug}/checkin", {"code": ticket, "nonce": nonce})
                )
            except OSError:
                self.journal.broken_off += is_first
                is_first = False
                await asyncio.sleep(0.1)
                continue
            _wanted(answer, 200, "scan")
            found = re.search(r'id="verdict".*?<h2>(.*?)</h2>', answer.body.decode(), re.DOTALL)
            return found[1] if found else "nothing", is_first

    async def _done(self, buyer: Buyer, code: str, verb: str, **fields: str) -> Answer:
        answer = await self.stand.ask(buyer.post(f"/bookings/{code}/{verb}", fields))
        _wanted(answer, 303, verb)
        return answer

    def _new_guest(self) -> Buyer:
        self._guests += 1
        return guest(f"killed-{self._guests}")


class Strange(Exception):
    """An answer that a healthy shop would not have given, counted and looked at afterwards."""


class TooOften(Exception):
    """The shop lets nobody ask so often; whoever is told so waits a moment."""


def _wanted(answer: Answer, status: int, what: str) -> None:
    if answer.status == 429:
        raise TooOften
    if answer.status != status:
        raise Strange(f"{what} was answered {answer.status}")


async def _compared(stand: Stand, havoc: Havoc) -> None:
    """Brings the shop to rest, and then compares it with the journal and with Stripe."""
    async with stand.books():
        if found := await stand.broken():
            havoc.faults.append(f"before any sweep: {found}")
        began = time.perf_counter()
        with time_machine.travel(datetime.now(UTC), tick=True) as moment:
            havoc.faults += await swept(turns=1)
            havoc.sweeping = time.perf_counter() - began
            # Attempts that Stripe never answered are asked about after minutes; the last minute of every other one passes.
            moment.shift(timedelta(minutes=5))
            havoc.faults += await swept(turns=1)
            moment.shift(timedelta(minutes=45))
            havoc.faults += await swept()
            havoc.faults += await stand.broken()
        came = came_in(stand)
        for code in havoc.journal.held:
            havoc.faults += await untrue(stand, havoc.journal, code, came=came)
        havoc.faults += await untrue_at_door(havoc.journal)
    havoc.faults += [f"{count} × {what}" for what, count in havoc.journal.strange.items()]


async def untrue(stand: Stand, journal: Journal, code: str, *, came: Mapping[str, int]) -> list[str]:
    """What of the answers about this booking is no longer true. `came` are minor units at Stripe, by reference."""
    try:
        booking = await booking_of(code)
    except AssertionError as lost:
        return [str(lost)]
    async with reading() as db:
        tickets = [view.ticket for view in await ticket_queries.of_booking(db, booking.id or 0)]
        refunds = [refund for refund in await payment_queries.refunds_of_booking(db, booking.id or 0) if refund.origin == "app"]
    void = sum(not ticket.is_valid for ticket in tickets)
    charged = came.get(booking.reference, 0)
    back = sum(await refunded_at_stripe(stand, booking))
    rules = {
        "was paid": code not in journal.paid or bool(tickets),
        "was charged, so it has tickets or the money is back": not charged or booking.is_paid or back == charged,
        "keeps what Stripe has": booking.kept_minor == charged - back,
        "was released": code not in journal.released or booking.state == "released",
        "gave tickets back": void >= journal.returned[code] and back >= journal.returned[code] * PRICE_MINOR,
        "is at rest": booking.state in ("paid", "refunded", "released", "expired"),
        "has its refunds at Stripe": all(refund.state == "succeeded" for refund in refunds),
        "has its mail": not booking.is_paid or await sent_to(booking.email) > 0,
    }
    return [f"{booking.reference} ({booking.state}): not true: it {rule}" for rule, holds in rules.items() if not holds]


async def untrue_at_door(journal: Journal) -> list[str]:
    """Whoever was told to come in is in, once. Nobody else is, for Erin scans until she has an answer."""
    async with reading() as db:
        rows = (await db.exec(select(Ticket.code, Ticket.inside, CheckIn.kind).outerjoin(CheckIn))).all()
    scans: dict[str, list[tuple[bool, str | None]]] = {}
    for code, inside, kind in rows:
        scans.setdefault(code, []).append((inside, kind))
    lost = [code for code in journal.admitted if scans.get(code) != [(True, "in")]]
    stray = [code for code, found in scans.items() if code not in journal.admitted and found != [(False, None)]]
    return [f"ticket {code} was admitted, but is not in once" for code in lost] + [f"nobody admitted {code}" for code in stray]
