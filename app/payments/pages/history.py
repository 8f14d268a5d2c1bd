"""What was paid and what went back: for the buyer, for the manager of an event, and for the admin."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from litestar import Request, Response, Router, get
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession

from app.bookings import queries as bookings
from app.core import activity, clock
from app.core.db import writing
from app.core.i18n import gettext as _
from app.core.money import major
from app.core.sheets import csv_file
from app.payments import history, queries
from app.payments.history import PaymentWish
from app.payments.pages.common import asked_for, event_of, page_number
from app.payments.queries import PaymentView
from app.web.limits import at_most
from app.web.page import page
from app.web.visitor import Db, Who, admin, signed_in, team

MOST_ORPHANS = 50
MOST_IN_A_FILE, AT_ONCE = 10_000, 500
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


@get("/admin/payments.csv", guards=[admin, at_most("export")])
async def file(request: Request[Any, Any, Any], db: Db, visitor: Who) -> Response[bytes]:
    """What the filter shows, the newest first. Taking it away is written down."""
    rows = await _rows(db, _wish(request, None)[0])
    async with writing() as tx:
        await activity.record(tx, "admin.exported", about="payments:all", by=visitor.user_id, rows=len(rows))
    headers = {"Content-Disposition": f'attachment; filename="payments-{clock.now():%Y-%m-%d}.csv"', "Cache-Control": "no-store"}
    return Response(csv_file([_titles(), *rows]), media_type="text/csv", headers=headers)


async def _history(request: Request[Any, Any, Any], db: Db, address: str, *, event_id: int | None) -> dict[str, Any]:
    """One page of payments, what stands in its address, and the bookings that it names."""
    wish, typed = _wish(request, event_id)
    show, search, number = wish.show, wish.search, page_number(request)
    hits = await bookings.find(db, search, event_id=event_id, most=MOST_HITS) if search else ()
    views, pages = await history.history(db, page=number, wish=wish)

    def url(wanted: int, what: str = show, address: str = address) -> str:
        words = typed | {"show": what, "page": "" if wanted == 1 else str(wanted)}
        query = urlencode({name: value for name, value in words.items() if value})
        return f"{address}?{query}" if query else address

    asked = {"show": show, "search": search, "hits": hits, "most_hits": MOST_HITS, "typed": typed}
    return {"views": views, "page": number, "pages": pages, "url": url, "address": address, **asked}


def _wish(request: Request[Any, Any, Any], event_id: int | None) -> tuple[PaymentWish, dict[str, str]]:
    """Which payments the address asks for, and its words; what is no word of ours asks for nothing."""
    typed = {name: asked_for(request, name) for name in ("show", "q", "provider", "from", "to")}
    typed["show"] = typed["show"] if typed["show"] in history.SHOWN else ""
    typed["provider"] = typed["provider"] if typed["provider"] in PROVIDERS else ""
    last = _day(typed["to"])
    until = last + timedelta(days=1) if last else None
    return PaymentWish(event_id, typed["show"], typed["q"], typed["provider"], _day(typed["from"]), until), typed


def _day(typed: str) -> datetime | None:
    """The beginning of a day such as "2026-11-29" in UTC; None for anything else."""
    try:
        return datetime.combine(date.fromisoformat(typed), time(), UTC) if typed else None
    except ValueError:
        return None


async def _rows(db: AsyncSession, wish: PaymentWish) -> list[Sequence[object]]:
    rows: list[Sequence[object]] = []
    for number in range(1, MOST_IN_A_FILE // AT_ONCE + 1):
        views, pages = await history.history(db, page=number, wish=wish, most=AT_ONCE)
        rows += [_row(view) for view in views]
        if number >= pages:
            break
    return rows


def _titles() -> Sequence[object]:
    first = (_("Time (UTC)"), _("Booking"), _("Email"), _("Event"), _("Provider"), _("State"))
    return (*first, _("Amount"), _("Paid"), _("Returned"), _("Currency"))


def _row(view: PaymentView) -> Sequence[object]:
    """A payment in a spreadsheet: sums with a point, in the currency beside them."""
    payment, booking, event = view.payment, view.booking, view.event
    sums = (payment.amount_minor, payment.captured_minor, payment.returned_minor)
    amounts = [major(minor, payment.currency) for minor in sums]
    at = f"{payment.created_at:%Y-%m-%d %H:%M:%S}"
    return (at, booking.reference, booking.email, event.title, payment.provider, payment.state, *amounts, payment.currency)


router = Router("/", route_handlers=[index, of_event, progress, of_all, file])
