"""Receipts of a booking: the list, each as a page, and each as a PDF."""

from typing import Any

import structlog
from litestar import Request, Response, Router, get
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import Visitor
from app.bookings.queries import BookingView
from app.core.errors import NotFound
from app.core.i18n import gettext as _
from app.core.i18n import language
from app.core.texts import body_of
from app.payments import queries, receipts
from app.payments.pages.common import booking_of
from app.privacy import queries as privacy_queries
from app.web import limits
from app.web.limits import looks_at_most
from app.web.page import page
from app.web.visitor import Db, Who

log = structlog.get_logger()


@get("/bookings/{code:str}/receipts", guards=[looks_at_most("secret")])
async def index(request: Request[Any, Any, Any], db: Db, visitor: Who, code: FromPath[str]) -> Response[str]:
    view = await booking_of(db, code, visitor)
    return page(request, "payments/receipts.html", view=view, receipts=await queries.receipts(db, view.booking))


@get("/bookings/{code:str}/receipts/{number:str}")
async def show(
    request: Request[Any, Any, Any], db: Db, visitor: Who, code: FromPath[str], number: FromPath[str]
) -> Response[Any]:
    """The receipt; the same address with .pdf is the paper."""
    view = await booking_of(db, code, visitor)
    bare = number.removesuffix(".pdf")
    found = {receipt.number: receipt for receipt in await queries.receipts(db, view.booking)}.get(bare)
    if not found:
        raise NotFound(_("There is no such receipt. The booking lists those that there are."))
    imprint, name = await body_of(db, "imprint"), await _name_for_the_books(db, view, visitor)
    paper = receipts.paper(found, view, imprint=imprint, language=language(), kept_name=name)
    if bare == number:
        return page(request, "payments/receipt.html", view=view, paper=paper)
    await limits.count(request, "paper")
    body = await receipts.pdf(paper, language=language())
    headers = {"Content-Disposition": f'inline; filename="{bare}.pdf"', "Cache-Control": "no-store"}
    return Response(body, media_type="application/pdf", headers=headers)


async def _name_for_the_books(db: AsyncSession, view: BookingView, visitor: Visitor) -> str:
    """Who paid a booking whose buyer was erased: for admins alone, and the log says who has looked."""
    if view.booking.name or not visitor.is_admin:
        return ""
    name = await privacy_queries.kept_name(db, view.booking.id or 0)
    if name:
        log.info("an admin read a name that is kept for the books", admin=visitor.user_id, booking=view.booking.id)
    return name


router = Router("/", route_handlers=[index, show])
