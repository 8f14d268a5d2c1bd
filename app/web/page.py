"""A page is a template; a fragment is one named block of it. page() decides which of the two the browser gets."""

from typing import Any

from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException

from app.accounts.models import Visitor
from app.core import i18n
from app.core.settings import settings
from app.core.templates import render, render_block, render_title
from app.web import cookies


def page(
    request: Request[Any, Any, Any],
    template: str,
    *,
    fragment: str = "",
    status: int = 200,
    also: tuple[str, ...] = (),
    public: bool = False,
    headers: dict[str, str] | None = None,
    **context: Any,
) -> Response[str]:
    """The whole page, or only its block `fragment` when htmx asks for a part.

    `also` names templates that ride along with a fragment and swap themselves elsewhere (hx-swap-oob).
    `public` pages look the same for every client who is not signed in and may be kept for a moment.
    """
    visitor = visitor_of(request)
    spoken = i18n.language()
    flashes = cookies.read_flashes(request.cookies)
    context = {
        "visitor": visitor,
        "path": request.url.path,
        "status": status,
        "theme": cookies.theme(request.cookies),
        "flashes": flashes,
        "lang": spoken,
        "dir": i18n.direction(),
        # A search is the same page as its list, so search engines are told of the list alone.
        "alternates": public and not request.url.query,
        # The path under which search engines are to know the page.
        "canonical": "",
        "site_name": settings().site_name,
        "demo": settings().demo,
        **context,
    }
    if fragment and wants_part(request):
        # htmx gives the window the title, so that after a swap, too, it says that there is a problem, or what was searched for.
        title = render_title(template, context)
        body = title + render_block(template, fragment, context) + "".join(render(name, context) for name in also)
    else:
        body = render(template, context)
    kept = public and not visitor.is_signed_in and not flashes
    answer = {
        "Vary": "HX-Request, Cookie, Accept-Language",
        "Cache-Control": "public, max-age=2" if kept else "no-store",
        "Content-Language": spoken,
        **(headers or {}),
    }
    used_up = [cookies.gone(cookies.FLASH)] if flashes else []
    return Response(body, status_code=status, media_type=MediaType.HTML, headers=answer, cookies=used_up)


def see_other(request: Request[Any, Any, Any], url: str, *, flash: str = "", kind: str = "ok") -> Response[str]:
    """After a POST: go and look there, in the same language. `flash` is a sentence shown once on the next page.

    htmx would follow a 303 by itself and put the whole page into its target, so it is told to leave instead.
    """
    said = [cookies.flash_cookie(kind, flash)] if flash else []
    headers = {"HX-Redirect" if is_htmx(request) else "Location": i18n.to(url)}
    headers["Cache-Control"] = "no-store"
    return Response("", status_code=200 if is_htmx(request) else 303, headers=headers, cookies=said, media_type=MediaType.HTML)


def shown(
    request: Request[Any, Any, Any],
    url: str,
    template: str,
    *,
    fragment: str,
    flash: str = "",
    also: tuple[str, ...] = (),
    **context: Any,
) -> Response[str]:
    """After a POST that changed a part of a page: htmx gets the part, every other browser goes and looks at the page."""
    if wants_part(request):
        return page(request, template, fragment=fragment, also=also, **context)
    return see_other(request, url, flash=flash)


def visitor_of(request: Request[Any, Any, Any]) -> Visitor:
    """Who makes the request; a client before anything is known."""
    visitor = request.scope.get("visitor")
    return visitor if isinstance(visitor, Visitor) else Visitor()


def is_htmx(request: Request[Any, Any, Any]) -> bool:
    return request.headers.get("HX-Request") == "true"


def wants_part(request: Request[Any, Any, Any]) -> bool:
    """Whether htmx wants a part: not a whole page, and not a page restored from the history."""
    restoring = request.headers.get("HX-History-Restore-Request") == "true"
    return is_htmx(request) and request.headers.get("HX-Request-Type") == "partial" and not restoring


def can_be_opened(request: Request[Any, Any, Any], path: str) -> bool:
    """Whether the path is a page of ours that a browser can be sent to."""
    _language, path = i18n.parted(path)
    try:
        request.app.asgi_router.handle_routing(path=path.rstrip("/") or "/", method="GET")
    except HTTPException:
        return False
    return True
