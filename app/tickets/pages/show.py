"""Tickets: the page shown at the door, its PDF, QR and calendar file, and everything that a user has bought."""

from typing import Any

from litestar import Request, Response, Router, get
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import clock
from app.core.codes import random_id
from app.core.errors import NotFound
from app.core.i18n import gettext as _
from app.core.i18n import language
from app.core.settings import settings
from app.events import team
from app.tickets import pdf, qr, queries
from app.tickets.calendar import calendar
from app.tickets.pages import checkin
from app.tickets.queries import TicketView
from app.tickets.signing import scanned_address
from app.web import limits
from app.web.limits import looks_at_most
from app.web.page import page
from app.web.visitor import Db, Who, signed_in


@get("/tickets/{code:str}", guards=[looks_at_most("secret")])
async def show(request: Request[Any, Any, Any], db: Db, visitor: Who, code: FromPath[str]) -> Response[Any]:
    """The ticket for whoever holds its link; the same address with .pdf, .ics or .svg is a file.

    Whoever has a right at the door and comes by the phone's own camera finds a button there that checks it in.
    """
    bare, _dot, kind = code.partition(".")
    view = await _found(db, bare)
    if kind:
        if kind == "pdf":
            await limits.count(request, "paper")
        return await _file(view, kind)
    door = await team.rights(db, view.event, visitor, now=clock.now()) if visitor.is_signed_in else frozenset()
    context: dict[str, Any] = {"view": view, "svg": qr.element(_scanned(view)), "at_door": "door" in door, "nonce": random_id()}
    return page(request, "tickets/show.html", **context)


@get("/me/tickets", guards=[signed_in])
async def index(request: Request[Any, Any, Any], db: Db, visitor: Who) -> Response[str]:
    now = clock.now()
    ahead = await queries.of_user(db, visitor.user_id or 0, now=now, past=False)
    past = await queries.of_user(db, visitor.user_id or 0, now=now, past=True)
    return page(
        request,
        "tickets/index.html",
        ahead=_by_booking(ahead),
        past=_by_booking(past),
        svg=qr.element(_scanned(ahead[0])) if ahead else "",
    )


async def _found(db: AsyncSession, code: str) -> TicketView:
    view = await queries.by_code(db, code)
    if not view:
        raise NotFound(_("There is no such ticket. Check the link in your mail."))
    return view


async def _file(view: TicketView, kind: str) -> Response[Any]:
    name = f"{view.event.slug}-{view.ticket.short_code}.{kind}"
    headers = {"Content-Disposition": f'inline; filename="{name}"', "Cache-Control": "no-store"}
    if kind == "svg":
        return Response(qr.svg(_scanned(view)), media_type="image/svg+xml", headers=headers)
    if kind == "ics":
        online_url = view.event.online_url if view.ticket.is_valid else ""
        body = calendar(view.event, view.venue, _address(view), clock.now(), online_url=online_url)
        return Response(body, media_type="text/calendar", headers=headers)
    if kind == "pdf":
        body = await pdf.of_views([view], base_url=settings().base_url, language=language())
        return Response(body, media_type="application/pdf", headers=headers)
    raise NotFound(_("Tickets come as .pdf, .ics and .svg."))


def _by_booking(views: list[TicketView]) -> list[list[TicketView]]:
    """Tickets that were bought together, in the order given."""
    groups: dict[int, list[TicketView]] = {}
    for view in views:
        groups.setdefault(view.booking.id or 0, []).append(view)
    return list(groups.values())


def _address(view: TicketView) -> str:
    return settings().base_url + view.path


def _scanned(view: TicketView) -> str:
    return scanned_address(view.event.id or 0, view.ticket.code)


router = Router("/", route_handlers=[show, index, checkin.router])
