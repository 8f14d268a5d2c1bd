"""Hearts: on events and on categories, for users in the database, for clients in a signed cookie until they sign in."""

from typing import Any
from urllib.parse import urlsplit

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from wtforms import SelectChoice, SelectMultipleField  # type: ignore[attr-defined]
from wtforms.widgets import CheckboxInput, ListWidget

from app.accounts.models import Visitor
from app.core import clock
from app.core.db import writing
from app.core.errors import NotFound
from app.core.i18n import gettext as _
from app.core.i18n import lazy
from app.core.settings import settings
from app.core.usual import category_name
from app.events import queries
from app.events.actions.favourites import set_favourite_categories, toggle_favourite
from app.events.models import Category
from app.events.pages.hearts import marked_categories, marks_of, watcher_of
from app.events.rules import searching
from app.web.cookies import FAVOURITES, YEAR, signed
from app.web.forms import BaseForm, read
from app.web.limits import looks_at_most
from app.web.page import page, see_other, shown
from app.web.visitor import Db, Who, signed_in


class CategoriesForm(BaseForm):
    categories = SelectMultipleField(
        lazy("Categories"),
        choices=[],
        validate_choice=False,
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )


@post("/events/{slug:str}/favourite")
async def event(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[Any]:
    found = await queries.public_event(db, slug)
    if not found:
        raise NotFound(_("There is no such event."))
    marked, cookie = await _toggle(request, visitor, f"e:{slug}", event_id=found.id)
    back = _back(request, or_else=f"/events/{slug}") + f"#fav-{slug}"
    fragment = "button" if "button" in request.query_params else "heart"
    answer = shown(request, back, "events/_heart.html", fragment=fragment, event=found, is_marked=marked)
    return _with_cookie(answer, cookie)


@post("/categories/{slug:str}/favourite")
async def category(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[Any]:
    found = await queries.category_by_slug(db, slug)
    if not found:
        raise NotFound(_("There is no such category."))
    marked, cookie = await _toggle(request, visitor, f"c:{slug}", category_id=found.id)
    back = _back(request, or_else=f"/events?category={slug}") + f"#fav-category-{slug}"
    answer = shown(request, back, "events/_category_heart.html", fragment="heart", category=found, is_marked=marked)
    return _with_cookie(answer, cookie)


@get("/favourites", guards=[looks_at_most("list")])
async def of_browser(request: Request[Any, Any, Any], db: Db, visitor: Who) -> Response[str]:
    """What a client has marked, as this browser keeps it. Whoever is signed in has a page of their own."""
    if visitor.is_signed_in:
        return see_other(request, "/me/favourites")
    marked = marked_categories(request)
    kinds = [kind for kind in await queries.categories(db) if kind.slug in marked] if marked else []
    cards = await queries.favourite_cards(db, watcher_of(request, visitor), clock.now())
    return page(request, "events/saved.html", kinds=kinds, cards=cards)


@get("/me/favourites", guards=[signed_in])
async def favourites(request: Request[Any, Any, Any], db: Db, visitor: Who) -> Response[str]:
    marked = await queries.favourite_categories(db, visitor.user_id)
    form = _categories_form(await queries.categories(db), marked)
    cards = await queries.favourite_cards(db, watcher_of(request, visitor), clock.now())
    return page(request, "events/favourites.html", form=form, cards=cards)


@post("/me/favourites", guards=[signed_in])
async def save(request: Request[Any, Any, Any], db: Db, visitor: Who) -> Response[Any]:
    form = await read(CategoriesForm, request)
    chosen = set(form.categories.data or [])
    wanted = {kind.id for kind in await queries.categories(db) if kind.id and kind.slug in chosen}
    async with writing() as tx:
        await set_favourite_categories(tx, visitor.user_id or 0, wanted, now=clock.now())
    return see_other(request, "/me/favourites", flash=_("Saved. We tell you about new events in these categories."))


async def _toggle(
    request: Request[Any, Any, Any], visitor: Visitor, mark: str, **thing: int | None
) -> tuple[bool, list[str] | None]:
    """Whether it is marked now, and for clients what their cookie holds from now on."""
    if visitor.user_id:
        async with writing() as tx:
            return await toggle_favourite(tx, visitor.user_id, now=clock.now(), **thing), None
    marks = searching.toggled(marks_of(request), mark)
    return mark in marks, marks


def _with_cookie(answer: Response[Any], marks: list[str] | None) -> Response[Any]:
    if marks is not None:
        answer.set_cookie(signed(FAVOURITES, marks, max_age=YEAR))
    return answer


def _categories_form(categories: list[Category], marked: set[int]) -> CategoriesForm:
    form = CategoriesForm(data={"categories": [kind.slug for kind in categories if kind.id in marked]})
    form.categories.choices = [SelectChoice(kind.slug, category_name(kind.name)) for kind in categories]
    return form


def _back(request: Request[Any, Any, Any], *, or_else: str) -> str:
    """The page of ours on which the heart was pressed."""
    came, ours = urlsplit(request.headers.get("referer", "")), urlsplit(settings().base_url)
    if (came.scheme, came.netloc) != (ours.scheme, ours.netloc) or not came.path.startswith("/") or came.path.startswith("//"):
        return or_else
    return f"{came.path}?{came.query}" if came.query else came.path


router = Router("/", route_handlers=[event, category, of_browser, favourites, save])
