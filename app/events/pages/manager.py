"""The manager's desk: what their events sell, what waits for them, and what they do to an event."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import Visitor
from app.analytics import queries as analytics
from app.bookings import actions as booking_actions
from app.bookings import queries as booking_queries
from app.core import clock
from app.core.db import reading, writing
from app.core.errors import NotYours, Refused
from app.core.i18n import gettext as _
from app.core.i18n import lazy, ngettext
from app.events import dates, drafts, flows, pictures, queries, team
from app.events.actions import deciding, drafting
from app.events.models import Event, Helper
from app.events.pages import dashboard
from app.events.pages import team as team_pages
from app.events.pages.dashboard import Todo
from app.events.pages.reviewing import review_context
from app.events.rules import offering, proposing
from app.payments import queries as payment_queries
from app.tickets import actions as door
from app.web.forms import BaseForm, read, text
from app.web.limits import writes_at_most
from app.web.looks import note_look
from app.web.page import page, see_other
from app.web.visitor import Db, Who, manager
from app.web.visitor import team as in_team

NEXT_EVENTS = 6


class CallOffForm(BaseForm):
    reason = text(lazy("Reason"), most=500, missing=lazy("Say why, in words that buyers will read"))


@get("/manager")
async def overview(request: Request[Any, Any, Any], db: Db, visitor: Who) -> Response[str]:
    """What a manager has to do, and for everybody the events that they help with."""
    now = clock.now()
    helped = await team.helped(db, visitor.user_id, now=now)
    if not visitor.is_manager:
        return _helpers_page(request, helped)
    proposals = await queries.proposals(db, manager_id=visitor.user_id)
    selling = [found for found in proposals if found.event.sells(now)]
    context: dict[str, Any] = {
        "has_events": bool(proposals),
        "sold": sum(found.sold for found in proposals),
        "held": sum(found.held for found in selling),
        "places_left": sum(found.capacity - found.held - found.sold for found in selling),
        "revenue": await _revenue(db, proposals),
        "todo": [*await _waiting(db, proposals, now=now), *_todo(proposals)],
        "selling": selling[:NEXT_EVENTS],
        "count": len(proposals),
        "helped": helped,
    }
    return page(request, "manager/overview.html", now=now, **context)


@get("/manager/events", guards=[manager])
async def index(request: Request[Any, Any, Any], db: Db, visitor: Who) -> Response[str]:
    everyone = visitor.is_admin and request.query_params.get("all") == "1"
    if everyone:
        await note_look(visitor, "events", about="events:all")
    proposals = await queries.proposals(db, manager_id=None if everyone else visitor.user_id)
    return page(request, "manager/index.html", proposals=proposals[::-1], everyone=everyone, now=clock.now())


@get("/manager/events/{slug:str}")
async def show(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[str]:
    event = await _event(db, slug, visitor, right="desk")
    return await _show_page(request, db, event, visitor)


@post("/manager/events/{slug:str}/submit")
async def submit(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[Any]:
    try:
        async with writing() as tx:
            event = await queries.event_of(tx, slug, visitor)
            await deciding.submit(tx, event, by=visitor.user_id or 0, now=clock.now())
    except Refused as refused:
        return await _show_page(request, db, await _event(db, slug, visitor), visitor, refused=refused.sentence)
    return see_other(request, f"/manager/events/{slug}", flash=_submitted(event))


@post("/manager/events/{slug:str}/dates/submit")
async def submit_dates(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[Any]:
    """All drafts of a series at once; what lacks something stays a draft, and is named."""
    event = await queries.event_of(db, slug, visitor, right="team")
    done = await flows.submit_dates(await dates.unsent(db, event), by=visitor.user_id or 0)
    said = ngettext("%(num)s date is sent.", "%(num)s dates are sent.", done.count) % {"num": done.count}
    if done.refused:
        async with reading() as now_is:
            event = await _event(now_is, slug, visitor)
            return await _show_page(request, now_is, event, visitor, refused=" ".join([said, *done.refused]))
    return see_other(request, f"/manager/events/{slug}#dates", flash=said)


@post("/manager/events/{slug:str}/delete")
async def delete(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[Any]:
    async with writing() as tx:
        event = await queries.event_of(tx, slug, visitor, right="team")
        for kind in await queries.ticket_types(tx, event.id):
            await booking_actions.forget_codes(tx, kind.id or 0)
        await booking_actions.forget_promos(tx, event.id or 0)
        await door.forget_gates(tx, event)
        await drafting.delete_draft(tx, event, by=visitor.user_id or 0)
    if event.picture and not await drafts.is_picture_used(db, event.picture):
        pictures.remove(event.picture)
    return see_other(request, "/manager/events", flash=_("The draft is gone."))


@get("/manager/events/{slug:str}/call-off")
async def call_off(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[str]:
    event = await _event(db, slug, visitor)
    return await _call_off_page(request, db, event, CallOffForm())


@post("/manager/events/{slug:str}/call-off")
async def called_off(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[Any]:
    event = await _event(db, slug, visitor)
    form = await read(CallOffForm, request)
    if form.rejected:
        return await _call_off_page(request, db, event, form)
    async with writing() as tx:
        event = await queries.event_of(tx, slug, visitor)
        await deciding.call_off(tx, event, reason=form.reason.data, by=visitor.user_id or 0, now=clock.now())
    return see_other(
        request, f"/manager/events/{slug}", flash=_("The event is called off. Everybody who paid gets the full price back.")
    )


def _submitted(event: Event) -> str:
    said = {
        "submitted": _("Sent. An admin looks at it before it is published."),
        "approved": _("Done. It goes live at its time."),
    }
    return said.get(event.state, _("Published."))


async def _event(db: AsyncSession, slug: str, visitor: Visitor, *, right: str = "edit") -> Event:
    """The event of this manager or of its team. An admin may look at everybody's, and the log keeps that."""
    event = await queries.event_of(db, slug, visitor, right=right)
    if event.manager_id != visitor.user_id:
        await note_look(visitor, "event", about=f"event:{event.id}")
    return event


def _helpers_page(request: Request[Any, Any, Any], helped: Sequence[tuple[Event, Helper]]) -> Response[str]:
    if not helped:
        raise NotYours(_("This page is for managers. An admin of this shop can make you one."))
    return page(request, "manager/helping.html", helped=helped)


async def _show_page(
    request: Request[Any, Any, Any], db: AsyncSession, event: Event, visitor: Visitor, *, refused: str = ""
) -> Response[str]:
    now = clock.now()
    types, venue = await queries.ticket_types(db, event.id), await queries.venue(db, event)
    may = await team.rights(db, event, visitor, now=now)
    context: dict[str, Any] = {
        "event": event,
        "may": may,
        "types": types,
        "questions": await booking_queries.questions(db, event.id or 0),
        "venue": venue,
        "category": await queries.category(db, event),
        "now": now,
        "refused": refused,
        **await review_context(db, event, visitor),
        "progress": await payment_queries.progress(db, event.id or 0) if event.is_called_off else None,
        "missing": proposing.missing(event, venue, types, now=now) if event.state == "draft" else [],
        "codes": await booking_queries.access_codes(db, event.id or 0),
        "word": offering.state_word(event, types, now=now),
        **await dashboard.context(db, event, types, may=may, now=now),
        **await _series(db, event, now=now),
    }
    return page(request, "manager/show.html", status=409 if refused else 200, **context)


async def _series(db: AsyncSession, event: Event, *, now: datetime) -> dict[str, Any]:
    """What manager/_dates.html shows: the other dates of the event's series, each with its state."""
    found = await dates.of_series(db, event.series_id)
    unsent = [date for date in found if date.state == "draft" and not date.is_rejected]
    series = await dates.series_of(db, event)
    return {"series": series, "dates": [(date, offering.state_word(date, (), now=now)) for date in found], "unsent": len(unsent)}


async def _call_off_page(request: Request[Any, Any, Any], db: AsyncSession, event: Event, form: CallOffForm) -> Response[str]:
    if not event.may_become("called_off") or event.is_over(clock.now()):
        raise Refused(_("This event cannot be called off."))
    bookings = await booking_queries.live_of_event(db, event.id or 0)
    paid = [booking for booking in bookings if booking.is_paid]
    numbers: dict[str, Any] = {
        "paid": len(paid),
        "back_minor": sum(booking.total_minor for booking in paid),
        "unpaid": len(bookings) - len(paid),
    }
    return page(request, "manager/call_off.html", status=form.status, event=event, form=form, **numbers)


async def _revenue(db: AsyncSession, proposals: Sequence[queries.Proposal]) -> list[tuple[int, str]]:
    """What buyers paid for these events: (minor units, currency), one for each currency."""
    of_event = await booking_queries.revenue(db, [found.event.id or 0 for found in proposals if found.sold])
    sums: Counter[str] = Counter()
    for found in proposals:
        sums[found.event.currency] += of_event.get(found.event.id or 0, 0)
    return [(minor, currency) for currency, minor in sorted(sums.items())]


async def _waiting(db: AsyncSession, proposals: Sequence[queries.Proposal], *, now: datetime) -> list[Todo]:
    """What waits at each event; the event stands beside it."""
    events = [found.event for found in proposals if found.event.published_at]
    waiting = await analytics.waiting(db, [event.id or 0 for event in events], now=now, within=dashboard.LAPSES_SOON)
    there = [(event, waiting[event.id or 0]) for event in events if event.id in waiting]
    return [replace(item, note=f"{event.title} · {item.note}") for event, each in there for item in dashboard.todo(event, each)]


def _todo(proposals: Sequence[queries.Proposal]) -> list[Todo]:
    """Returned events first, then drafts, then what waits for an admin; of the dates of a series the soonest stands for all."""
    events = [found.event for found in proposals]
    returned = _once([event for event in events if event.state == "draft" and event.wished_changes])
    drafts = _once([event for event in events if event.state == "draft" and not event.wished_changes])
    waiting = _once([event for event in events if event.state == "submitted"])
    changes, unsent, at_admin = (
        _("An admin asks for changes."),
        _("A draft that nobody else sees yet."),
        _("An admin looks at it."),
    )
    return [
        *(Todo("warn", event.title, changes, f"/manager/events/{event.slug}", _("Read")) for event in returned),
        *(Todo("edit", event.title, unsent, f"/manager/events/{event.slug}/edit", _("Go on")) for event in drafts),
        *(Todo("clock", event.title, at_admin, f"/manager/events/{event.slug}", _("Open")) for event in waiting),
    ]


def _once(events: Sequence[Event]) -> list[Event]:
    """Of each series the first."""
    firsts: dict[object, Event] = {}
    for event in events:
        firsts.setdefault(event.series_id or f"event {event.id}", event)
    return list(firsts.values())


router = Router(
    "/",
    guards=[in_team, writes_at_most("desk")],
    route_handlers=[overview, index, show, submit, submit_dates, delete, call_off, called_off, team_pages.router],
)
