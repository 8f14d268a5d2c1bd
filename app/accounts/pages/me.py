"""The personal page: what is yours, and short forms that change what we know about you."""

from typing import Any

from litestar import Request, Response, Router, get, post
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts import flows, queries, rules
from app.accounts.actions import details, sessions
from app.accounts.models import User, Visitor
from app.accounts.pages.common import good_password, password, user_id_of, wrong
from app.bookings import queries as booking_queries
from app.core import clock
from app.core.db import writing
from app.core.i18n import gettext as _
from app.core.i18n import lazy
from app.events import queries as event_queries
from app.events import team
from app.web.forms import BaseForm, email, read, text
from app.web.page import page, see_other
from app.web.visitor import Db, Who, login_cookie, proved_lately, signed_in


class NameForm(BaseForm):
    name = text(lazy("Name"), most=100)


class EmailForm(BaseForm):
    email = email(lazy("New email"))


class FirstPasswordForm(BaseForm):
    """For an account that was opened without a password: there is no present one to ask for."""

    password = password(lazy("New password"), missing=lazy("Enter a new password"), rule=good_password)


class PasswordForm(FirstPasswordForm):
    """The present password is asked for even of someone who proved lately who they are, perhaps by a code: a new password
    shuts the owner out, a code that was looked at over a shoulder must not be enough for that.
    """

    present = password(lazy("Present password"), missing=lazy("Enter your present password"))


@get("/me")
async def index(request: Request[Any, Any, Any], db: Db, visitor: Who) -> Response[str]:
    user_id = user_id_of(visitor)
    counts = await booking_queries.counts_for(db, user_id)
    favourites = len(await event_queries.favourite_categories(db, user_id)) + len(
        await event_queries.favourite_events(db, user_id)
    )
    helped = len(await team.helped(db, user_id, now=clock.now()))
    return page(request, "accounts/me.html", counts=counts, favourites=favourites, helped=helped)


@get("/me/name")
async def name(request: Request[Any, Any, Any], visitor: Who) -> Response[str]:
    return page(request, "accounts/name.html", form=NameForm(data={"name": visitor.name}))


@post("/me/name")
async def save_name(request: Request[Any, Any, Any], visitor: Who) -> Response[str]:
    form = await read(NameForm, request)
    if form.rejected:
        return page(request, "accounts/name.html", status=form.status, form=form)
    async with writing() as tx:
        await details.rename(tx, user_id_of(visitor), form.name.data, by=user_id_of(visitor))
    return see_other(request, "/me", flash=_("Your name is saved."))


@get("/me/email", guards=[proved_lately])
async def address(request: Request[Any, Any, Any]) -> Response[str]:
    return page(request, "accounts/email.html", form=EmailForm())


@post("/me/email", guards=[proved_lately])
async def ask_address(request: Request[Any, Any, Any], visitor: Who) -> Response[str]:
    form = await read(EmailForm, request)
    if not form.errors and form.email.data == visitor.email:
        form.email.errors = [_("This is your present email address. Enter the new one.")]
    if form.rejected:
        return page(request, "accounts/email.html", status=form.status, form=form)
    async with writing() as tx:
        user = await tx.get_one(User, user_id_of(visitor))
        await details.ask_email_change(tx, user, form.email.data, by=user_id_of(visitor), now=clock.now())
    return page(request, "accounts/email_sent.html", email=form.email.data)


@get("/me/password", guards=[proved_lately])
async def secret(request: Request[Any, Any, Any], db: Db, visitor: Who) -> Response[str]:
    form = await _password_form(db, visitor)
    return page(request, "accounts/password.html", form=form(), least=rules.LEAST[visitor.role])


@post("/me/password", guards=[proved_lately])
async def save_secret(request: Request[Any, Any, Any], db: Db, visitor: Who) -> Response[str]:
    least, asked = rules.LEAST[visitor.role], await _password_form(db, visitor)
    form = await read(asked, request, meta={"email": visitor.email, "role": visitor.role})
    if form.rejected:
        return page(request, "accounts/password.html", status=form.status, form=form, least=least)
    try:
        session_id = await _save_password(visitor, form)
    except flows.WrongPassword as refused:
        wrong(form["present"], refused)
        return page(request, "accounts/password.html", status=refused.status, form=form, least=least)
    response = see_other(request, "/me", flash=_("Your password is changed. Every other browser is signed out."))
    response.set_cookie(login_cookie(session_id, visitor.role))
    return response


async def _password_form(db: AsyncSession, visitor: Visitor) -> type[FirstPasswordForm]:
    user = await queries.by_id(db, user_id_of(visitor))
    return PasswordForm if user and user.password_hash else FirstPasswordForm


async def _save_password(visitor: Visitor, form: FirstPasswordForm) -> str:
    """This browser goes on under a new session id, which is returned. Raises WrongPassword."""
    user_id = user_id_of(visitor)
    if "present" in form:
        await flows.prove_again(user_id, form["present"].data)
    password_hash = await flows.hash_password(form.password.data)
    now = clock.now()
    async with writing() as tx:
        user = await tx.get_one(User, user_id)
        await details.change_password(tx, user, password_hash=password_hash, now=now, but=visitor.session_hash)
        return await sessions.rotate(tx, visitor.session_hash, now=now)


router = Router("/", guards=[signed_in], route_handlers=[index, name, save_name, address, ask_address, secret, save_secret])
