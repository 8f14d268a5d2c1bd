"""Whose account is it, and what can be done for its owner? Every look and every act is written down."""

from functools import partial
from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.actions import admins, details, sessions, suspending
from app.accounts.models import User
from app.admin import people
from app.admin.pages.common import EraseForm, SuspendForm, act, suspension, user_of
from app.core import clock
from app.core.db import writing
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.core.i18n import lazy
from app.privacy import flows as privacy
from app.privacy.actions import exports
from app.privacy.rules import REFUSALS
from app.web import asked
from app.web.forms import BaseForm, email, read, text
from app.web.limits import writes_at_most
from app.web.looks import note_look
from app.web.page import page, see_other
from app.web.visitor import Db, Who, admin, proved_lately

Asked = Request[Any, Any, Any]


class DetailsForm(BaseForm):
    name = text(lazy("Name"), most=100)
    email = email()


@get("/admin/users")
async def index(request: Asked, db: Db, visitor: Who) -> Response[str]:
    search = asked.word(request, "q")
    if search:
        await note_look(visitor, "users", about="users:all")
    found = await people.find(db, search) if search else None
    newest = () if search else await people.newest(db)
    return page(request, "admin/users.html", search=search, found=found, newest=newest, most=people.MOST)


@get("/admin/users/{code:str}")
async def show(request: Asked, db: Db, visitor: Who, code: FromPath[str]) -> Response[str]:
    user = await user_of(db, code)
    await note_look(visitor, "user", about=f"user:{user.id}")
    return await _page(request, db, user)


@post("/admin/users/{code:str}/details")
async def change(request: Asked, db: Db, visitor: Who, code: FromPath[str]) -> Response[str]:
    """The name at once; the address when its owner has opened the mail that goes there."""
    user, form = await user_of(db, code), await read(DetailsForm, request)
    if form.rejected:
        return await _page(request, db, user, details_form=form)
    by, said = visitor.user_id or 0, _("Nothing was changed.")
    async with writing() as tx:
        user = await user_of(tx, code)
        if form.name.data != user.name:
            await details.rename(tx, user.id or 0, form.name.data or "", by=by)
            said = _("The name is saved.")
        if form.email.data != user.email:
            await details.ask_email_change(tx, user, form.email.data, by=by, now=clock.now())
            said = _("A mail went to %(email)s. The address changes when its link is opened.") % {"email": form.email.data}
    return see_other(request, f"/admin/users/{code}", flash=said)


@post("/admin/users/{code:str}/suspend")
async def suspend(request: Asked, db: Db, visitor: Who, code: FromPath[str]) -> Response[str]:
    user, form = await user_of(db, code), await read(SuspendForm, request)
    if form.rejected:
        return await _page(request, db, user, suspend_form=form)
    said = _("%(email)s is suspended and signed out everywhere.")
    return await act(request, user_of, code, suspension(form, visitor.user_id or 0), said)


@post("/admin/users/{code:str}/reinstate")
async def reinstate(request: Asked, visitor: Who, code: FromPath[str]) -> Response[str]:
    return await act(request, user_of, code, partial(suspending.reinstate, by=visitor.user_id), _("%(email)s can sign in again."))


@post("/admin/users/{code:str}/sign-out")
async def sign_out(request: Asked, visitor: Who, code: FromPath[str]) -> Response[str]:
    async def verb(tx: AsyncSession, user: User) -> None:
        await sessions.end_all(tx, user.id or 0, by=visitor.user_id or 0, now=clock.now())

    return await act(request, user_of, code, verb, _("%(email)s is signed out everywhere."))


@post("/admin/users/{code:str}/make-admin")
async def make_admin(request: Asked, visitor: Who, code: FromPath[str]) -> Response[str]:
    verb = partial(admins.make_admin, by=visitor.user_id or 0, now=clock.now())
    return await act(request, user_of, code, verb, _("%(email)s is an admin now and signs in again to see it."))


@post("/admin/users/{code:str}/end-admin")
async def end_admin(request: Asked, visitor: Who, code: FromPath[str]) -> Response[str]:
    verb = partial(admins.end_admin, by=visitor.user_id or 0, now=clock.now())
    return await act(request, user_of, code, verb, _("%(email)s is a manager now and no admin any more."))


@post("/admin/users/{code:str}/export")
async def export(request: Asked, visitor: Who, code: FromPath[str]) -> Response[str]:
    """The copy is made for its owner, who alone can download it."""

    async def verb(tx: AsyncSession, user: User) -> None:
        await exports.ask(tx, user.id or 0, by=visitor.user_id or 0, now=clock.now())

    said = _("The copy is being made. %(email)s gets a mail and downloads it; nobody else can.")
    return await act(request, user_of, code, verb, said)


@post("/admin/users/{code:str}/erase")
async def erase(request: Asked, db: Db, visitor: Who, code: FromPath[str]) -> Response[str]:
    user, form = await user_of(db, code), await read(EraseForm, request)
    form.check(user.email)
    if form.rejected:
        return await _page(request, db, user, erase_form=form)
    try:
        await privacy.erase_for(user.id or 0, by=visitor.user_id or 0)
    except Refused as refused:
        form.refuse(refused)
        return await _page(request, db, user, erase_form=form, status=refused.status)
    return see_other(request, "/admin/users", flash=_("The account is erased."))


async def _page(request: Asked, db: AsyncSession, user: User, *, status: int = 200, **given: BaseForm) -> Response[str]:
    """`given` are forms that were sent: details_form, suspend_form or erase_form."""
    forms: dict[str, BaseForm] = {
        "details_form": DetailsForm(data={"name": user.name, "email": user.email}),
        "suspend_form": SuspendForm(),
        "erase_form": EraseForm(),
    } | given
    account = await people.account(db, user, now=clock.now())
    wrong = next((form for form in forms.values() if form.errors), None)
    status = 422 if status == 200 and wrong else status
    reasons = [REFUSALS[word] for word in account.cannot_erase]
    context: dict[str, Any] = forms | {"user": user, "account": account, "reasons": reasons, "wrong": wrong, "now": clock.now()}
    return page(request, "admin/user.html", status=status, **context)


router = Router(
    "/",
    guards=[admin, proved_lately, writes_at_most("desk")],
    route_handlers=[
        index, show, change, suspend, reinstate, sign_out, make_admin, end_admin, export, erase,
    ],
)  # fmt: skip
