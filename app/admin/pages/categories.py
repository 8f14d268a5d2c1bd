"""What kinds of events there are, in the order that everybody sees."""

from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core.db import writing
from app.core.errors import NotFound, Refused
from app.core.i18n import gettext as _
from app.core.i18n import lazy, pgettext
from app.events import arranged, queries
from app.events.actions import arranging
from app.events.models import Category
from app.web.forms import BaseForm, read, text
from app.web.limits import writes_at_most
from app.web.page import page, see_other
from app.web.visitor import Db, Who, admin, proved_lately

Asked = Request[Any, Any, Any]


class CategoryForm(BaseForm):
    name = text(lazy("Name"), most=60, missing=lazy("Enter a name"))


class MergeForm(BaseForm):
    into = text(lazy("Merge into"), most=60, missing=lazy("Choose where its events go"))


@get("/admin/categories")
async def index(request: Asked, db: Db) -> Response[str]:
    return await _list(request, db, CategoryForm())


@post("/admin/categories")
async def add(request: Asked, db: Db, visitor: Who) -> Response[str]:
    form = await read(CategoryForm, request)
    if form.rejected:
        return await _list(request, db, form, status=form.status)
    try:
        async with writing() as tx:
            await arranging.add_category(tx, form.name.data, by=visitor.user_id or 0)
    except Refused as refused:
        form.name.errors = [refused.sentence]
        return await _list(request, db, form, status=refused.status)
    return see_other(request, "/admin/categories", flash=pgettext("category", "%(name)s is added.") % {"name": form.name.data})


@get("/admin/categories/{slug:str}")
async def show(request: Asked, db: Db, slug: FromPath[str]) -> Response[str]:
    """With `into` it also says what a merge would move."""
    category = await _category(db, slug)
    return await _one(request, db, category, CategoryForm(data={"name": category.name}))


@post("/admin/categories/{slug:str}")
async def rename(request: Asked, db: Db, visitor: Who, slug: FromPath[str]) -> Response[str]:
    category, form = await _category(db, slug), await read(CategoryForm, request)
    if form.rejected:
        return await _one(request, db, category, form, status=form.status)
    try:
        async with writing() as tx:
            await arranging.rename_category(tx, await _category(tx, slug), form.name.data, by=visitor.user_id or 0)
    except Refused as refused:
        form.name.errors = [refused.sentence]
        return await _one(request, db, category, form, status=refused.status)
    return see_other(request, f"/admin/categories/{slug}", flash=_("The name is saved, and the search knows it."))


@post("/admin/categories/{slug:str}/up")
async def up(request: Asked, visitor: Who, slug: FromPath[str]) -> Response[str]:
    return await _moved(request, visitor.user_id or 0, slug, up=True)


@post("/admin/categories/{slug:str}/down")
async def down(request: Asked, visitor: Who, slug: FromPath[str]) -> Response[str]:
    return await _moved(request, visitor.user_id or 0, slug, up=False)


@post("/admin/categories/{slug:str}/merge")
async def merge(request: Asked, visitor: Who, slug: FromPath[str]) -> Response[str]:
    form = await read(MergeForm, request)
    async with writing() as tx:
        gone, into = await _category(tx, slug), await _category(tx, form.into.data or "")
        await arranging.merge_categories(tx, gone, into, by=visitor.user_id or 0)
    said = _("%(name)s is part of %(other)s now, and its address leads there.") % {"name": gone.name, "other": into.name}
    return see_other(request, "/admin/categories", flash=said)


@post("/admin/categories/{slug:str}/delete")
async def delete(request: Asked, visitor: Who, slug: FromPath[str]) -> Response[str]:
    async with writing() as tx:
        category = await _category(tx, slug)
        await arranging.delete_category(tx, category, by=visitor.user_id or 0)
    return see_other(request, "/admin/categories", flash=pgettext("category", "%(name)s is deleted.") % {"name": category.name})


async def _moved(request: Asked, by: int, slug: str, *, up: bool) -> Response[str]:
    async with writing() as tx:
        await arranging.move_category(tx, await _category(tx, slug), up=up, by=by)
    return see_other(request, "/admin/categories")


async def _list(request: Asked, db: AsyncSession, form: CategoryForm, *, status: int = 200) -> Response[str]:
    kinds, counts = await queries.categories(db), await arranged.events_by_category(db)
    return page(request, "admin/categories.html", status=status, form=form, categories=kinds, counts=counts)


async def _one(request: Asked, db: AsyncSession, category: Category, form: CategoryForm, *, status: int = 200) -> Response[str]:
    others = [kind for kind in await queries.categories(db) if kind.id != category.id]
    wanted = request.query_params.get("into", "")
    context: dict[str, Any] = {
        "category": category,
        "others": others,
        "into": next((kind for kind in others if kind.slug == wanted), None),
        "used": await arranged.used_category(db, category.id or 0),
    }
    return page(request, "admin/category.html", status=status, form=form, **context)


async def _category(db: AsyncSession, slug: str) -> Category:
    found = await queries.category_by_slug(db, slug)
    if not found:
        raise NotFound(_("There is no such category."))
    return found


router = Router(
    "/",
    guards=[admin, proved_lately, writes_at_most("desk")],
    route_handlers=[index, add, show, rename, up, down, merge, delete],
)
