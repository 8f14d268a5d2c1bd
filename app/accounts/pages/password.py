"""A new password for someone who forgot the old one: a mailed link, once, for half an hour."""

from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath

from app.accounts import flows, queries, rules
from app.accounts.actions import details, links
from app.accounts.models import MailedLink
from app.accounts.pages.common import good_password, link_id, link_over, password, usable_link
from app.core import clock
from app.core.db import reading, writing
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.core.i18n import lazy
from app.web import limits
from app.web.forms import BaseForm, email, read
from app.web.page import page, see_other


class ForgotForm(BaseForm):
    email = email()


class NewPasswordForm(BaseForm):
    password = password(lazy("New password"), missing=lazy("Enter a new password"), rule=good_password)


@get("/password/forgot")
async def forgot(request: Request[Any, Any, Any]) -> Response[str]:
    return page(request, "accounts/forgot.html", form=ForgotForm())


@post("/password/forgot")
async def ask(request: Request[Any, Any, Any]) -> Response[str]:
    form = await read(ForgotForm, request)
    if form.rejected:
        return page(request, "accounts/forgot.html", status=form.status, form=form)
    await limits.count(request, "forgot")
    await flows.ask_for_reset(form.email.data)
    return page(request, "accounts/forgot_sent.html", email=form.email.data)


@get("/password/reset/{token:str}")
async def edit(request: Request[Any, Any, Any], token: FromPath[str]) -> Response[str]:
    kind, found = link_id(token, "reset")
    link = await usable_link(kind, found)
    if not link:
        return link_over(request, kind)
    return page(request, "accounts/reset.html", form=NewPasswordForm(), least=rules.LEAST[await _role(link)], token=token)


@post("/password/reset/{token:str}")
async def save(request: Request[Any, Any, Any], token: FromPath[str]) -> Response[str]:
    """Signs nobody in: whoever reads the mail still has to know the password that was just chosen."""
    kind, found = link_id(token, "reset")
    await limits.count(request, "link")
    link = await usable_link(kind, found)
    if not link:
        return link_over(request, kind)
    role = await _role(link)
    form = await read(NewPasswordForm, request, meta={"email": link.email, "role": role})
    if form.rejected:
        return page(request, "accounts/reset.html", status=form.status, form=form, least=rules.LEAST[role], token=token)
    try:
        await _reset(found, password_hash=await flows.hash_password(form.password.data))
    except Refused as refused:
        return link_over(request, kind, refused.sentence)
    return see_other(request, "/login", flash=_("Your password is changed. Sign in with the new one."))


async def _reset(found: str, *, password_hash: str) -> None:
    now = clock.now()
    async with writing() as tx:
        link = await links.use_link(tx, "reset", found, now=now)
        await details.reset_password(tx, link, password_hash=password_hash, now=now)


async def _role(link: MailedLink) -> str:
    """How long the password has to be follows from the role."""
    async with reading() as db:
        user = await queries.by_id(db, link.user_id or 0)
    return user.role if user else "user"


router = Router("/", route_handlers=[forgot, ask, edit, save])
