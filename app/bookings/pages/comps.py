"""Comp tickets: places that the manager gives away by name, with the tickets mailed at once."""

from collections.abc import Sequence
from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession
from wtforms import HiddenField, SelectChoice, SelectField  # type: ignore[attr-defined]
from wtforms.validators import Regexp

from app.accounts.models import Visitor
from app.bookings import queries
from app.bookings.boxoffice import Sale
from app.core import clock
from app.core.codes import random_id
from app.core.db import writing
from app.core.errors import NotFound, Refused
from app.core.i18n import gettext as _
from app.core.i18n import lazy, ngettext
from app.events import queries as event_queries
from app.events.models import Event, TicketType
from app.payments.flows import give_back
from app.tickets import actions as tickets
from app.tickets import queries as ticket_queries
from app.web.forms import BaseForm, email, number, read, text
from app.web.limits import writes_at_most
from app.web.looks import note_look
from app.web.page import page, see_other
from app.web.visitor import Db, Who, team

MOST_AT_ONCE = 50

_HOW_MANY = lazy("Enter a number from 1 to 50")


class CompForm(BaseForm):
    """Who gets how many places of what. `nonce` is new with every form, so that a second click gives nothing twice."""

    kind = SelectField(lazy("Ticket type"))
    number = number(lazy("How many tickets"), least=1, most=MOST_AT_ONCE, sentence=_HOW_MANY, missing=_HOW_MANY, default=1)
    name = text(lazy("Name"), most=100, missing=lazy("Enter whose tickets they are"))
    email = email()
    note = text(lazy("Note for yourself"), most=200)
    nonce = HiddenField(validators=[Regexp(r"[0-9a-f]{32}\Z", message=lazy("Load the page again"))])

    def __init__(self, formdata: Any = None, *, types: Sequence[TicketType], **given: Any) -> None:
        super().__init__(formdata, **given)
        self.kind.choices = [SelectChoice(kind.code, f"{kind.name} ({max(0, kind.left)})") for kind in types]


@get("/manager/events/{slug:str}/comps")
async def index(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[str]:
    return await _page(request, db, await _event(db, slug, visitor))


@post("/manager/events/{slug:str}/comps")
async def give(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[str]:
    event = await _event(db, slug, visitor)
    types = await event_queries.ticket_types(db, event.id)
    form = await read(CompForm, request, types=types)
    if form.rejected:
        return await _page(request, db, event, form)
    try:
        async with writing() as tx:
            await tickets.give(tx, event, _sale(form, types, visitor), now=clock.now())
    except Refused as refused:
        form.refuse(refused)
        return await _page(request, db, event, form, status=refused.status)
    return see_other(request, f"/manager/events/{slug}/comps", flash=_given(form))


@post("/manager/events/{slug:str}/comps/{reference:str}/take-back")
async def take_back(
    request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str], reference: FromPath[str]
) -> Response[str]:
    """All tickets of a comp become void and its places free."""
    event = await _event(db, slug, visitor)
    booking = await queries.of_house(db, event.id or 0, "comp", reference)
    if not booking:
        raise NotFound(_("This event has no such comp."))
    valid = [view.ticket.id or 0 for view in await ticket_queries.of_booking(db, booking.id or 0) if view.ticket.is_valid]
    who = "admin" if visitor.is_admin and event.manager_id != visitor.user_id else "manager"
    await give_back.take_back(booking, valid, fee_minor_each=0, reason=who, by=visitor.user_id, note="")
    return see_other(request, f"/manager/events/{slug}/comps", flash=_("The tickets are void, and their places free."))


async def _event(db: AsyncSession, slug: str, visitor: Visitor) -> Event:
    """The event of this manager or of who sells for it. An admin may look at everybody's, and the log keeps that."""
    event = await event_queries.event_of(db, slug, visitor, right="sales")
    if event.manager_id != visitor.user_id:
        await note_look(visitor, "comps", about=f"event:{event.id}")
    return event


def _given(form: CompForm) -> str:
    number = form.number.data or 1
    said = ngettext("%(num)s ticket is on its way to %(name)s.", "%(num)s tickets are on their way to %(name)s.", number)
    return said % {"num": number, "name": form.name.data}


def _sale(form: CompForm, types: Sequence[TicketType], visitor: Visitor) -> Sale:
    kind = next(kind for kind in types if kind.code == form.kind.data)
    return Sale(
        kind="comp",
        seller_id=visitor.user_id or 0,
        places={kind.id or 0: form.number.data or 0},
        nonce=form.nonce.data or "",
        email=form.email.data or "",
        name=form.name.data or "",
        note=form.note.data or "",
    )


async def _page(
    request: Request[Any, Any, Any], db: AsyncSession, event: Event, form: CompForm | None = None, *, status: int = 0
) -> Response[str]:
    form = form or CompForm(types=await event_queries.ticket_types(db, event.id), nonce=random_id())
    context: dict[str, Any] = {
        "event": event,
        "form": form,
        "comps": await queries.comps(db, event.id or 0),
        "can_give": event.sells(clock.now()) and bool(form.kind.choices),
    }
    return page(request, "bookings/comps.html", status=status or form.status, **context)


router = Router("/", guards=[team, writes_at_most("desk")], route_handlers=[index, give, take_back])
