"""Which language an answer is in: the one that the address names, else what was chosen in this browser,
what the account speaks, or what the browser asks for (docs/decisions/0022-languages.md)."""

from typing import Any

from litestar.connection import ASGIConnection
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from app.accounts.models import Visitor
from app.core import i18n
from app.web import cookies
from app.web.security import SAFE


class Addressed:
    """ASGI wrapper around everything: /fr/events is the page /events, in French. Inside, each page has one address."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if str(scope["type"]) == "http":
            named, path = i18n.parted(scope["path"])
            if named:
                scope = {**scope, "path": path, "language": named}  # type: ignore[assignment]
        await self.app(scope, receive, send)


class Spoken:
    """ASGI wrapper: everything inside comes out in the visitor's language."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if str(scope["type"]) != "http":
            await self.app(scope, receive, send)
            return
        named, own = str(scope.get("language", "")), own_language(ASGIConnection[Any, Any, Any, Any](scope))

        async def send_and_remember(message: Message) -> None:
            # Whoever sends a form on a French page goes on in French, where addresses name no language. Reading changes nothing.
            if message["type"] == "http.response.start":
                chosen = cookies.header(cookies.plain(cookies.LANGUAGE, named, max_age=cookies.YEAR))
                message["headers"] = [*message["headers"], (b"set-cookie", chosen.encode())]
            await send(message)

        remembers = named and named != own and scope.get("method") not in SAFE
        with i18n.speaking(named or own):
            await self.app(scope, receive, send_and_remember if remembers else send)


def own_language(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """What the visitor speaks where the address names no language."""
    try:
        chosen = cookies.language(connection.cookies)
    except ValueError:
        chosen = ""
    visitor = connection.scope.get("visitor")
    known = visitor.language if isinstance(visitor, Visitor) and visitor.is_signed_in else ""
    return chosen or known or i18n.preferred(connection.headers.get("accept-language", ""))
