"""The payment page of the Stripe stand-in: what a buyer sees instead of Stripe's, without any card."""

from datetime import UTC, datetime
from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect

from app.core import i18n
from app.core.i18n import gettext as _
from app.sandbox.fake_stripe import FakeStripe, Outcome
from app.sandbox.pages import problem, sandbox_page
from app.sandbox.stripe_shapes import Doc

Asked = Request[Any, Any, Any]
Fake = NamedDependency[FakeStripe]
Form = URLEncodedBody[dict[str, str]]

OUTCOMES: dict[str, Outcome] = {"pay": "paid", "later": "later", "never": "never"}
WITH_ITEMS = {"expand": ["line_items"]}


@get("/{session_id:str}")
async def show(request: Asked, fake: Fake, session_id: FromPath[str]) -> Response[str]:
    session = fake.session(session_id, WITH_ITEMS)
    return _open(request, fake, session) if session["status"] == "open" else _closed(request, session)


@post("/{session_id:str}", status_code=303)
async def pay(request: Asked, fake: Fake, session_id: FromPath[str], data: Form) -> Response[Any]:
    session = fake.session(session_id, WITH_ITEMS)
    if session["status"] != "open":
        return _closed(request, session)
    outcome = OUTCOMES.get(data.get("act", ""))
    if outcome is None:
        return _open(request, fake, session, status=402, declined=True)
    fake.pay(session_id, outcome)
    return Redirect(_arrived(session), status_code=303)


def _open(request: Asked, fake: FakeStripe, session: Doc, *, status: int = 200, declined: bool = False) -> Response[str]:
    # Stripe's own page is in the language that the shop asked for.
    with i18n.speaking(session["locale"] or i18n.language()):
        return sandbox_page(
            request,
            "sandbox/pay.html",
            status=status,
            forms_to=(session["success_url"],),
            session=session,
            items=session["line_items"]["data"],
            currency=session["currency"].upper(),
            until=datetime.fromtimestamp(session["expires_at"], UTC),
            wait=round(fake.settle_after),
            declined=declined,
        )


def _closed(request: Asked, session: Doc) -> Response[str]:
    """A second tab, a reload after paying, or a page left open for too long."""
    if session["status"] == "complete":
        sentence = _("This payment was already made. Nothing is charged twice.")
        return problem(request, status=410, title=_("Already paid"), sentence=sentence, back=_arrived(session))
    sentence = _("The time to pay has run out or the booking was released. No money was taken.")
    return problem(request, status=410, title=_("This payment is closed"), sentence=sentence, back=session["cancel_url"] or "/")


def _arrived(session: Doc) -> str:
    """Where the buyer goes after paying."""
    return str(session["success_url"]).replace("{CHECKOUT_SESSION_ID}", session["id"])


router = Router("/sandbox/pay", route_handlers=[show, pay])
