"""What a browser remembers about how pages look and which language they are in."""

from typing import Any

from litestar import Request, Response, Router, post
from wtforms import HiddenField

from app.accounts.actions import details
from app.accounts.pages.common import own_path
from app.core import i18n
from app.core.db import writing
from app.web import cookies
from app.web.forms import BaseForm, read
from app.web.page import see_other
from app.web.visitor import Who


class LanguageForm(BaseForm):
    language = HiddenField()
    next = HiddenField()


class ThemeForm(BaseForm):
    theme = HiddenField()
    next = HiddenField()


@post("/theme")
async def theme(request: Request[Any, Any, Any]) -> Response[str]:
    """A cookie that only holds a word needs no signature; an unknown word counts as none."""
    form = await read(ThemeForm, request)
    response = see_other(request, own_path(request, form.next.data) or "/")
    chosen = form.theme.data or ""
    known = chosen in cookies.THEMES
    response.set_cookie(cookies.plain(cookies.THEME, chosen, max_age=cookies.YEAR) if known else cookies.gone(cookies.THEME))
    return response


@post("/language")
async def language(request: Request[Any, Any, Any], visitor: Who) -> Response[str]:
    """For this browser, and for the account: whoever has one is read to and written to in the language chosen last."""
    form = await read(LanguageForm, request)
    chosen = form.language.data if form.language.data in i18n.LANGUAGES else i18n.language()
    if visitor.user_id and visitor.language != chosen:
        async with writing() as tx:
            await details.speak(tx, visitor.user_id, chosen)
    _before, back = i18n.parted(own_path(request, form.next.data) or "/")
    with i18n.speaking(chosen):
        response = see_other(request, back)
    response.set_cookie(cookies.plain(cookies.LANGUAGE, chosen, max_age=cookies.YEAR))
    return response


router = Router("/", route_handlers=[theme, language])
