"""Who wants to become a manager: the admin reads what they wrote, and says yes, or no with a reason."""

from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts import queries
from app.accounts.actions import applications
from app.accounts.models import Application, User
from app.core import clock
from app.core.db import writing
from app.core.errors import NotFound
from app.core.i18n import gettext as _
from app.core.i18n import lazy
from app.web.forms import BaseForm, read, text
from app.web.limits import writes_at_most
from app.web.page import page, see_other
from app.web.visitor import Db, Who, admin, proved_lately


class RejectForm(BaseForm):
    reason = text(lazy("Reason"), most=500, missing=lazy("Say why, in words that the applicant will read"))


@get("/admin/applications/{code:str}")
async def show(request: Request[Any, Any, Any], db: Db, code: FromPath[str]) -> Response[str]:
    return _page(request, *await _application(db, code), RejectForm())


@post("/admin/applications/{code:str}/approve")
async def approve(request: Request[Any, Any, Any], visitor: Who, code: FromPath[str]) -> Response[str]:
    async with writing() as tx:
        wish, user = await _application(tx, code)
        await applications.approve(tx, wish, user, by=visitor.user_id or 0, now=clock.now())
    said = _("%(email)s is a manager now and signs in again to see it.") % {"email": user.email}
    return see_other(request, f"/admin/managers/{user.code}", flash=said)


@post("/admin/applications/{code:str}/reject")
async def reject(request: Request[Any, Any, Any], db: Db, visitor: Who, code: FromPath[str]) -> Response[str]:
    found = await _application(db, code)
    form = await read(RejectForm, request)
    if form.rejected:
        return _page(request, *found, form)
    async with writing() as tx:
        wish, user = await _application(tx, code)
        await applications.reject(tx, wish, reason=form.reason.data, by=visitor.user_id or 0, now=clock.now())
    said = _("The application of %(email)s is rejected. They read why.") % {"email": user.email}
    return see_other(request, "/admin/managers", flash=said)


def _page(request: Request[Any, Any, Any], wish: Application, user: User, form: RejectForm) -> Response[str]:
    return page(request, "admin/application.html", status=form.status, wish=wish, user=user, form=form)


async def _application(db: AsyncSession, code: str) -> tuple[Application, User]:
    found = await queries.application(db, code)
    if not found:
        raise NotFound(_("There is no such application."))
    return found


router = Router("/", guards=[admin, proved_lately, writes_at_most("desk")], route_handlers=[show, approve, reject])
