"""A manager writes to those who come: write, look at it and at how many it reaches, confirm, and watch it go out."""

from collections.abc import Sequence
from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession
from wtforms import SelectChoice, SelectField, SelectMultipleField, StringField  # type: ignore[attr-defined]
from wtforms.validators import Regexp
from wtforms.widgets import CheckboxInput, ListWidget

from app.accounts.models import Visitor
from app.core import clock
from app.core.codes import secret_code
from app.core.db import writing
from app.core.errors import NotFound, Refused
from app.core.i18n import gettext as _
from app.core.i18n import lazy
from app.events import queries as event_queries
from app.events.models import Event, TicketType
from app.notifications import announcing
from app.notifications.announcing import Draft
from app.web.forms import BaseForm, ManyLines, number, read, text
from app.web.limits import writes_at_most
from app.web.looks import note_look
from app.web.page import page, see_other
from app.web.visitor import Db, Who, team

_AGAIN = lazy("Look at it again before you send it")
PRESENCE_NAMES = {"": lazy("Everybody"), "came": lazy("Who has come"), "missing": lazy("Who has not come yet")}


class AnnouncementForm(BaseForm):
    """`people` and `code` come with the preview: how many it reaches, and what makes sending it twice sending it once."""

    subject = text(lazy("Subject"), most=120, missing=lazy("Enter what it is about"))
    body = text(lazy("Text"), most=5000, missing=lazy("Write what people should know"), field=ManyLines)
    types = SelectMultipleField(
        lazy("Who gets it"), widget=ListWidget(prefix_label=False), option_widget=CheckboxInput(), validate_choice=False
    )
    presence = SelectField(
        lazy("Who of them"),
        choices=[SelectChoice(word, name) for word, name in PRESENCE_NAMES.items()],
        default="",
    )
    people = number(lazy("How many people"), least=0, sentence=_AGAIN)
    code = StringField(validators=[Regexp(r"\A([A-Za-z0-9_-]{22})?\Z", message=_AGAIN)], default="")

    def offer(self, types: Sequence[TicketType]) -> None:
        self.types.choices = [(kind.code, kind.name) for kind in types]
        known = {kind.code for kind in types}
        self.types.data = [code for code in self.types.data or () if code in known]

    def draft(self, types: Sequence[TicketType]) -> Draft:
        chosen = [kind.id or 0 for kind in types if kind.code in (self.types.data or ())]
        return Draft(
            self.code.data or secret_code(), self.subject.data or "", self.body.data or "", chosen, self.presence.data or ""
        )


@get("/manager/events/{slug:str}/announcements")
async def index(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[str]:
    event = await _event(db, slug, visitor)
    return await _page(request, db, event, AnnouncementForm())


@post("/manager/events/{slug:str}/announcements/preview", opt={"changes_nothing": True})
async def preview(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[str]:
    """What it will look like, and how many people it reaches. Nothing is sent."""
    event = await _event(db, slug, visitor)
    form = await read(AnnouncementForm, request)
    return await _page(request, db, event, form, looking=not form.rejected)


@post("/manager/events/{slug:str}/announcements")
async def send(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[str]:
    event = await _event(db, slug, visitor)
    form = await read(AnnouncementForm, request)
    types = await event_queries.ticket_types(db, event.id)
    form.offer(types)
    if form.rejected or not form.code.data:
        return await _page(request, db, event, form, looking=not form.rejected)
    by = visitor.user_id or 0
    try:
        async with writing() as tx:
            draft, people = form.draft(types), form.people.data or 0
            made = await announcing.send(tx, event, draft, people=people, by=by, now=clock.now())
    except Refused as refused:
        return await _page(request, db, event, form, looking=True, refused=refused)
    return see_other(request, f"/manager/events/{slug}/announcements/{made.code}", flash=_("It is going out."))


@get("/manager/events/{slug:str}/announcements/{code:str}")
async def show(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str], code: FromPath[str]) -> Response[str]:
    """What was sent, and how far it is; the part about that asks for itself until everybody is told."""
    event = await _event(db, slug, visitor)
    made = await announcing.by_code(db, event.id or 0, code)
    if not made:
        raise NotFound(_("There is no such announcement."))
    reached = await announcing.reached(db, made)
    context: dict[str, Any] = {"event": event, "made": made, "reached": reached}
    return page(request, "notifications/announcement.html", fragment="reached", **context)


async def _page(
    request: Request[Any, Any, Any],
    db: AsyncSession,
    event: Event,
    form: AnnouncementForm,
    *,
    looking: bool = False,
    refused: Refused | None = None,
) -> Response[str]:
    types = await event_queries.ticket_types(db, event.id)
    form.offer(types)
    draft = form.draft(types) if looking else None
    context: dict[str, Any] = {
        "event": event,
        "form": form,
        "types": types,
        "draft": draft,
        "people": await announcing.count(db, event.id or 0, draft.type_ids, draft.presence) if draft else 0,
        "names": [kind.name for kind in types if draft and kind.id in draft.type_ids],
        "refused": refused,
        "sent": await announcing.of_event(db, event.id or 0),
        "most": announcing.MOST_A_DAY,
    }
    status = refused.status if refused else form.status
    return page(request, "notifications/announcements.html", status=status, **context)


async def _event(db: AsyncSession, slug: str, visitor: Visitor) -> Event:
    """The event of this manager or of who sells for it. An admin may look at everybody's, and the log keeps that."""
    event = await event_queries.event_of(db, slug, visitor, right="sales")
    if event.manager_id != visitor.user_id:
        await note_look(visitor, "announcements", about=f"event:{event.id}")
    return event


router = Router("/", guards=[team, writes_at_most("desk")], route_handlers=[index, preview, send, show])
