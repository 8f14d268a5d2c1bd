"""A user asks to become a manager, and reads what became of it."""

from typing import Any

from litestar import Request, Response, Router, get, post
from sqlmodel.ext.asyncio.session import AsyncSession
from wtforms import ValidationError
from wtforms.fields import Field

from app.accounts import queries
from app.accounts.actions import applications
from app.accounts.models import User, Visitor
from app.accounts.pages.common import user_id_of
from app.core import clock
from app.core.db import writing
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.core.i18n import lazy
from app.web.forms import BaseForm, ManyLines, read, text
from app.web.limits import writes_at_most
from app.web.page import page, see_other
from app.web.visitor import Db, Who, signed_in


class ApplyForm(BaseForm):
    organisation = text(lazy("Who you are"), most=120, missing=lazy("Say who you are: your name, or that of your house"))
    website = text(lazy("Website"), most=200)
    why = text(lazy("What you want to show here"), most=2000, missing=lazy("Say what you want to show"), field=ManyLines)

    def validate_website(self, field: Field) -> None:
        """The admin may follow it, so it is a web address and nothing else."""
        if field.data and not field.data.lower().startswith(("https://", "http://")):
            raise ValidationError(_("Enter an address that begins with https://"))


@get("/me/manager")
async def show(request: Request[Any, Any, Any], db: Db, visitor: Who) -> Response[str]:
    return await _page(request, db, visitor, ApplyForm())


@post("/me/manager")
async def apply(request: Request[Any, Any, Any], db: Db, visitor: Who) -> Response[str]:
    form = await read(ApplyForm, request)
    if form.rejected:
        return await _page(request, db, visitor, form, status=form.status)
    said = {"organisation": form.organisation.data, "website": form.website.data or "", "why": form.why.data}
    try:
        async with writing() as tx:
            await applications.apply(tx, await tx.get_one(User, user_id_of(visitor)), **said, now=clock.now())
    except Refused as refused:
        form.refuse(refused)
        return await _page(request, db, visitor, form, status=refused.status)
    return see_other(request, "/me/manager", flash=_("Your application is with the people who run this shop."))


async def _page(
    request: Request[Any, Any, Any], db: AsyncSession, visitor: Visitor, form: ApplyForm, *, status: int = 200
) -> Response[str]:
    newest = await queries.newest_application(db, user_id_of(visitor))
    return page(request, "accounts/apply.html", status=status, form=form, newest=newest)


router = Router("/", guards=[signed_in, writes_at_most("apply")], route_handlers=[show, apply])
