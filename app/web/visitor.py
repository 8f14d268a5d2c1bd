"""From a cookie to a Visitor, and the guards that ask for one. The row decides; the role in the cookie is a claim."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import structlog
from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.di import NamedDependency, Provide
from litestar.handlers.base import BaseRouteHandler
from litestar.types import ASGIApp, Receive, Scope, Send
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts import queries
from app.accounts.actions import sessions
from app.accounts.models import SESSION_LIVES, Visitor
from app.core import clock
from app.core.codes import secret_code
from app.core.db import reading, writing
from app.core.errors import NotYours, ProveAgain, SetUpSecond
from app.core.i18n import gettext as _
from app.core.settings import settings
from app.web import cookies
from app.web.page import visitor_of

log = structlog.get_logger()

# What handlers declare: `db: Db` reads, `visitor: Who` asks.
Db = NamedDependency[AsyncSession]
Who = NamedDependency[Visitor]


class SignInFirst(Exception):
    """A page for users was asked for by a client; the answer leads to the login and back."""


class KnowTheVisitor:
    """ASGI wrapper that puts the visitor into the scope, for error pages of unknown addresses too."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if str(scope["type"]) == "http" and not scope["path"].startswith("/static/"):
            scope["visitor"] = await _known(ASGIConnection[Any, Any, Any, Any](scope))  # type: ignore[typeddict-unknown-key]
        await self.app(scope, receive, send)


async def _known(connection: ASGIConnection[Any, Any, Any, Any]) -> Visitor:
    try:
        jar = connection.cookies
    except ValueError:
        return Visitor()
    key = cookies.read_signed(jar, cookies.visitor_name())
    visitor = Visitor(key=key if isinstance(key, str) else "")
    claim = cookies.read_signed(jar, cookies.login_name())
    if not isinstance(claim, dict) or not isinstance(claim.get("id"), str):
        return visitor
    try:
        return await _signed_in(claim["id"], visitor)
    except (SQLAlchemyError, OSError):
        # Without a database even the error page must come; nobody is signed in then.
        log.exception("login session could not be read")
        return visitor


async def _signed_in(session_id: str, client: Visitor) -> Visitor:
    now = clock.now()
    async with reading() as db:
        found = await queries.live_session(db, session_id, now=now)
    if not found:
        return client
    user, session = found
    if session.waits:
        return replace(client, waiting_hash=session.id_hash)
    if session.is_to_be_noted(now, role=user.role):
        async with writing() as tx:
            await sessions.note_last_seen(tx, session.id_hash, now=now)
    return Visitor(
        user.id,
        user.email,
        user.name,
        user.role,
        user.language,
        client.key,
        session.id_hash,
        proved_at=session.proved_at,
        has_second=session.has_second,
        lacks_second=settings().second_factor == "required" and user.role != "user" and not session.has_second,
    )


def login_cookie(session_id: str, role: str) -> Cookie:
    life = SESSION_LIVES[role].absolute
    return cookies.signed(cookies.login_name(), {"id": session_id, "role": role}, max_age=int(life.total_seconds()))


def with_key(visitor: Visitor) -> Visitor:
    """The same visitor with a key for the browser, made now if there was none."""
    return visitor if visitor.key else visitor.with_key(secret_code())


def remember(response: Response[Any], visitor: Visitor) -> Response[Any]:
    """Lets the browser keep its key, so that its next hold finds the first."""
    response.headers["Set-Cookie"] = cookies.header(cookies.signed(cookies.visitor_name(), visitor.key, max_age=cookies.YEAR))
    return response


async def signed_in(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """Guard: users, managers and admins."""
    if not _visitor(connection).is_signed_in:
        raise SignInFirst


async def manager(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Guard: managers and admins, with the second factor where the shop requires one."""
    await signed_in(connection, handler)
    _ask_for_second(_visitor(connection))
    if not _visitor(connection).is_manager:
        raise NotYours(_("This page is for managers. An admin of this shop can make you one."))


async def team(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Guard of the pages of one event: whoever is signed in, managers and admins with their second factor.

    Whether the visitor belongs to the event's team, and with which right, is decided where the event is found.
    """
    await signed_in(connection, handler)
    _ask_for_second(_visitor(connection))


async def admin(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Guard: admins, with the second factor where the shop requires one."""
    await signed_in(connection, handler)
    _ask_for_second(_visitor(connection))
    if not _visitor(connection).is_admin:
        raise NotYours(_("This page is for admins of this shop."))


async def proved_lately(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """Guard: whoever is signed in proved within ten minutes who they are. It asks nothing of clients: `signed_in` does.

    It stands on the page with the form and on what the form is sent to, for nobody needs the page to send it.
    """
    visitor = _visitor(connection)
    if visitor.is_signed_in and not visitor.proved_lately(clock.now()):
        raise ProveAgain


def _ask_for_second(visitor: Visitor) -> None:
    if visitor.lacks_second:
        raise SetUpSecond


def _visitor(connection: ASGIConnection[Any, Any, Any, Any]) -> Visitor:
    found = connection.scope.get("visitor")
    return found if isinstance(found, Visitor) else Visitor()


async def _db(visitor: Who) -> AsyncIterator[AsyncSession]:
    # It comes after the visitor, whom it has no use for: Litestar makes a task for each of two that may come at once.
    async with reading() as db:
        yield db


async def _who(request: Request[Any, Any, Any]) -> Visitor:
    return visitor_of(request)


dependencies = {"db": Provide(_db), "visitor": Provide(_who)}
