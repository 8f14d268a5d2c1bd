"""The booking's page: checkout while the places are held, confirmation once it is paid."""

from datetime import datetime
from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession
from wtforms import EmailField, StringField

from app.accounts.models import Visitor
from app.bookings import actions, queries
from app.bookings.pages.asking import AskingForm, answered, asked_now, form_asking, missing
from app.bookings.pages.found import found
from app.bookings.queries import BookingView
from app.bookings.rules import Asked
from app.core import clock
from app.core.db import writing
from app.core.errors import NotFound, Refused
from app.core.formats import clock_time
from app.core.i18n import gettext as _
from app.core.i18n import language, lazy
from app.core.settings import settings
from app.events import queries as event_queries
from app.notifications.rules import REMINDED_BEFORE_EVENT
from app.payments import queries as payment_queries
from app.payments.flows.checkout import checkout as go_and_pay
from app.payments.flows.release import release as give_back
from app.tickets import pdf, qr
from app.tickets import queries as ticket_queries
from app.tickets.queries import TicketView
from app.tickets.signing import scanned_address
from app.web import limits
from app.web.forms import email, read, text
from app.web.limits import at_most, looks_at_most
from app.web.page import page, see_other, shown
from app.web.visitor import Db, Who


class BuyerForm(AskingForm):
    """The two fields that it takes to buy, and what the event asks beside."""

    email: EmailField = email()
    name: StringField = text(lazy("Full name"), most=100, missing=lazy("Enter your full name"))


@get("/bookings/{code:str}", guards=[looks_at_most("secret")])
async def show(request: Request[Any, Any, Any], db: Db, visitor: Who, code: FromPath[str]) -> Response[str]:
    view = await found(db, code, visitor)
    return page(request, "bookings/show.html", fragment="live", **await _context(db, view, await _filled(db, view, visitor)))


@post("/bookings/{code:str}/checkout")
async def checkout(request: Request[Any, Any, Any], db: Db, visitor: Who, code: FromPath[str]) -> Response[Any]:
    view = await found(db, code, visitor)
    form = await read(form_asking(BuyerForm, view.event, await _to_ask(db, view)), request)
    if visitor.is_signed_in:
        form.email.data, form.email.errors = visitor.email, []
    if form.rejected:
        return page(request, "bookings/show.html", fragment="live", status=form.status, **await _context(db, view, form))
    await limits.count(request, "pay", "pay for booking")
    told = {"email": form.email.data or "", "name": form.name.data or "", "answers": form.answers()}
    try:
        where = await go_and_pay(view.booking.id or 0, by=visitor, **told)
    except Refused as refused:
        form.refuse(refused)
        view = await found(db, code, visitor)
        return page(request, "bookings/show.html", fragment="live", status=refused.status, **await _context(db, view, form))
    return see_other(request, where)


@post("/bookings/{code:str}/extend")
async def extend(request: Request[Any, Any, Any], db: Db, visitor: Who, code: FromPath[str]) -> Response[Any]:
    view = await found(db, code, visitor)
    async with writing() as tx:
        await actions.extend(tx, view.booking, now=clock.now())
    await db.refresh(view.booking)
    said = _("You have more time now, until %(time)s.") % {"time": clock_time(view.booking.held_until, view.event.zone)}
    context = await _context(db, view, await _filled(db, view, visitor)) | {"said": said}
    return shown(request, f"/bookings/{code}", "bookings/show.html", fragment="live", flash=said, **context)


@post("/bookings/{code:str}/release")
async def release(request: Request[Any, Any, Any], db: Db, visitor: Who, code: FromPath[str]) -> Response[Any]:
    view = await found(db, code, visitor)
    await give_back(view.booking.id or 0)
    return see_other(request, f"/bookings/{code}")


@get("/bookings/{code:str}/tickets", guards=[looks_at_most("secret")])
async def tickets(request: Request[Any, Any, Any], db: Db, visitor: Who, code: FromPath[str]) -> Response[str]:
    """All tickets of the booking, to be shown at the door one after the other, or printed."""
    view = await found(db, code, visitor)
    event_id = view.event.id or 0
    shown_at_door = [(ticket, qr.element(scanned_address(event_id, ticket.ticket.code))) for ticket in await _tickets(db, view)]
    return page(request, "bookings/tickets.html", view=view, tickets=shown_at_door)


@get("/bookings/{code:str}/tickets.pdf", guards=[at_most("paper")])
async def tickets_file(db: Db, visitor: Who, code: FromPath[str]) -> Response[bytes]:
    view = await found(db, code, visitor)
    body = await pdf.of_views(await _tickets(db, view), base_url=settings().base_url, language=language())
    headers = {"Content-Disposition": f'inline; filename="{view.event.slug}-tickets.pdf"', "Cache-Control": "no-store"}
    return Response(body, media_type="application/pdf", headers=headers)


async def _tickets(db: AsyncSession, view: BookingView) -> list[TicketView]:
    """The booking's valid tickets. Raises NotFound while, or when, it has none."""
    valid = [ticket for ticket in await ticket_queries.of_booking(db, view.booking.id or 0) if ticket.ticket.is_valid]
    if not valid:
        raise NotFound(_("This booking has no valid tickets. Its page says why."))
    return valid


async def _to_ask(db: AsyncSession, view: BookingView) -> list[Asked]:
    """Only before the payment: a question that is new since must not stand in the way of money that is under way."""
    return await asked_now(db, view) if view.booking.state == "held" else []


async def _filled(db: AsyncSession, view: BookingView, visitor: Visitor) -> BuyerForm:
    """The form as we would fill it in: by what the booking knows, or the account."""
    asked = await _to_ask(db, view)
    before = answered(asked, await queries.answers(db, view.booking.id or 0)) if asked else {}
    known = {"email": view.booking.email or visitor.email, "name": view.booking.name or visitor.name}
    filled: BuyerForm = form_asking(BuyerForm, view.event, asked)(data=known | before)
    return filled


async def _context(db: AsyncSession, view: BookingView, form: BuyerForm) -> dict[str, Any]:
    """Everything that bookings/show.html shows, whatever the booking has become."""
    now = clock.now()
    booking_id = view.booking.id or 0
    payment = await payment_queries.latest(db, booking_id)
    asked = await asked_now(db, view) if view.booking.is_paid or view.booking.is_being_paid() else []
    return {
        "view": view,
        "booking": view.booking,
        "event": view.event,
        "venue": view.venue,
        "form": form,
        "payment": payment,
        "said": "",
        "now": now,
        "asks": bool(asked) and now < view.event.starts_at,
        "missing": missing(asked, await queries.answers(db, booking_id)) if asked else 0,
        "reminded_at": view.event.starts_at - REMINDED_BEFORE_EVENT,
        "stage": _stage(view, now=now),
        "tickets": await ticket_queries.of_booking(db, booking_id) if view.booking.is_paid else [],
        "refunds": await payment_queries.refunds_of_booking(db, booking_id),
        "sells_online": settings().sells_online,
        "event_sells": view.event.sells(now),
        "codes": {kind.id: kind.code for kind in await event_queries.ticket_types(db, view.event.id or 0)},
    }


def _stage(view: BookingView, *, now: datetime) -> str:
    """What the page is about now: details, paying, bank, paid, or how it ended."""
    booking = view.booking
    if booking.has_lapsed(now):
        return "lapsed"
    return {"held": "details", "paying": "paying", "processing": "bank"}.get(booking.state, booking.state)


router = Router("/", route_handlers=[show, checkout, extend, release, tickets, tickets_file])
