"""Saying yes to help with somebody's event: a mailed link, one button. The handlers stand in the router of register.py."""

from typing import Any

from litestar import Request, Response, get, post
from litestar.params import FromPath

from app.accounts.models import LINK_LIFE, User
from app.accounts.pages.common import enter, link_id, link_over, to_login
from app.core import clock
from app.core.db import writing
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.events import team
from app.events.actions import helping
from app.web import limits
from app.web.page import page, see_other
from app.web.visitor import Db, Who


@get("/helping/{token:str}")
async def show(request: Request[Any, Any, Any], db: Db, token: FromPath[str]) -> Response[str]:
    kind, code = link_id(token, "helping")
    found = await team.invited(db, code)
    if not found or found[0].joined_at or found[0].created_at + LINK_LIFE["invitation"] <= clock.now():
        return link_over(request, kind)
    return page(request, "accounts/helping.html", helper=found[0], event=found[1], token=token)


@post("/helping/{token:str}")
async def accept(request: Request[Any, Any, Any], visitor: Who, token: FromPath[str]) -> Response[str]:
    """Opens an account where there is none. Who has one signs in as always: the mail alone opens no account that exists."""
    kind, code = link_id(token, "helping")
    await limits.count(request, "link")
    try:
        async with writing() as tx:
            _helper, user, is_new = await helping.accept(tx, code, now=clock.now())
    except Refused as refused:
        return link_over(request, kind, refused.sentence)
    if is_new:
        return await enter(request, visitor, user, by="link", next="/manager", flash=_("Welcome to the team."))
    return _known(request, visitor, user)


def _known(request: Request[Any, Any, Any], visitor: Who, user: User) -> Response[str]:
    if visitor.user_id == user.id:
        return see_other(request, "/manager", flash=_("Welcome to the team."))
    return to_login(request, "/manager", flash=_("You are in the team. Sign in with %(email)s to help.") % {"email": user.email})
