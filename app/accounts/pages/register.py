"""Opening an account: by an e-mail address and a password, or by an admin's invitation. The mailed link proves the address."""

from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath

from app.accounts import flows
from app.accounts.actions import details, links, managers, opening, sessions
from app.accounts.pages import helping
from app.accounts.pages.common import enter, good_password, link_id, link_over, password, usable_link
from app.bookings import actions as booking_actions
from app.core import clock, i18n
from app.core.db import writing
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.core.i18n import lazy
from app.web import limits
from app.web.forms import BaseForm, email, read, text
from app.web.page import page, see_other
from app.web.visitor import Who, login_cookie


class RegisterForm(BaseForm):
    email = email()
    password = password(lazy("Password"), missing=lazy("Enter a password"), rule=good_password)


class InvitationForm(BaseForm):
    name = text(lazy("Your name"), most=100, missing=lazy("Enter your name"))
    password = password(lazy("Password"), missing=lazy("Enter a password"), rule=good_password)


@get("/register")
async def new(request: Request[Any, Any, Any]) -> Response[str]:
    return page(request, "accounts/register.html", form=RegisterForm())


@post("/register")
async def create(request: Request[Any, Any, Any]) -> Response[str]:
    """The answer is the same for every address, and so is the work behind it."""
    form = await read(RegisterForm, request)
    if form.rejected:
        return page(request, "accounts/register.html", status=form.status, form=form)
    await limits.count(request, "register")
    await flows.register(form.email.data, form.password.data, language=i18n.language())
    return page(request, "accounts/register_sent.html", email=form.email.data)


@get("/verify/{token:str}")
async def verify(request: Request[Any, Any, Any], token: FromPath[str]) -> Response[str]:
    kind, found = link_id(token, "register", "email")
    link = await usable_link(kind, found)
    return page(request, "accounts/verify.html", link=link, token=token) if link else link_over(request, kind)


@post("/verify/{token:str}")
async def confirm(request: Request[Any, Any, Any], visitor: Who, token: FromPath[str]) -> Response[str]:
    kind, found = link_id(token, "register", "email")
    await limits.count(request, "link")
    try:
        if kind == "email":
            return await _change_email(request, visitor, found)
        return await _open_account(request, visitor, found)
    except Refused as refused:
        return link_over(request, kind, refused.sentence)


async def _open_account(request: Request[Any, Any, Any], visitor: Who, found: str) -> Response[str]:
    now = clock.now()
    async with writing() as tx:
        link = await links.use_link(tx, "register", found, now=now)
        user = await opening.open_account(tx, link, now=now)
    return await enter(request, visitor, user, by="link", next="/me", flash=_("Your account is open."))


async def _change_email(request: Request[Any, Any, Any], visitor: Who, found: str) -> Response[str]:
    """Signs nobody in: the link may be opened in a browser that is not the user's. The user's own goes on under a new id."""
    now = clock.now()
    async with writing() as tx:
        link = await links.use_link(tx, "email", found, now=now)
        user = await details.change_email(tx, link, now=now, but=visitor.session_hash)
        await booking_actions.adopt(tx, user)
        session_id = await sessions.rotate(tx, visitor.session_hash, now=now) if visitor.user_id == user.id else ""
    response = see_other(request, "/me" if visitor.is_signed_in else "/login", flash=_("Your email address is changed."))
    if session_id:
        response.set_cookie(login_cookie(session_id, user.role))
    return response


@get("/invitations/{token:str}")
async def invitation(request: Request[Any, Any, Any], token: FromPath[str]) -> Response[str]:
    kind, found = link_id(token, "invitation")
    link = await usable_link(kind, found)
    if not link:
        return link_over(request, kind)
    return page(request, "accounts/invitation.html", form=InvitationForm(), link=link, token=token)


@post("/invitations/{token:str}")
async def accept(request: Request[Any, Any, Any], visitor: Who, token: FromPath[str]) -> Response[str]:
    kind, found = link_id(token, "invitation")
    await limits.count(request, "link")
    link = await usable_link(kind, found)
    if not link:
        return link_over(request, kind)
    form = await read(InvitationForm, request, meta={"email": link.email, "role": link.role})
    if form.rejected:
        return page(request, "accounts/invitation.html", status=form.status, form=form, link=link, token=token)
    password_hash = await flows.hash_password(form.password.data)
    try:
        return await _accept(request, visitor, found, name=form.name.data, password_hash=password_hash)
    except Refused as refused:
        return link_over(request, kind, refused.sentence)


async def _accept(request: Request[Any, Any, Any], visitor: Who, found: str, *, name: str, password_hash: str) -> Response[str]:
    now = clock.now()
    async with writing() as tx:
        link = await links.use_link(tx, "invitation", found, now=now)
        user = await managers.accept_invitation(tx, link, name=name, password_hash=password_hash, now=now)
    welcome = _("Welcome. You can propose your first event now.")
    return await enter(request, visitor, user, by="link", next="/manager", flash=welcome)


router = Router("/", route_handlers=[new, create, verify, confirm, invitation, accept, helping.show, helping.accept])
