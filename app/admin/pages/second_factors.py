"""Somebody lost every second factor: an admin asks to take it away, and another one does."""

from functools import partial
from typing import Any

from litestar import Request, Response, Router, post
from litestar.params import FromPath

from app.accounts.actions import factor_resets
from app.admin.pages.common import act, user_of
from app.core import clock
from app.core.i18n import gettext as _
from app.web.limits import writes_at_most
from app.web.visitor import Who, admin, proved_lately

Asked = Request[Any, Any, Any]


@post("/admin/users/{code:str}/second-factor/ask")
async def ask(request: Asked, visitor: Who, code: FromPath[str]) -> Response[str]:
    verb = partial(factor_resets.ask, by=visitor.user_id or 0, now=clock.now())
    return await act(request, user_of, code, verb, _("It is written down, and %(email)s is told by mail."))


@post("/admin/users/{code:str}/second-factor/take")
async def take(request: Asked, visitor: Who, code: FromPath[str]) -> Response[str]:
    verb = partial(factor_resets.carry_out, by=visitor.user_id or 0, now=clock.now())
    said = _("The second factors of %(email)s are gone, and every browser is signed out.")
    return await act(request, user_of, code, verb, said)


@post("/admin/users/{code:str}/second-factor/keep")
async def keep(request: Asked, visitor: Who, code: FromPath[str]) -> Response[str]:
    verb = partial(factor_resets.withdraw, by=visitor.user_id or 0)
    return await act(request, user_of, code, verb, _("The second factor stays."))


router = Router("/", guards=[admin, proved_lately, writes_at_most("desk")], route_handlers=[ask, take, keep])
