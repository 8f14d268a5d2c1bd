"""Where events take place: corrected for all of them, merged where one stands there twice."""

from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession

from app.admin import queries
from app.core.db import writing
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.core.i18n import lazy
from app.events import arranged
from app.events.actions import arranging
from app.events.models import Venue
from app.web.forms import BaseForm, number, plain, read, text
from app.web.limits import writes_at_most
from app.web.page import page, see_other
from app.web.visitor import Db, Who, admin, proved_lately

Asked = Request[Any, Any, Any]


class VenueForm(BaseForm):
    name = text(lazy("Name"), most=120, missing=lazy("Enter a name"))
    address = text(lazy("Address"), most=200)
    city = text(lazy("City"), most=80, missing=lazy("Enter a city"))


class MergeForm(BaseForm):
    into = number(lazy("Merge into"), least=1, most=2**62, sentence=lazy("Choose a venue"), missing=lazy("Choose a venue"))


@get("/admin/venues")
async def index(request: Asked, db: Db) -> Response[str]:
    search = plain(request.query_params.get("q", ""))[:100]
    search = search if search.isprintable() else ""
    asked = request.query_params.get("page", "")
    wanted = int(asked) if asked.isascii() and asked.isdecimal() and 0 < len(asked) < 7 else 1
    venues, pages = await arranged.venues(db, search, page=max(1, wanted))
    return page(request, "admin/venues.html", venues=venues, search=search, number=max(1, wanted), pages=pages)


@get("/admin/venues/{number:int}")
async def show(request: Asked, db: Db, number: FromPath[int]) -> Response[str]:
    """With `into` it also says what a merge would move."""
    venue = await queries.venue(db, number)
    form = VenueForm(data={"name": venue.name, "address": venue.address, "city": venue.city})
    return await _one(request, db, venue, form)


@post("/admin/venues/{number:int}")
async def change(request: Asked, db: Db, visitor: Who, number: FromPath[int]) -> Response[str]:
    venue, form = await queries.venue(db, number), await read(VenueForm, request)
    if form.rejected:
        return await _one(request, db, venue, form, status=form.status)
    values = {"name": form.name.data, "address": form.address.data or "", "city": form.city.data}
    try:
        async with writing() as tx:
            await arranging.change_venue(tx, await queries.venue(tx, number), **values, by=visitor.user_id or 0)
    except Refused as refused:
        form.refuse(refused)
        return await _one(request, db, venue, form, status=refused.status)
    return see_other(request, f"/admin/venues/{number}", flash=_("The venue is saved, and the search knows it."))


@post("/admin/venues/{number:int}/merge")
async def merge(request: Asked, visitor: Who, number: FromPath[int]) -> Response[str]:
    form = await read(MergeForm, request)
    async with writing() as tx:
        gone, into = await queries.venue(tx, number), await queries.venue(tx, form.into.data or 0)
        await arranging.merge_venues(tx, gone, into, by=visitor.user_id or 0)
    said = _("The events of %(name)s take place at %(other)s now.") % {"name": gone.name, "other": into.name}
    return see_other(request, f"/admin/venues/{into.id}", flash=said)


@post("/admin/venues/{number:int}/delete")
async def delete(request: Asked, visitor: Who, number: FromPath[int]) -> Response[str]:
    async with writing() as tx:
        venue = await queries.venue(tx, number)
        await arranging.delete_venue(tx, venue, by=visitor.user_id or 0)
    return see_other(request, "/admin/venues", flash=_("%(name)s is deleted.") % {"name": venue.name})


async def _one(request: Asked, db: AsyncSession, venue: Venue, form: VenueForm, *, status: int = 200) -> Response[str]:
    others, wanted = await arranged.other_venues(db, venue), request.query_params.get("into", "")
    context: dict[str, Any] = {
        "venue": venue,
        "others": others,
        "into": next((other for other in others if str(other.id) == wanted), None),
        "used": await arranged.used_venue(db, venue.id or 0),
    }
    return page(request, "admin/venue.html", status=status, form=form, **context)


router = Router("/", guards=[admin, proved_lately, writes_at_most("desk")], route_handlers=[index, show, change, merge, delete])
