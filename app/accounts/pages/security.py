"""Where you are signed in, and how to end it."""

from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath

from app.accounts import queries
from app.accounts.actions import sessions
from app.accounts.pages.common import user_id_of
from app.core import clock
from app.core.db import writing
from app.core.i18n import gettext as _
from app.web.page import page, see_other
from app.web.visitor import Db, Who, proved_lately, signed_in


@get("/me/security")
async def index(request: Request[Any, Any, Any], db: Db, visitor: Who) -> Response[str]:
    user_id = user_id_of(visitor)
    app = await queries.authenticator(db, user_id)
    context: dict[str, Any] = {
        "sessions": await queries.sessions_of(db, user_id, now=clock.now()),
        "has_app": bool(app and app.confirmed_at),
        "codes_left": len(await queries.open_recovery_codes(db, user_id)),
    }
    return page(request, "accounts/security.html", **context)


@post("/me/security/{session:str}/end", guards=[proved_lately])
async def end(request: Request[Any, Any, Any], visitor: Who, session: FromPath[str]) -> Response[str]:
    async with writing() as tx:
        await sessions.end_session(tx, user_id_of(visitor), session, now=clock.now())
    return see_other(request, "/me/security", flash=_("That browser is signed out."))


@post("/me/security/end-others", guards=[proved_lately])
async def end_others(request: Request[Any, Any, Any], visitor: Who) -> Response[str]:
    async with writing() as tx:
        await sessions.end_other_sessions(tx, user_id_of(visitor), now=clock.now(), but=visitor.session_hash)
    return see_other(request, "/me/security", flash=_("Every other browser is signed out."))


router = Router("/", guards=[signed_in], route_handlers=[index, end, end_others])
