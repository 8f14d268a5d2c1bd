"""What a browser remembers about how pages look."""

from typing import Any

from litestar import Request, Response, Router, post
from wtforms import HiddenField

from app.accounts.pages.common import own_path
from app.web import cookies
from app.web.forms import BaseForm, read
from app.web.page import see_other


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


router = Router("/", route_handlers=[theme])
