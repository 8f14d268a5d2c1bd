"""Every exception becomes an HTML page that says what to do, or a short message when htmx asked for a part."""

from typing import Any
from urllib.parse import quote

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException
from sqlalchemy.exc import DBAPIError

from app.core import db, logs
from app.core.errors import NotYours, ProveAgain, Refused, SetUpSecond, TooMany
from app.core.i18n import gettext as _
from app.web.page import can_be_opened, page, see_other, visitor_of, wants_part
from app.web.requests import template_of
from app.web.visitor import SignInFirst

log = structlog.get_logger()

OWN_PAGES = (403, 404, 409, 422, 429, 500)


def refused(request: Request[Any, Any, Any], error: Refused) -> Response[Any]:
    """A sentence from below, with the status that belongs to it."""
    if isinstance(error, NotYours):
        logs.security("forbidden", path=template_of(request.scope), method=request.method, user=visitor_of(request).user_id)
    retry_after = error.retry_after if isinstance(error, TooMany) else 0
    return _answer(request, error.status, error.sentence, retry_after=retry_after)


def http(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    """What Litestar itself refuses: unknown addresses, wrong methods, bodies that are too large or unreadable."""
    sentences = {
        401: _("Sign in first."),
        403: _("You may not do this."),
        404: _("There is nothing at this address."),
        405: _("This address does not accept that kind of request."),
        413: _("That is more than this page accepts. Send a smaller file or text."),
        414: _("This address is too long."),
        415: _("This page does not accept that kind of data."),
        429: _("That was too often. Wait a moment, then try again."),
    }
    if error.status_code >= 500:
        return anything(request, error)
    return _answer(request, error.status_code, sentences.get(error.status_code, _("This request could not be understood.")))


def sign_in_first(request: Request[Any, Any, Any], _error: SignInFirst) -> Response[Any]:
    """To the login, and back to the page when it was one that can be opened again."""
    back = _page_of(request) if request.method == "GET" else ""
    return see_other(request, f"/login?next={quote(back)}" if back else "/login")


def prove_again(request: Request[Any, Any, Any], _error: ProveAgain) -> Response[Any]:
    """To the question who it is, and back to the page on which it was asked for."""
    return see_other(request, f"/login/again?next={quote(_page_of(request))}")


def set_up_second(request: Request[Any, Any, Any], _error: SetUpSecond) -> Response[Any]:
    """To the page where a second factor is set up."""
    said = _("Managers, admins and whoever sells with them sign in with a second step. Set it up, then go on.")
    return see_other(request, "/me/security/second-factor", flash=said, kind="info")


def _page_of(request: Request[Any, Any, Any]) -> str:
    """The page that shows the form of this request: its own address, or the next one above that can be opened."""
    path, query = request.url.path, request.url.query
    if request.method == "GET":
        return f"{path}?{query}" if query else path
    while path and not can_be_opened(request, path):
        path = path.rpartition("/")[0]
    return path or "/"


def anything(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """What nobody foresaw: the log has it all, the page has the id to find it by."""
    if isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in db.RETRYABLE:
        return _answer(request, 503, _("The shop is very busy. Nothing was changed. Try again in a moment."))
    log.error("unexpected error", path=template_of(request.scope), method=request.method, exc_info=error)
    return _answer(request, 500, _("Something went wrong on our side. It has been written down."))


def _answer(request: Request[Any, Any, Any], status: int, sentence: str, *, retry_after: int = 0) -> Response[Any]:
    headers = {"Retry-After": str(retry_after)} if retry_after else {}
    context: dict[str, Any] = {
        "sentence": sentence,
        "retry_after": retry_after,
        "request_id": request.scope.get("request_id", ""),
    }
    if wants_part(request):
        headers |= {"HX-Retarget": "#toasts", "HX-Reswap": "innerHTML"}
        return page(request, "errors/_message.html", status=status, headers=headers, **context)
    name = str(status) if status in OWN_PAGES else "error"
    return page(request, f"errors/{name}.html", status=status, headers=headers, **context)


handlers: dict[Any, Any] = {
    Refused: refused,
    HTTPException: http,
    SignInFirst: sign_in_first,
    ProveAgain: prove_again,
    SetUpSecond: set_up_second,
    Exception: anything,
}
