"""The admin's desk for events: who waits longest comes first, and everything the manager entered is on one page."""

from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts import queries as account_queries
from app.bookings import queries as booking_queries
from app.core import clock
from app.core.db import writing
from app.core.i18n import gettext as _
from app.core.i18n import lazy
from app.events import queries
from app.events.actions import deciding
from app.events.models import STATES, Event
from app.events.rules import offering
from app.payments import queries as payment_queries
from app.web.forms import BaseForm, ManyLines, read, text
from app.web.limits import writes_at_most
from app.web.page import page, see_other
from app.web.visitor import Db, Who, admin


class ReturnForm(BaseForm):
    reason = text(lazy("What should change"), most=2000, missing=lazy("Say what should change"), field=ManyLines)


class CallOffForm(BaseForm):
    reason = text(lazy("Reason"), most=500, missing=lazy("Say why, in words that buyers will read"))


@get("/admin/events")
async def events(request: Request[Any, Any, Any], db: Db) -> Response[str]:
    state = request.query_params.get("state", "")
    state = state if state in STATES else ""
    queue = await queries.proposals(db, states=["submitted"])
    others = await queries.proposals(db, states=[state] if state else [word for word in STATES if word != "submitted"])
    counts = await queries.state_counts(db)
    return page(request, "admin/events.html", queue=queue, others=others[::-1], state=state, counts=counts, now=clock.now())


@get("/admin/events/{slug:str}")
async def review(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[str]:
    event = await queries.event_of(db, slug, visitor)
    return await _review_page(request, db, event, ReturnForm(), CallOffForm())


@post("/admin/events/{slug:str}/approve")
async def approve(request: Request[Any, Any, Any], visitor: Who, slug: FromPath[str]) -> Response[Any]:
    async with writing() as tx:
        event = await queries.event_of(tx, slug, visitor)
        await deciding.approve(tx, event, by=visitor.user_id or 0, now=clock.now())
    said = _("%(title)s is published.") if event.state == "published" else _("%(title)s is approved and goes out at its time.")
    return see_other(request, "/admin/events", flash=said % {"title": event.title})


@post("/admin/events/{slug:str}/return")
async def send_back(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[Any]:
    event = await queries.event_of(db, slug, visitor)
    form = await read(ReturnForm, request)
    if form.rejected:
        return await _review_page(request, db, event, form, CallOffForm())
    async with writing() as tx:
        event = await queries.event_of(tx, slug, visitor)
        await deciding.return_for_changes(tx, event, reason=form.reason.data, by=visitor.user_id or 0)
    return see_other(request, "/admin/events", flash=_("%(title)s went back to its manager.") % {"title": event.title})


@post("/admin/events/{slug:str}/call-off")
async def call_off(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[Any]:
    event = await queries.event_of(db, slug, visitor)
    form = await read(CallOffForm, request)
    if form.rejected:
        return await _review_page(request, db, event, ReturnForm(), form)
    async with writing() as tx:
        event = await queries.event_of(tx, slug, visitor)
        await deciding.call_off(tx, event, reason=form.reason.data, by=visitor.user_id or 0, now=clock.now())
    return see_other(
        request, f"/admin/events/{slug}", flash=_("The event is called off. Everybody who paid gets the full price back.")
    )


async def _review_page(
    request: Request[Any, Any, Any], db: AsyncSession, event: Event, return_form: ReturnForm, call_off_form: CallOffForm
) -> Response[str]:
    now = clock.now()
    types = await queries.ticket_types(db, event.id)
    paid = [booking for booking in await booking_queries.live_of_event(db, event.id or 0) if booking.is_paid]
    context: dict[str, Any] = {
        "event": event,
        "types": types,
        "venue": await queries.venue(db, event),
        "category": await queries.category(db, event),
        "manager": await account_queries.by_id(db, event.manager_id),
        "codes": await booking_queries.access_codes(db, event.id or 0),
        "word": offering.state_word(event, types, now=now),
        "return_form": return_form,
        "call_off_form": call_off_form,
        "now": now,
        "paid": len(paid),
        "progress": await payment_queries.progress(db, event.id or 0) if event.is_called_off else None,
        "back_minor": sum(booking.total_minor for booking in paid),
        "may_call_off": event.may_become("called_off") and not event.is_over(now),
    }
    status = 422 if return_form.errors or call_off_form.errors else 200
    return page(request, "admin/event.html", status=status, **context)


router = Router("/", guards=[admin, writes_at_most("desk")], route_handlers=[events, review, approve, send_back, call_off])
