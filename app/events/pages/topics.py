"""The pages of what events are about: a category, a venue, a city, and who offers them. Each has feeds of its own."""

from typing import Any

from litestar import MediaType, Request, Response, Router, get
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import Visitor
from app.core import clock
from app.core.errors import NotFound
from app.core.i18n import gettext as _
from app.core.i18n import to
from app.core.settings import settings
from app.events import listing, topics
from app.events.moved import moved_to
from app.events.pages import feeds
from app.events.pages.hearts import marked_categories, marks_of, watcher_of
from app.events.posters import card_path
from app.events.rules import offering
from app.web.asked import page_number
from app.web.limits import looks_at_most
from app.web.page import page
from app.web.visitor import Db, Who

Asked = Request[Any, Any, Any]


@get("/categories/{slug:str}", guards=[looks_at_most("list")])
async def category(request: Asked, db: Db, visitor: Who, slug: FromPath[str]) -> Response[Any]:
    return await _show(request, db, visitor, "categories", slug)


@get("/venues/{slug:str}", guards=[looks_at_most("list")])
async def venue(request: Asked, db: Db, visitor: Who, slug: FromPath[str]) -> Response[Any]:
    return await _show(request, db, visitor, "venues", slug)


@get("/cities/{slug:str}", guards=[looks_at_most("list")])
async def city(request: Asked, db: Db, visitor: Who, slug: FromPath[str]) -> Response[Any]:
    return await _show(request, db, visitor, "cities", slug)


@get("/managers/{slug:str}", guards=[looks_at_most("list")])
async def manager(request: Asked, db: Db, visitor: Who, slug: FromPath[str]) -> Response[Any]:
    return await _show(request, db, visitor, "managers", slug)


async def _show(request: Asked, db: AsyncSession, visitor: Visitor, kind: str, slug: str) -> Response[Any]:
    """The page; the same address with .atom or .ics is its feed. Three queries."""
    bare, dot, ending = slug.partition(".")
    if dot and ending not in feeds.ENDINGS:
        raise NotFound(_("There is nothing to see at this address."))
    watcher, now = watcher_of(request, visitor), clock.now()
    topic = await topics.topic(db, kind, bare, watcher=watcher)
    if not topic and (moved := await moved_to(db, kind, bare)) and await topics.topic(db, kind, moved):
        where = to(f"/{kind}/{moved}") + dot + ending
        return Response("", status_code=301, headers={"Location": where}, media_type=MediaType.HTML)
    if not topic:
        raise NotFound(_("There is nothing to see at this address."))
    if ending:
        return await feeds.feed(request, db, topic.name, topic.path, topic.where, ending=ending)
    found = await listing.about(db, topic.where, page=page_number(request), now=now, watcher=watcher)
    groups = offering.by_time(found.ahead.cards, zone=settings().default_zone, now=now)
    marked = topic.is_marked or bare in marked_categories(request)
    context: dict[str, Any] = {"topic": topic, "groups": groups, "past": found.past, "is_marked": marked}
    context |= {"results": found.ahead, "search": topic, "card": card_path()}
    context["canonical"] = topic.url(page=found.ahead.page)
    return page(request, "events/topic.html", fragment="results", public=not marks_of(request), **context)


router = Router("/", route_handlers=[category, venue, city, manager])
