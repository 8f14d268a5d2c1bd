"""What browsers report about our policy: they send it here, and an admin reads it."""

from typing import Any

from litestar import MediaType, Request, Response, Router, get, post
from litestar.exceptions import ClientException

from app.admin import actions, queries, rules
from app.core import clock
from app.core.db import writing
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.core.settings import settings
from app.web.limits import at_most, writes_at_most
from app.web.page import page, see_other
from app.web.security import REPORTS, SECRET_PATHS
from app.web.visitor import Db, Who, admin

MOST_BYTES = 8 * 1024
KINDS = ("application/csp-report", "application/reports+json")


class WrongKind(Refused):
    """Reports come as one of two kinds of JSON."""

    status = 415


# Browsers send these by themselves and often without an Origin, so they may come from anywhere, like a webhook: nothing
# that a visitor has is touched, what is kept is counted and cut, and who sends many is refused.
@post(REPORTS, opt={"proves_itself": True}, guards=[at_most("policy report")], request_max_body_size=MOST_BYTES)
async def report(request: Request[Any, Any, Any]) -> Response[str]:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in KINDS:
        raise WrongKind(_("This page does not accept that kind of data."))
    try:
        told = rules.complaints(await request.body(), base_url=settings().base_url, secret_paths=SECRET_PATHS)
    except ValueError as broken:
        raise ClientException(_("This report could not be read.")) from broken
    if told:
        async with writing() as tx:
            for complaint in told:
                await actions.note_report(tx, complaint, now=clock.now())
    return Response("", status_code=204, media_type=MediaType.TEXT)


@get("/admin/reports", guards=[admin])
async def reports(request: Request[Any, Any, Any], db: Db) -> Response[str]:
    found = await queries.reports(db)
    return page(request, "admin/reports.html", reports=found, is_full=len(found) >= actions.MOST_REPORTS)


@post("/admin/reports/clear", guards=[admin, writes_at_most("desk")])
async def clear(request: Request[Any, Any, Any], visitor: Who) -> Response[str]:
    async with writing() as tx:
        await actions.clear_reports(tx, by=visitor.user_id or 0)
    return see_other(request, "/admin/reports", flash=_("The list is empty. New reports show up by themselves."))


router = Router("/", route_handlers=[report, reports, clear])
