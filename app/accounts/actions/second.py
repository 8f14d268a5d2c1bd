"""The second factor: an authenticator app and recovery codes. Set up, confirmed, used, removed."""

from datetime import datetime
from typing import NamedTuple, NoReturn

from sqlalchemy import delete, update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts import one_time, queries
from app.accounts.actions import sessions
from app.accounts.models import Authenticator, LoginSession, Passkey, RecoveryCode, User
from app.accounts.one_time import FreshCodes
from app.core import activity, limits
from app.core.db import changed
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.core.sealing import seal


class WrongCode(Refused):
    """Belongs into the form that asked."""

    status = 422


class Proof(NamedTuple):
    """A code that fits and is still to be used up: a step of the app, or a recovery code."""

    step: int | None = None
    recovery_id: int | None = None


def counters(user_id: int) -> tuple[tuple[str, int, int], ...]:
    """(key, most, seconds) of the limits on codes that are tried for an account.

    An app's code is one in a million: whoever has the password must not get through by patience either, so days count too.
    """
    return (f"second:user:{user_id}", 5, 300), (f"second:day:{user_id}", 50, 86_400)


async def begin(tx: AsyncSession, user_id: int, *, now: datetime) -> None:
    """A new secret for an app, which counts once its first code came back. Raises Refused when an app is set up already."""
    unconfirmed = delete(Authenticator).where(col(Authenticator.user_id) == user_id, col(Authenticator.confirmed_at).is_(None))
    await changed(tx, unconfirmed)
    if await tx.get(Authenticator, user_id):
        raise Refused(_("An app is set up already. Turn it off before you set up another one."))
    tx.add(Authenticator(user_id=user_id, sealed_secret=seal(one_time.new_secret()), created_at=now))
    await tx.flush()


async def confirm(tx: AsyncSession, user_id: int, proof: Proof, *, session_hash: str, now: datetime) -> str:
    """The app counts from now on; every other browser is signed out. Returns this one's new session id. Raises WrongCode."""
    # A login that goes on at this moment with only a password waits for this lock, or is ended below.
    await sessions.locked(tx, user_id)
    waiting = update(Authenticator).where(col(Authenticator.user_id) == user_id, col(Authenticator.confirmed_at).is_(None))
    if not await changed(tx, waiting.values(confirmed_at=now, last_step=proof.step)):
        refuse()
    await added(tx, user_id, session_hash=session_hash, now=now)
    await _forget_tries(tx, user_id)
    return await sessions.rotate(tx, session_hash, now=now, proved=True, has_second=True)


async def added(tx: AsyncSession, user_id: int, *, session_hash: str, now: datetime) -> None:
    """What follows from a new second factor of any kind: other browsers are signed out, and the account is told."""
    await sessions.end_sessions(tx, user_id, now=now, but=session_hash)
    await activity.record(tx, "account.second_factor_added", about=f"user:{user_id}", by=user_id)


async def use(tx: AsyncSession, user_id: int, proof: Proof, *, now: datetime) -> None:
    """Uses a code up. Raises WrongCode when it was used before, be it at this very moment in another process."""
    if proof.recovery_id is None:
        newer = update(Authenticator).where(
            col(Authenticator.user_id) == user_id,
            col(Authenticator.confirmed_at).is_not(None),
            col(Authenticator.last_step) < proof.step,
        )
        if not await changed(tx, newer.values(last_step=proof.step)):
            refuse()
    else:
        unused = update(RecoveryCode).where(
            col(RecoveryCode.id) == proof.recovery_id, col(RecoveryCode.user_id) == user_id, col(RecoveryCode.used_at).is_(None)
        )
        if not await changed(tx, unused.values(used_at=now)):
            refuse()
        await activity.record(tx, "account.recovery_code_used", about=f"user:{user_id}", by=user_id)
    await _forget_tries(tx, user_id)


async def sign_in(tx: AsyncSession, waiting_hash: str, proof: Proof, *, now: datetime) -> tuple[User, str]:
    """The second step of signing in: a whole session in place of the one that waits, as (user, session id).

    Raises WrongCode when the code was used before, Refused when the waiting session has ended.
    """
    waiting = await tx.get(LoginSession, waiting_hash)
    user = await sessions.locked(tx, waiting.user_id) if waiting else None
    if not waiting or not user or not waiting.waits or not await sessions.log_out(tx, waiting_hash, now=now):
        raise Refused(_("That took too long. Sign in again."))
    await use(tx, waiting.user_id, proof, now=now)
    return user, await sessions.log_in(tx, user, device=waiting.device, now=now, has_second=True)


async def keep_recovery_codes(tx: AsyncSession, user_id: int, fresh: FreshCodes) -> None:
    """New recovery codes in place of the old ones, used or not."""
    await changed(tx, delete(RecoveryCode).where(col(RecoveryCode.user_id) == user_id))
    tx.add_all(RecoveryCode(user_id=user_id, salt=fresh.salt, code_hash=code_hash) for code_hash in fresh.hashes)
    await activity.record(tx, "account.recovery_codes_made", about=f"user:{user_id}", by=user_id)


async def turn_off(tx: AsyncSession, user_id: int, *, is_required: bool, session_hash: str, now: datetime) -> None:
    """Removes the app. Raises Refused when the shop requires a second factor of this account and it has no passkey.

    Recovery codes stand in for a passkey too, so they go with the last factor only.
    """
    await sessions.locked(tx, user_id)
    has_passkey = bool(await queries.passkeys_of(tx, user_id))
    if is_required and not has_passkey:
        raise Refused(_("Managers and admins of this shop keep a second factor. Add a passkey before you turn this off."))
    if not await changed(tx, delete(Authenticator).where(col(Authenticator.user_id) == user_id)):
        raise Refused(_("No app is set up."))
    await removed(tx, user_id, by=user_id, session_hash=session_hash, now=now)


async def removed(tx: AsyncSession, user_id: int, *, by: int | None, session_hash: str, now: datetime) -> None:
    """What follows when a second factor of any kind is gone: other browsers are signed out, and the account is told.

    Recovery codes stand in for a factor, so the last one takes them along.
    """
    if not await queries.has_second_factor(tx, user_id):
        await changed(tx, delete(RecoveryCode).where(col(RecoveryCode.user_id) == user_id))
        kept = update(LoginSession).where(col(LoginSession.id_hash) == session_hash)
        await changed(tx, kept.values(has_second=False))
    await sessions.end_sessions(tx, user_id, now=now, but=session_hash)
    await activity.record(tx, "account.second_factor_removed", about=f"user:{user_id}", by=by)


async def reset(tx: AsyncSession, user: User, *, by: int | None = None, now: datetime) -> None:
    """The help of the operator (by nobody), or of two admins, for someone who lost every second factor.

    All browsers are signed out; the password stays.
    """
    assert user.id is not None
    await sessions.locked(tx, user.id)
    for kind in (Authenticator, Passkey, RecoveryCode):
        await changed(tx, delete(kind).where(col(kind.user_id) == user.id))
    await _forget_tries(tx, user.id)
    await removed(tx, user.id, by=by, session_hash="", now=now)


def refuse() -> NoReturn:
    """The answer to every code that cannot be used, whatever the reason."""
    raise WrongCode(_("This code does not fit, or it was used before. Wait for the next one and enter that."))


async def _forget_tries(tx: AsyncSession, user_id: int) -> None:
    for key, _most, _seconds in counters(user_id):
        await limits.forget(tx, key)
