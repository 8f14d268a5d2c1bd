"""What was paid and what went back: for the buyer, for the manager of an event, and for the admin."""

from typing import Any
from urllib.parse import urlencode

from litestar import Request, Response, Router, get
from litestar.params import FromPath

from app.bookings import queries as bookings
from app.payments import queries
from app.payments.pages.common import asked_for, event_of, page_number
from app.web.page import page
from app.web.visitor import Db, Who, admin, signed_in, team

MOST_ORPHANS = 50
MOST_HITS = 20


@get("/me/payments", guards=[signed_in])
async def index(request: Request[Any, Any, Any], db: Db, visitor: Who) -> Response[str]:
    return page(request, "payments/index.html", views=await queries.of_user(db, visitor.user_id or 0))


@get("/manager/events/{slug:str}/payments", guards=[team])
async def of_event(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[str]:
    event = await event_of(db, slug, visitor)
    found = await _history(request, db, f"/manager/events/{slug}/payments", event_id=event.id)
    progress = await queries.progress(db, event.id or 0) if event.is_called_off else None
    sums = await queries.sums(db, event_id=event.id)
    return page(request, "payments/event.html", event=event, progress=progress, sums=sums, **found)


@get("/manager/events/{slug:str}/refunds", guards=[team])
async def progress(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[str]:
    """How far the refunds of an event that was called off have come; its pages ask for this part again and again."""
    event = await event_of(db, slug, visitor, right="desk")
    found = await queries.progress(db, event.id or 0)
    return page(request, "payments/progress.html", fragment="progress", event=event, progress=found)


@get("/admin/payments", guards=[admin])
async def of_all(request: Request[Any, Any, Any], db: Db) -> Response[str]:
    found = await _history(request, db, "/admin/payments", event_id=None)
    orphans = await queries.orphans(db, most=MOST_ORPHANS)
    return page(request, "payments/admin.html", orphans=orphans, sums=await queries.sums(db), **found)


async def _history(request: Request[Any, Any, Any], db: Db, address: str, *, event_id: int | None) -> dict[str, Any]:
    """One page of payments, what stands in its address, and the bookings that it names."""
    show, search = asked_for(request, "show"), asked_for(request, "q")
    show = show if show in queries.SHOWN else ""
    number = page_number(request)
    hits = await bookings.find(db, search, event_id=event_id, most=MOST_HITS) if search else ()
    views, pages = await queries.history(db, page=number, show=show, search=search, event_id=event_id)

    def url(wanted: int, what: str = show) -> str:
        words = {"show": what, "q": search, "page": "" if wanted == 1 else str(wanted)}
        query = urlencode({name: value for name, value in words.items() if value})
        return f"{address}?{query}" if query else address

    asked = {"show": show, "search": search, "hits": hits, "most_hits": MOST_HITS}
    return {"views": views, "page": number, "pages": pages, "url": url, "address": address, **asked}


router = Router("/", route_handlers=[index, of_event, progress, of_all])
