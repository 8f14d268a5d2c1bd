"""Public pages are kept for a moment, so that a rush on one event renders its page once and not a thousand times.

Only what looks the same for every client is kept. Nothing depends on it being fresh: the guard decides, not the page.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from litestar import Request
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from app.core import i18n
from app.core.settings import settings
from app.web import cookies
from app.web.packing import encoding_of
from app.web.page import is_htmx, visitor_of

MOST_PAGES = 1000

T = TypeVar("T")

Key = tuple[str, bytes, str, str, str]


@dataclass
class _Page:
    """An answer as it went out, and when (in the event loop's time)."""

    messages: list[Message]
    made_at: float


@dataclass
class Kept:
    """ASGI wrapper. One request at a time renders a page; meanwhile everybody else gets the old one, or waits for the first."""

    app: ASGIApp
    seconds: float
    pages: OrderedDict[Key, _Page] = field(default_factory=OrderedDict)
    making: dict[Key, asyncio.Future[_Page | None]] = field(default_factory=dict)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = self._key(scope)
        if key is None:
            await self.app(scope, receive, send)
            return
        page = self.pages.get(key)
        fresh = page and asyncio.get_running_loop().time() < page.made_at + self.seconds
        if not fresh and key not in self.making:
            await self._make(key, scope, receive, send)
            return
        if page is None:
            page = await asyncio.shield(self.making[key])
        if page is None:
            await self.app(scope, receive, send)
            return
        if key in self.pages:
            # What is read stays; addresses that somebody makes up push each other out.
            self.pages.move_to_end(key)
        for message in page.messages:
            await send(dict(message))  # type: ignore[arg-type]

    async def _make(self, key: Key, scope: Scope, receive: Receive, send: Send) -> None:
        """Renders the page for this request and keeps it for the others, if it says that it may be kept."""
        waiting = self.making[key] = asyncio.get_running_loop().create_future()
        messages: list[Message] = []
        page: _Page | None = None

        async def send_and_note(message: Message) -> None:
            if message["type"] == "http.response.start" and not _may_be_kept(message):
                # Nobody waits for what nobody else may have: a stream would keep them for minutes.
                self._made(key, waiting, None)
            if not waiting.done():
                messages.append(dict(message))  # type: ignore[arg-type]
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
            if not waiting.done():
                page = _Page(messages, asyncio.get_running_loop().time())
                self.pages[key] = page
                self.pages.move_to_end(key)
        finally:
            self._made(key, waiting, page)
            while len(self.pages) > MOST_PAGES:
                self.pages.popitem(last=False)

    def _made(self, key: Key, waiting: "asyncio.Future[_Page | None]", page: _Page | None) -> None:
        if not waiting.done():
            del self.making[key]
            waiting.set_result(page)

    def _key(self, scope: Scope) -> Key | None:
        """What makes two requests ask for the same page; None when this visitor's page is their own."""
        if not self.seconds or str(scope["type"]) != "http" or scope.get("method") != "GET":
            return None
        request: Request[Any, Any, Any] = Request(scope)
        if is_htmx(request) or not sees_what_everybody_sees(request):
            return None
        return scope["path"], scope["query_string"], i18n.language(), cookies.theme(request.cookies), encoding_of(request)


class Briefly:
    """Values that many ask for in the same moment: made once for all of them, and kept as long as pages are."""

    def __init__(self) -> None:
        self._made: OrderedDict[Hashable, tuple[float, asyncio.Task[Any]]] = OrderedDict()

    async def get(self, key: Hashable, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The value under the key, made now if there is none. What making raises, everybody who waited for it gets."""
        now = asyncio.get_running_loop().time()
        until, task = self._made.get(key, (0.0, None))
        if task is None or until <= now:
            task = asyncio.create_task(make())
            self._made[key] = (now + settings().keep_pages_seconds, task)
            self._made.move_to_end(key)
            while len(self._made) > MOST_PAGES:
                self._made.popitem(last=False)
        value: T = await asyncio.shield(task)
        return value


def sees_what_everybody_sees(request: Request[Any, Any, Any]) -> bool:
    """Whether nothing on a public page is for this visitor alone."""
    own = (cookies.name_of(cookies.FLASH), cookies.name_of(cookies.FAVOURITES))
    return not (visitor_of(request).is_signed_in or any(name in request.cookies for name in own))


def _may_be_kept(start: Message) -> bool:
    if start["type"] != "http.response.start" or start["status"] != 200:
        return False
    headers = {name.lower(): value for name, value in start["headers"]}
    return headers.get(b"cache-control", b"").startswith(b"public, max-age=2") and b"set-cookie" not in headers
