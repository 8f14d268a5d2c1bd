"""Many buyers at once, each with an address and cookies of their own, and what every one of them was told."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from app.prove.client import Answer, Connection, get, post
from app.prove.scene import Scene

# The network that is set aside for tests like this one (RFC 2544): 198.18.0.0/15.
MOST_BUYERS = 100_000


@dataclass
class Told:
    """What the buyers were told. Times in seconds; `errors` counts whatever no buyer should see, by its own words."""

    held: set[str] = field(default_factory=set)
    bought: set[str] = field(default_factory=set)
    refused: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    server_errors: int = 0
    done: int = 0
    hold_seconds: list[float] = field(default_factory=list)
    seconds: float = 0.0


# What one buyer does on a connection, and what they do it with.
Story = tuple[Callable[..., Awaitable[None]], tuple[object, ...]]


class WrongAnswer(Exception):
    """A step was answered with something that no buyer should see."""


class Storm:
    """`await Storm(...).rage(port)`: all buyers look at the event and hold one place, and then so many winners buy it.

    They buy when the rush is over, because it takes longer to type a name than it takes the rush to be over.
    """

    def __init__(self, scene: Scene, *, buyers: int, clients: int, buying: int, winners: int) -> None:
        self.scene = scene
        self.buyers = buyers
        self.clients = min(clients, buyers)
        self.told = Told()
        self._buying = buying
        self._winners = max(1, winners)
        self._first_at: float | None = None
        self._ready_to_buy: list[tuple[str, int, dict[str, str]]] = []

    async def rage(self, port: int) -> Told:
        """All of them. When it is cancelled, whoever has begun still comes to an end, so that no booking is unknown to us."""
        connections = [Connection(port) for _client in range(self.clients)]
        try:
            await self._all(connections, ((self._hold, (number,)) for number in range(self.buyers)))
            await self._all(connections, ((self._buy, ready) for ready in self._ready_to_buy))
        finally:
            for connection in connections:
                connection.close()
        return self.told

    async def _all(self, connections: list[Connection], stories: Iterator[Story]) -> None:
        everybody = asyncio.gather(*(self._serve(connection, stories) for connection in connections))
        try:
            await asyncio.shield(everybody)
        except asyncio.CancelledError:
            for _nobody_else in stories:
                pass
            await everybody
            raise

    async def _serve(self, connection: Connection, stories: Iterator[Story]) -> None:
        """One connection is used by one buyer after the other."""
        for tell, given in stories:
            try:
                await tell(connection, *given)
            except (OSError, WrongAnswer) as error:
                self.told.errors[str(error) or type(error).__name__] += 1
            self.told.done += tell == self._hold

    async def _hold(self, connection: Connection, number: int) -> None:
        headers = {"X-Forwarded-For": f"198.{18 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"}
        await self._ask(connection, get(f"/events/{self.scene.slug}", headers), "event page", 200)
        started = time.perf_counter()
        self._first_at = self._first_at or started
        form = post(f"/events/{self.scene.slug}/hold", {self.scene.field: "1"}, headers)
        answer = await self._ask(connection, form, "hold", 303, 409)
        now = time.perf_counter()
        self.told.hold_seconds.append(now - started)
        self.told.seconds = now - self._first_at
        if answer.status == 409:
            self.told.refused += 1
            return
        code = answer.location.rpartition("/")[2]
        self.told.held.add(code)
        # Winners who buy are spread evenly over all of them.
        nth = len(self.told.held)
        if nth * self._buying // self._winners > (nth - 1) * self._buying // self._winners:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in answer.cookies.items())
            self._ready_to_buy.append((code, number, headers))

    async def _buy(self, connection: Connection, code: str, number: int, headers: dict[str, str]) -> None:
        await self._ask(connection, get(f"/bookings/{code}", headers), "booking page", 200)
        fields = {"email": f"buyer-{number}@example.com", "name": f"Buyer {number}"}
        await self._ask(connection, post(f"/bookings/{code}/checkout", fields, headers), "checkout", 303)
        self.told.bought.add(code)
        await self._ask(connection, get(f"/bookings/{code}", headers), "confirmation", 200)

    async def _ask(self, connection: Connection, request: bytes, what: str, *expected: int) -> Answer:
        answer = await connection.ask(request)
        if answer.status >= 500:
            self.told.server_errors += 1
        if answer.status not in expected:
            raise WrongAnswer(f"{what} answered {answer.status}")
        return answer


@asynccontextmanager
async def watched(storm: Storm, write: Callable[[str], object]) -> AsyncIterator[None]:
    """Shows how far the storm is, on one line, while the block runs."""

    async def show() -> None:
        while True:
            part = storm.told.done / storm.buyers
            write(f"\r[{'#' * int(30 * part):<30}] {storm.told.done:,} of {storm.buyers:,} buyers")
            await asyncio.sleep(0.2)

    showing = asyncio.create_task(show())
    try:
        yield
    finally:
        showing.cancel()
        write("\r" + " " * 72 + "\r")
