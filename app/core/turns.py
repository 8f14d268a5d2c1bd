"""Turns: one at a time, in the order of arrival; whoever carries many may go ahead of one who waits for himself."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """A queue for SQLite's one writer. The lock of the file itself waits by sleeping, and is unfair."""

    def __init__(self) -> None:
        self._taken = False
        self._last_went_ahead = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def turn(self, *, ahead: bool = False) -> AsyncIterator[None]:
        """Waits for the turn. Those who go ahead take every other turn at most, so that nobody waits for ever."""
        await self._take(ahead=ahead)
        self._last_went_ahead = ahead
        try:
            yield
        finally:
            self._pass_on()

    async def _take(self, *, ahead: bool) -> None:
        if not self._taken:
            self._taken = True
            return
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if ahead:
            self._waiting.insert(1 if self._last_went_ahead and self._waiting else 0, mine)
        else:
            self._waiting.append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                # The turn came in the moment in which we went away.
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            following = self._waiting.popleft()
            if not following.done():
                following.set_result(None)
                return
        self._taken = False
