"""Mails that reached nobody: sent again, one or all, or dropped."""

from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath

from app.admin import queries
from app.core import clock
from app.core.db import writing
from app.core.errors import NotFound
from app.core.i18n import gettext as _
from app.core.i18n import ngettext
from app.core.settings import settings
from app.notifications import actions
from app.web.forms import BaseForm, number, read
from app.web.limits import writes_at_most
from app.web.page import page, see_other
from app.web.visitor import Db, Who, admin

Asked = Request[Any, Any, Any]

SHOWN = 100


class RetryForm(BaseForm):
    """`until` is the newest delivery that the page knew of: what fails while the page is read waits for the next look."""

    until = number("", least=0, most=2**62, sentence="", missing="")


@get("/admin/mails")
async def index(request: Asked, db: Db) -> Response[str]:
    mails = await queries.mails(db, now=clock.now(), most=SHOWN)
    newest = await queries.newest_failed_mail(db)
    return page(request, "admin/mails.html", mails=mails, newest=newest, has_smtp=bool(settings().smtp_url))


@post("/admin/mails/retry")
async def retry_all(request: Asked, visitor: Who) -> Response[str]:
    form = await read(RetryForm, request)
    async with writing() as tx:
        many = await actions.retry_failed(
            tx, until=0 if form.rejected else form.until.data or 0, by=visitor.user_id or 0, now=clock.now()
        )
    said = ngettext("%(num)s mail is sent again.", "%(num)s mails are sent again.", many) % {"num": many}
    return see_other(request, "/admin/mails", flash=said)


@post("/admin/mails/{number:int}/retry")
async def retry(request: Asked, visitor: Who, number: FromPath[int]) -> Response[str]:
    async with writing() as tx:
        if not await actions.retry(tx, number, by=visitor.user_id or 0, now=clock.now()):
            raise NotFound(_("This mail is not among those that were given up."))
    return see_other(request, "/admin/mails", flash=_("The mail is sent again."))


@post("/admin/mails/{number:int}/drop")
async def drop(request: Asked, visitor: Who, number: FromPath[int]) -> Response[str]:
    async with writing() as tx:
        if not await actions.drop(tx, number, by=visitor.user_id or 0):
            raise NotFound(_("This mail is not among those that were given up."))
    return see_other(request, "/admin/mails", flash=_("The mail is dropped. What it told stands in the panel of its reader."))


router = Router("/", guards=[admin, writes_at_most("desk")], route_handlers=[index, retry_all, retry, drop])
