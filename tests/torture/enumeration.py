"""Does the clock tell who has an account? Every door is knocked at with addresses that have one and with some that have none.

Requests of the two kinds take turns, so that whatever else the machine does meets both alike.
"""

import itertools
import random
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from app.accounts.models import User
from app.core import clock
from app.core.db import writing
from app.prove.client import Connection, addresses, post
from main import create_app
from tests import world
from tests.stage import serving
from tests.torture.stand import Stand

GUESS = "ten pianos in the sun"
DOORS = {
    "/login": {"password": GUESS},
    "/register": {"password": GUESS},
    "/password/forgot": {},
    "/login/link": {},
}
# Medians further apart than this are a fault when chance does not explain them.
MOST_MS = 2.0


@dataclass
class Times:
    """Milliseconds of each request at one door, by whether the address has an account."""

    known: list[float] = field(default_factory=list)
    unknown: list[float] = field(default_factory=list)

    @property
    def apart(self) -> float:
        return abs(statistics.median(self.known) - statistics.median(self.unknown))

    @property
    def tells(self) -> bool:
        """Whether the medians differ by more than the bound, and their 95 % intervals do not meet."""
        (least, most), (other_least, other_most) = interval(self.known), interval(self.unknown)
        return self.apart > MOST_MS and (most < other_least or other_most < least)


def interval(times: list[float]) -> tuple[float, float]:
    """Between which two times the true median lies, with 95 % certainty; by ranks, so it needs no shape of the curve."""
    ordered, half = sorted(times), 0.98 * len(times) ** 0.5
    middle = len(times) / 2
    return ordered[max(0, int(middle - half))], ordered[min(len(times) - 1, int(middle + half))]


async def run_enumeration(stand: Stand, *, requests: int, dice: random.Random) -> tuple[dict[str, Times], list[str]]:
    """So many requests of each kind at every door of a server of its own; the times, and what is wrong with them."""
    async with stand.books():
        await people(requests)
    await stand.start()
    try:
        times = {door: await measured(stand, door, requests, dice) for door in DOORS}
    finally:
        await stand.stop()
    return times, faults(times)


def faults(times: dict[str, Times]) -> list[str]:
    return [f"{door} tells in {found.apart:.1f} ms who has an account" for door, found in times.items() if found.tells]


async def people(number: int) -> None:
    """Accounts with the addresses known0@…, known1@…; nobody has unknown0@… ."""
    async with writing() as tx:
        bob = await world.bob(tx)
        tx.add_all(
            User(email=address("knowing", n), password_hash=bob.password_hash, created_at=clock.now()) for n in range(number)
        )


async def measured(stand: Stand, door: str, requests: int, dice: random.Random) -> Times:
    """One connection, one request at a time, each from another place; the first ones warm the server up."""
    times, places, connection = Times(), addresses(), Connection(stand.settings.port)
    pairs = [("knowing", n) for n in range(requests)] + [("unknown", n) for n in range(requests)]
    dice.shuffle(pairs)
    warming = [("warming", n) for n in range(10)]
    for kind, number in itertools.chain(warming, pairs):
        typed = {"email": address(kind, number), **DOORS[door]}
        request = post(door, typed, {"X-Forwarded-For": next(places)})
        began = time.perf_counter()
        answer = await connection.ask(request)
        passed = 1000 * (time.perf_counter() - began)
        assert answer.status in (200, 422), f"{door} answered {answer.status}"
        if kind != "warming":
            (times.known if kind == "knowing" else times.unknown).append(passed)
    connection.close()
    return times


@asynccontextmanager
async def served(stand: Stand) -> AsyncIterator[None]:
    """The shop in this process, where a test can take a defence away."""
    async with serving(create_app(), stand.settings.port):
        yield


def address(kind: str, number: int) -> str:
    """All of one length, as long as the kinds' names are."""
    return f"{kind}{number:05}@example.com"
