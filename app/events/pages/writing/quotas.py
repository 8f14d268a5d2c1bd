"""A quota has a page of its own: how many places there are, and which ticket types share them."""

from collections.abc import Sequence
from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import Visitor
from app.core import clock
from app.core.db import reading, writing
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.core.i18n import lazy, pgettext
from app.events import drafts, queries, reviews
from app.events.actions import quotas
from app.events.actions.quotas import TooSmall, TypeTaken
from app.events.actions.revising import Overtaken
from app.events.models import Event
from app.events.pages.writing import common
from app.events.pages.writing.fields import Watched, choices
from app.events.rules.sharing import QuotaWish, Shared
from app.web.forms import boxes, number, read, text
from app.web.limits import writes_at_most
from app.web.page import see_other
from app.web.visitor import Db, Who, team

TEMPLATE = "manager/form/quota.html"


class QuotaForm(Watched):
    """`shared` is the quota as it is, `types` are codes and names of all ticket types of its event."""

    name = text(lazy("Name"), most=60, missing=lazy("Enter a name, such as “House”"))
    places = number(lazy("Places"), least=0, most=1_000_000, sentence=lazy("Enter how many places there are, up to 1,000,000"),
                    missing=lazy("Enter how many places there are"))  # fmt: skip
    shared_by = boxes(lazy("Ticket types that share them"), missing=lazy("Choose the ticket types that share these places"))

    def __init__(
        self,
        formdata: Any = None,
        *,
        types: Sequence[tuple[str, str]],
        shared: Shared | None = None,
        wanted: QuotaWish | None = None,
        **given: Any,
    ) -> None:
        self.shared = shared
        super().__init__(formdata, data=_values(wanted) if wanted and formdata is None else None, **given)
        self.shared_by.choices = choices(types)
        if formdata is None:
            self.seen.data = self.mark()

    def refuse(self, refused: Refused) -> None:
        """What the guards say stands at the field that it is about."""
        field = {TooSmall: self.places, TypeTaken: self.shared_by}.get(type(refused))
        if field is None:
            super().refuse(refused)
        else:
            field.errors = [refused.sentence]

    def wish(self) -> QuotaWish:
        return QuotaWish(self.name.data, self.places.data, frozenset(self.shared_by.data))


def _values(wanted: QuotaWish) -> dict[str, Any]:
    return {"name": wanted.name, "places": wanted.capacity, "shared_by": sorted(wanted.types)}


@get("/manager/events/{slug:str}/quotas/new")
async def new(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[str]:
    event = await common.editable(db, slug, visitor)
    return await _page(request, db, QuotaForm(types=await _types(db, event)), event, visitor)


@post("/manager/events/{slug:str}/quotas/new")
async def add(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[Any]:
    event = await common.editable(db, slug, visitor)
    form = await read(QuotaForm, request, types=await _types(db, event))
    if form.rejected:
        return await _page(request, db, form, event, visitor)
    try:
        async with writing() as tx:
            there = await common.to_change(tx, slug, visitor)
            quota = await quotas.add_quota(tx, there, form.wish(), by=visitor.user_id or 0, now=clock.now())
    except Refused as refused:
        form.refuse(refused)
        return await _page(request, db, form, event, visitor)
    waits = _("%(name)s waits for an admin, because there are fewer places with it.")
    said = pgettext("quota", "%(name)s is added.") if quota else waits
    return see_other(request, f"/manager/events/{slug}/edit/tickets", flash=said % {"name": form.name.data})


@get("/manager/events/{slug:str}/quotas/{code:str}")
async def edit(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str], code: FromPath[str]) -> Response[str]:
    event = await common.editable(db, slug, visitor)
    return await _page(request, db, await _form_of(db, event, code), event, visitor)


@post("/manager/events/{slug:str}/quotas/{code:str}")
async def save(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str], code: FromPath[str]) -> Response[Any]:
    event = await common.editable(db, slug, visitor)
    shared = await drafts.shared_of(db, event, code)
    form = await read(QuotaForm, request, types=await _types(db, event, but=shared), shared=shared)
    if form.rejected:
        return await _page(request, db, form, event, visitor)
    try:
        await _save(form, slug, code, visitor)
    except Overtaken:
        return await _beside(request, form, slug, code, visitor)
    except Refused as refused:
        form.refuse(refused)
        return await _page(request, db, form, event, visitor)
    return see_other(request, f"/manager/events/{slug}/edit/tickets", flash=await common.saved(slug, visitor))


@post("/manager/events/{slug:str}/quotas/{code:str}/remove")
async def remove(request: Request[Any, Any, Any], visitor: Who, slug: FromPath[str], code: FromPath[str]) -> Response[Any]:
    async with writing() as tx:
        event = await common.to_change(tx, slug, visitor)
        shared = await drafts.shared_of(tx, event, code)
        await quotas.remove_quota(tx, event, shared, by=visitor.user_id or 0, now=clock.now())
    said = _("%(name)s is removed. Its ticket types are sold each by itself.") % {"name": shared.quota.name}
    return see_other(request, f"/manager/events/{slug}/edit/tickets", flash=said)


async def _form_of(db: AsyncSession, event: Event, code: str) -> QuotaForm:
    """The quota as its manager last wanted it."""
    shared = await drafts.shared_of(db, event, code)
    wanted = await reviews.quota_as_wanted(db, event, shared)
    return QuotaForm(types=await _types(db, event, but=shared), shared=shared, wanted=wanted)


async def _types(db: AsyncSession, event: Event, *, but: Shared | None = None) -> list[tuple[str, str]]:
    """What can be ticked: codes and names, with the quota that a type would leave."""
    quotas_of = {kind.id: each.quota for each in await drafts.shared(db, event) for kind in each.types}
    kept = but.quota.id if but else None
    leaving = {number: quota.name for number, quota in quotas_of.items() if quota.id != kept}
    words = _("%(name)s, until now in %(quota)s")
    types = await queries.ticket_types(db, event.id)
    return [(t.code, words % {"name": t.name, "quota": leaving[t.id]} if t.id in leaving else t.name) for t in types]


async def _save(form: QuotaForm, slug: str, code: str, visitor: Visitor) -> None:
    async with writing() as tx:
        event = await common.to_change(tx, slug, visitor)
        common.insist(form, await _form_of(tx, event, code))
        shared = await drafts.shared_of(tx, event, code)
        await quotas.change_quota(tx, event, shared, form.wish(), by=visitor.user_id or 0, now=clock.now())


async def _beside(request: Request[Any, Any, Any], form: QuotaForm, slug: str, code: str, visitor: Visitor) -> Response[str]:
    async with reading() as db:
        event = await common.editable(db, slug, visitor)
        form.show_beside(await _form_of(db, event, code))
        return await _page(request, db, form, event, visitor)


async def _page(
    request: Request[Any, Any, Any], db: AsyncSession, form: QuotaForm, event: Event, visitor: Visitor
) -> Response[str]:
    """It says beforehand what would wait for an admin."""
    waits = event.state in ("approved", "published") and not await reviews.is_trusted(db, visitor.user_id)
    return common.written(request, TEMPLATE, form, event, waits=waits)


router = Router("/", guards=[team, writes_at_most("desk")], route_handlers=[new, add, edit, save, remove])
