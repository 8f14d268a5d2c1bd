"""Passkeys: signing in with one, and the list of those that an account has.

The browser and the device talk to each other by script, so these forms answer in JSON: what to ask the device, or a sentence
that says what was wrong. Where to go next stands in a header, as for htmx.
"""

import json
from typing import Any

from litestar import MediaType, Request, Response, Router, get, post
from litestar.exceptions import SerializationException
from litestar.params import FromPath

from app.accounts import queries, rules, webauthn
from app.accounts.actions import challenges, passkeys
from app.accounts.models import Passkey, User, Visitor
from app.accounts.pages.common import enter, user_id_of
from app.core import clock, logs
from app.core.db import reading, writing
from app.core.errors import NotFound, Refused, TooMany
from app.core.i18n import gettext as _
from app.core.i18n import lazy
from app.core.settings import settings
from app.web import limits
from app.web.forms import BaseForm, plain, read, text
from app.web.page import page, see_other
from app.web.visitor import Db, Who, login_cookie, proved_lately, signed_in

LIST = "/me/security/passkeys"
LONGEST_NAME = 60


class NameForm(BaseForm):
    name = text(lazy("Name"), most=LONGEST_NAME, missing=lazy("Enter a name"))


def _in_json(_request: Request[Any, Any, Any], refused: Refused) -> Response[str]:
    """What the script puts beside its button."""
    logs.security("passkey_refused", why=type(refused).__name__)
    answer = _json(json.dumps({"sentence": refused.sentence}), status=refused.status)
    if isinstance(refused, TooMany):
        answer.headers["Retry-After"] = str(refused.retry_after)
    return answer


IN_JSON: dict[Any, Any] = {Refused: _in_json}


# ---------- signing in ----------


@post("/login/passkey/options", exception_handlers=IN_JSON)
async def ask(request: Request[Any, Any, Any], visitor: Who) -> Response[str]:
    """A question for a passkey: of whoever is known already, else of whoever it turns out to be."""
    _possible()
    await limits.count(request, "passkey")
    async with writing() as tx:
        user_id = await _known(tx, visitor)
        allowed = await queries.passkeys_of(tx, user_id) if user_id else []
        challenge = await challenges.new_challenge(tx, "passkey_use", user_id=user_id, now=clock.now())
    return _json(webauthn.request_options(challenge.nonce, allowed))


@post("/login/passkey", exception_handlers=IN_JSON)
async def come_in(request: Request[Any, Any, Any], visitor: Who) -> Response[str]:
    """Signs in, is the second factor, and proves again who somebody is: a passkey is enough for each."""
    await limits.count(request, "passkey")
    sent = await _sent(request)
    user = await _proved(_answer(sent))
    return await enter(request, visitor, user, by="passkey", next=str(sent.get("next", "")))


async def _known(db: Any, visitor: Visitor) -> int | None:
    """Who is signed in here, or has proved the first factor of an account with passkeys."""
    waiting = await queries.waiting(db, visitor.waiting_hash)
    if waiting and await queries.passkeys_of(db, waiting.user_id):
        return waiting.user_id
    return visitor.user_id


async def _proved(answer: webauthn.Answer) -> User:
    """Whose passkey has answered. The question is used up before the answer is looked at. Raises Refused."""
    now = clock.now()
    async with writing() as tx:
        challenge = await challenges.use_challenge(tx, "passkey_use", nonce=webauthn.nonce_of(answer), now=now)
    async with reading() as db:
        found = await queries.passkey_and_user(db, webauthn.credential_id_of(answer))
    if not found or found[1].is_disabled or challenge.user_id not in (None, found[1].id):
        raise webauthn.WrongAnswer(_("This passkey opens no account here. Sign in another way."))
    passkey, user = found
    count = webauthn.sign_count(answer, challenge.nonce, passkey, user)
    async with writing() as tx:
        went_on = await passkeys.note_use(tx, passkey, sign_count=count, now=now)
    if not went_on:
        raise webauthn.WrongAnswer(_("This passkey may have been copied, so it was not accepted. Sign in another way."))
    return user


# ---------- the list ----------


@get("/me/security/passkeys")
async def index(request: Request[Any, Any, Any], db: Db, visitor: Who) -> Response[str]:
    found = await queries.passkeys_of(db, user_id_of(visitor))
    return page(request, "accounts/passkeys.html", passkeys=found, is_possible=bool(settings().passkey_host))


@get("/me/security/passkeys/new", guards=[proved_lately])
async def new(request: Request[Any, Any, Any]) -> Response[str]:
    if not settings().passkey_host:
        return see_other(request, LIST)
    named = rules.device_name(request.headers.get("User-Agent", ""))
    return page(request, "accounts/passkey_new.html", form=NameForm(data={"name": named}))


@post("/me/security/passkeys/options", guards=[proved_lately], exception_handlers=IN_JSON)
async def ask_to_add(visitor: Who) -> Response[str]:
    _possible()
    user_id = user_id_of(visitor)
    async with writing() as tx:
        user, known = await queries.by_id(tx, user_id), await queries.passkeys_of(tx, user_id)
        challenge = await challenges.new_challenge(tx, "passkey_add", user_id=user_id, now=clock.now())
    if not user:
        raise NotFound(_("This account does not exist."))
    return _json(webauthn.creation_options(user, challenge.nonce, known))


@post("/me/security/passkeys", guards=[proved_lately], exception_handlers=IN_JSON)
async def add(request: Request[Any, Any, Any], visitor: Who) -> Response[str]:
    sent = await _sent(request)
    answer, now = _answer(sent), clock.now()
    async with writing() as tx:
        challenge = await challenges.use_challenge(tx, "passkey_add", nonce=webauthn.nonce_of(answer), now=now)
    if challenge.user_id != visitor.user_id:
        raise webauthn.WrongAnswer(_("This passkey was made for another account."))
    passkey = _passkey(visitor, sent, webauthn.new_key(answer, challenge.nonce))
    async with writing() as tx:
        session_id = await passkeys.add(tx, passkey, session_hash=visitor.session_hash, now=now)
        codes = await queries.open_recovery_codes(tx, passkey.user_id)
    response = see_other(request, LIST, flash=_("Your passkey is saved.")) if codes else _to_codes(request)
    response.set_cookie(login_cookie(session_id, visitor.role))
    return response


def _to_codes(request: Request[Any, Any, Any]) -> Response[str]:
    """A device gets lost: whoever has no recovery codes is shown where they are made."""
    said = _("Your passkey is saved. Make recovery codes now, for the day on which your device is not there.")
    return see_other(request, "/me/security/second-factor", flash=said)


def _passkey(visitor: Visitor, sent: dict[str, Any], key: webauthn.NewKey) -> Passkey:
    name = plain(sent["name"]) if isinstance(sent.get("name"), str) else ""
    printable = "".join(letter for letter in name if letter.isprintable())[:LONGEST_NAME]
    return Passkey(
        user_id=user_id_of(visitor),
        name=printable or _("Passkey"),
        credential_id=key.credential_id,
        public_key=key.public_key,
        sign_count=key.sign_count,
        created_at=clock.now(),
    )


@get("/me/security/passkeys/{code:str}")
async def edit(request: Request[Any, Any, Any], db: Db, visitor: Who, code: FromPath[str]) -> Response[str]:
    passkey = await _own(db, visitor, code)
    return page(request, "accounts/passkey.html", passkey=passkey, form=NameForm(data={"name": passkey.name}))


@post("/me/security/passkeys/{code:str}")
async def rename(request: Request[Any, Any, Any], db: Db, visitor: Who, code: FromPath[str]) -> Response[str]:
    passkey = await _own(db, visitor, code)
    form = await read(NameForm, request)
    if form.rejected:
        return page(request, "accounts/passkey.html", status=form.status, passkey=passkey, form=form)
    async with writing() as tx:
        await passkeys.rename(tx, await _own(tx, visitor, code), form.name.data)
    return see_other(request, LIST, flash=_("The name is saved."))


@get("/me/security/passkeys/{code:str}/remove", guards=[proved_lately])
async def ask_to_remove(request: Request[Any, Any, Any], db: Db, visitor: Who, code: FromPath[str]) -> Response[str]:
    return page(request, "accounts/passkey_remove.html", passkey=await _own(db, visitor, code))


@post("/me/security/passkeys/{code:str}/remove", guards=[proved_lately])
async def remove(request: Request[Any, Any, Any], visitor: Who, code: FromPath[str]) -> Response[str]:
    async with writing() as tx:
        passkey = await _own(tx, visitor, code)
        is_required = settings().second_factor == "required" and visitor.role != "user"
        await passkeys.remove(tx, passkey, is_required=is_required, session_hash=visitor.session_hash, now=clock.now())
    return see_other(request, LIST, flash=_("The passkey is removed."))


async def _own(db: Any, visitor: Visitor, code: str) -> Passkey:
    passkey = await queries.own_passkey(db, user_id_of(visitor), code)
    if not passkey:
        raise NotFound(_("Your account has no such passkey."))
    return passkey


# ---------- what scripts send and get ----------


def _possible() -> None:
    if not settings().passkey_host:
        raise NotFound(_("There are no passkeys at this address, because browsers make them only for names."))


async def _sent(request: Request[Any, Any, Any]) -> dict[str, Any]:
    try:
        sent = await request.json()
    except (SerializationException, ValueError, RecursionError):
        sent = None
    if not isinstance(sent, dict):
        raise webauthn.WrongAnswer(_("This request could not be understood."))
    return sent


def _answer(sent: dict[str, Any]) -> webauthn.Answer:
    answer = sent.get("credential")
    if not isinstance(answer, dict):
        raise webauthn.WrongAnswer(_("This request could not be understood."))
    return answer


def _json(body: str, *, status: int = 200) -> Response[str]:
    return Response(body, status_code=status, media_type=MediaType.JSON, headers={"Cache-Control": "no-store"})


router = Router("/", route_handlers=[ask, come_in])
own_router = Router("/", guards=[signed_in], route_handlers=[index, new, ask_to_add, add, edit, rename, ask_to_remove, remove])
