"""What was paid and what went back: for the buyer, for the manager of an event, and for the admin."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath

from app.bookings import queries as bookings
from app.core import clock
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.core.i18n import lazy
from app.payments import history, listed, queries
from app.payments.history import PaymentWish
from app.payments.pages.common import event_of
from app.web import asked, files
from app.web.limits import at_most
from app.web.page import page
from app.web.visitor import Db, Who, admin, signed_in, team

MOST_ORPHANS = 50
# A larger file is written by a job.
MOST_AT_ONCE = 10_000
# How a payment comes in.
PROVIDERS = ("stripe", "cash")
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


@post("/admin/payments/file", guards=[admin, at_most("export")])
async def file(request: Request[Any, Any, Any], db: Db, visitor: Who) -> Response[Any]:
    """What the filter shows: a small file at once, a large one is a job. Taking it away is an act of its own."""
    wish = _wish(request, None)[0]
    count, name = await history.count(db, wish), f"payments-{clock.now():%Y-%m-%d}.csv"
    taken: dict[str, Any] = {"about": "payments:all", "by": visitor.user_id or 0, "count": count}
    if count <= MOST_AT_ONCE:
        rows, _last = await listed.rows(db, wish, most=MOST_AT_ONCE)
        return await files.hand_over([listed.head(), *rows], name, **taken)
    if wish.search:
        raise Refused(_("Too many payments fit what you looked for. Type more of it, or take the file without it."))
    return await files.write_by_job(request, "payments.listed", name, wish=listed.kept(wish), title=lazy("Payments"), **taken)


async def _history(request: Request[Any, Any, Any], db: Db, address: str, *, event_id: int | None) -> dict[str, Any]:
    """One page of payments, what stands in its address, and the bookings that it names."""
    wish, typed = _wish(request, event_id)
    show, search, number = wish.show, wish.search, asked.page_number(request)
    hits = await bookings.find(db, search, event_id=event_id, most=MOST_HITS) if search else ()
    views, pages = await history.history(db, page=number, wish=wish)

    def url(wanted: int, what: str = show, address: str = address) -> str:
        words = typed | {"show": what, "page": "" if wanted == 1 else str(wanted)}
        query = urlencode({name: value for name, value in words.items() if value})
        return f"{address}?{query}" if query else address

    looked_for = {"show": show, "search": search, "hits": hits, "most_hits": MOST_HITS, "typed": typed}
    return {"views": views, "page": number, "pages": pages, "url": url, "address": address, **looked_for}


def _wish(request: Request[Any, Any, Any], event_id: int | None) -> tuple[PaymentWish, dict[str, str]]:
    """Which payments the address asks for, and its words; what is no word of ours asks for nothing."""
    typed = {name: asked.word(request, name) for name in ("show", "q", "provider", "from", "to")}
    typed["show"] = typed["show"] if typed["show"] in history.SHOWN else ""
    typed["provider"] = typed["provider"] if typed["provider"] in PROVIDERS else ""
    last = asked.day(typed["to"])
    until = last + timedelta(days=1) if last else None
    return PaymentWish(event_id, typed["show"], typed["q"], typed["provider"], asked.day(typed["from"]), until), typed


router = Router("/", route_handlers=[index, of_event, progress, of_all, file])
