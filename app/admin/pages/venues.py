"""Where events take place: added, corrected for all of them, merged where one stands there twice."""

import re
from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession
from wtforms import Field, FloatField, ValidationError
from wtforms.validators import Optional

from app.admin import queries
from app.core.db import writing
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.core.i18n import lazy, pgettext
from app.events import arranged
from app.events.actions import arranging
from app.events.models import Venue
from app.events.rules.proposing import folded
from app.web import asked
from app.web.forms import BaseForm, InRange, number, read, text
from app.web.limits import writes_at_most
from app.web.page import page, see_other
from app.web.visitor import Db, Who, admin, proved_lately

Asked = Request[Any, Any, Any]

_COLUMNS = ("name", "address", "city", "latitude", "longitude")


class Degrees(FloatField):
    """Degrees with decimals, written with a point or a comma."""

    def process_formdata(self, valuelist: list[Any]) -> None:
        typed = valuelist[0].strip().replace(",", ".") if valuelist else ""
        self.data = None
        if typed:
            if not re.fullmatch(r"[+-]?[0-9]{1,3}(\.[0-9]{1,9})?", typed):
                raise ValueError(_("Enter degrees with decimals, such as 45.07"))
            self.data = float(typed)


def _degrees(label: Any, *, most: int) -> Any:
    sentence = lazy("Enter degrees with decimals, such as 45.07")
    return Degrees(label, [Optional(), InRange(min=-most, max=most, message=sentence)])


def _check_both(other: Field) -> None:
    if other.data is None:
        raise ValidationError(_("Fill in latitude and longitude, or neither."))


class VenueForm(BaseForm):
    name = text(lazy("Name"), most=120, missing=lazy("Enter a name"))
    address = text(lazy("Address"), most=200)
    city = text(lazy("City"), most=80, missing=lazy("Enter a city"))
    latitude = _degrees(lazy("Latitude"), most=90)
    longitude = _degrees(lazy("Longitude"), most=180)

    def validate_latitude(self, _field: Field) -> None:
        _check_both(self.longitude)

    def validate_longitude(self, _field: Field) -> None:
        _check_both(self.latitude)


class MergeForm(BaseForm):
    into = number(lazy("Merge into"), least=1, most=2**62, sentence=lazy("Choose a venue"), missing=lazy("Choose a venue"))
    into_city = text(lazy("City, to say that you mean it"), most=80)


@get("/admin/venues")
async def index(request: Asked, db: Db) -> Response[str]:
    return await _list(request, db, VenueForm())


@post("/admin/venues")
async def add(request: Asked, db: Db, visitor: Who) -> Response[str]:
    form = await read(VenueForm, request)
    if form.rejected:
        return await _list(request, db, form, status=form.status)
    try:
        async with writing() as tx:
            venue = await arranging.add_venue(tx, **_values(form), by=visitor.user_id or 0)
    except Refused as refused:
        form.name.errors = [refused.sentence]
        return await _list(request, db, form, status=refused.status)
    return see_other(request, f"/admin/venues/{venue.id}", flash=pgettext("venue", "%(name)s is added.") % {"name": venue.name})


@get("/admin/venues/{number:int}")
async def show(request: Asked, db: Db, number: FromPath[int]) -> Response[str]:
    """With `into` it also says what a merge would move; with `near` one can choose from the venues of other cities too."""
    venue = await queries.venue(db, number)
    return await _one(request, db, venue, _filled(venue))


@post("/admin/venues/{number:int}")
async def change(request: Asked, db: Db, visitor: Who, number: FromPath[int]) -> Response[str]:
    venue, form = await queries.venue(db, number), await read(VenueForm, request)
    if form.rejected:
        return await _one(request, db, venue, form, status=form.status)
    try:
        async with writing() as tx:
            await arranging.change_venue(tx, await queries.venue(tx, number), **_values(form), by=visitor.user_id or 0)
    except Refused as refused:
        form.refuse(refused)
        return await _one(request, db, venue, form, status=refused.status)
    return see_other(request, f"/admin/venues/{number}", flash=_("The venue is saved, and the search knows it."))


@post("/admin/venues/{number:int}/merge")
async def merge(request: Asked, db: Db, visitor: Who, number: FromPath[int]) -> Response[str]:
    """Whoever moves events to another city types that city."""
    form = await read(MergeForm, request)
    venue, into = await queries.venue(db, number), await queries.venue(db, form.into.data or 0)
    if into.city != venue.city and folded(form.into_city.data or "") != folded(into.city):
        form.into_city.errors = [_("Type %(city)s: the events move to another city.") % {"city": into.city}]
        return await _one(request, db, venue, _filled(venue), into=into, merging=form, status=422)
    async with writing() as tx:
        gone, into = await queries.venue(tx, number), await queries.venue(tx, into.id or 0)
        await arranging.merge_venues(tx, gone, into, by=visitor.user_id or 0)
    said = _("The events of %(name)s take place at %(other)s now.") % {"name": gone.name, "other": into.name}
    return see_other(request, f"/admin/venues/{into.id}", flash=said)


@post("/admin/venues/{number:int}/delete")
async def delete(request: Asked, visitor: Who, number: FromPath[int]) -> Response[str]:
    async with writing() as tx:
        venue = await queries.venue(tx, number)
        await arranging.delete_venue(tx, venue, by=visitor.user_id or 0)
    return see_other(request, "/admin/venues", flash=pgettext("venue", "%(name)s is deleted.") % {"name": venue.name})


async def _list(request: Asked, db: AsyncSession, form: VenueForm, *, status: int = 200) -> Response[str]:
    search, number = asked.word(request, "q"), asked.page_number(request)
    venues, pages = await arranged.venues(db, search, page=number)
    context: dict[str, Any] = {"venues": venues, "search": search, "number": number, "pages": pages}
    return page(request, "admin/venues.html", status=status, form=form, **context)


async def _one(
    request: Asked,
    db: AsyncSession,
    venue: Venue,
    form: VenueForm,
    *,
    into: Venue | None = None,
    merging: MergeForm | None = None,
    status: int = 200,
) -> Response[str]:
    wanted, near = request.query_params.get("into", ""), asked.word(request, "near")
    if not into and wanted.isascii() and wanted.isdecimal() and len(wanted) < 19:
        into = await arranged.other_venue(db, venue, int(wanted))
    others = list(await arranged.other_venues(db, venue))
    elsewhere = list(await arranged.venues_elsewhere(db, venue, near)) if near else []
    if into and into not in [*others, *elsewhere]:
        elsewhere.insert(0, into)
    context: dict[str, Any] = {"venue": venue, "others": others, "elsewhere": elsewhere, "near": near, "into": into}
    context["used"] = await arranged.used_venue(db, venue.id or 0)
    return page(request, "admin/venue.html", status=status, form=form, merging=merging or MergeForm(), **context)


def _filled(venue: Venue) -> VenueForm:
    return VenueForm(data={name: getattr(venue, name) for name in _COLUMNS})


def _values(form: VenueForm) -> dict[str, Any]:
    return {name: form[name].data for name in _COLUMNS} | {"address": form.address.data or ""}


router = Router(
    "/", guards=[admin, proved_lately, writes_at_most("desk")], route_handlers=[index, add, show, change, merge, delete]
)
