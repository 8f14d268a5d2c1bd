"""What was saved at one date of a series: for this date only, or for all coming dates."""

from typing import Any
from urllib.parse import urlencode

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession
from wtforms import HiddenField
from wtforms.validators import Length

from app.accounts.models import Visitor
from app.bookings import spreading
from app.core import clock
from app.core.db import reading, writing
from app.core.i18n import gettext as _
from app.core.i18n import ngettext
from app.events import dates, queries, reviews
from app.events import team as teams
from app.events.flows import Done
from app.events.models import Event
from app.events.rules.repeating import AT_ONCE
from app.events.rules.spreading import Change, change_of
from app.web.forms import BaseForm, no_control_characters, read
from app.web.limits import writes_at_most
from app.web.looks import note_look
from app.web.page import page, see_other
from app.web.visitor import Db, Who, team

NOTHING = Done(0, ())


class SpreadForm(BaseForm):
    """What was changed: names of columns, of the event or of its ticket type `kind`, which was called `was` before."""

    fields = HiddenField(validators=[Length(max=400), no_control_characters])
    kind = HiddenField(validators=[Length(max=22), no_control_characters])
    was = HiddenField(validators=[Length(max=60), no_control_characters])

    def change(self) -> Change:
        names = (self.fields.data or "").split()
        if self.errors:
            return Change()
        if self.kind.data:
            return change_of((), code=self.kind.data, type_fields=names, was=self.was.data or "")
        return change_of(names)


async def onward(db: AsyncSession, event: Event, visitor: Visitor, change: Change) -> str:
    """Where to go after saving: to the question whether the other dates change as well, if there are any; else nowhere."""
    if not change or not teams.owns(event, visitor) or not await dates.others_ahead(db, event, now=clock.now()):
        return ""
    query = {"fields": " ".join(change.type_fields or change.fields), "kind": change.code, "was": change.was}
    return f"/manager/events/{event.slug}/dates/change?{urlencode({name: value for name, value in query.items() if value})}"


@get("/manager/events/{slug:str}/dates/change")
async def ask(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[str]:
    event = await queries.event_of(db, slug, visitor, right="team")
    if event.manager_id != visitor.user_id:
        await note_look(visitor, "form", about=f"event:{event.id}")
    form = SpreadForm(data={name: request.query_params.get(name, "") for name in ("fields", "kind", "was")})
    form.validate()
    return await _page(request, db, event, visitor, form)


@post("/manager/events/{slug:str}/dates/change")
async def change(request: Request[Any, Any, Any], visitor: Who, slug: FromPath[str]) -> Response[Any]:
    form = await read(SpreadForm, request)
    wanted, by, now = form.change(), visitor.user_id or 0, clock.now()
    job, done = None, NOTHING
    async with writing() as tx:
        event = await queries.event_of(tx, slug, visitor, right="team")
        targets = await dates.others_ahead(tx, event, now=now) if wanted else ()
        if len(targets) > AT_ONCE:
            job = await spreading.spread_later(tx, event, targets, wanted, by=by)
        elif targets:
            done = await spreading.spread(tx, event, targets, wanted, by=by, now=now)
    if job:
        return see_other(request, f"/manager/jobs/{job.code}", flash=_("The dates are being changed."))
    return await _answer(request, slug, visitor, form, done)


async def _answer(request: Request[Any, Any, Any], slug: str, visitor: Visitor, form: SpreadForm, done: Done) -> Response[Any]:
    """Back to the form; dates that refused the change are named first."""
    if done.refused:
        async with reading() as db:
            event = await queries.event_of(db, slug, visitor, right="team")
            return await _page(request, db, event, visitor, form, done)
    said = ngettext("Taken over to %(num)s date.", "Taken over to %(num)s dates.", done.count) % {"num": done.count}
    return see_other(request, f"/manager/events/{slug}/edit", flash=said)


async def _page(
    request: Request[Any, Any, Any],
    db: AsyncSession,
    event: Event,
    visitor: Visitor,
    form: SpreadForm,
    done: Done = NOTHING,
) -> Response[str]:
    context: dict[str, Any] = {
        "event": event,
        "form": form,
        "change": form.change(),
        "others": await dates.others_ahead(db, event, now=clock.now()),
        "is_trusted": await reviews.is_trusted(db, visitor.user_id),
        "done": done,
    }
    return page(request, "manager/form/spread.html", status=409 if done.refused else 200, **context)


router = Router("/", guards=[team, writes_at_most("desk")], route_handlers=[ask, change])
