"""Answers that go on: server-sent events, which a browser's EventSource reads and asks for again by itself."""

import asyncio
import signal
from collections.abc import AsyncGenerator, Callable
from typing import Any

from litestar.response import Response
from litestar.response.base import ASGIResponse
from litestar.response.streaming import ASGIStreamingResponse
from litestar.types import ASGIApp, Receive, Scope, Send

# A proxy that collects an answer before it passes it on would make a stream useless.
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
MEDIA_TYPE = "text/event-stream"


def told(name: str, text: str) -> str:
    """One message of a stream; `name` comes back as Last-Event-ID when the browser asks again."""
    lines = "".join(f"data: {line}\n" for line in text.splitlines())
    return f"id: {name}\n{lines}\n"


class EventStream(Response[bytes]):
    """What a generator yields, until it ends or the reader leaves. It is closed either way, so it can count its readers."""

    def __init__(self, messages: AsyncGenerator[str, None]) -> None:
        super().__init__(b"", media_type=MEDIA_TYPE, headers=HEADERS)
        self.messages = messages

    def to_asgi_response(self, *_given: Any, **given: Any) -> ASGIResponse:
        headers = {**(given.get("headers") or {}), **self.headers}
        return _Open(iterator=self.messages, headers=headers, media_type=MEDIA_TYPE, status_code=200)


class _Open(ASGIStreamingResponse):
    """Litestar's own waits for the reader to leave, also when there is nothing more to say; so no process could end."""

    async def send_body(self, send: Send, receive: Receive) -> None:
        both = {asyncio.create_task(self._stream(send)), asyncio.create_task(_left(receive))}
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)
            await self.iterator.aclose()  # type: ignore[union-attr]


class EndOnSignals:
    """ASGI wrapper for a process that the server started: SIGINT and SIGTERM call `end`, too.

    The server's own answer to them stays: it is woken by the signal's number, and not by what Python calls then.
    """

    def __init__(self, app: ASGIApp, *, end: Callable[[], None]) -> None:
        self.app, self.end = app, end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if str(scope["type"]) == "lifespan":
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda *_signal: loop.call_soon_threadsafe(self.end))
        await self.app(scope, receive, send)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
