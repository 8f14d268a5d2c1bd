"""Who may propose events and sell tickets."""

from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts import queries as accounts
from app.accounts.actions import managers
from app.accounts.models import User
from app.admin import queries
from app.core import clock, i18n
from app.core.db import reading, writing
from app.core.errors import NotFound, Refused
from app.core.i18n import gettext as _
from app.web.forms import BaseForm, email, read
from app.web.limits import writes_at_most
from app.web.page import page, see_other
from app.web.visitor import Who, admin, proved_lately


class InviteForm(BaseForm):
    email = email()


@get("/admin/managers")
async def index(request: Request[Any, Any, Any]) -> Response[str]:
    return await _shown(request, InviteForm())


@post("/admin/managers")
async def invite(request: Request[Any, Any, Any], visitor: Who) -> Response[str]:
    form = await read(InviteForm, request)
    if form.rejected:
        return await _shown(request, form, status=form.status)
    to = form.email.data
    try:
        async with writing() as tx:
            promoted = await managers.make_manager(tx, to, by=visitor.user_id, language=i18n.language(), now=clock.now())
    except Refused as refused:
        form.email.errors = [refused.sentence]
        return await _shown(request, form, status=refused.status)
    known, unknown = _("%(email)s is a manager now and signs in again to see it."), _("%(email)s is invited by mail.")
    return see_other(request, "/admin/managers", flash=(known if promoted else unknown) % {"email": to})


@post("/admin/managers/{code:str}/trust")
async def trust(request: Request[Any, Any, Any], visitor: Who, code: FromPath[str]) -> Response[str]:
    async with writing() as tx:
        user = await _manager(tx, code)
        await managers.trust(tx, user, by=visitor.user_id or 0, now=clock.now())
    return see_other(request, "/admin/managers", flash=_("%(email)s publishes without a review now.") % {"email": user.email})


@post("/admin/managers/{code:str}/untrust")
async def untrust(request: Request[Any, Any, Any], visitor: Who, code: FromPath[str]) -> Response[str]:
    async with writing() as tx:
        user = await _manager(tx, code)
        await managers.untrust(tx, user, by=visitor.user_id or 0)
    return see_other(
        request, "/admin/managers", flash=_("The next events of %(email)s wait for a review.") % {"email": user.email}
    )


@post("/admin/managers/{code:str}/suspend")
async def suspend(request: Request[Any, Any, Any], visitor: Who, code: FromPath[str]) -> Response[str]:
    async with writing() as tx:
        user = await _manager(tx, code)
        await managers.suspend(tx, user, by=visitor.user_id, now=clock.now())
    return see_other(
        request, "/admin/managers", flash=_("%(email)s is suspended. Their events go on selling.") % {"email": user.email}
    )


@post("/admin/managers/{code:str}/reinstate")
async def reinstate(request: Request[Any, Any, Any], visitor: Who, code: FromPath[str]) -> Response[str]:
    async with writing() as tx:
        user = await _manager(tx, code)
        await managers.reinstate(tx, user, by=visitor.user_id)
    return see_other(request, "/admin/managers", flash=_("%(email)s can sign in again.") % {"email": user.email})


async def _shown(request: Request[Any, Any, Any], form: InviteForm, *, status: int = 200) -> Response[str]:
    now = clock.now()
    async with reading() as db:
        found = await accounts.managers(db)
        events = await queries.events_per_manager(db)
        invitations = await accounts.open_invitations(db, now=now)
    return page(request, "admin/managers.html", status=status, form=form, managers=found, events=events, invitations=invitations)


async def _manager(tx: AsyncSession, code: str) -> User:
    user = await accounts.by_code(tx, code)
    if not user:
        raise NotFound(_("There is no such manager."))
    return user


router = Router(
    "/",
    guards=[admin, proved_lately, writes_at_most("desk")],
    route_handlers=[index, invite, trust, untrust, suspend, reinstate],
)
