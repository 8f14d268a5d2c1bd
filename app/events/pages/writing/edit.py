"""An event is written section by section, from a title to a change of a published one; each saves by itself."""

from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import Visitor
from app.bookings import queries as booking_queries
from app.core import clock
from app.core.db import reading, writing
from app.core.errors import NotFound, Refused
from app.core.i18n import gettext as _
from app.events import drafts, pictures, queries, reviews
from app.events.actions import drafting, revising
from app.events.actions.revising import Overtaken
from app.events.models import SECTIONS, Event
from app.events.pages.writing import common, spreading
from app.events.pages.writing.sections import FORMS, Known, PageForm, SectionForm, TitleForm, with_words
from app.events.rules import asking, proposing, sharing, snapshots
from app.events.rules.spreading import change_of
from app.web import limits
from app.web.forms import read
from app.web.limits import writes_at_most
from app.web.page import page, see_other
from app.web.visitor import Db, Who, manager, team

LARGEST_REQUEST = pictures.LARGEST_UPLOAD + 1_000_000


@get("/manager/events/new", guards=[manager])
async def new(request: Request[Any, Any, Any]) -> Response[str]:
    return page(request, "manager/form/new.html", form=TitleForm())


@post("/manager/events/new", guards=[manager])
async def propose(request: Request[Any, Any, Any], visitor: Who) -> Response[Any]:
    form = await read(TitleForm, request)
    if form.rejected:
        return page(request, "manager/form/new.html", status=form.status, form=form)
    try:
        async with writing() as tx:
            event = await drafting.draft(tx, form.title.data, by=visitor.user_id or 0, now=clock.now())
    except Refused as refused:
        form.refuse(refused)
        return page(request, "manager/form/new.html", status=refused.status, form=form)
    return see_other(request, f"/manager/events/{event.slug}/edit", flash=_("Draft saved."))


@get("/manager/events/{slug:str}/edit")
async def edit(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[str]:
    """The list of sections with how far each is."""
    event = await common.editable(db, slug, visitor)
    types, venue = await queries.ticket_types(db, event.id), await queries.venue(db, event)
    wished = await reviews.wishes(db, event)
    facts = {"has_venue": venue is not None, "has_types": bool(types)}
    states = {name: proposing.section_state(event, name, is_wished=name in wished, **facts) for name in SECTIONS}
    missing = proposing.missing(event, venue, types, now=clock.now()) if event.state == "draft" else []
    context: dict[str, Any] = {
        "event": event,
        "states": states,
        "wished": wished,
        "missing": missing,
        "is_trusted": await reviews.is_trusted(db, visitor.user_id),
        "change": await reviews.waiting(db, event),
    }
    return page(request, "manager/form/index.html", **context)


@get("/manager/events/{slug:str}/edit/{section:str}")
async def section(
    request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str], section: FromPath[str]
) -> Response[str]:
    event = await common.editable(db, slug, visitor)
    known = await _known(db, event, section)
    return await _section_page(request, db, _form_class(section, known)(known=known))


@post("/manager/events/{slug:str}/edit/{section:str}", request_max_body_size=LARGEST_REQUEST)
async def save(
    request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str], section: FromPath[str]
) -> Response[Any]:
    event = await common.editable(db, slug, visitor)
    known = await _known(db, event, section)
    form = await read(_form_class(section, known), request, known=known)
    if isinstance(form, PageForm):
        await _take_picture(request, form)
    if form.rejected or form.is_preview:
        return await _section_page(request, db, form)
    try:
        await _save(form, slug, visitor)
    except Overtaken:
        return await _beside(request, form, visitor)
    except Refused as refused:
        form.refuse(refused)
        return await _section_page(request, db, form)
    await _forget_picture(db, event, form)
    onward = await spreading.onward(db, event, visitor, change_of(form.changed()))
    return see_other(request, onward or f"/manager/events/{slug}/edit", flash=await common.saved(slug, visitor))


@post("/manager/events/poster", guards=[manager], opt={"changes_nothing": True})
async def poster(request: Request[Any, Any, Any]) -> Response[str]:
    """The poster in the colours that were just chosen."""
    form = await read(PageForm, request, known=_nothing_known(title=(await request.form()).get("title")))
    return page(request, "manager/_poster.html", fragment="poster", look=form.look)


@post("/manager/events/description", guards=[manager], opt={"changes_nothing": True})
async def description(request: Request[Any, Any, Any]) -> Response[str]:
    """How the description that was just typed will be read."""
    form = await read(PageForm, request, known=_nothing_known())
    text = "" if form.description.errors else form.description.data
    return page(request, "manager/_description.html", fragment="description", text=text)


def _form_class(section: str, known: Known) -> type[SectionForm]:
    if section not in FORMS:
        raise NotFound(_("The form of an event has no such section."))
    return with_words(FORMS[section], known)


async def _known(db: AsyncSession, event: Event, section: str) -> Known:
    """The event as its manager last wanted it: what waits for an admin stands in the fields.

    Its questions belong to it where translations are written or looked over.
    """
    wanted = await reviews.as_wanted(db, event)
    lists = await queries.categories(db), await queries.latest_venues(db), await queries.ticket_types(db, event.id)
    questions = await drafts.questions(db, event) if section not in ("basics", "access") else []
    asked = [question for question in questions if question.ended_at is None]
    return Known(wanted, await queries.venue(db, wanted), *lists, asked)


def _nothing_known(title: object = "") -> Known:
    now = clock.now()
    nameless = Event(slug="", manager_id=0, category_id=0, title=str(title or ""), starts_at=now, ends_at=now, created_at=now)
    return Known(nameless, None, ())


async def _save(form: SectionForm, slug: str, visitor: Visitor) -> None:
    async with writing() as tx:
        event = await common.to_change(tx, slug, visitor)
        common.insist(form, type(form)(known=await _known(tx, event, form.section)))
        booked = bool(await booking_queries.booked_types(tx, event.id or 0))
        who_and_when: dict[str, Any] = {"by": visitor.user_id or 0, "booked": booked, "now": clock.now()}
        section = form.section if form.completes else ""
        await revising.revise(tx, event, form.columns(), section=section, place=form.place(), **who_and_when)


async def _beside(request: Request[Any, Any, Any], form: SectionForm, visitor: Visitor) -> Response[str]:
    """409: what was typed stays, beside it stands what somebody else saved, and sending it again saves it on top."""
    async with reading() as db:
        event = await common.editable(db, form.known.event.slug, visitor)
        form.known = await _known(db, event, form.section)
        form.show_beside(type(form)(known=form.known))
        return await _section_page(request, db, form)


async def _section_page(request: Request[Any, Any, Any], db: AsyncSession, form: SectionForm) -> Response[str]:
    event = form.known.event
    context: dict[str, Any] = {"section": form.section, "wished": (await reviews.wishes(db, event)).get(form.section, "")}
    if form.section == "tickets":
        context |= {"types": form.known.types, "most_types": proposing.MOST_TYPES}
        context |= {"shared": await drafts.shared(db, event), "most_quotas": sharing.MOST_QUOTAS}
    if form.section == "access":
        context |= {"questions": await drafts.questions(db, event), "most_questions": asking.MOST_QUESTIONS}
        context["kind_names"] = snapshots.KIND_NAMES
    if isinstance(form, PageForm):
        context["look"] = form.look
    return common.written(request, f"manager/form/{form.template or form.section}.html", form, event, **context)


async def _take_picture(request: Request[Any, Any, Any], form: PageForm) -> None:
    if form.has_upload:
        await limits.count(request, "upload")
    await form.take_picture()


async def _forget_picture(db: AsyncSession, event: Event, form: SectionForm) -> None:
    """A picture that no event shows any more goes."""
    was = event.picture if isinstance(form, PageForm) and event.picture != form.picture_address else ""
    if was and not await drafts.is_picture_used(db, was):
        pictures.remove(was)


router = Router(
    "/", guards=[team, writes_at_most("desk")], route_handlers=[new, propose, edit, section, save, poster, description]
)
