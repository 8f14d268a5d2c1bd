"""What a browser remembers about how pages look."""

from typing import Any

from litestar import Request, Response, Router, post
from litestar.datastructures import Cookie
from wtforms import HiddenField

from app.accounts.pages.common import own_path
from app.core.settings import settings
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
    chosen = form.theme.data
    response.set_cookie(_remembered(chosen) if chosen in cookies.THEMES else cookies.gone(cookies.THEME))
    return response


def _remembered(chosen: str) -> Cookie:
    secure = settings().https
    return Cookie(cookies.THEME, value=chosen, max_age=cookies.YEAR, path="/", httponly=True, secure=secure, samesite="lax")


router = Router("/", route_handlers=[theme])
