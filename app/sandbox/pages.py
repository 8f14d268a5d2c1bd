"""What the pages of the sandbox have in common: the look of the shop, their own headers, and errors that say what to do."""

from typing import Any
from urllib.parse import urlsplit

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException

from app.core.i18n import gettext as _
from app.sandbox.stripe_shapes import StripeError
from app.web.page import page

log = structlog.get_logger()

Asked = Request[Any, Any, Any]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "frame-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cache-Control": "no-store"}


def sandbox_page(
    request: Asked, template: str, *, status: int = 200, forms_to: tuple[str, ...] = (), **context: Any
) -> Response[str]:
    """A whole page that says "test mode". `forms_to` are where a form's answer may lead: Chrome checks redirects too."""
    origins = {f"{parts.scheme}://{parts.netloc}" for parts in map(urlsplit, forms_to)}
    headers = HEADERS | {"Content-Security-Policy": " ".join([POLICY, *sorted(origins)])}
    return page(request, template, status=status, headers=headers, demo=True, **context)


def problem(request: Asked, *, status: int, title: str, sentence: str, back: str = "/", action: str = "") -> Response[str]:
    """A page with one sentence and one way on."""
    way_on = action or _("Back to the shop")
    return sandbox_page(request, "sandbox/problem.html", status=status, title=title, sentence=sentence, back=back, action=way_on)


def refused(request: Asked, error: StripeError) -> Response[Any]:
    """Only pages end here; the API answers its own errors."""
    sentence = _("This payment is not known here. Start again from your booking.")
    return problem(request, status=error.status, title=_("Payment not found"), sentence=sentence)


def http(request: Asked, error: HTTPException) -> Response[Any]:
    """JSON for a caller of the API, a page for everybody else."""
    if error.status_code >= 500:
        return unexpected(request, error)
    if request.url.path.startswith("/sandbox/stripe/"):
        sentence = f"Unrecognized request URL ({request.method}: {request.url.path.removeprefix('/sandbox/stripe')})."
        return Response(StripeError(sentence).doc(), status_code=error.status_code)
    sentence = _("The sandbox has no page at this address, or not any more.")
    return problem(request, status=error.status_code, title=_("Nothing here"), sentence=sentence)


def unexpected(request: Asked, error: Exception) -> Response[Any]:
    log.error("unexpected error in the sandbox", path=request.url.path, exc_info=error)
    if request.url.path.startswith("/sandbox/stripe/"):
        return Response(StripeError("An unknown error occurred.", kind="api_error").doc(), status_code=500)
    sentence = _("The sandbox made a mistake. The log of the server says which.")
    return problem(request, status=500, title=_("Something went wrong"), sentence=sentence)


handlers: dict[Any, Any] = {StripeError: refused, HTTPException: http, Exception: unexpected}
