"""The team of an event: whom its manager has asked to help, and with which rights."""

from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import Visitor
from app.core import clock
from app.core.db import writing
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.core.i18n import lazy
from app.events import queries
from app.events import team as teams
from app.events.actions import helping
from app.events.models import Event
from app.web.forms import BaseForm, boxes, email, read
from app.web.looks import note_look
from app.web.page import page, see_other
from app.web.visitor import Db, Who, proved_lately

RIGHTS = [
    ("edit", lazy("Change the event")),
    ("sales", lazy("See sales, sell and refund")),
    ("door", lazy("Check people in at the door")),
]


class RightsForm(BaseForm):
    rights = boxes(lazy("What they may do"), RIGHTS)

    def validate(self, extra_validators: Any = None) -> bool:
        super().validate(extra_validators)
        if not self.rights.data:
            self.rights.errors = [*self.rights.errors, _("Choose at least one")]
        return not self.errors


class InviteForm(RightsForm):
    email = email()


@get("/manager/events/{slug:str}/team")
async def show(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[str]:
    return await _page(request, db, await _event(db, slug, visitor), InviteForm())


@post("/manager/events/{slug:str}/team")
async def invite(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[str]:
    event = await _event(db, slug, visitor)
    form = await read(InviteForm, request)
    if form.rejected:
        return await _page(request, db, event, form)
    to, by = form.email.data, visitor.user_id or 0
    try:
        async with writing() as tx:
            present = await queries.event_of(tx, slug, visitor, right="team")
            await helping.invite(tx, present, to, form.rights.data or [], by=by, now=clock.now())
    except Refused as refused:
        form.email.errors = [refused.sentence]
        return await _page(request, db, event, form, status=refused.status)
    return see_other(request, f"/manager/events/{slug}/team", flash=_("%(email)s is invited by mail.") % {"email": to})


@post("/manager/events/{slug:str}/team/{code:str}")
async def give(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str], code: FromPath[str]) -> Response[str]:
    event = await _event(db, slug, visitor)
    await teams.by_code(db, event, code)
    form = await read(RightsForm, request)
    if form.rejected:
        return await _page(request, db, event, InviteForm(), wrong=code, status=form.status)
    async with writing() as tx:
        event = await queries.event_of(tx, slug, visitor, right="team")
        helper = await teams.by_code(tx, event, code)
        await helping.give(tx, helper, form.rights.data or [], by=visitor.user_id or 0)
    said = _("The rights of %(email)s are saved.") % {"email": helper.email}
    return see_other(request, f"/manager/events/{slug}/team", flash=said)


@post("/manager/events/{slug:str}/team/{code:str}/again")
async def again(request: Request[Any, Any, Any], visitor: Who, slug: FromPath[str], code: FromPath[str]) -> Response[str]:
    async with writing() as tx:
        event = await queries.event_of(tx, slug, visitor, right="team")
        helper = await teams.by_code(tx, event, code)
        await helping.invite_again(tx, helper, by=visitor.user_id or 0, now=clock.now())
    return see_other(request, f"/manager/events/{slug}/team", flash=_("Another mail is on its way."))


@post("/manager/events/{slug:str}/team/{code:str}/remove")
async def remove(request: Request[Any, Any, Any], visitor: Who, slug: FromPath[str], code: FromPath[str]) -> Response[str]:
    async with writing() as tx:
        event = await queries.event_of(tx, slug, visitor, right="team")
        helper = await teams.by_code(tx, event, code)
        await helping.remove(tx, helper, by=visitor.user_id or 0)
    said = _("%(email)s does not help any more.") % {"email": helper.email}
    return see_other(request, f"/manager/events/{slug}/team", flash=said)


async def _event(db: AsyncSession, slug: str, visitor: Visitor) -> Event:
    """The event whose team its manager puts together. An admin may do it for everybody, and the log keeps that."""
    event = await queries.event_of(db, slug, visitor, right="team")
    if event.manager_id != visitor.user_id:
        await note_look(visitor, "team", about=f"event:{event.id}")
    return event


async def _page(
    request: Request[Any, Any, Any],
    db: AsyncSession,
    event: Event,
    form: InviteForm,
    *,
    wrong: str = "",
    status: int = 0,
) -> Response[str]:
    found = await teams.helpers(db, event)
    context: dict[str, Any] = {"event": event, "form": form, "found": found, "wrong": wrong, "words": RIGHTS}
    return page(request, "manager/team.html", status=status or form.status, **context)


# It stands in the router of manager.py, with its guards.
router = Router("/", guards=[proved_lately], route_handlers=[show, invite, give, again, remove])
