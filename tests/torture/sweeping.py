"""The worker's work done here, by two at once and without leases: what is safe then is safe with them."""

import asyncio
from collections.abc import Awaitable, Callable

from app.core import activity, clock
from app.core.db import reading
from app.notifications import flows as notifications
from app.worker import SCHEDULE, Worker


async def swept(*, turns: int = 2) -> list[str]:
    """Every reaction and every sweep, each by two workers in the same moment, so many times; what failed. Inside books()."""
    faults = []
    for _turn in range(turns):
        faults += await _twice("reactions", _reacted)
        for sweep in SCHEDULE:
            faults += await _twice(sweep.name, sweep.flow)
    faults += await _twice("reactions", _reacted)
    while any(await asyncio.gather(notifications.deliver(), notifications.deliver())):
        pass
    async with reading() as db:
        left = await activity.due(db, now=clock.now(), most=100)
    return faults + [f"activity {each} was not handled" for each in left]


async def _twice(name: str, flow: Callable[[], Awaitable[object]]) -> list[str]:
    done = await asyncio.gather(flow(), flow(), return_exceptions=True)
    return [f"{name}: {type(fault).__name__}: {fault}"[:300] for fault in done if isinstance(fault, Exception)]


async def _reacted() -> None:
    worker = Worker()
    while await worker.react():
        pass
