"""The waiting list of an event, for whoever waits: joining it, the place in line, leaving."""

from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import Visitor
from app.accounts.rules import email_key
from app.bookings import queries as booking_queries
from app.bookings import waiting
from app.bookings.models import WaitingEntry
from app.core import clock, limits
from app.core.db import reading, writing
from app.core.errors import NotFound, Refused, TooMany
from app.core.i18n import gettext as _
from app.core.i18n import ngettext
from app.events.pages.show import WaitForm, context_of, found_page, hold_form, wait_form
from app.web.forms import read
from app.web.limits import at_most, looks_at_most
from app.web.page import page, see_other
from app.web.visitor import Db, Who

HOUR = 3600


@post("/events/{slug:str}/waiting-list", guards=[at_most("waiting list")])
async def join(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[Any]:
    found = await found_page(request, db, visitor, slug)
    form = await read(wait_form(found.event, found.types), request)
    if visitor.is_signed_in:
        form.email.data, form.email.errors = visitor.email, []
    if form.rejected:
        return await _again(request, visitor, slug, form)
    try:
        entry, before = await _joined(slug, form, visitor)
    except (NotFound, TooMany):
        raise
    except Refused as refused:
        form.refuse(refused)
        return await _again(request, visitor, slug, form, status=refused.status)
    if visitor.is_signed_in:
        return see_other(request, f"/waiting-list/{entry.code}", flash=_("You are in line."))
    mailed = _("Your own place, and how to leave it, is in the mail that we send you now.")
    return see_other(request, f"/events/{slug}", flash=f"{_in_line(before)} {mailed}")


@get("/waiting-list/{code:str}", guards=[looks_at_most("secret")])
async def show(request: Request[Any, Any, Any], db: Db, code: FromPath[str]) -> Response[str]:
    entry = await _found(db, code)
    return page(request, "bookings/waiting.html", **await _context(db, entry))


@post("/waiting-list/{code:str}/leave")
async def leave(request: Request[Any, Any, Any], db: Db, code: FromPath[str]) -> Response[Any]:
    entry = await _found(db, code)
    async with writing() as tx:
        left = await waiting.leave(tx, entry, now=clock.now())
    if not left:
        raise Refused(_("You are not in line any more."))
    return see_other(request, f"/waiting-list/{code}", flash=_("You have left the line."))


async def _joined(slug: str, form: Any, visitor: Visitor) -> tuple[WaitingEntry, int]:
    """The entry, and how many others are in line: the same sentence for whoever waits already tells a stranger nothing."""
    email = form.email.data or ""
    await limits.count(f"waiting:email:{email_key(email)}", most=5, seconds=HOUR)
    async with writing() as tx:
        entry = await waiting.join(tx, slug, form["type"].data, email=email, qty=form.places.data, by=visitor, now=clock.now())
        _event, kind = await waiting.offering(tx, entry)
        return entry, (await waiting.people(tx, [kind])).get(kind.id or 0, 1) - 1


def _in_line(before: int) -> str:
    if not before:
        return _("You are in line, and nobody is before you.")
    text = ngettext(
        "You are in line. At most one person gets a turn before you.",
        "You are in line. At most %(num)s people get their turn before you.",
        before,
    )
    return text % {"num": before}


async def _again(
    request: Request[Any, Any, Any], visitor: Visitor, slug: str, wait: WaitForm, *, status: int = 0
) -> Response[str]:
    """The event page with the box as it was sent, and what is wrong with it."""
    async with reading() as db:
        found = await found_page(request, db, visitor, slug)
        form = hold_form(found.event, found.types)()
        context = await context_of(request, db, found, form, wait)
        if not context["waited_for"]:
            # There is no box any more that could say it.
            form.refuse(Refused(next(iter(wait.form_errors), _("There is nothing to wait for now."))))
        return page(request, "events/show.html", fragment="picker", status=status or wait.status, **context)


async def _found(db: AsyncSession, code: str) -> WaitingEntry:
    entry = await waiting.by_code(db, code)
    if not entry:
        raise NotFound(_("There is no such place in line. Check the link in your mail."))
    return entry


async def _context(db: AsyncSession, entry: WaitingEntry) -> dict[str, Any]:
    event, kind = await waiting.offering(db, entry)
    return {
        "entry": entry,
        "event": event,
        "kind": kind,
        "position": await waiting.ahead(db, entry) + 1,
        "booking": await booking_queries.by_id(db, entry.booking_id) if entry.booking_id else None,
        "now": clock.now(),
    }


router = Router("/", route_handlers=[join, show, leave])
