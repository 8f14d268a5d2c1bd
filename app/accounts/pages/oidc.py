"""Signing in with an OpenID provider, and the list of those that open an account."""

from typing import Any
from urllib.parse import urlsplit

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from wtforms import HiddenField

from app.accounts import oidc, queries
from app.accounts.actions import challenges, identities
from app.accounts.models import CHALLENGE_LIFE, Challenge, Identity, Person, Visitor
from app.accounts.pages.common import enter, own_path, user_id_of
from app.core import clock, i18n
from app.core.codes import random_nonce
from app.core.db import reading, writing
from app.core.errors import NotFound, ProveAgain, Refused
from app.core.i18n import gettext as _
from app.core.settings import settings
from app.web import cookies, limits
from app.web.forms import BaseForm, read
from app.web.page import page, see_other
from app.web.visitor import Db, SignInFirst, Who, proved_lately, signed_in

LIST = "/me/security/identities"
LINK = "/login/oidc/link"


class StartForm(BaseForm):
    next = HiddenField()


# ---------- there and back ----------


@post("/login/oidc")
async def start(request: Request[Any, Any, Any], visitor: Who) -> Response[str]:
    """Sends the browser to the provider. Whoever is signed in connects the two accounts; everybody else signs in."""
    _set_up()
    form = await read(StartForm, request)
    await limits.count(request, "identity provider")
    try:
        provider = await oidc.provider()
    except Refused as refused:
        return _back(request, visitor, refused.sentence)
    leads_to = own_path(request, form.next.data)[:500]
    async with writing() as tx:
        challenge = await challenges.new_challenge(
            tx, "oidc", user_id=visitor.user_id, verifier=random_nonce(), leads_to=leads_to, now=clock.now()
        )
    return _kept(_sent_to(request, oidc.sign_in_url(provider, challenge)), challenge)


@get("/login/oidc/callback")
async def callback(request: Request[Any, Any, Any], visitor: Who) -> Response[str]:
    """Back from the provider. The answer counts once, and only in the browser that was sent there."""
    _set_up()
    state, code = request.query_params.get("state", ""), request.query_params.get("code", "")
    try:
        if not state or state != _kept_id(request):
            raise challenges.TooLate(_("This sign-in was not begun in this browser, or it took too long. Start again."))
        async with writing() as tx:
            challenge = await challenges.use_challenge(tx, "oidc", id=state, now=clock.now())
        if not code:
            raise Refused(_("You did not finish signing in with %(name)s.") % {"name": settings().oidc_name})
        person = await oidc.person(await oidc.provider(), code, challenge)
        return await _arrived(request, visitor, person, challenge)
    except Refused as refused:
        return _forgotten(_back(request, visitor, refused.sentence))


async def _arrived(request: Request[Any, Any, Any], visitor: Visitor, person: Person, challenge: Challenge) -> Response[str]:
    """Whom the provider has proved may be known, may ask for a link to an account, or is new here. Raises Refused."""
    async with reading() as db:
        found = await queries.identity_and_user(db, issuer=person.issuer, subject=person.subject)
        known = await queries.by_email(db, person.email)
    if challenge.user_id:
        return await _to_connect(request, visitor, person, challenge.user_id, is_taken=found is not None)
    if found:
        identity, user = found
        if user.is_disabled:
            raise Refused(_("This account is suspended. An admin of this shop can open it again."))
        async with writing() as tx:
            await identities.note_use(tx, identity, now=clock.now())
        return _forgotten(await enter(request, visitor, user, by="oidc", next=challenge.leads_to))
    if known:
        return await _ask_to_connect(request, person, known.id or 0)
    async with writing() as tx:
        user = await identities.open_account(tx, person, language=i18n.language(), now=clock.now())
    said = _("Your account is open.")
    return _forgotten(await enter(request, visitor, user, by="oidc", next=challenge.leads_to, flash=said))


async def _to_connect(
    request: Request[Any, Any, Any], visitor: Visitor, person: Person, user_id: int, *, is_taken: bool
) -> Response[str]:
    """Somebody who was signed in wanted to connect the account: it has to be the same account still."""
    if visitor.user_id != user_id:
        raise Refused(_("You were signed out in between. Sign in again and start anew."))
    if is_taken:
        raise Refused(_("This sign-in belongs to an account already."))
    return await _ask_to_connect(request, person, user_id)


async def _ask_to_connect(request: Request[Any, Any, Any], person: Person, user_id: int) -> Response[str]:
    """The provider's side is proved. The account's owner has to sign in here too, and agree."""
    async with writing() as tx:
        challenge = await challenges.new_challenge(tx, "oidc_link", user_id=user_id, person=person, now=clock.now())
    return _kept(see_other(request, LINK), challenge)


# ---------- connecting two accounts ----------


@get(LINK)
async def ask(request: Request[Any, Any, Any], db: Db, visitor: Who) -> Response[str]:
    _set_up()
    waiting = await _waiting(request, db)
    if not waiting:
        return see_other(request, LIST if visitor.is_signed_in else "/login")
    owner = await queries.by_id(db, waiting.user_id or 0)
    is_owner = visitor.user_id == waiting.user_id
    return page(
        request, "accounts/oidc_link.html", email=waiting.email, owner=owner, is_owner=is_owner, name=settings().oidc_name
    )


@post(LINK)
async def connect(request: Request[Any, Any, Any], db: Db, visitor: Who) -> Response[str]:
    """Both sides are proved: one by the provider, the other by a login of a few minutes ago."""
    _set_up()
    waiting = await _waiting(request, db)
    if not waiting:
        return _back(request, visitor, _("This took too long or was done before. Start again."))
    if visitor.user_id != waiting.user_id:
        raise SignInFirst
    now = clock.now()
    if not visitor.proved_lately(now):
        raise ProveAgain
    async with writing() as tx:
        used = await challenges.use_challenge(tx, "oidc_link", id=waiting.id, now=now)
        await identities.connect(tx, user_id_of(visitor), used.person, now=now)
    said = _("You can sign in with %(name)s from now on.") % {"name": settings().oidc_name}
    return _forgotten(see_other(request, LIST, flash=said))


async def _waiting(request: Request[Any, Any, Any], db: Any) -> Challenge | None:
    found = await queries.challenge(db, _kept_id(request))
    return found if found and found.kind == "oidc_link" and found.is_usable(clock.now()) else None


# ---------- the list ----------


@get(LIST)
async def index(request: Request[Any, Any, Any], db: Db, visitor: Who) -> Response[str]:
    found = await queries.identities_of(db, user_id_of(visitor))
    return page(request, "accounts/oidc.html", identities=found, name=settings().oidc_name)


@get("/me/security/identities/{code:str}/remove", guards=[proved_lately])
async def ask_to_remove(request: Request[Any, Any, Any], db: Db, visitor: Who, code: FromPath[str]) -> Response[str]:
    return page(request, "accounts/oidc_remove.html", identity=await _own(db, visitor, code))


@post("/me/security/identities/{code:str}/remove", guards=[proved_lately])
async def remove(request: Request[Any, Any, Any], visitor: Who, code: FromPath[str]) -> Response[str]:
    async with writing() as tx:
        await identities.remove(tx, await _own(tx, visitor, code))
    return see_other(request, LIST, flash=_("That sign-in is removed."))


async def _own(db: Any, visitor: Visitor, code: str) -> Identity:
    identity = await queries.own_identity(db, user_id_of(visitor), code)
    if not identity:
        raise NotFound(_("Your account has no such sign-in."))
    return identity


# ---------- what the browser keeps meanwhile ----------


def _set_up() -> None:
    if not oidc.is_set_up():
        raise NotFound(_("There is nothing at this address."))


def _sent_to(request: Request[Any, Any, Any], url: str) -> Response[str]:
    """Browsers let a form lead only to hosts that our policy names: the issuer's. To any other a link leads."""
    ours, theirs = urlsplit(settings().oidc_issuer), urlsplit(url)
    if (ours.scheme, ours.netloc) == (theirs.scheme, theirs.netloc):
        return see_other(request, url)
    return page(request, "accounts/oidc_go.html", url=url, name=settings().oidc_name)


def _back(request: Request[Any, Any, Any], visitor: Visitor, sentence: str) -> Response[str]:
    return see_other(request, LIST if visitor.is_signed_in else "/login", flash=sentence, kind="warn")


def _cookie_name() -> str:
    return "__Host-oidc" if settings().https else "oidc"


def _kept(response: Response[str], challenge: Challenge) -> Response[str]:
    """Ties the question to this browser."""
    life = int(CHALLENGE_LIFE[challenge.kind].total_seconds())
    response.set_cookie(cookies.signed(_cookie_name(), challenge.id, max_age=life))
    return response


def _kept_id(request: Request[Any, Any, Any]) -> str:
    found = cookies.read_signed(request.cookies, _cookie_name())
    return found if isinstance(found, str) else ""


def _forgotten(response: Response[str]) -> Response[str]:
    response.set_cookie(cookies.gone(_cookie_name()))
    return response


router = Router("/", route_handlers=[start, callback, ask, connect])
own_router = Router("/", guards=[signed_in], route_handlers=[index, ask_to_remove, remove])
