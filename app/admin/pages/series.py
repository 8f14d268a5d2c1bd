"""An admin decides about the dates of a series that were sent together: all of them in one act."""

from collections.abc import Sequence
from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession
from wtforms import HiddenField
from wtforms.validators import Length

from app.accounts import queries as account_queries
from app.core.db import reading
from app.core.errors import NotFound, Refused
from app.core.i18n import gettext as _
from app.core.i18n import lazy, ngettext
from app.events import dates, flows
from app.events.flows import Done
from app.events.models import Event
from app.events.rules import repeating
from app.events.rules.reviewing import Said
from app.events.series import Series
from app.web.forms import BaseForm, ManyLines, read, text
from app.web.limits import writes_at_most
from app.web.page import page, see_other
from app.web.visitor import Db, Who, admin


class SeenForm(BaseForm):
    """`seen` is a mark of the dates that stood on the page, and of when each was sent."""

    seen = HiddenField(validators=[Length(max=64)])


class ReturnForm(SeenForm):
    reason = text(lazy("What should change"), most=2000, field=ManyLines, missing=lazy("Say what should change"))


@get("/admin/series/{slug:str}")
async def review(request: Request[Any, Any, Any], db: Db, slug: FromPath[str]) -> Response[str]:
    return await _page(request, db, await _series(db, slug), ReturnForm())


@post("/admin/series/{slug:str}/approve")
async def approve(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[Any]:
    series = await _series(db, slug)
    form = await read(SeenForm, request)
    done = await flows.approve_dates(await _as_seen(db, series, form), by=visitor.user_id or 0)
    said = ngettext("%(num)s date of %(title)s is approved.", "%(num)s dates of %(title)s are approved.", done.count)
    return await _answer(request, series, done, said)


@post("/admin/series/{slug:str}/return")
async def send_back(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[Any]:
    series = await _series(db, slug)
    form = await read(ReturnForm, request)
    if form.rejected:
        return await _page(request, db, series, form)
    wanted = await _as_seen(db, series, form)
    done = await flows.return_dates(wanted, Said(form.reason.data), by=visitor.user_id or 0)
    said = ngettext("%(num)s date of %(title)s went back.", "%(num)s dates of %(title)s went back.", done.count)
    return await _answer(request, series, done, said)


async def _answer(request: Request[Any, Any, Any], series: Series, done: Done, said: str) -> Response[Any]:
    """Back to the queue; dates that refused are named on the page of the series as it is now."""
    sentence = said % {"num": done.count, "title": series.title}
    if done.refused:
        async with reading() as db:
            return await _page(request, db, series, ReturnForm(), refused=[sentence, *done.refused])
    return see_other(request, "/admin/events", flash=sentence)


async def _series(db: AsyncSession, slug: str) -> Series:
    found = await dates.by_slug(db, slug)
    if not found:
        raise NotFound(_("There is no such series."))
    return found


async def _as_seen(db: AsyncSession, series: Series, form: SeenForm) -> Sequence[Event]:
    """The submitted dates, if they are those that the admin looks at."""
    found = await dates.of_series(db, series.id, "submitted")
    if not found or form.seen.data != _mark(found):
        raise Refused(_("Other dates wait now than those on your page. Look at them before you decide."))
    return found


def _mark(found: Sequence[Event]) -> str:
    return repeating.mark([(date.slug, date.submitted_at, date.version) for date in found])


async def _page(
    request: Request[Any, Any, Any], db: AsyncSession, series: Series, form: ReturnForm, *, refused: Sequence[str] = ()
) -> Response[str]:
    found = await dates.of_series(db, series.id, "submitted")
    form.seen.data = _mark(found)
    parts = await dates.parts_of(db, found)
    context: dict[str, Any] = {
        "series": series,
        "dates": found,
        "others": {date.slug: repeating.other(date, found[0], parts) for date in found},
        "form": form,
        "manager": await account_queries.by_id(db, series.manager_id),
        "refused": refused,
    }
    return page(request, "admin/series.html", status=409 if refused else form.status, **context)


router = Router("/", guards=[admin, writes_at_most("desk")], route_handlers=[review, approve, send_back])
