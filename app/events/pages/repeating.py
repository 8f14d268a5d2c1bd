"""A manager puts an event on further dates: a rule or a list of days, a look at the dates, and then they are made."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession
from wtforms import DateField, HiddenField, RadioField, StringField
from wtforms.validators import Length, Optional

from app.accounts.models import Visitor
from app.bookings import repeating as actions
from app.core import clock
from app.core.db import writing
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.core.i18n import lazy, ngettext
from app.events import dates, queries, reviews
from app.events.models import Event
from app.events.pages.writing.fields import choices
from app.events.rules import repeating
from app.events.rules.repeating import AT_ONCE, MOST_DATES, Date
from app.web.forms import BaseForm, ManyLines, number, read, text
from app.web.limits import writes_at_most
from app.web.looks import note_look
from app.web.page import page, see_other
from app.web.visitor import Db, Who, team

EVERY_NAMES = [lazy("Every day"), lazy("Every week"), lazy("Every two weeks"), lazy("Every month"), lazy("On the days of a list")]


class Day(DateField):
    """A day as a date field sends it."""

    def process_formdata(self, valuelist: list[str]) -> None:
        try:
            super().process_formdata(valuelist)
        except ValueError:
            raise ValueError(_("Enter a date such as 2026-12-24")) from None


class RepeatForm(BaseForm):
    """`do` is the button: "look" shows the dates, "make" makes those that were shown; `seen` is a mark of them."""

    do = StringField(default="look")
    seen = HiddenField(validators=[Length(max=64)])
    every = RadioField(lazy("How often"), choices=choices(zip(repeating.EVERY, EVERY_NAMES, strict=True)), default="week")
    times = number(lazy("How many times more"), least=1, most=MOST_DATES, sentence=lazy("Enter a number from 1 to 60"))
    # L10N: goes on after the field before it: how many dates, or until which day.
    until = Day(lazy("Or until"), [Optional()])
    days = text(lazy("Days"), most=2000, field=ManyLines)

    def wanted(self, event: Event) -> Sequence[date]:
        """The days that the form asks for; none, with a sentence at the field, when it asks for nothing that can be."""
        if self.errors:
            return ()
        today = clock.now().astimezone(ZoneInfo(event.zone)).date()
        field = self.days if self.every.data == "dates" else self.times
        try:
            found = self._days(event, today)
        except Refused as refused:
            field.errors = [refused.sentence]
            return ()
        if not found:
            field.errors = [_("Enter the days") if field is self.days else _("There is no such day ahead. Choose a later end")]
        return found

    def _days(self, event: Event, today: date) -> list[date]:
        if self.every.data == "dates":
            return repeating.typed(self.days.data or "", after=today)
        if not self.times.data and not self.until.data:
            raise Refused(_("Say how many times, or until when"))
        first = repeating.day_of(event)
        return repeating.days(self.every.data, first, after=today, times=self.times.data, until=self.until.data)


@get("/manager/events/{slug:str}/repeat")
async def repeat(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[str]:
    return await _page(request, db, await _event(db, slug, visitor), visitor, RepeatForm())


@post("/manager/events/{slug:str}/repeat")
async def repeated(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[Any]:
    """The first button looks, the second makes what was shown; when the days are others meanwhile, they are shown again."""
    event = await _event(db, slug, visitor)
    form = await read(RepeatForm, request)
    days = form.wanted(event)
    planned = repeating.planned(event, days, await dates.starts_of(db, event))
    mark = repeating.mark(days)
    if form.rejected or form.do.data != "make" or form.seen.data != mark:
        form.seen.data = mark
        return await _page(request, db, event, visitor, form, planned)
    return await _make(request, slug, visitor, days)


async def _make(request: Request[Any, Any, Any], slug: str, visitor: Visitor, days: Sequence[date]) -> Response[Any]:
    by, job, count = visitor.user_id or 0, None, 0
    async with writing() as tx:
        event = await queries.event_of(tx, slug, visitor, right="team")
        if len(days) > AT_ONCE:
            job = await actions.make_later(tx, event, days, by=by)
        else:
            count = await actions.make(tx, event, days, quiet=False, by=by, now=clock.now())
    if job:
        return see_other(request, f"/manager/jobs/{job.code}", flash=_("The dates are being made."))
    said = ngettext("%(num)s date made.", "%(num)s dates made.", count) % {"num": count}
    return see_other(request, f"/manager/events/{slug}#dates", flash=said)


async def _event(db: AsyncSession, slug: str, visitor: Visitor) -> Event:
    """The event, if it can be repeated. An admin may open everybody's, and the log keeps that."""
    event = await queries.event_of(db, slug, visitor, right="team")
    if event.manager_id != visitor.user_id:
        await note_look(visitor, "form", about=f"event:{event.id}")
    if closed := repeating.may_repeat(event):
        raise Refused(closed)
    return event


async def _page(
    request: Request[Any, Any, Any],
    db: AsyncSession,
    event: Event,
    visitor: Visitor,
    form: RepeatForm,
    planned: Sequence[Date] = (),
) -> Response[str]:
    context: dict[str, Any] = {
        "event": event,
        "form": form,
        "planned": planned,
        "new": sum(not found.is_there for found in planned),
        "is_trusted": await reviews.is_trusted(db, visitor.user_id),
        "most": MOST_DATES,
    }
    return page(request, "manager/repeat.html", status=form.status, **context)


router = Router("/", guards=[team, writes_at_most("desk")], route_handlers=[repeat, repeated])
