"""Being reminded when a sale opens: one tap for users, an address and a mailed button for everybody else."""

from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import Visitor
from app.accounts.rules import email_key
from app.core import clock, limits, tokens
from app.core.db import reading, writing
from app.core.errors import NotFound, Refused
from app.core.i18n import gettext as _
from app.core.i18n import to
from app.core.settings import settings
from app.events import queries, reminders
from app.events.actions import reminding
from app.events.actions.favourites import save_event
from app.events.models import Event
from app.events.pages.show import RemindForm, context_of, found_page, hold_form, wait_form
from app.events.reminders import Reminder
from app.events.rules import offering
from app.notifications.actions import set_preferences
from app.tickets import calendar
from app.web.forms import read
from app.web.limits import at_most, looks_at_most
from app.web.page import page, see_other
from app.web.visitor import Db, Who

Asked = Request[Any, Any, Any]
HOUR = 3600


@post("/events/{slug:str}/remind", guards=[at_most("reminder")])
async def remind(request: Asked, db: Db, visitor: Who, slug: FromPath[str]) -> Response[Any]:
    found = await found_page(request, db, visitor, slug)
    if not offering.opens_next(found.event, found.types, now=clock.now()):
        raise Refused(_("No sale of this event is still to open, so there is nothing to be reminded of."))
    if visitor.user_id:
        await _saved(found.event, visitor.user_id)
        said = _("Saved. We write to you in the minute in which the sale opens.")
        return see_other(request, f"/events/{slug}#tickets", flash=said)
    form = await read(RemindForm, request)
    if form.rejected:
        return await _again(request, visitor, slug, form)
    email = form.email.data or ""
    await limits.count(f"reminder:email:{email_key(email)}", most=5, seconds=HOUR)
    async with writing() as tx:
        await reminding.ask(tx, found.event, email, now=clock.now())
    said = _("Look into your mail: with the button there you are reminded of the sale.")
    return see_other(request, f"/events/{slug}#tickets", flash=said)


@get("/events/{slug:str}/opening.ics")
async def calendar_file(db: Db, slug: FromPath[str]) -> Response[bytes]:
    """The minute in which the next phase of the sale opens, as it is planned now."""
    now, event = clock.now(), await queries.public_event(db, slug)
    opens = offering.opens_next(event, await queries.ticket_types(db, event.id), now=now) if event else None
    if not event or not opens:
        raise NotFound(_("No sale of this event is still to open."))
    body = calendar.opening(event, opens.at, settings().base_url + to(f"/events/{slug}"), now)
    disposition = f'attachment; filename="{event.slug}-sale.ics"'
    return Response(body, media_type="text/calendar", headers={"Content-Disposition": disposition})


@get("/reminders/{token:str}", guards=[looks_at_most("secret")])
async def show(request: Asked, db: Db, token: FromPath[str]) -> Response[str]:
    reminder, event = await _found(db, token)
    opens = offering.opens_next(event, await queries.ticket_types(db, event.id), now=clock.now())
    return page(request, "events/reminder.html", token=token, reminder=reminder, event=event, opens=opens)


@post("/reminders/{token:str}/confirm")
async def confirm(request: Asked, db: Db, token: FromPath[str]) -> Response[str]:
    reminder, _event = await _found(db, token)
    async with writing() as tx:
        await reminding.confirm(tx, reminder, now=clock.now())
        # Who asks by this button wants the mail, whatever was said about others before.
        await set_preferences(tx, f"mail:{reminder.email}", {"saved": True}, by=None)
    return see_other(request, f"/reminders/{token}", flash=_("We write to you in the minute in which the sale opens."))


@post("/reminders/{token:str}/stop")
async def stop(request: Asked, db: Db, token: FromPath[str]) -> Response[str]:
    reminder, event = await _found(db, token)
    async with writing() as tx:
        await reminding.stop(tx, reminder)
    return see_other(request, f"/events/{event.slug}", flash=_("You are not reminded, and we have forgotten your address."))


async def _saved(event: Event, user_id: int) -> None:
    """The event is among the favourites, which bring the mail; whoever had switched those off wants them again."""
    async with writing() as tx:
        await save_event(tx, user_id, event.id or 0, now=clock.now())
        await set_preferences(tx, f"user:{user_id}", {"saved": True}, by=user_id)


async def _again(request: Asked, visitor: Visitor, slug: str, form: RemindForm) -> Response[str]:
    """The event page with the address as it was sent, and what is wrong with it."""
    async with reading() as db:
        found = await found_page(request, db, visitor, slug)
        wait = wait_form(found.event, found.types)()
        context = await context_of(request, db, found, hold_form(found.event, found.types)(), wait) | {"remind": form}
        return page(request, "events/show.html", fragment="picker", status=form.status, **context)


async def _found(db: AsyncSession, token: str) -> tuple[Reminder, Event]:
    code = tokens.unsign("reminder", token)
    found = await reminders.by_code(db, code) if code else None
    if not found:
        raise NotFound(_("There is no such reminder. Perhaps it was too old, or you have stopped it."))
    return found


router = Router("/", route_handlers=[remind, calendar_file, show, confirm, stop])
