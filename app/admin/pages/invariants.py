"""The sixteen sentences that must always be true of the books, and what the last look at them found."""

from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath

from app.admin import actions, flows, queries
from app.admin.invariants import CHECKS
from app.core import clock
from app.core.db import writing
from app.core.errors import NotFound
from app.core.i18n import gettext as _
from app.core.i18n import ngettext
from app.web.limits import writes_at_most
from app.web.page import page, see_other
from app.web.visitor import Db, Who, admin


@get("/admin/invariants")
async def index(request: Request[Any, Any, Any], db: Db) -> Response[str]:
    results = await queries.results(db)
    broken = sum(1 for result in results.values() if result.broken)
    return page(request, "admin/invariants.html", checks=CHECKS, results=results, broken=broken)


@post("/admin/invariants/check")
async def check(request: Request[Any, Any, Any], db: Db) -> Response[str]:
    await flows.check_invariants()
    broken = sum(1 for result in (await queries.results(db)).values() if result.broken)
    many = ngettext("%(num)s sentence does not hold.", "%(num)s sentences do not hold.", broken) % {"num": broken}
    said, kind = (many, "danger") if broken else (_("All of them hold."), "ok")
    return see_other(request, "/admin/invariants", flash=said, kind=kind)


@post("/admin/alarms/{number:int}/settle")
async def settle(request: Request[Any, Any, Any], visitor: Who, number: FromPath[int]) -> Response[str]:
    async with writing() as tx:
        settled = await actions.settle_alarm(tx, number, by=visitor.user_id or 0, now=clock.now())
    if not settled:
        raise NotFound(_("This alarm was settled before, or there is none."))
    return see_other(request, "/admin", flash=_("The alarm is settled."))


router = Router("/", guards=[admin, writes_at_most("desk")], route_handlers=[index, check, settle])
