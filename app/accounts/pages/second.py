"""The second factor: asked for when signing in, and set up, renewed and turned off on the page about security."""

import io
from typing import Any

import segno
from litestar import Request, Response, Router, get, post
from litestar.params import FromQuery
from sqlmodel.ext.asyncio.session import AsyncSession
from wtforms import HiddenField

from app.accounts import one_time, proofs, queries, rules
from app.accounts.actions import second, sessions
from app.accounts.models import LoginSession, Visitor
from app.accounts.pages.common import adopt, entered, own_path, to_login, user_id_of, wrong
from app.core import clock
from app.core.db import writing
from app.core.errors import NotFound, Refused, TooMany
from app.core.i18n import gettext as _
from app.core.i18n import lazy
from app.core.sealing import seal, unseal
from app.core.settings import settings
from app.web.forms import BaseForm, read, text
from app.web.page import page, see_other
from app.web.visitor import Db, Who, login_cookie, proved_lately, signed_in

HERE = "/me/security/second-factor"


def code_field(label: Any) -> Any:
    return text(label, most=40, missing=lazy("Enter the code"))


class SecondForm(BaseForm):
    code = code_field(lazy("Code"))
    next = HiddenField()


class ConfirmForm(BaseForm):
    code = code_field(lazy("Code from the app"))


class CodesForm(BaseForm):
    """The codes that the page has just shown, sealed: they are stored nowhere, and yet can be sent as a file."""

    sealed = HiddenField()


@get("/login/second")
async def ask(request: Request[Any, Any, Any], visitor: Who, next: FromQuery[str] = "") -> Response[str]:
    if not visitor.waiting_hash:
        return _not_waiting(request, visitor, next)
    return page(request, "accounts/second.html", form=SecondForm(data={"next": own_path(request, next)}))


@post("/login/second")
async def prove(request: Request[Any, Any, Any], db: Db, visitor: Who) -> Response[str]:
    form = await read(SecondForm, request)
    waiting = await queries.waiting(db, visitor.waiting_hash)
    if not waiting:
        return _not_waiting(request, visitor, form.next.data)
    if form.rejected:
        return page(request, "accounts/second.html", status=form.status, form=form)
    try:
        return await _enter(request, waiting, form)
    except second.WrongCode as refused:
        wrong(form.code, refused)
        return page(request, "accounts/second.html", status=refused.status, form=form)
    except TooMany:
        return await _begin_again(request, visitor, form.next.data)


@get(HERE, guards=[signed_in, proved_lately])
async def index(request: Request[Any, Any, Any], db: Db, visitor: Who) -> Response[str]:
    if visitor.lacks_second and await queries.has_second_factor(db, user_id_of(visitor)):
        return see_other(request, f"/login/again?next={rules.HOME[visitor.role]}")
    return await _shown(request, db, visitor, ConfirmForm())


@post(HERE, guards=[signed_in, proved_lately])
async def begin(request: Request[Any, Any, Any], visitor: Who) -> Response[str]:
    async with writing() as tx:
        await second.begin(tx, user_id_of(visitor), now=clock.now())
    return see_other(request, HERE)


@get(f"{HERE}.svg", guards=[signed_in, proved_lately])
async def picture(db: Db, visitor: Who) -> Response[bytes]:
    """The QR code, as long as the app is not confirmed: nobody reads the secret of one that is in use."""
    secret = await _unconfirmed_secret(db, visitor)
    if not secret:
        raise NotFound(_("There is no code to read with an app at this moment."))
    drawn = io.BytesIO()
    address = one_time.setup_address(secret, email=visitor.email, site_name=settings().site_name)
    segno.make(address, error="m", micro=False).save(drawn, kind="svg", border=4, light="#fff", omitsize=True)
    return Response(drawn.getvalue(), media_type="image/svg+xml", headers={"Cache-Control": "no-store"})


@post(f"{HERE}/confirm", guards=[signed_in, proved_lately])
async def confirm(request: Request[Any, Any, Any], db: Db, visitor: Who) -> Response[str]:
    form = await read(ConfirmForm, request)
    if form.rejected:
        return await _shown(request, db, visitor, form, status=form.status)
    try:
        session_id, fresh = await _confirmed(visitor, form.code.data)
    except second.WrongCode as refused:
        wrong(form.code, refused)
        return await _shown(request, db, visitor, form, status=refused.status)
    response = _codes_page(request, visitor, fresh, is_new=True)
    response.set_cookie(login_cookie(session_id, visitor.role))
    return response


@post(f"{HERE}/codes", guards=[signed_in, proved_lately])
async def codes(request: Request[Any, Any, Any], db: Db, visitor: Who) -> Response[str]:
    if not await queries.has_second_factor(db, user_id_of(visitor)):
        raise Refused(_("Recovery codes stand in for a second factor. Set one up first."))
    fresh = await one_time.fresh_recovery_codes()
    async with writing() as tx:
        await second.keep_recovery_codes(tx, user_id_of(visitor), fresh)
    return _codes_page(request, visitor, fresh, is_new=False)


@post(f"{HERE}/codes.txt", guards=[signed_in, proved_lately])
async def codes_file(request: Request[Any, Any, Any], visitor: Who) -> Response[str]:
    form = await read(CodesForm, request)
    try:
        owner, _bar, shown = unseal(form.sealed.data or "").partition("|")
    except ValueError:
        owner, shown = "", ""
    if owner != f"recovery codes of {visitor.user_id}":
        raise NotFound(_("These codes were shown once. Make new ones to see them again."))
    heading = _("Recovery codes for %(email)s at %(site)s. Each works once.")
    body = heading % {"email": visitor.email, "site": settings().site_name} + f"\n\n{shown}\n"
    headers = {"Content-Disposition": 'attachment; filename="recovery-codes.txt"', "Cache-Control": "no-store"}
    return Response(body, status_code=200, media_type="text/plain; charset=utf-8", headers=headers)


@post(f"{HERE}/off", guards=[signed_in, proved_lately])
async def off(request: Request[Any, Any, Any], visitor: Who) -> Response[str]:
    async with writing() as tx:
        await second.turn_off(
            tx,
            user_id_of(visitor),
            is_required=_is_required(visitor),
            session_hash=visitor.session_hash,
            now=clock.now(),
        )
    return see_other(request, "/me/security", flash=_("The app is turned off. Every other browser is signed out."))


async def _enter(request: Request[Any, Any, Any], waiting: LoginSession, form: SecondForm) -> Response[str]:
    """Signs the browser in with a code that fits. Raises WrongCode or TooMany."""
    now = clock.now()
    proof = await proofs.by_app_or_recovery(waiting.user_id, form.code.data)
    async with writing() as tx:
        user, session_id = await second.sign_in(tx, waiting.id_hash, proof, now=now)
        await adopt(tx, request, user, now=now)
    said = _("That was a recovery code. It does not work again.") if proof.recovery_id else ""
    home = own_path(request, form.next.data) or rules.HOME[user.role]
    return entered(request, user, session_id, home, flash=said, kind="info")


def _not_waiting(request: Request[Any, Any, Any], visitor: Visitor, wanted: str | None) -> Response[str]:
    """Nobody is half signed in here: to the page that was wanted, or to the beginning."""
    if visitor.is_signed_in:
        return see_other(request, own_path(request, wanted) or rules.HOME[visitor.role])
    return to_login(request, wanted)


async def _begin_again(request: Request[Any, Any, Any], visitor: Visitor, wanted: str | None) -> Response[str]:
    async with writing() as tx:
        await sessions.log_out(tx, visitor.waiting_hash, now=clock.now())
    return to_login(request, wanted, flash=_("Too many codes did not fit. Wait five minutes, then sign in again."))


async def _confirmed(visitor: Visitor, code: str) -> tuple[str, one_time.FreshCodes]:
    """The app counts from now on. Returns this browser's new session id, and the recovery codes to show. Raises WrongCode."""
    user_id = user_id_of(visitor)
    proof = await proofs.by_app(user_id, code, confirmed=False)
    fresh = await one_time.fresh_recovery_codes()
    async with writing() as tx:
        session_id = await second.confirm(tx, user_id, proof, session_hash=visitor.session_hash, now=clock.now())
        await second.keep_recovery_codes(tx, user_id, fresh)
    return session_id, fresh


async def _unconfirmed_secret(db: AsyncSession, visitor: Visitor) -> str:
    app = await queries.authenticator(db, user_id_of(visitor))
    return unseal(app.sealed_secret) if app and not app.confirmed_at else ""


async def _shown(
    request: Request[Any, Any, Any], db: AsyncSession, visitor: Visitor, form: ConfirmForm, *, status: int = 200
) -> Response[str]:
    user_id = user_id_of(visitor)
    app = await queries.authenticator(db, user_id)
    has_passkey = bool(await queries.passkeys_of(db, user_id))
    context: dict[str, Any] = {
        "app": app if app and app.confirmed_at else None,
        "secret": one_time.spaced(await _unconfirmed_secret(db, visitor)),
        "left": len(await queries.open_recovery_codes(db, user_id)),
        "has_passkey": has_passkey,
        "is_required": _is_required(visitor),
        "may_turn_off": has_passkey or not _is_required(visitor),
    }
    return page(request, "accounts/second_factor.html", status=status, form=form, **context)


def _codes_page(request: Request[Any, Any, Any], visitor: Visitor, fresh: one_time.FreshCodes, *, is_new: bool) -> Response[str]:
    sealed = seal(f"recovery codes of {visitor.user_id}|" + "\n".join(fresh.codes))
    home = rules.HOME[visitor.role] if visitor.lacks_second else "/me/security"
    return page(request, "accounts/second_codes.html", codes=fresh.codes, sealed=sealed, is_new=is_new, home=home)


def _is_required(visitor: Visitor) -> bool:
    return settings().second_factor == "required" and visitor.role != "user"


router = Router("/", route_handlers=[ask, prove, index, begin, picture, confirm, codes, codes_file, off])
