"""The operator's own words: who runs the site, on which terms, how accessible it is, and how it treats data."""

from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession

from app.admin import actions, queries
from app.core import clock
from app.core.db import writing
from app.core.errors import NotFound
from app.core.i18n import gettext as _
from app.core.i18n import lazy
from app.core.settings import settings
from app.core.templates import render
from app.core.texts import NAMES
from app.web.forms import BaseForm, ManyLines, read, text
from app.web.limits import writes_at_most
from app.web.page import page, see_other
from app.web.visitor import Db, Who, admin

TITLES = {"imprint": lazy("Imprint"), "terms": lazy("Terms"), "accessibility": lazy("Accessibility"), "privacy": lazy("Privacy")}


class TextForm(BaseForm):
    body = text(lazy("Text"), most=50_000, field=ManyLines)


@get("/imprint")
async def imprint(request: Request[Any, Any, Any], db: Db) -> Response[str]:
    return await _shown(request, db, "imprint")


@get("/terms")
async def terms(request: Request[Any, Any, Any], db: Db) -> Response[str]:
    return await _shown(request, db, "terms")


@get("/accessibility")
async def accessibility(request: Request[Any, Any, Any], db: Db) -> Response[str]:
    return await _shown(request, db, "accessibility")


@get("/privacy")
async def privacy(request: Request[Any, Any, Any], db: Db) -> Response[str]:
    return await _shown(request, db, "privacy")


@get("/admin/texts", guards=[admin])
async def index(request: Request[Any, Any, Any], db: Db) -> Response[str]:
    return page(request, "admin/texts.html", titles=TITLES, stored=await queries.site_texts(db))


@get("/admin/texts/{name:str}", guards=[admin])
async def edit(request: Request[Any, Any, Any], db: Db, name: FromPath[str]) -> Response[str]:
    title = _title(name)
    form = TextForm(data={"body": await _body(db, name)})
    return page(request, "admin/text.html", form=form, name=name, title=title)


@post("/admin/texts/{name:str}", guards=[admin, writes_at_most("desk")])
async def save(request: Request[Any, Any, Any], visitor: Who, name: FromPath[str]) -> Response[str]:
    title = _title(name)
    form = await read(TextForm, request)
    if form.rejected:
        return page(request, "admin/text.html", status=form.status, form=form, name=name, title=title)
    async with writing() as tx:
        await actions.save_text(tx, name, form.body.data, by=visitor.user_id, now=clock.now())
    return see_other(request, f"/{name}", flash=_("The text is saved. This is how everybody sees it."))


async def _shown(request: Request[Any, Any, Any], db: AsyncSession, name: str) -> Response[str]:
    return page(request, "site/text.html", public=True, title=TITLES[name], body=await _body(db, name))


async def _body(db: AsyncSession, name: str) -> str:
    stored = await queries.site_text(db, name)
    if stored:
        return stored.body
    return render(
        f"site/{name}.txt", {"site_name": settings().site_name, "mail_from": settings().contact or settings().mail_from}
    )


def _title(name: str) -> Any:
    if name not in NAMES:
        raise NotFound(_("There is no such text."))
    return TITLES[name]


router = Router("/", route_handlers=[imprint, terms, accessibility, privacy, index, edit, save])
