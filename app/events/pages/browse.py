"""Looking around: the home page, the list with its filters, and the pictures on the posters."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from litestar import MediaType, Request, Response, Router, get
from litestar.params import FromPath

from app.accounts.models import Visitor
from app.core import clock
from app.core.errors import NotFound
from app.core.i18n import gettext as _
from app.events import filters, listing, monthly, pictures, queries
from app.events.filters import Facets
from app.events.listing import Results
from app.events.moved import moved_to
from app.events.pages.hearts import marks_of, watcher_of
from app.events.posters import card_path
from app.events.queries import Watcher
from app.events.rules import offering, searching
from app.events.rules.searching import Search
from app.web.limits import looks_at_most
from app.web.page import page
from app.web.visitor import Db, Who

# An uploaded file is only ever shown as a picture, whatever it may pretend to be; its name changes with its content.
PICTURE_HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Content-Disposition": 'inline; filename="picture.webp"',
}


@get("/", guards=[looks_at_most("list")])
async def home(request: Request[Any, Any, Any], db: Db, visitor: Who) -> Response[str]:
    now = clock.now()
    facets = await filters.facets(db, now)
    city = searching.search_from(request.query_params).city
    search = Search(city=city if city in facets.cities else "")
    watcher = watcher_of(request, visitor)
    cards = await queries.upcoming_cards(db, now, watcher=watcher, city=search.city, since=facets.since)
    featured = next((card for card in cards if card.is_buyable), None)
    groups = offering.grouped([card for card in cards if card is not featured], zone=facets.zone, now=now)
    context: dict[str, Any] = {"facets": facets, "search": search, "featured": featured, "groups": groups}
    context |= {"canonical": searching.canonical(search) if search.city else "/", "card": card_path()}
    return page(request, "events/home.html", public=not watcher.slugs, **context)


@get("/events", guards=[looks_at_most("list")])
async def index(request: Request[Any, Any, Any], db: Db, visitor: Who) -> Response[str]:
    now = clock.now()
    facets = await filters.facets(db, now)
    search = searching.search_from(request.query_params)
    category = next((kind for kind in facets.categories if kind.slug == search.category), None)
    if search.category and not category and (moved := await moved_to(db, "categories", search.category)):
        return Response("", status_code=301, headers={"Location": search.url(category=moved)}, media_type=MediaType.HTML)
    found = await _found(db, search, facets, watcher_of(request, visitor), now=now)
    marks = marks_of(request)
    marked = category is not None and await _is_marked(db, visitor, category.id, f"c:{category.slug}" in marks)
    # Each search gets its address; "show more" only adds to the page that is there.
    headers = {"HX-Push-Url": search.url()} if search.page == 1 else {}
    context: dict[str, Any] = {"facets": facets, "search": search, "category": category, "is_marked": marked, **found}
    context |= {"card": card_path(), "also": ("events/_oob.html",), "headers": headers, "public": not marks}
    return page(request, "events/index.html", fragment="results", **context)


async def _found(db: Db, search: Search, facets: Facets, watcher: Watcher, *, now: datetime) -> dict[str, Any]:
    """What the list shows: a page of cards in groups, or a month. Two queries."""
    if search.view:
        month = await monthly.month(db, search, zone=facets.zone, now=now)
        counted = Results([], month.total, 1)
        return {"month": month, "results": counted, "groups": [], "canonical": "/events"}
    results = await listing.search(db, search, now=now, facets=facets, watcher=watcher)
    if search.near:
        groups = [offering.Group(_("Near %(city)s") % {"city": search.near}, "", results.cards)] if results.cards else []
    elif search.when == "past":
        groups = offering.by_month(results.cards)
    else:
        groups = offering.by_time(results.cards, zone=facets.zone, now=now)
    # Of what has no events there may be no other page.
    canonical = searching.canonical(replace(search, page=results.page)) if results.total else "/events"
    return {"month": None, "results": results, "groups": groups, "canonical": canonical}


@get("/pictures/{name:str}")
async def picture(name: FromPath[str]) -> Response[bytes]:
    found = await pictures.load(name)
    if found is None:
        raise NotFound(_("There is no picture at this address."))
    return Response(found, media_type="image/webp", headers=PICTURE_HEADERS)


async def _is_marked(db: Db, visitor: Visitor, category_id: int | None, in_cookie: bool) -> bool:
    if not visitor.is_signed_in:
        return in_cookie
    return category_id in await queries.favourite_categories(db, visitor.user_id)


router = Router("/", route_handlers=[home, index, picture])
