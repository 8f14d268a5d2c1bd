"""A change of a public event that waits: the admin sees what it would change, and agrees or declines."""

from typing import Any

from litestar import Request, Response, Router, post
from litestar.params import FromPath

from app.bookings import queries as booking_queries
from app.core import clock
from app.core.db import writing
from app.core.i18n import gettext as _
from app.core.i18n import lazy
from app.events import queries, reviews
from app.events.actions import reviewing, waiting
from app.web.forms import BaseForm, ManyLines, read, text
from app.web.limits import writes_at_most
from app.web.page import page, see_other
from app.web.visitor import Db, Who, admin


class DeclineForm(BaseForm):
    reason = text(lazy("Reason"), most=2000, missing=lazy("Say why, so that the manager can act on it"), field=ManyLines)


@post("/admin/events/{slug:str}/changes/{code:str}/approve")
async def agree(request: Request[Any, Any, Any], visitor: Who, slug: FromPath[str], code: FromPath[str]) -> Response[Any]:
    async with writing() as tx:
        event = await queries.event_of(tx, slug, visitor)
        revision = await reviews.waiting_by_code(tx, event, code)
        booked = bool(await booking_queries.booked_types(tx, event.id or 0))
        who_and_when: dict[str, Any] = {"by": visitor.user_id or 0, "now": clock.now()}
        await reviewing.approve_change(tx, event, revision, booked=booked, **who_and_when)
    return see_other(request, "/admin/events", flash=_("%(title)s is changed.") % {"title": event.title})


@post("/admin/events/{slug:str}/changes/{code:str}/decline")
async def decline(
    request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str], code: FromPath[str]
) -> Response[Any]:
    form = await read(DeclineForm, request)
    event = await queries.event_of(db, slug, visitor)
    if form.rejected:
        return page(request, "admin/decline.html", status=form.status, event=event, form=form, code=code)
    async with writing() as tx:
        event = await queries.event_of(tx, slug, visitor)
        revision = await reviews.waiting_by_code(tx, event, code)
        told = {"reason": form.reason.data, "by": visitor.user_id or 0}
        await waiting.decline(tx, event, revision, now=clock.now(), **told)
    return see_other(request, "/admin/events", flash=_("The change of %(title)s is declined.") % {"title": event.title})


router = Router("/", guards=[admin, writes_at_most("desk")], route_handlers=[agree, decline])
