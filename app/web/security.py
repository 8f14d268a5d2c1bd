"""What stands around every answer: headers, one origin for unsafe requests, and an id to find the request in the log."""

import secrets
from functools import cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

import structlog
from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from app.core import logs
from app.core.errors import NotFound, NotYours
from app.core.i18n import gettext as _
from app.core.settings import settings

STRIPE_PAGES = "https://checkout.stripe.com"
SAFE = ("GET", "HEAD", "OPTIONS")

# Pages whose address holds a secret tell other sites nothing about themselves, and asking for secrets nobody has is counted.
SECRET_PATHS = (
    "/bookings/",
    "/tickets/",
    "/waiting-list/",
    "/verify/",
    "/password/reset/",
    "/invitations/",
    "/helping/",
    "/reminders/",
    "/unsubscribe/",
    "/login/link/",
)
LOGOUT = "/logout"
PERMISSIONS = "camera=(), microphone=(), geolocation=(), payment=()"
REPORTS = "/csp-report"


# What the browser keeps of us, beside its cookies, goes with the login.
FORGET_US = (b"clear-site-data", b'"cache", "storage"')


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
        # Who we are stands in BASE_URL. What a request calls us is believed nowhere, and some of it is no address at all.
        named = [header for header in scope["headers"] if header[0] != b"host"]
        scope["headers"] = [*named, (b"host", _host_of(settings().base_url))]
        path, is_head = scope["path"], scope.get("method") == "HEAD"
        ours = _headers(path.startswith(SECRET_PATHS), settings().https, settings().oidc_issuer)
        if is_head:
            scope["method"] = "GET"  # type: ignore[typeddict-unknown-key]

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _value in message["headers"]}
                missing = [header for header in ours if header[0] not in present]
                if path == LOGOUT and message["status"] < 400:
                    missing.append(FORGET_US)
                message["headers"] = [*message["headers"], *missing]
            elif is_head and message["type"] == "http.response.body":
                message["body"] = b""
            await send(message)

        try:
            await self.app(scope, receive, send_guarded)
        finally:
            structlog.contextvars.unbind_contextvars("request_id")


async def same_origin(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Guard of the whole app: an unsafe request comes from our own pages, or proves itself otherwise.

    Routes that carry a signature or a token of their own say so with opt={"proves_itself": True}; so does the one that
    browsers send their reports to, because they name no origin there and it changes nothing for anybody.
    """
    # Guards are async although they wait for nothing: Litestar runs plain ones in a thread, which takes longer than a hold.
    if connection.scope.get("method") in SAFE or handler.opt.get("proves_itself"):
        return
    site = connection.headers.get("sec-fetch-site")
    if site != "same-origin" and (site is not None or connection.headers.get("origin") != _origin()):
        logs.security("foreign_request", path=connection.scope.get("path_template", ""), site=site)
        raise NotYours(_("This request came from another site, so nothing was changed. Open the page here and try again."))


async def printable(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """Guard of the whole app: no address of ours holds what cannot be printed, and no database or header needs to bear it."""
    if not connection.scope["path"].isprintable():
        raise NotFound(_("There is nothing at this address."))


def client_address(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """Who limits count by: the network address, of IPv6 the /64 that one household owns.

    What a proxy says of it has been believed, or not, before any of this (TRUSTED_PROXIES).
    """
    host = connection.client.host if connection.client else "unknown"
    try:
        address = ip_address(_without_port(host))
    except ValueError:
        return host
    if isinstance(address, IPv6Address) and not address.ipv4_mapped:
        return str(ip_network((address, 64), strict=False).network_address)
    return str(getattr(address, "ipv4_mapped", None) or address)


def _without_port(host: str) -> str:
    """Some proxies tell the port of each connection too, as 203.0.113.9:50123 or [2001:db8::9]:50123."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0] if host.count(":") == 1 else host


def _origin() -> str:
    return _origin_of(settings().base_url)


@cache
def _host_of(url: str) -> bytes:
    return urlsplit(url).netloc.encode()


def _origin_of(url: str) -> str:
    address = urlsplit(url)
    return f"{address.scheme}://{address.netloc}"


def at_the_door() -> dict[str, str]:
    """What the page of the door alone may do: use the camera, and run the decoder where the browser has none."""
    usual = _policy(settings().https, settings().oidc_issuer)
    policy = usual.replace("script-src 'self'", "script-src 'self' 'wasm-unsafe-eval'")
    return {"Content-Security-Policy": policy, "Permissions-Policy": PERMISSIONS.replace("camera=()", "camera=(self)")}


@cache
def _policy(is_https: bool, issuer: str) -> str:
    # A form may lead to where people pay, and to where they sign in.
    targets = " ".join(["'self'", STRIPE_PAGES, *([_origin_of(issuer)] if issuer else [])])
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
        f"manifest-src 'self'; form-action {targets}; frame-ancestors 'none'; base-uri 'none'; object-src 'none'; "
        f"report-uri {REPORTS}"
    )
    # Browsers listen to Reporting-Endpoints over https only, and who knows report-to ignores report-uri.
    return policy + "; upgrade-insecure-requests; report-to csp" if is_https else policy


@cache
def _headers(has_secret: bool, is_https: bool, issuer: str) -> list[tuple[bytes, bytes]]:
    """The headers of every answer, ready to be sent: some answers are so quick that putting these together would show."""
    headers = {
        "Content-Security-Policy": _policy(is_https, issuer),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin" if has_secret else "strict-origin-when-cross-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": PERMISSIONS,
        # What says nothing else is for this visitor alone.
        "Cache-Control": "no-store",
        # The server would write its own name here.
        "Server": "",
    }
    if is_https:
        headers["Reporting-Endpoints"] = f'csp="{REPORTS}"'
        headers["Strict-Transport-Security"] = "max-age=63072000; includeSubDomains"
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]
