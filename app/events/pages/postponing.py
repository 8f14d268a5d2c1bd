"""A manager postpones a public event, or says that it takes place on its old date after all."""

from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import Visitor
from app.bookings import queries as booking_queries
from app.core import clock
from app.core.db import writing
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.core.i18n import lazy
from app.events import queries
from app.events.actions import postponing
from app.events.models import RETURN_DAYS, Event
from app.web.forms import BaseForm, number, read, text
from app.web.limits import writes_at_most
from app.web.looks import note_look
from app.web.page import page, see_other
from app.web.visitor import Db, Who, team


class PostponeForm(BaseForm):
    reason = text(lazy("Reason"), most=500, missing=lazy("Say why, in words that buyers will read"))
    return_days = number(
        lazy("Days to give tickets back after the new date is known"),
        least=1, most=365, sentence=lazy("Enter 1 to 365 days"), missing=lazy("Enter 1 to 365 days"), default=RETURN_DAYS,
    )  # fmt: skip


@get("/manager/events/{slug:str}/postpone")
async def postpone(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[str]:
    return await _page(request, db, await _event(db, slug, visitor), PostponeForm())


@post("/manager/events/{slug:str}/postpone")
async def postponed(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[Any]:
    event = await _event(db, slug, visitor)
    form = await read(PostponeForm, request)
    if form.rejected:
        return await _page(request, db, event, form)
    told = {"reason": form.reason.data, "return_days": form.return_days.data, "by": visitor.user_id or 0}
    async with writing() as tx:
        await postponing.postpone(tx, await queries.event_of(tx, slug, visitor), now=clock.now(), **told)
    return see_other(
        request, f"/manager/events/{slug}", flash=_("The event is postponed and its sale is paused. Buyers are told.")
    )


@post("/manager/events/{slug:str}/keep-date")
async def keep_date(request: Request[Any, Any, Any], visitor: Who, slug: FromPath[str]) -> Response[Any]:
    async with writing() as tx:
        event = await queries.event_of(tx, slug, visitor)
        await postponing.keep_date(tx, event, by=visitor.user_id or 0, now=clock.now())
    return see_other(request, f"/manager/events/{slug}", flash=_("The date stays, and the sale goes on. Buyers are told."))


async def _event(db: AsyncSession, slug: str, visitor: Visitor) -> Event:
    """The event, if it can be postponed. An admin may open everybody's, and the log keeps that."""
    event = await queries.event_of(db, slug, visitor)
    if event.manager_id != visitor.user_id:
        await note_look(visitor, "event", about=f"event:{event.id}")
    if not event.takes_payments(clock.now()) or event.is_postponed:
        raise Refused(_("This event cannot be postponed now."))
    return event


async def _page(request: Request[Any, Any, Any], db: AsyncSession, event: Event, form: PostponeForm) -> Response[str]:
    paid = sum(booking.is_paid for booking in await booking_queries.live_of_event(db, event.id or 0))
    return page(request, "manager/postpone.html", status=form.status, event=event, form=form, paid=paid)


router = Router("/", guards=[team, writes_at_most("desk")], route_handlers=[postpone, postponed, keep_date])
