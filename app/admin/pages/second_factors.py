"""Somebody lost every second factor: an admin asks to take it away, and another one does."""

from typing import Any

from litestar import Request, Response, Router, post
from litestar.params import FromPath

from app.accounts.actions import factor_resets
from app.admin.pages.common import user_of
from app.core import clock
from app.core.db import writing
from app.core.i18n import gettext as _
from app.web.limits import writes_at_most
from app.web.page import see_other
from app.web.visitor import Who, admin, proved_lately

Asked = Request[Any, Any, Any]


@post("/admin/users/{code:str}/second-factor/ask")
async def ask(request: Asked, visitor: Who, code: FromPath[str]) -> Response[str]:
    async with writing() as tx:
        user = await user_of(tx, code)
        await factor_resets.ask(tx, user, by=visitor.user_id or 0, now=clock.now())
    said = _("It is written down, and %(email)s is told by mail.") % {"email": user.email}
    return see_other(request, f"/admin/users/{code}", flash=said)


@post("/admin/users/{code:str}/second-factor/take")
async def take(request: Asked, visitor: Who, code: FromPath[str]) -> Response[str]:
    async with writing() as tx:
        user = await user_of(tx, code)
        await factor_resets.carry_out(tx, user, by=visitor.user_id or 0, now=clock.now())
    said = _("The second factors of %(email)s are gone, and every browser is signed out.") % {"email": user.email}
    return see_other(request, f"/admin/users/{code}", flash=said)


@post("/admin/users/{code:str}/second-factor/keep")
async def keep(request: Asked, visitor: Who, code: FromPath[str]) -> Response[str]:
    async with writing() as tx:
        user = await user_of(tx, code)
        await factor_resets.withdraw(tx, user, by=visitor.user_id or 0)
    return see_other(request, f"/admin/users/{code}", flash=_("The second factor stays."))


router = Router("/", guards=[admin, proved_lately, writes_at_most("desk")], route_handlers=[ask, take, keep])
