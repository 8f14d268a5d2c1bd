"""A user's pre-sales: until when each is kept, and how to pay it now, later, or not at all."""

from typing import Any

from litestar import Request, Response, Router, get
from litestar.params import FromPath

from app.bookings import queries
from app.bookings.pages.found import found
from app.core import clock
from app.core.settings import settings
from app.tickets.calendar import deadline
from app.web.limits import looks_at_most
from app.web.page import page
from app.web.visitor import Db, Who, signed_in


@get("/me/presales", guards=[signed_in])
async def presales(request: Request[Any, Any, Any], db: Db, visitor: Who) -> Response[str]:
    now = clock.now()
    views = await queries.presales_of(db, visitor.user_id or 0, now=now)
    asking = await queries.events_that_ask(db, [view.event.id or 0 for view in views])
    sells_online = settings().sells_online
    return page(request, "bookings/presales.html", views=views, asking=asking, now=now, sells_online=sells_online)


@get("/bookings/{code:str}/deadline.ics", guards=[looks_at_most("secret")])
async def deadline_file(db: Db, visitor: Who, code: FromPath[str]) -> Response[bytes]:
    """The minute until which a pre-sale is kept, as an appointment with a reminder."""
    view = await found(db, code, visitor)
    body = deadline(view.event, view.booking.held_until, f"{settings().base_url}/bookings/{code}", clock.now())
    headers = {"Content-Disposition": f'attachment; filename="{view.booking.reference}.ics"', "Cache-Control": "no-store"}
    return Response(body, media_type="text/calendar", headers=headers)


router = Router("/", route_handlers=[presales, deadline_file])
