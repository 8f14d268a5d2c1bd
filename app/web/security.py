"""What stands around every answer: headers, one origin for unsafe requests, and an id to find the request in the log."""

import secrets
from functools import cache
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

import structlog
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from app.core.errors import NotYours
from app.core.i18n import gettext as _
from app.core.settings import settings

STRIPE_PAGES = "https://checkout.stripe.com"
SAFE = ("GET", "HEAD", "OPTIONS")

# Pages whose address holds a secret tell other sites nothing about themselves.
SECRET_PATHS = ("/bookings/", "/tickets/", "/verify/", "/password/reset/", "/invitations/", "/unsubscribe/")


class Guarded:
    """The outermost wrapper: error answers and static files carry the same headers as pages."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if str(scope["type"]) != "http":
            await self.app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        scope["request_id"] = request_id  # type: ignore[typeddict-unknown-key]
        structlog.contextvars.bind_contextvars(request_id=request_id)
        is_head = scope.get("method") == "HEAD"
        if is_head:
            scope["method"] = "GET"  # type: ignore[typeddict-unknown-key]

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _value in message["headers"]}
                ours = _headers(scope["path"].startswith(SECRET_PATHS), settings().https)
                message["headers"] = [*message["headers"], *(header for header in ours if header[0] not in present)]
            elif is_head and message["type"] == "http.response.body":
                message["body"] = b""
            await send(message)

        try:
            await self.app(scope, receive, send_guarded)
        finally:
            structlog.contextvars.unbind_contextvars("request_id")


async def same_origin(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Guard of the whole app: an unsafe request comes from our own pages, or proves itself otherwise.

    Routes that carry a signature or a token of their own say so with opt={"proves_itself": True}.
    """
    # Guards are async although they wait for nothing: Litestar runs plain ones in a thread, which takes longer than a hold.
    if connection.scope.get("method") in SAFE or handler.opt.get("proves_itself"):
        return
    site = connection.headers.get("sec-fetch-site")
    if site != "same-origin" and (site is not None or connection.headers.get("origin") != _origin()):
        raise NotYours(_("This request came from another site, so nothing was changed. Open the page here and try again."))


def client_address(request: Request[Any, Any, Any]) -> str:
    """Who limits count by: the network address, of IPv6 the /64 that one household owns."""
    host = request.client.host if request.client else "unknown"
    try:
        address = ip_address(host)
    except ValueError:
        return host
    return str(ip_network(f"{address}/64", strict=False).network_address) if address.version == 6 else host


def _origin() -> str:
    address = urlsplit(settings().base_url)
    return f"{address.scheme}://{address.netloc}"


@cache
def _headers(has_secret: bool, is_https: bool) -> list[tuple[bytes, bytes]]:
    """The headers of every answer, ready to be sent: some answers are so quick that putting these together would show."""
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
        f"manifest-src 'self'; form-action 'self' {STRIPE_PAGES}; frame-src 'self'; frame-ancestors 'none'; "
        "base-uri 'none'; object-src 'none'"
    )
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin" if has_secret else "strict-origin-when-cross-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
    }
    if is_https:
        headers["Content-Security-Policy"] += "; upgrade-insecure-requests"
        headers["Strict-Transport-Security"] = "max-age=63072000; includeSubDomains"
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]
