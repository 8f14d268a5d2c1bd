"""Feeds for readers and calendars, and what search engines ask for first: the site map and robots.txt."""

import hashlib
import re
from datetime import datetime
from email.utils import format_datetime
from typing import Any

from litestar import MediaType, Request, Response, Router, get
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import clock
from app.core.addresses import absolute
from app.core.errors import NotFound
from app.core.i18n import gettext as _
from app.core.i18n import to
from app.core.settings import settings
from app.events import feeds
from app.tickets.calendar import calendar_of_many
from app.web.limits import looks_at_most
from app.web.visitor import Db

ENDINGS = ("atom", "ics")
PART_OF_MAP = re.compile(r"(events|others)-([1-9][0-9]{0,4})\.xml")
KINDS = {"atom": "application/atom+xml; charset=utf-8", "ics": "text/calendar", "xml": "application/xml; charset=utf-8"}
# So long anybody may keep a feed; after that a reader asks whether it has changed.
KEPT = "public, max-age=600"

# What a crawler would only waste its time and ours with; none of it is a secret that this file would tell.
NOT_FOR_CRAWLERS = ("/bookings/", "/tickets/", "/me", "/manager/", "/admin/", "/login", "/register", "/password/")

Asked = Request[Any, Any, Any]


@get("/events.atom", guards=[looks_at_most("list")])
async def all_atom(request: Asked, db: Db) -> Response[Any]:
    return await feed(request, db, settings().site_name, "/events", ending="atom")


@get("/events.ics", guards=[looks_at_most("list")])
async def all_ics(request: Asked, db: Db) -> Response[Any]:
    return await feed(request, db, settings().site_name, "/events", ending="ics")


@get("/sitemap.xml", guards=[looks_at_most("list")])
async def site_map(request: Asked, db: Db) -> Response[Any]:
    """All public pages, or the index of several files where they are too many for one."""
    events, others = await feeds.count(db), await feeds.other_places(db)
    if events + len(others) > feeds.MOST_PAGES:
        return answer(request, feeds.index_of_maps(others=len(others), events=events), "xml")
    return answer(request, feeds.site_map([*others, *await feeds.event_places(db, 1)]), "xml")


@get("/sitemaps/{name:str}", guards=[looks_at_most("list")])
async def part_of_map(request: Asked, db: Db, name: FromPath[str]) -> Response[Any]:
    """Events stand in files of their own, beside those of all other pages. Three queries."""
    kind, part = (found[1], int(found[2])) if (found := PART_OF_MAP.fullmatch(name)) else ("", 0)
    if kind == "events":
        places = await feeds.event_places(db, part)
    else:
        places = feeds.of_part(await feeds.other_places(db), part) if kind else []
    if not places:
        raise NotFound(_("There is nothing to see at this address."))
    return answer(request, feeds.site_map(places), "xml")


@get("/robots.txt", media_type=MediaType.TEXT)
async def robots() -> Response[str]:
    lines = ["User-agent: *", *(f"Disallow: {path}" for path in NOT_FOR_CRAWLERS), "", f"Sitemap: {absolute('/sitemap.xml')}", ""]
    return Response("\n".join(lines), media_type=MediaType.TEXT, headers={"Cache-Control": KEPT})


async def feed(request: Asked, db: AsyncSession, title: str, path: str, *conditions: Any, ending: str) -> Response[Any]:
    """The feed of a page, by its ending. One query."""
    if ending == "atom":
        told = await feeds.newest(db, *conditions)
        return answer(request, feeds.atom(title, path, told), ending, changed_at=feeds.last_change(told))
    told = await feeds.ahead(db, *conditions, now=clock.now())
    body = calendar_of_many(title, [(event, venue, absolute(to(f"/events/{event.slug}"))) for event, venue, _kind in told])
    return answer(request, body, ending, changed_at=feeds.last_change(told))


def answer(request: Asked, body: bytes, ending: str, *, changed_at: datetime | None = None) -> Response[Any]:
    """The file, or 304 for whoever has this very one. Its mark decides: what it says changes also when a name does."""
    mark = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"Cache-Control": KEPT, "ETag": mark, "Vary": "Accept-Language, Cookie"}
    if changed_at:
        headers["Last-Modified"] = format_datetime(changed_at, usegmt=True)
    known = {each.strip().removeprefix("W/") for each in request.headers.get("If-None-Match", "").split(",")}
    if mark in known:
        return Response(None, status_code=304, headers=headers)
    return Response(body, media_type=KINDS[ending], headers=headers)


router = Router("/", route_handlers=[all_atom, all_ics, site_map, part_of_map, robots])
