"""What the shop keeps about somebody without an account, whom one of their bookings names: taken along, and erased."""

import json
from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts import queries as accounts
from app.admin import people
from app.admin.pages.common import EraseForm
from app.bookings.models import Booking
from app.core import activity, clock
from app.core.db import writing
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.privacy import copy, flows, queries
from app.privacy.rules import REFUSALS
from app.web import files
from app.web.forms import read
from app.web.limits import at_most, writes_at_most
from app.web.looks import note_look
from app.web.page import page, see_other
from app.web.visitor import Db, Who, admin, proved_lately

Asked = Request[Any, Any, Any]


@get("/admin/guests/{reference:str}")
async def show(request: Asked, db: Db, visitor: Who, reference: FromPath[str]) -> Response[str]:
    """Somebody who has an account by now is found there."""
    booking = await people.guests_booking(db, reference)
    if user := await accounts.by_email(db, booking.email):
        return see_other(request, f"/admin/users/{user.code}")
    await note_look(visitor, "guest", about=f"booking:{booking.id}")
    return await _page(request, db, booking, EraseForm())


@post("/admin/guests/{reference:str}/export", guards=[at_most("export")])
async def export(db: Db, visitor: Who, reference: FromPath[str]) -> Response[bytes]:
    """A guest can sign in nowhere to download a copy, so the admin hands it over."""
    booking, now = await people.guests_booking(db, reference), clock.now()
    told = await copy.everything_of_guest(db, await queries.person(db, booking.email, now=now), now=now)
    async with writing() as tx:
        await activity.record(tx, "guest.exported", about=f"booking:{booking.id}", by=visitor.user_id)
    body = json.dumps(told, ensure_ascii=False, indent=2).encode()
    return files.attached(body, "application/json", f"guest-{reference}.json")


@post("/admin/guests/{reference:str}/erase")
async def erase(request: Asked, db: Db, visitor: Who, reference: FromPath[str]) -> Response[str]:
    booking, form = await people.guests_booking(db, reference), await read(EraseForm, request)
    form.check(booking.email)
    if form.rejected:
        return await _page(request, db, booking, form, status=form.status)
    try:
        await flows.erase_guest(booking.email, by=visitor.user_id or 0)
    except Refused as refused:
        form.refuse(refused)
        return await _page(request, db, booking, form, status=refused.status)
    return see_other(request, "/admin/users", flash=_("The guest is erased."))


async def _page(request: Asked, db: AsyncSession, booking: Booking, form: EraseForm, *, status: int = 200) -> Response[str]:
    guest = await people.guest(db, booking.email, now=clock.now())
    reasons = [REFUSALS[word] for word in guest.cannot_erase]
    context: dict[str, Any] = {"guest": guest, "reasons": reasons, "action": f"/admin/guests/{booking.reference}"}
    return page(request, "admin/guest.html", status=status, form=form, **context)


router = Router("/", guards=[admin, proved_lately, writes_at_most("desk")], route_handlers=[show, export, erase])
