"""Stories with a slow step: hashing a password takes about a quarter of a second, so no writing block is open meanwhile."""

import asyncio
import base64
import hashlib
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from types import MappingProxyType
from typing import TypeVar

import bcrypt

from app.accounts import queries, rules
from app.accounts.actions import attempts, details, opening
from app.accounts.models import User
from app.core import clock, limits, logs
from app.core.db import outside_writing, reading, writing
from app.core.errors import NotFound, Refused, TooMany, Unavailable
from app.core.i18n import gettext as _
from app.core.settings import settings

T = TypeVar("T")

# One core stays free: with a thread on each, ten logins a second would make every page wait for them.
THREADS = max(1, (os.cpu_count() or 2) - 1)

# Beyond this many, waiting longer would only help whoever wants the shop to stand still.
MOST_WAITING = 50

_waiting = 0


class WrongPassword(Refused):
    """Belongs into the form that asked."""

    status = 422


class TooManyFailed(WrongPassword):
    """No password is heard any more until the account was opened in another way."""


async def hash_password(password: str) -> str:
    """A bcrypt hash at the cost of the settings. Raises Unavailable when too many are waiting."""
    cost = settings().bcrypt_cost
    return await _in_a_thread(lambda: bcrypt.hashpw(_prehash(password), bcrypt.gensalt(cost)).decode())


async def is_right(password: str, password_hash: str) -> bool:
    """Whether the password belongs to the hash. An empty hash takes as long as a real one and is never right."""
    wanted = password_hash or _hash_of_nothing(settings().bcrypt_cost)
    return await _in_a_thread(lambda: _check(password, wanted)) and bool(password_hash)


async def register(email: str, password: str, *, language: str) -> None:
    """Mails what the address needs: a link that opens the account, or that one exists. Nobody else can tell which."""
    password_hash = await hash_password(password)
    if await _is_too_often(f"register:email:{rules.email_key(email)}", most=1, seconds=120):
        return
    async with writing() as tx:
        await opening.ask_to_register(tx, email, password_hash=password_hash, language=language, now=clock.now())


async def ask_for_reset(email: str) -> None:
    """Mails a link for a new password when the address has an account; says nothing either way."""
    if await _is_too_often(f"forgot:email:{rules.email_key(email)}", most=3, seconds=3600):
        return
    async with writing() as tx:
        await details.ask_for_reset(tx, email, now=clock.now())


async def prove(email: str, password: str, *, known: Mapping[str, str] = MappingProxyType({})) -> User:
    """The user whose address and password these are.

    `known` names this browser to each account, by the account's code, that was signed in here before: it is counted apart,
    so that strangers who fail do not lock the owner out. Raises WrongPassword, with the same sentence and after the same
    work, for an unknown address, a wrong password and a suspended account; TooMany during a pause; TooManyFailed when only
    mail helps. The last two look the same for addresses without an account.
    """
    async with reading() as db:
        user = await queries.by_email(db, email)
    await _try_once(email, browser=known.get(user.code, "") if user else "", user=user)
    right = await is_right(password, user.password_hash if user else "")
    if not user or not right or user.is_disabled:
        logs.security("login_failed", about=_about(user))
        raise WrongPassword(_("Email or password do not match. Try again or set a new password."))
    return await _at_present_cost(user, password)


async def prove_again(user_id: int, password: str) -> User:
    """The user, who has typed the present password before something that matters.

    Only somebody who is signed in to the account gets here, and such tries are counted apart from those of strangers.
    Raises WrongPassword, TooMany or TooManyFailed.
    """
    async with reading() as db:
        user = await queries.by_id(db, user_id)
    if not user:
        raise NotFound(_("This account does not exist."))
    await _try_once(user.email, browser="again", user=user)
    if not await is_right(password, user.password_hash):
        logs.security("login_failed", about=_about(user))
        raise WrongPassword(_("This is not your present password. Try again."))
    return await _at_present_cost(user, password)


async def _try_once(email: str, *, browser: str, user: User | None) -> None:
    async with writing() as tx:
        wait = await attempts.try_once(tx, email, browser=browser, now=clock.now())
    if wait == 0:
        return
    logs.security("login_held_back", about=_about(user), known_browser=bool(browser), wait=wait)
    if wait is None:
        raise TooManyFailed(_("There were too many tries with this address. Set a new password by email."))
    sentence = _("There were many tries with this address. Wait a moment, or set a new password by email.")
    raise TooMany(sentence, retry_after=wait)


def _about(user: User | None) -> str:
    """Who was meant, for the log: a number and never an address."""
    return f"user:{user.id}" if user else "nobody"


async def _at_present_cost(user: User, password: str) -> User:
    """Hashes a right password anew when the operator has changed the cost; the user keeps the old hash until it is stored."""
    if _cost(user.password_hash) == settings().bcrypt_cost:
        return user
    try:
        password_hash = await hash_password(password)
    except Unavailable:
        # The next login does it.
        return user
    async with writing() as tx:
        if await details.hash_anew(tx, user, password_hash=password_hash):
            user.password_hash = password_hash
            return user
    # Somebody else wrote meanwhile: another login that hashed anew too, or a change of the password.
    async with reading() as db:
        present = await queries.by_email(db, user.email)
    if not present or not await is_right(password, present.password_hash):
        raise WrongPassword(_("Email or password do not match. Try again or set a new password."))
    return present


async def _is_too_often(key: str, *, most: int, seconds: int) -> bool:
    """Counts; the caller stays silent, because an answer would tell a stranger about someone else's address."""
    try:
        await limits.count(key, most=most, seconds=seconds)
    except TooMany:
        return True
    return False


async def _in_a_thread(work: Callable[[], T]) -> T:
    global _waiting
    outside_writing("Hashing")
    if _waiting >= MOST_WAITING:
        raise Unavailable(_("Many people are signing in at this moment. Try again in a few seconds."))
    _waiting += 1
    try:
        return await asyncio.get_running_loop().run_in_executor(_pool(), work)
    finally:
        _waiting -= 1


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, thread_name_prefix="hashing")


def _prehash(password: str) -> bytes:
    """bcrypt takes 72 bytes and stops at NUL, so it gets a digest without either."""
    return base64.b64encode(hashlib.sha256(rules.canonical(password).encode()).digest())


def _check(password: str, password_hash: str) -> bool:
    try:
        return bcrypt.checkpw(_prehash(password), password_hash.encode())
    except ValueError:
        return False


def _cost(password_hash: str) -> int:
    """The work that a hash was made with, such as 12 for "$2b$12$…"; the hash was right a moment ago, so it has this form."""
    return int(password_hash.split("$")[2])


def _hash_of_nothing(cost: int) -> str:
    """Has the shape and the cost of a hash and no password, for addresses that we do not know."""
    return f"$2b${cost:02d}${'.' * 53}"
