"""What the pages about accounts share: password fields, the way into a login session, mailed links, and where `next` may lead."""

from datetime import datetime
from typing import Any
from urllib.parse import quote, urlsplit

from litestar import Request, Response
from sqlmodel.ext.asyncio.session import AsyncSession
from wtforms import Field, PasswordField, ValidationError

from app.accounts import queries, rules
from app.accounts.actions import sessions
from app.accounts.models import MailedLink, User, Visitor
from app.bookings import actions as booking_actions
from app.core import clock, tokens
from app.core.db import reading, writing
from app.core.errors import NotFound, Refused
from app.core.i18n import gettext as _
from app.core.settings import settings
from app.events.actions import favourites
from app.web import cookies
from app.web.forms import BaseForm, no_control_characters, required
from app.web.page import can_be_opened, page, see_other
from app.web.visitor import SignInFirst, login_cookie


def password(label: Any, *, missing: Any, rule: Any = None) -> Any:
    """A password field. Nothing is cut from what was typed; `rule` judges new passwords."""
    return PasswordField(label, [required(missing), no_control_characters, _not_too_long, *([rule] if rule else [])])


def good_password(form: BaseForm, field: Field) -> None:
    """Validator of a new password. The form's meta says whose it is, unless the form asks for the address itself."""
    email = form["email"].data if "email" in form else form.meta.email
    role = getattr(form.meta, "role", "user")
    mistake = rules.password_mistake(field.data or "", email=email or "", role=role, site_name=settings().site_name)
    if mistake:
        raise ValidationError(mistake)


def _not_too_long(_form: BaseForm, field: Field) -> None:
    """WTForms' own rule would also tell browsers, which then cut off in silence what is pasted."""
    if len(field.data or "") > rules.MOST:
        raise ValidationError(_("Use %(max)d characters or fewer.") % {"max": rules.MOST})


def wrong(field: Field, refused: Refused) -> None:
    """Puts a refusal from below beside the field that it is about."""
    field.errors = [*field.errors, refused.sentence]


def user_id_of(visitor: Visitor) -> int:
    """For handlers behind a guard, which has made sure of it."""
    if visitor.user_id is None:
        raise SignInFirst
    return visitor.user_id


def own_path(request: Request[Any, Any, Any], wanted: str | None) -> str:
    """The wanted address when it is a page of ours that can be opened, else nothing: a link to our login leads nowhere else."""
    wanted = wanted or ""
    if not wanted.startswith("/") or wanted.startswith("//") or "\\" in wanted or not wanted.isprintable():
        return ""
    return wanted if can_be_opened(request, urlsplit(wanted).path) else ""


async def enter(
    request: Request[Any, Any, Any], visitor: Visitor, user: User, *, by: str, next: str = "", flash: str = "", kind: str = "ok"
) -> Response[str]:
    """The end of every way to sign in. `by` is the way: "password", "link", "oidc" or "passkey"; `next` the wanted page.

    A passkey counts as both factors, because the device has asked for its PIN or a finger. After any other way an account
    with a second factor is asked for it; until then the browser has a session that signs nobody in.
    """
    now, home = clock.now(), own_path(request, next) or rules.HOME[user.role]
    device = rules.device_name(request.headers.get("User-Agent", ""))
    async with writing() as tx:
        # Whoever adds a second factor at this moment waits for the lock, and then ends this session too.
        await sessions.locked(tx, user.id or 0)
        for old in filter(None, (visitor.session_hash, visitor.waiting_hash)):
            await sessions.log_out(tx, old, now=now)
        waits = by != "passkey" and await queries.has_second_factor(tx, user.id or 0)
        session_id = await sessions.log_in(tx, user, device=device, now=now, waits=waits, has_second=by == "passkey")
        if not waits:
            await adopt(tx, request, user, now=now)
    if waits:
        response = see_other(request, f"/login/second?next={quote(home)}")
        response.set_cookie(login_cookie(session_id, user.role))
        return response
    return entered(request, user, session_id, home, flash=flash, kind=kind)


async def adopt(tx: AsyncSession, request: Request[Any, Any, Any], user: User, *, now: datetime) -> None:
    """What was booked and marked before signing in joins the account."""
    await booking_actions.adopt(tx, user)
    marked = cookies.read_signed(request.cookies, cookies.FAVOURITES)
    if marked and user.id is not None:
        await favourites.adopt_favourites(tx, user.id, marked, now=now)


def entered(
    request: Request[Any, Any, Any], user: User, session_id: str, url: str, *, flash: str = "", kind: str = "ok"
) -> Response[str]:
    """The answer that signs the browser in."""
    response = see_other(request, url, flash=flash, kind=kind)
    response.set_cookie(login_cookie(session_id, user.role))
    response.set_cookie(cookies.known_cookie(request.cookies, user.code))
    if cookies.name_of(cookies.FAVOURITES) in request.cookies:
        response.set_cookie(cookies.gone(cookies.FAVOURITES))
    return response


def to_login(request: Request[Any, Any, Any], wanted: str | None, *, flash: str = "") -> Response[str]:
    """To the beginning of signing in, and from there to the page that was wanted."""
    home = own_path(request, wanted)
    return see_other(request, f"/login?next={quote(home)}" if home else "/login", flash=flash, kind="warn")


def link_id(token: str, *kinds: str) -> tuple[str, str]:
    """(kind, id) of a token from a mail. Raises NotFound for anything that we did not sign."""
    for kind in kinds:
        found = tokens.unsign(kind, token)
        if found:
            return kind, found
    raise NotFound(_("This link is not complete."))


async def usable_link(kind: str, link_id: str) -> MailedLink | None:
    """The row behind a link while it can be used. It is read apart from the page, so that hashing keeps no connection."""
    async with reading() as db:
        link = await queries.link(db, link_id)
    return link if link and link.kind == kind and link.is_usable(clock.now()) else None


def link_over(request: Request[Any, Any, Any], kind: str, sentence: str = "") -> Response[str]:
    """What to do when a link cannot be used any more."""
    said = sentence or _("This link was used before or is too old.")
    return page(request, "accounts/link_over.html", status=410, kind=kind, sentence=said)
