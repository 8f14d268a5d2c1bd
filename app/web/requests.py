"""What the log keeps of requests: one line for each that matters, with the route's template and never with the address itself.

Reading public pages leaves no line; the proxy in front counts those better.
"""

from time import perf_counter
from typing import Any

import structlog
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from app.web.security import SAFE

log = structlog.get_logger()

SLOW_MS = 1000
DESKS = ("/manager", "/admin")


class WrittenDown:
    """ASGI wrapper: gives the answer its request's id, writes the line, and answers when nothing else can any more."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if str(scope["type"]) != "http":
            await self.app(scope, receive, send)
            return
        request_id = str(scope.get("request_id", ""))
        begun = perf_counter()
        status, ms = 0, 0

        async def send_with_id(message: Message) -> None:
            nonlocal status, ms
            if message["type"] == "http.response.start":
                status, ms = message["status"], round((perf_counter() - begun) * 1000)
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except Exception as error:
            # The error page itself is broken, or the answer was under way: then only cutting it off says that it is not whole.
            log.critical("no answer could be made", path=template_of(scope), method=scope.get("method"), exc_info=error)
            if status:
                raise
            await _plain(request_id, send_with_id)
        if _matters(scope, status, ms):
            visitor: Any = scope.get("visitor")
            facts = {"user": visitor.user_id if visitor else None} | ({"client": _client(scope)} if status >= 400 else {})
            log.info("request", method=scope.get("method"), path=template_of(scope), status=status, ms=ms, **facts)


def template_of(scope: Scope) -> str:
    """The address with names where codes and words stood, such as /bookings/{code:str}; empty when no route has it."""
    return str(scope.get("path_template", ""))


def _matters(scope: Scope, status: int, ms: int) -> bool:
    """Whatever changed something that no activity tells, was refused at a known address, took long, or showed a desk."""
    path = template_of(scope)
    if ms >= SLOW_MS:
        return True
    if scope.get("method") not in SAFE:
        # When everybody comes at once a line takes a tenth of a hold's time, and the activity says it all.
        handler: Any = scope.get("route_handler")
        return status >= 400 or not (handler and handler.opt.get("is_in_activities"))
    return bool(path) and not path.startswith("/static") and (status >= 400 or path.startswith(DESKS))


def _client(scope: Scope) -> str:
    """Where a refused request came from, to tell one who tries from many who err."""
    client = scope.get("client")
    return str(client[0]) if client else ""


async def _plain(request_id: str, send: Send) -> None:
    said = f"Something went wrong on our side. It has been written down as {request_id}.\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(said)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": 500, "headers": headers})
    await send({"type": "http.response.body", "body": said, "more_body": False})
