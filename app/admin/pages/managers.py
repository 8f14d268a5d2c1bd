"""Who may propose events and sell tickets."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession
from wtforms import SelectChoice, SelectField  # type: ignore[attr-defined]

from app.accounts import queries as accounts
from app.accounts.actions import managers, suspending
from app.accounts.models import User
from app.admin import people, queries
from app.admin.pages.common import SuspendForm, act, manager_of, suspension
from app.core import clock, i18n
from app.core.db import reading, writing
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.core.i18n import lazy
from app.core.usual import category_name
from app.events import queries as events_of
from app.events.actions import drafting
from app.events.models import Category
from app.web.forms import BaseForm, email, read, required, text
from app.web.limits import writes_at_most
from app.web.looks import note_look
from app.web.page import page, see_other
from app.web.visitor import Db, Who, admin, proved_lately


class InviteForm(BaseForm):
    email = email()


class ProposeForm(BaseForm):
    """The beginning of an event for somebody else; the rest is filled in on the event's own form."""

    title = text(lazy("Title"), most=120, missing=lazy("Enter a title"))
    category = SelectField(lazy("Category"), [required(lazy("Choose a category"))])

    def __init__(self, formdata: Any = None, *, kinds: Sequence[Category], **given: Any) -> None:
        super().__init__(formdata, **given)
        choices = [("", _("Choose a category")), *((kind.slug, category_name(kind.name)) for kind in kinds)]
        self.category.choices = [SelectChoice(slug, name) for slug, name in choices]


@get("/admin/managers")
async def index(request: Request[Any, Any, Any]) -> Response[str]:
    return await _shown(request, InviteForm())


@post("/admin/managers")
async def invite(request: Request[Any, Any, Any], visitor: Who) -> Response[str]:
    form = await read(InviteForm, request)
    if form.rejected:
        return await _shown(request, form, status=form.status)
    to = form.email.data
    try:
        async with writing() as tx:
            promoted = await managers.make_manager(tx, to, by=visitor.user_id, language=i18n.language(), now=clock.now())
    except Refused as refused:
        form.email.errors = [refused.sentence]
        return await _shown(request, form, status=refused.status)
    known, unknown = _("%(email)s is a manager now and signs in again to see it."), _("%(email)s is invited by mail.")
    return see_other(request, "/admin/managers", flash=(known if promoted else unknown) % {"email": to})


@post("/admin/managers/{code:str}/trust")
async def trust(request: Request[Any, Any, Any], visitor: Who, code: FromPath[str]) -> Response[str]:
    verb = partial(managers.trust, by=visitor.user_id or 0, now=clock.now())
    said = _("%(email)s publishes without a review now.")
    return await act(request, manager_of, code, verb, said, back="/admin/managers")


@post("/admin/managers/{code:str}/untrust")
async def untrust(request: Request[Any, Any, Any], visitor: Who, code: FromPath[str]) -> Response[str]:
    verb = partial(managers.untrust, by=visitor.user_id or 0)
    said = _("The next events of %(email)s wait for a review.")
    return await act(request, manager_of, code, verb, said, back="/admin/managers")


@get("/admin/managers/{code:str}")
async def show(request: Request[Any, Any, Any], db: Db, visitor: Who, code: FromPath[str]) -> Response[str]:
    user = await manager_of(db, code)
    await note_look(visitor, "manager", about=f"user:{user.id}")
    return await _page_of(request, db, user)


@post("/admin/managers/{code:str}/suspend")
async def suspend(request: Request[Any, Any, Any], db: Db, visitor: Who, code: FromPath[str]) -> Response[str]:
    user = await manager_of(db, code)
    form = await read(SuspendForm, request)
    if form.rejected:
        return await _page_of(request, db, user, suspending_form=form)
    said = _("%(email)s is suspended. Their events go on selling.")
    return await act(request, manager_of, code, suspension(form, visitor.user_id or 0), said)


@post("/admin/managers/{code:str}/reinstate")
async def reinstate(request: Request[Any, Any, Any], visitor: Who, code: FromPath[str]) -> Response[str]:
    verb = partial(suspending.reinstate, by=visitor.user_id)
    return await act(request, manager_of, code, verb, _("%(email)s can sign in again."))


@post("/admin/managers/{code:str}/propose")
async def propose(request: Request[Any, Any, Any], db: Db, visitor: Who, code: FromPath[str]) -> Response[str]:
    """A draft that belongs to the manager; the admin goes on in its form."""
    user, kinds = await manager_of(db, code), await events_of.categories(db)
    form = await read(ProposeForm, request, kinds=kinds)
    if form.rejected:
        return await _page_of(request, db, user, proposing_form=form)
    category_id = next(kind.id or 0 for kind in kinds if kind.slug == form.category.data)
    async with writing() as tx:
        user = await manager_of(tx, code)
        whose: dict[str, int] = {"manager_id": user.id or 0, "by": visitor.user_id or 0}
        event = await drafting.draft_for(tx, form.title.data, category_id=category_id, now=clock.now(), **whose)
    said = _("The draft belongs to %(email)s. Fill in the rest here, or leave it to them.") % {"email": user.email}
    return see_other(request, f"/manager/events/{event.slug}/edit", flash=said)


async def _page_of(
    request: Request[Any, Any, Any],
    db: AsyncSession,
    user: User,
    *,
    suspending_form: SuspendForm | None = None,
    proposing_form: ProposeForm | None = None,
) -> Response[str]:
    kinds = await events_of.categories(db)
    forms = {"suspend": suspending_form or SuspendForm(), "propose": proposing_form or ProposeForm(kinds=kinds)}
    status = 422 if any(form.errors for form in forms.values()) else 200
    desk = await people.desk(db, user)
    return page(request, "admin/manager.html", status=status, user=user, desk=desk, forms=forms, now=clock.now())


async def _shown(request: Request[Any, Any, Any], form: InviteForm, *, status: int = 200) -> Response[str]:
    now = clock.now()
    async with reading() as db:
        found = await accounts.managers(db)
        events = await queries.events_per_manager(db)
        invitations = await accounts.open_invitations(db, now=now)
        applications = await accounts.open_applications(db)
    context: dict[str, Any] = {"managers": found, "events": events, "invitations": invitations, "applications": applications}
    return page(request, "admin/managers.html", status=status, form=form, **context)


router = Router(
    "/",
    guards=[admin, proved_lately, writes_at_most("desk")],
    route_handlers=[index, invite, trust, untrust, show, suspend, reinstate, propose],
)
