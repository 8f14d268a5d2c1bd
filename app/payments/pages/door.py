"""The box office at the door: places for cash or by card, the ticket at once, and what is in the till in the evening."""

from collections.abc import Sequence
from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession
from wtforms import EmailField, HiddenField, StringField
from wtforms.validators import AnyOf, Length, Optional, Regexp

from app.accounts.models import Visitor
from app.bookings import queries as booking_queries
from app.bookings.boxoffice import Sale
from app.core import clock
from app.core.codes import random_id
from app.core.errors import NotFound, Refused
from app.core.i18n import gettext as _
from app.core.i18n import lazy
from app.core.settings import settings
from app.events import queries as event_queries
from app.events.models import Event, TicketType
from app.payments import till
from app.payments.flows import door
from app.tickets import qr
from app.tickets import queries as ticket_queries
from app.web.forms import BaseForm, email_address, how_many, no_control_characters, plain, read, text
from app.web.limits import writes_at_most
from app.web.looks import note_look
from app.web.page import page, see_other
from app.web.visitor import Db, Who, team

MOST_AT_ONCE = 10


class DoorForm(BaseForm):
    """So many places of each type, for cash or by card; the fields "q-CODE" are added for the event at hand.

    `nonce` is new with every form, so that a second click sells nothing twice.
    """

    provider = StringField(validators=[AnyOf(("cash", "card"), message=lazy("Choose cash or card"))])
    name = text(lazy("Name"), most=100)
    email = EmailField(
        lazy("Email"), validators=[Optional(), no_control_characters, Length(max=254), email_address], filters=[plain]
    )
    nonce = HiddenField(validators=[Regexp(r"[0-9a-f]{32}\Z", message=lazy("Load the page again"))])

    def places(self, types: Sequence[TicketType]) -> dict[int, int]:
        """Places by ticket type id, zeros left out."""
        return {kind.id or 0: int(self[f"q-{kind.code}"].data) for kind in types if self[f"q-{kind.code}"].data}


@get("/manager/events/{slug:str}/box-office")
async def show(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[str]:
    event = await _event(db, slug, visitor)
    types = await event_queries.ticket_types(db, event.id)
    return await _page(request, db, event, types, _door_form(types)(nonce=random_id()))


@post("/manager/events/{slug:str}/box-office")
async def sell(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[str]:
    event = await _event(db, slug, visitor)
    types = await event_queries.ticket_types(db, event.id)
    form = await read(_door_form(types), request)
    if form.rejected:
        return await _page(request, db, event, types, form, status=form.status)
    try:
        booking = await door.sell(slug, _sale(form, types, visitor), provider=form.provider.data or "")
    except Refused as refused:
        form.refuse(refused)
        types = await event_queries.ticket_types(db, event.id)
        return await _page(request, db, event, types, form, status=refused.status)
    return see_other(request, f"/manager/events/{slug}/box-office/{booking.reference}")


@get("/manager/events/{slug:str}/box-office/{reference:str}")
async def sold(
    request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str], reference: FromPath[str]
) -> Response[str]:
    """The tickets of a sale, to be scanned off the screen or printed, and the way to the next sale."""
    event = await _event(db, slug, visitor)
    booking = await booking_queries.of_house(db, event.id or 0, "door", reference)
    if not booking:
        raise NotFound(_("This event has no such sale."))
    views = await ticket_queries.of_booking(db, booking.id or 0)
    shown = [(view, qr.element(settings().base_url + view.path)) for view in views if view.ticket.is_valid]
    view = await booking_queries.view(db, booking.id or 0)
    return page(request, "payments/door_sale.html", event=event, booking=booking, view=view, tickets=shown)


async def _event(db: AsyncSession, slug: str, visitor: Visitor) -> Event:
    """The event of this manager or of who sells for it. An admin may look at everybody's, and the log keeps that."""
    event = await event_queries.event_of(db, slug, visitor, right="sales")
    if event.manager_id != visitor.user_id:
        await note_look(visitor, "box_office", about=f"event:{event.id}")
    return event


def _door_form(types: Sequence[TicketType]) -> type[DoorForm]:
    fields = {f"q-{kind.code}": how_many(kind.name, most=MOST_AT_ONCE) for kind in types}
    return type("DoorFormOfEvent", (DoorForm,), fields)


def _sale(form: DoorForm, types: Sequence[TicketType], visitor: Visitor) -> Sale:
    return Sale(
        kind="door",
        seller_id=visitor.user_id or 0,
        places=form.places(types),
        nonce=form.nonce.data or "",
        email=form.email.data or "",
        name=form.name.data or "",
    )


async def _page(
    request: Request[Any, Any, Any],
    db: AsyncSession,
    event: Event,
    types: Sequence[TicketType],
    form: DoorForm,
    *,
    status: int = 200,
) -> Response[str]:
    places = {kind.code: form.places([kind]).get(kind.id or 0, 0) for kind in types}
    context: dict[str, Any] = {
        "event": event,
        "types": types,
        "form": form,
        "chosen": places,
        "most": {kind.code: min(kind.left, MOST_AT_ONCE) for kind in types},
        "sum_minor": sum(kind.price_minor * places[kind.code] for kind in types),
        "places": sum(places.values()),
        "sells": event.sells(clock.now()),
        "days": await till.days(db, event),
    }
    return page(request, "payments/door.html", status=status, **context)


router = Router("/", guards=[team, writes_at_most("desk")], route_handlers=[show, sell, sold])
