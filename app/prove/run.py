"""The proof itself: put an event up, let the storm at it, then ask the database what is true."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass

from app.admin import invariants
from app.core import clock, db
from app.core.owner import owned
from app.prove import ground, scene, shop
from app.prove.ground import CannotProve, Ground
from app.prove.report import Check, Report
from app.prove.scene import Counted, Scene
from app.prove.storm import Storm, Told, watched


@dataclass(frozen=True)
class Wish:
    """What is to be proved. `buying`: how many of those who get a place buy it; the others only hold."""

    buyers: int
    places: int
    clients: int
    buying: int
    here: bool

    @property
    def expected(self) -> int:
        """How many places must be gone in the end: all, or one for each buyer."""
        return min(self.places, self.buyers)


class Stopped(CannotProve):
    """Ctrl-C, or a signal."""


async def prove(wish: Wish, url: str) -> Report:
    """Proves or disproves, and removes whatever it made, also when it is stopped. Raises CannotProve and FileInUse."""
    if wish.here and wish.buying:
        raise CannotProve("With --here nobody buys: the running shop would send them mails. Leave out --paid.")
    with _stoppable():
        async with ground.here(url) if wish.here else ground.throw_away(url) as at:
            return await _prove_at(at, wish)


async def _prove_at(at: Ground, wish: Wish) -> Report:
    async with _database_of(at):
        put_up = await scene.put_up(wish.places)
    storm = Storm(put_up, buyers=wish.buyers, clients=wish.clients, buying=wish.buying, winners=wish.expected)
    removed = True
    try:
        async with AsyncExitStack() as stack:
            port = await stack.enter_async_context(shop.serving(at))
            if sys.stderr.isatty():
                await stack.enter_async_context(watched(storm, sys.stderr.write))
            told = await storm.rage(port)
        async with _database_of(at):
            counted = await scene.count(put_up)
            checks = [*_counts(wish, told, counted), *await _invariants()]
    finally:
        if not at.is_own:
            removed = await asyncio.shield(_removed(at, put_up, frozenset(storm.told.held)))
    if not at.is_own:
        checks.append(Check("gone", "Everything that the proof made is removed; if not, its event is called off.", removed))
    return Report(at.kind, wish.buyers, wish.places, storm.clients, told, counted, checks)


async def _removed(at: Ground, put_up: Scene, known: frozenset[str]) -> bool:
    async with _database_of(at):
        return await scene.remove(put_up, known)


def _counts(wish: Wish, told: Told, counted: Counted) -> list[Check]:
    """What the buyers were told against what the database says."""
    gone = counted.sold + counted.held
    failed = sum(told.errors.values())
    return [
        Check("sold", f"Exactly {wish.expected:,} places are sold or held: {gone:,}.", gone == wish.expected),
        Check(
            "told",
            "Whoever was told that a place is theirs has it, and nobody else.",
            told.held == counted.held_codes | counted.paid_codes and told.refused == wish.buyers - wish.expected,
        ),
        Check(
            "paid",
            f"Exactly {min(wish.buying, wish.expected):,} of them bought it and have a ticket: {counted.valid_tickets:,}.",
            told.bought == counted.paid_codes
            and len(told.bought) == counted.valid_tickets == counted.sold == min(wish.buying, wish.expected),
        ),
        Check("http", "Every answer was one that a buyer may see.", failed == 0 and told.server_errors == 0),
    ]


async def _invariants() -> list[Check]:
    found = [(invariant, await invariants.look(invariant, now=clock.now())) for invariant in invariants.CHECKS]
    return [Check(each.id, str(each.sentence), not result.broken, result.examples) for each, result in found]


@asynccontextmanager
async def _database_of(at: Ground) -> AsyncIterator[None]:
    """This process uses the database only while the shop's does not, because an old SQLite asks for that."""
    with owned(at.url):
        db.connect(at.url)
        try:
            yield
        finally:
            await db.disconnect()


@contextmanager
def _stoppable() -> Iterator[None]:
    """The first signal cancels what runs, so that it cleans up; later ones wait for that."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    signals: list[int] = []

    def stop(number: int) -> None:
        signals.append(number)
        if task and len(signals) == 1:
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    try:
        yield
    except asyncio.CancelledError:
        if not signals:
            raise
        raise Stopped("Stopped before anything was proved. What the proof had made is removed.") from None
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
