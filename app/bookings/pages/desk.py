"""One booking on its manager's desk: who bought what and answered what, the tickets once more, another name on one."""

from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import Visitor
from app.analytics import people
from app.bookings import queries
from app.bookings.models import Booking
from app.core import activity, limits
from app.core.db import writing
from app.core.errors import NotFound, Refused
from app.core.i18n import gettext as _
from app.core.i18n import lazy
from app.events import queries as event_queries
from app.events.models import Event
from app.payments import queries as payments
from app.tickets import actions as tickets
from app.tickets import queries as ticket_queries
from app.tickets.queries import TicketView
from app.web.forms import BaseForm, read, text
from app.web.limits import writes_at_most
from app.web.looks import note_look
from app.web.page import page, see_other
from app.web.visitor import Db, Who, team

# A mail with tickets costs paper and patience.
RESENT_AN_HOUR = 3


class HolderForm(BaseForm):
    holder = text(lazy("Name on the ticket"), most=100, missing=lazy("Enter the name of whoever comes"))


@get("/manager/events/{slug:str}/bookings/{reference:str}")
async def show(
    request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str], reference: FromPath[str]
) -> Response[str]:
    event = await _event(db, slug, visitor)
    booking = await _booking(db, event, reference)
    asked = {question.id: question for question in await people.questions(db, event.id or 0)}
    found = await people.answers(db, [booking.id or 0])
    context: dict[str, Any] = {
        "event": event,
        "booking": booking,
        "view": await queries.view(db, booking.id or 0),
        "tickets": await ticket_queries.of_booking(db, booking.id or 0),
        "answers": [(asked[answer.question_id].label, answer) for answer in found],
    }
    return page(request, "bookings/desk.html", **context)


@post("/manager/events/{slug:str}/bookings/{reference:str}/send")
async def send(
    request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str], reference: FromPath[str]
) -> Response[str]:
    """The mail with the tickets once more, to the address on the booking."""
    event = await _event(db, slug, visitor)
    booking = await _booking(db, event, reference)
    if not booking.is_paid or not booking.email:
        raise Refused(_("This booking has no valid tickets to send."))
    await limits.count(f"resend:{booking.id}", most=RESENT_AN_HOUR, seconds=3600)
    async with writing() as tx:
        await activity.record(tx, "booking.tickets_resent", about=f"booking:{booking.id}", by=visitor.user_id, event=event.id)
    return see_other(request, f"/manager/events/{slug}/bookings/{reference}", flash=_("The tickets are on their way again."))


@get("/manager/events/{slug:str}/attendees/{short_code:str}")
async def holder(
    request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str], short_code: FromPath[str]
) -> Response[str]:
    event = await _event(db, slug, visitor)
    view = await _ticket(db, event, short_code)
    return _holder_page(request, event, view, HolderForm(data={"holder": view.ticket.holder or view.booking.name}))


@post("/manager/events/{slug:str}/attendees/{short_code:str}")
async def name_holder(
    request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str], short_code: FromPath[str]
) -> Response[str]:
    event = await _event(db, slug, visitor)
    view = await _ticket(db, event, short_code)
    form = await read(HolderForm, request)
    if form.rejected:
        return _holder_page(request, event, view, form)
    async with writing() as tx:
        if not await tickets.name_holder(tx, view.ticket, form.holder.data, by=visitor.user_id or 0):
            raise Refused(_("This ticket has changed meanwhile. Open it again and look what is on it."))
    said = _("The ticket carries the new name. One that is already printed or saved still shows the old one.")
    return see_other(request, f"/manager/events/{slug}/bookings/{view.booking.reference}", flash=said)


def _holder_page(request: Request[Any, Any, Any], event: Event, view: TicketView, form: HolderForm) -> Response[str]:
    return page(request, "bookings/desk_holder.html", status=form.status, event=event, view=view, form=form)


async def _event(db: AsyncSession, slug: str, visitor: Visitor) -> Event:
    """The event of this manager or of who sells for it. An admin may look at everybody's, and the log keeps that."""
    event = await event_queries.event_of(db, slug, visitor, right="sales")
    if event.manager_id != visitor.user_id:
        await note_look(visitor, "bookings", about=f"event:{event.id}")
    return event


async def _booking(db: AsyncSession, event: Event, reference: str) -> Booking:
    booking = await payments.booking_of_event(db, event.id or 0, reference)
    if not booking:
        raise NotFound(_("This event has no such booking."))
    return booking


async def _ticket(db: AsyncSession, event: Event, short_code: str) -> TicketView:
    view = await ticket_queries.by_short_code(db, event.id or 0, short_code)
    if not view or not view.ticket.is_valid:
        raise NotFound(_("This event has no such valid ticket."))
    return view


router = Router("/", guards=[team, writes_at_most("desk")], route_handlers=[show, send, holder, name_holder])
