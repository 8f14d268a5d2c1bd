"""Signing in and out."""

from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromQuery
from wtforms import HiddenField

from app.accounts import flows, rules
from app.accounts.actions import sessions
from app.accounts.pages.common import enter, own_path, password, wrong
from app.core import clock
from app.core.db import writing
from app.core.i18n import gettext as _
from app.core.i18n import lazy
from app.core.settings import settings
from app.web import cookies, limits
from app.web.forms import BaseForm, email, read
from app.web.page import page, see_other
from app.web.visitor import Who


class LoginForm(BaseForm):
    email = email()
    password = password(lazy("Password"), missing=lazy("Enter your password"))
    next = HiddenField()


@get("/login")
async def new(request: Request[Any, Any, Any], visitor: Who, next: FromQuery[str] = "") -> Response[str]:
    if visitor.is_signed_in:
        return see_other(request, own_path(request, next) or rules.HOME[visitor.role])
    return page(request, "accounts/login.html", form=LoginForm(data={"next": own_path(request, next)}))


@post("/login")
async def create(request: Request[Any, Any, Any], visitor: Who) -> Response[str]:
    form = await read(LoginForm, request)
    if form.rejected:
        return page(request, "accounts/login.html", status=form.status, form=form)
    await limits.count(request, "login")
    try:
        user = await flows.prove(form.email.data, form.password.data, known=cookies.known_as(request.cookies))
    except flows.WrongPassword as refused:
        wrong(form.password, refused)
        return page(request, "accounts/login.html", status=refused.status, form=form)
    if not rules.password_mistake(form.password.data, email=user.email, role=user.role, site_name=settings().site_name):
        return await enter(request, visitor, user, by="password", next=form.next.data or "")
    said = _("Your password is too weak for this account by now. Choose a longer one.")
    return await enter(request, visitor, user, by="password", next="/me/password", flash=said, kind="warn")


@post("/logout")
async def end(request: Request[Any, Any, Any], visitor: Who) -> Response[str]:
    ending = visitor.session_hash or visitor.waiting_hash
    if ending:
        async with writing() as tx:
            await sessions.log_out(tx, ending, now=clock.now())
    response = see_other(request, "/", flash=_("You are signed out."))
    response.set_cookie(cookies.gone(cookies.login_name()))
    return response


router = Router("/", route_handlers=[new, create, end])
