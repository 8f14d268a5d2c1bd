"""What the shop keeps about you: to read, to take along, to have erased."""

from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from litestar.response import File
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import Visitor
from app.core import clock, limits
from app.core.db import writing
from app.core.errors import NotFound, Refused
from app.core.i18n import gettext as _
from app.privacy import flows, queries, rules
from app.privacy.actions import exports
from app.web import cookies
from app.web.page import page, see_other
from app.web.visitor import Db, SignInFirst, Who, proved_lately, signed_in

Asked = Request[Any, Any, Any]


@get("/me/data")
async def show(request: Asked, db: Db, visitor: Who) -> Response[str]:
    """The page, or only the part about the copy, which asks for itself while the copy is being made."""
    now = clock.now()
    export = await queries.newest_export(db, _user_id(visitor), now=now)
    return page(request, "privacy/show.html", fragment="copy", export=export, now=now)


@get("/me/data/export", guards=[proved_lately])
async def new_export(request: Asked) -> Response[str]:
    return page(request, "privacy/export.html")


@post("/me/data/export", guards=[proved_lately])
async def export(request: Asked, visitor: Who) -> Response[str]:
    user_id = _user_id(visitor)
    await limits.count(f"export:{user_id}", most=10, seconds=3600)
    async with writing() as tx:
        await exports.ask(tx, user_id, by=user_id, now=clock.now())
    return see_other(request, "/me/data", flash=_("Your copy is being made. You get a mail when it is ready."))


@get("/me/data/exports/{code:str}", guards=[proved_lately])
async def download(db: Db, visitor: Who, code: FromPath[str]) -> File:
    found = await queries.ready_export(db, _user_id(visitor), code, now=clock.now())
    file = flows.exports_folder() / found.file if found else None
    if not found or not file or not file.is_file():
        raise NotFound(_("There is no such copy any more. Ask for a new one."))
    headers = {"Cache-Control": "no-store"}
    return File(file, filename="my-data.zip", media_type="application/zip", headers=headers)


@get("/me/data/erase", guards=[proved_lately])
async def erasing(request: Asked, db: Db, visitor: Who) -> Response[str]:
    """What goes, what stays and why; and the button, unless something is still going on."""
    return page(request, "privacy/erase.html", reasons=await _reasons(db, visitor))


@post("/me/data/erase", guards=[proved_lately])
async def erase(request: Asked, db: Db, visitor: Who) -> Response[str]:
    try:
        await flows.erase_account(_user_id(visitor))
    except Refused as refused:
        return page(request, "privacy/erase.html", status=refused.status, reasons=await _reasons(db, visitor))
    response = see_other(request, "/", flash=_("Your account is erased."))
    for name in (cookies.login_name(), cookies.visitor_name(), cookies.FAVOURITES):
        response.set_cookie(cookies.gone(name))
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


async def _reasons(db: AsyncSession, visitor: Visitor) -> list[Any]:
    now = clock.now()
    person = await queries.person_of_user(db, _user_id(visitor), now=now)
    return [rules.REFUSALS[word] for word in await queries.why_not(db, person, now=now)]


def _user_id(visitor: Visitor) -> int:
    """For handlers behind the guard, which has made sure of it."""
    if visitor.user_id is None:
        raise SignInFirst
    return visitor.user_id


router = Router("/", guards=[signed_in], route_handlers=[show, new_export, export, download, erasing, erase])
