"""The admin's desk for events: who waits longest comes first, and everything the manager entered is on one page."""

from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession
from wtforms import HiddenField, StringField
from wtforms.validators import Length

from app.accounts import queries as account_queries
from app.accounts.models import Visitor
from app.admin.pages.changes import DeclineForm
from app.bookings import queries as booking_queries
from app.core import clock, i18n
from app.core.db import writing
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.core.i18n import lazy
from app.events import dates, drafts, queries, reviews
from app.events.actions import deciding
from app.events.models import SECTIONS, STATES, Event
from app.events.rules import offering, reviewing
from app.events.rules.reviewing import Said
from app.payments import queries as payment_queries
from app.web.forms import BaseForm, ManyLines, boxes, read, text
from app.web.limits import writes_at_most
from app.web.page import page, see_other
from app.web.visitor import Db, Who, admin


class SeenForm(BaseForm):
    """`seen` is when the event was sent that the admin looks at: one sent anew meanwhile is not what they decide about."""

    seen = HiddenField(validators=[Length(max=40)])


def _own_words(label: Any) -> Any:
    return text(label, most=2000, field=ManyLines)


def _reasons(section: str) -> Any:
    return boxes(lazy("Words to pick from"), reviewing.REASONS[section].items())


class ReturnForm(SeenForm):
    """What should change: in the event as a whole, and in sections of its form, each in chosen reasons and own words.

    `do` is the button: "send" gives the event back; "fill" puts the chosen reasons into the fields, to be edited there.
    """

    do = StringField(default="send")
    reason = _own_words(lazy("What should change"))
    basics, basics_reasons = _own_words(reviewing.SECTION_NAMES["basics"]), _reasons("basics")
    tickets, tickets_reasons = _own_words(reviewing.SECTION_NAMES["tickets"]), _reasons("tickets")
    page, page_reasons = _own_words(reviewing.SECTION_NAMES["page"]), _reasons("page")
    access, access_reasons = _own_words(reviewing.SECTION_NAMES["access"]), _reasons("access")

    def said(self, language: str) -> Said:
        """All that was said, the chosen reasons in the language of whoever reads them."""
        chosen = {section: (self[f"{section}_reasons"].data or (), self[section].data or "") for section in SECTIONS}
        with i18n.speaking(language):
            words = {section: reviewing.in_words(section, reasons, own) for section, (reasons, own) in chosen.items()}
            lead = _("Look at the parts that are named here.") if any(words.values()) else ""
        return Said(self.reason.data or lead, {section: said for section, said in words.items() if said})

    def fill(self, language: str) -> bool:
        """Whether the button asked only to put the chosen reasons into the fields, which is done now."""
        if self.do.data != "fill" or self.errors:
            return False
        for section, words in self.said(language).wishes.items():
            self[section].data = words
            self[f"{section}_reasons"].data = []
        return True

    def insist(self) -> None:
        """Something must be said."""
        if not self.reason.data and not self.said(i18n.DEFAULT).wishes:
            self.reason.errors = [_("Say what should change, here or at a section")]


class CallOffForm(BaseForm):
    reason = text(lazy("Reason"), most=500, missing=lazy("Say why, in words that buyers will read"))


@get("/admin/events")
async def events(request: Request[Any, Any, Any], db: Db) -> Response[str]:
    state = request.query_params.get("state", "")
    state = state if state in STATES else ""
    others = await queries.proposals(db, states=[state] if state else [word for word in STATES if word != "submitted"])
    context: dict[str, Any] = {
        "queue": await reviews.queue(db),
        "others": others[::-1],
        "state": state,
        "counts": await queries.state_counts(db),
        "ago": reviewing.ago,
    }
    return page(request, "admin/events.html", now=clock.now(), **context)


@get("/admin/events/{slug:str}")
async def review(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[str]:
    event = await queries.event_of(db, slug, visitor)
    return await _review_page(request, db, event, ReturnForm(), CallOffForm())


@post("/admin/events/{slug:str}/approve")
async def approve(request: Request[Any, Any, Any], visitor: Who, slug: FromPath[str]) -> Response[Any]:
    form = await read(SeenForm, request)
    async with writing() as tx:
        event = await _as_seen(tx, slug, visitor, form)
        await deciding.approve(tx, event, by=visitor.user_id or 0, now=clock.now())
    said = _("%(title)s is published.") if event.state == "published" else _("%(title)s is approved and goes out at its time.")
    return see_other(request, "/admin/events", flash=said % {"title": event.title})


@post("/admin/events/{slug:str}/return")
async def send_back(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[Any]:
    event = await queries.event_of(db, slug, visitor)
    form, language = await _return_form(request, db, event)
    if form.fill(language) or form.rejected:
        return await _review_page(request, db, event, form, CallOffForm())
    async with writing() as tx:
        event = await _as_seen(tx, slug, visitor, form)
        await deciding.return_for_changes(tx, event, form.said(language), by=visitor.user_id or 0, now=clock.now())
    return see_other(request, "/admin/events", flash=_("%(title)s went back to its manager.") % {"title": event.title})


@post("/admin/events/{slug:str}/reject")
async def reject(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[Any]:
    event = await queries.event_of(db, slug, visitor)
    form, language = await _return_form(request, db, event)
    if form.rejected:
        return await _review_page(request, db, event, form, CallOffForm())
    async with writing() as tx:
        event = await _as_seen(tx, slug, visitor, form)
        await deciding.reject(tx, event, form.said(language), by=visitor.user_id or 0, now=clock.now())
    return see_other(request, "/admin/events", flash=_("%(title)s is rejected.") % {"title": event.title})


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


async def _as_seen(tx: AsyncSession, slug: str, visitor: Visitor, form: SeenForm) -> Event:
    """The event, if it is still the one that the admin looks at."""
    event = await queries.event_of(tx, slug, visitor)
    if not event.submitted_at or event.submitted_at.isoformat() != form.seen.data:
        raise Refused(_("The manager has sent another version meanwhile. Look at it before you decide."))
    return event


async def _return_form(request: Request[Any, Any, Any], db: AsyncSession, event: Event) -> tuple[ReturnForm, str]:
    """The form, and the language in which its manager reads it."""
    form = await read(ReturnForm, request)
    if form.do.data != "fill":
        form.insist()
    manager = await account_queries.by_id(db, event.manager_id)
    return form, manager.language if manager else i18n.DEFAULT


async def _review_page(
    request: Request[Any, Any, Any], db: AsyncSession, event: Event, return_form: ReturnForm, call_off_form: CallOffForm
) -> Response[str]:
    now = clock.now()
    types = await queries.ticket_types(db, event.id)
    paid = [booking for booking in await booking_queries.live_of_event(db, event.id or 0) if booking.is_paid]
    context: dict[str, Any] = {
        "event": event,
        "types": types,
        "shared": await drafts.shared(db, event),
        "questions": await booking_queries.questions(db, event.id or 0),
        "venue": await queries.venue(db, event),
        "category": await queries.category(db, event),
        "manager": await account_queries.by_id(db, event.manager_id),
        "codes": await booking_queries.access_codes(db, event.id or 0),
        "word": offering.state_word(event, types, now=now),
        "compared": await reviews.compared(db, event) if event.state == "submitted" else None,
        "wishes": await reviews.wishes(db, event),
        **await _change(db, event),
        "series": await dates.series_of(db, event),
        "together": len(await dates.of_series(db, event.series_id, "submitted")),
        "section_names": reviewing.SECTION_NAMES,
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


async def _change(db: AsyncSession, event: Event) -> dict[str, Any]:
    """The change that waits, and what it would make different."""
    change = await reviews.waiting(db, event)
    asked = await reviews.asked(db, event, change) if change else None
    return {"change": change, "asked": asked, "decline_form": DeclineForm(prefix="")}


router = Router(
    "/", guards=[admin, writes_at_most("desk")], route_handlers=[events, review, approve, send_back, reject, call_off]
)
