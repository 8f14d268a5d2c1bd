"""The storm: far more people than places on two evenings, three kinds of tickets, and whoever gets some may check out at once."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from app.core.db import reading, writing
from app.events import queries
from app.events.models import Event, TicketType
from app.prove.client import Connection
from tests import world
from tests.torture.evidence import code_of
from tests.torture.stand import Buyer, Stand, guest

CLIENTS = 64
EVENINGS = 2
KINDS = 3
# Two clients share each address, as in a house or a company.
ADDRESSES = CLIENTS // 2
# Of those who got places, so many check out at once.
BUYING = 0.5


@dataclass(frozen=True)
class Cart:
    """What one attempt asks for."""

    number: int
    event: Event
    fields: dict[str, str]


@dataclass
class Storm:
    """What came of it. Latencies of holds are in milliseconds, sorted."""

    capacity: int
    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    stock: list[tuple[int, int]] = field(default_factory=list)
    bought: int = 0
    seconds: float = 0
    faults: list[str] = field(default_factory=list)

    @property
    def p99(self) -> float:
        return self.latencies[int(0.99 * (len(self.latencies) - 1))] if self.latencies else 0


async def run_storm(stand: Stand, *, attempts: int, capacity: int, dice: random.Random) -> Storm:
    """Attempts by 64 clients on `capacity` places of each of three kinds on two evenings; all of them must be gone in the end."""
    storm = Storm(capacity)
    async with stand.books():
        offers = [await _opened(evening, capacity) for evening in range(EVENINGS)]
    await stand.start(workers=2 if stand.kind == "postgresql" else 1)
    left = iter([_cart(number, *dice.choice(offers), dice) for number in range(attempts)])
    before = time.perf_counter()
    await asyncio.gather(*(_client(stand, storm, left, dice, number) for number in range(CLIENTS)))
    storm.seconds = time.perf_counter() - before
    await stand.stop()
    async with stand.books():
        await _counted(storm, [event for event, _types in offers])
        storm.faults += [*await stand.broken(), *stand.complaints()]
    storm.latencies.sort()
    storm.faults += [f"{count} answers {status}" for status, count in storm.statuses.items() if status not in (303, 409)]
    return storm


async def _opened(evening: int, capacity: int) -> tuple[Event, list[TicketType]]:
    async with writing() as tx:
        event = await world.event(tx, title=f"Storm {evening}", capacity=capacity, price_minor=0)
        for name in ("Gallery", "Stalls"):
            await world.ticket_type(tx, event, name=name, capacity=capacity, price_minor=0)
        return event, await queries.ticket_types(tx, event.id or 0)


def _cart(number: int, event: Event, types: list[TicketType], dice: random.Random) -> Cart:
    """One place of each kind in any order, or one of a single kind."""
    chosen = dice.sample(types, KINDS if dice.random() < 0.5 else 1)
    return Cart(number, event, {f"q-{kind.code}": "1" for kind in chosen})


async def _client(stand: Stand, storm: Storm, left: Iterator[Cart], dice: random.Random, number: int) -> None:
    connection = Connection(stand.settings.port)
    for cart in left:
        buyer = guest(f"storm-{cart.number}", address=f"10.9.9.{number % ADDRESSES}")
        began = time.perf_counter()
        answer = await connection.ask(buyer.post(f"/events/{cart.event.slug}/hold", cart.fields))
        storm.latencies.append(1000 * (time.perf_counter() - began))
        storm.statuses[answer.status] += 1
        if answer.status == 303 and dice.random() < BUYING:
            places = await _buys(connection, storm, buyer, code_of(answer), len(cart.fields))
            storm.bought += places
    connection.close()


async def _buys(connection: Connection, storm: Storm, buyer: Buyer, code: str, places: int) -> int:
    answer = await connection.ask(buyer.post(f"/bookings/{code}/checkout", {"email": buyer.email, "name": "Bob"}))
    storm.statuses[answer.status] += 1
    return places if answer.status == 303 else 0


async def _counted(storm: Storm, events: list[Event]) -> None:
    async with reading() as db:
        present = [kind for event in events for kind in await queries.ticket_types(db, event.id or 0)]
    storm.stock = [(kind.held, kind.sold) for kind in present]
    storm.faults += [f"{kind.name}: {kind.held} held, {kind.sold} sold" for kind in present if kind.left]
    sold = sum(kind.sold for kind in present)
    if storm.bought != sold:
        storm.faults.append(f"{storm.bought} places were acknowledged as bought, {sold} are sold")
