"""The waiting list of an event on its manager's desk: who waits, more places for them, and whether people may join."""

from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import Visitor
from app.bookings import flows, waiting
from app.core import clock
from app.core.db import writing
from app.core.errors import NotFound, Refused
from app.core.formats import list_date
from app.core.i18n import gettext as _
from app.core.i18n import lazy, ngettext
from app.core.sheets import csv_file
from app.events import queries
from app.events.models import Event, TicketType
from app.web.forms import BaseForm, number, read
from app.web.limits import at_most, writes_at_most
from app.web.looks import note_look
from app.web.page import page, see_other
from app.web.visitor import Db, Who, team

_HOURS = lazy("Enter a number of hours from 1 to 168")
_PLACES = lazy("Enter a number from 1 to 10,000")
_LISTED = 500


class ListForm(BaseForm):
    """How long an offer lasts; `do` is "open" or "close"."""

    hours = number(lazy("Hours to take an offer"), least=1, most=168, sentence=_HOURS, missing=_HOURS)


class PlacesForm(BaseForm):
    places = number(lazy("More places"), least=1, most=10_000, sentence=_PLACES, missing=_PLACES)


@get("/manager/events/{slug:str}/waiting-list")
async def show(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[str]:
    return await _page(request, db, await _event(db, slug, visitor))


@post("/manager/events/{slug:str}/waiting-list")
async def set_list(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[Any]:
    """Opens or closes the list, and says how long offers last."""
    event = await _event(db, slug, visitor)
    form = await read(ListForm, request)
    if form.rejected:
        return await _page(request, db, event, listing=form)
    is_open = (await request.form()).get("do") != "close"
    async with writing() as tx:
        present = await queries.event_of(tx, slug, visitor, right="sales")
        await waiting.set_list(tx, present, is_open=is_open, hours=form.hours.data or 1, by=visitor.user_id or 0)
    closed = _("Nobody can join the waiting list. Who is in line stays there.")
    said = _("People can join the waiting list.") if is_open else closed
    return see_other(request, f"/manager/events/{slug}/waiting-list", flash=said)


@post("/manager/events/{slug:str}/waiting-list/{code:str}/add")
async def add(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str], code: FromPath[str]) -> Response[Any]:
    """More places of a type, which go to whoever waits before anybody else."""
    event = await _event(db, slug, visitor)
    kind = await _kind(db, event, code)
    form = await read(PlacesForm, request)
    if form.rejected:
        return await _page(request, db, event, adding=(kind, form))
    count = form.places.data or 0
    async with writing() as tx:
        present = await queries.event_of(tx, slug, visitor, right="sales")
        if not present.is_editable or present.is_over(clock.now()):
            raise Refused(_("This event cannot be changed now."))
        await waiting.add_places(tx, kind, count, by=visitor.user_id or 0)
    made = await flows.offer_next(slug)
    return see_other(request, f"/manager/events/{slug}/waiting-list", flash=f"{_added(kind, count)} {_offered(made)}")


@post("/manager/events/{slug:str}/waiting-list/offer")
async def offer(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[Any]:
    """Free places go to the next in line now, instead of within a quarter of a minute."""
    await _event(db, slug, visitor)
    made = await flows.offer_next(slug)
    return see_other(request, f"/manager/events/{slug}/waiting-list", flash=_offered(made))


@get("/manager/events/{slug:str}/waiting-list.csv", guards=[at_most("export")])
async def file(db: Db, visitor: Who, slug: FromPath[str]) -> Response[bytes]:
    event = await _event(db, slug, visitor)
    people = await waiting.in_line(db, await queries.ticket_types(db, event.id))
    head = (_("Ticket type"), _("Number in line"), _("Email"), _("Places"), _("Since"))
    rows = [
        (one.kind.name, one.position, one.entry.email, one.entry.qty, list_date(one.entry.created_at, event.zone))
        for one in people
    ]
    headers = {"Content-Disposition": f'attachment; filename="{event.slug}-waiting.csv"', "Cache-Control": "no-store"}
    return Response(csv_file([head, *rows]), media_type="text/csv", headers=headers)


def _added(kind: TicketType, count: int) -> str:
    text = ngettext("%(name)s has %(num)s place more.", "%(name)s has %(num)s places more.", count)
    return text % {"name": kind.name, "num": count}


def _offered(made: int) -> str:
    if not made:
        return _("There was nothing to offer.")
    return ngettext("%(num)s person has an offer now.", "%(num)s people have an offer now.", made) % {"num": made}


async def _event(db: AsyncSession, slug: str, visitor: Visitor) -> Event:
    """The event of this manager or of who sells for it. An admin may look at everybody's, and the log keeps that."""
    event = await queries.event_of(db, slug, visitor, right="sales")
    if event.manager_id != visitor.user_id:
        await note_look(visitor, "waiting", about=f"event:{event.id}")
    return event


async def _kind(db: AsyncSession, event: Event, code: str) -> TicketType:
    found = next((kind for kind in await queries.ticket_types(db, event.id) if kind.code == code), None)
    if not found:
        raise NotFound(_("This event has no such ticket type."))
    return found


async def _page(
    request: Request[Any, Any, Any],
    db: AsyncSession,
    event: Event,
    *,
    listing: ListForm | None = None,
    adding: tuple[TicketType, PlacesForm] | None = None,
) -> Response[str]:
    now = clock.now()
    types = await queries.ticket_types(db, event.id)
    people = await waiting.in_line(db, types)
    forms = {kind.code: PlacesForm(prefix=f"t{number}-") for number, kind in enumerate(types)}
    wrong = adding[1] if adding else listing
    context: dict[str, Any] = {
        "event": event,
        "types": types,
        "people": people[:_LISTED],
        "waiting": len(people),
        "offered": await waiting.offered(db, event.id or 0),
        "names": {kind.id: kind.name for kind in types},
        "listing": listing or ListForm(hours=event.offer_hours),
        "forms": forms | ({adding[0].code: adding[1]} if adding else {}),
        "wrong": wrong,
        "now": now,
        "can_change": event.is_editable and not event.is_over(now),
    }
    return page(request, "manager/waiting.html", status=wrong.status if wrong else 200, **context)


router = Router("/", guards=[team, writes_at_most("desk")], route_handlers=[show, set_list, add, offer, file])
