"""Receipts of a booking: the list, each as a page, and each as a PDF."""

from typing import Any

from litestar import Request, Response, Router, get
from litestar.params import FromPath

from app.core.errors import NotFound
from app.core.i18n import gettext as _
from app.core.i18n import language
from app.core.texts import body_of
from app.payments import queries, receipts
from app.payments.pages.common import booking_of
from app.web.page import page
from app.web.visitor import Db, Who


@get("/bookings/{code:str}/receipts")
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
    paper = receipts.paper(found, view, imprint=await body_of(db, "imprint"), language=language())
    if bare == number:
        return page(request, "payments/receipt.html", view=view, paper=paper)
    body = await receipts.pdf(paper, language=language())
    headers = {"Content-Disposition": f'inline; filename="{bare}.pdf"', "Cache-Control": "no-store"}
    return Response(body, media_type="application/pdf", headers=headers)


router = Router("/", route_handlers=[index, show])
