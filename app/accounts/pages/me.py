"""The personal page: what is yours, and short forms that change what we know about you."""

from typing import Any

from litestar import Request, Response, Router, get, post

from app.accounts import flows, rules
from app.accounts.actions import details
from app.accounts.pages.common import good_password, password, user_id_of, wrong
from app.bookings import queries as booking_queries
from app.core import clock
from app.core.db import writing
from app.core.i18n import gettext as _
from app.core.i18n import lazy
from app.events import queries as event_queries
from app.web.forms import BaseForm, email, read, text
from app.web.page import page, see_other
from app.web.visitor import Db, Who, signed_in

PRESENT = {"label": lazy("Present password"), "missing": lazy("Enter your present password")}


class NameForm(BaseForm):
    name = text(lazy("Name"), most=100)


class EmailForm(BaseForm):
    email = email(lazy("New email"))
    present = password(**PRESENT)


class PasswordForm(BaseForm):
    present = password(**PRESENT)
    password = password(lazy("New password"), missing=lazy("Enter a new password"), rule=good_password)


@get("/me")
async def index(request: Request[Any, Any, Any], db: Db, visitor: Who) -> Response[str]:
    user_id = user_id_of(visitor)
    counts = await booking_queries.counts_for(db, user_id)
    favourites = len(await event_queries.favourite_categories(db, user_id)) + len(
        await event_queries.favourite_events(db, user_id)
    )
    return page(request, "accounts/me.html", counts=counts, favourites=favourites)


@get("/me/name")
async def name(request: Request[Any, Any, Any], visitor: Who) -> Response[str]:
    return page(request, "accounts/name.html", form=NameForm(data={"name": visitor.name}))


@post("/me/name")
async def save_name(request: Request[Any, Any, Any], visitor: Who) -> Response[str]:
    form = await read(NameForm, request)
    if form.rejected:
        return page(request, "accounts/name.html", status=form.status, form=form)
    async with writing() as tx:
        await details.rename(tx, user_id_of(visitor), form.name.data)
    return see_other(request, "/me", flash=_("Your name is saved."))


@get("/me/email")
async def address(request: Request[Any, Any, Any]) -> Response[str]:
    return page(request, "accounts/email.html", form=EmailForm())


@post("/me/email")
async def ask_address(request: Request[Any, Any, Any], visitor: Who) -> Response[str]:
    form = await read(EmailForm, request)
    if not form.errors and form.email.data == visitor.email:
        form.email.errors = [_("This is your present email address. Enter the new one.")]
    if form.rejected:
        return page(request, "accounts/email.html", status=form.status, form=form)
    try:
        user = await flows.prove_again(user_id_of(visitor), form.present.data)
    except flows.WrongPassword as refused:
        wrong(form.present, refused)
        return page(request, "accounts/email.html", status=refused.status, form=form)
    async with writing() as tx:
        await details.ask_email_change(tx, user, form.email.data, now=clock.now())
    return page(request, "accounts/email_sent.html", email=form.email.data)


@get("/me/password")
async def secret(request: Request[Any, Any, Any], visitor: Who) -> Response[str]:
    return page(request, "accounts/password.html", form=PasswordForm(), least=rules.LEAST[visitor.role])


@post("/me/password")
async def save_secret(request: Request[Any, Any, Any], visitor: Who) -> Response[str]:
    least = rules.LEAST[visitor.role]
    form = await read(PasswordForm, request, meta={"email": visitor.email, "role": visitor.role})
    if form.rejected:
        return page(request, "accounts/password.html", status=form.status, form=form, least=least)
    try:
        user = await flows.prove_again(user_id_of(visitor), form.present.data)
    except flows.WrongPassword as refused:
        wrong(form.present, refused)
        return page(request, "accounts/password.html", status=refused.status, form=form, least=least)
    password_hash = await flows.hash_password(form.password.data)
    async with writing() as tx:
        await details.change_password(tx, user, password_hash=password_hash, now=clock.now(), but=visitor.session_hash)
    return see_other(request, "/me", flash=_("Your password is changed. Every other browser is signed out."))


router = Router("/", guards=[signed_in], route_handlers=[index, name, save_name, address, ask_address, secret, save_secret])
