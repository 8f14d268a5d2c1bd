"""Passkeys of an account: added, used, named, removed."""

from datetime import datetime

from sqlalchemy import and_, literal, or_, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts import queries
from app.accounts.actions import second, sessions
from app.accounts.models import Passkey
from app.core import activity
from app.core.db import changed
from app.core.errors import Refused
from app.core.i18n import gettext as _

# As many devices as one person has, and then some.
MOST = 20


async def add(tx: AsyncSession, passkey: Passkey, *, session_hash: str, now: datetime) -> str:
    """Keeps a passkey whose answer was checked. Returns the browser's new session id, which has a second factor now.

    With the first one the account has a second factor: browsers that were signed in without one are signed out.
    """
    user_id = passkey.user_id
    await sessions.locked(tx, user_id)
    had_second = await queries.has_second_factor(tx, user_id)
    if len(await queries.passkeys_of(tx, user_id)) >= MOST:
        raise Refused(_("Your account has %(num)s passkeys. Remove one that you do not use.") % {"num": MOST})
    try:
        async with tx.begin_nested():
            tx.add(passkey)
            await tx.flush()
    except IntegrityError:
        raise Refused(_("This passkey is in use already.")) from None
    if not had_second:
        await sessions.end_sessions(tx, user_id, now=now, but=session_hash)
    await activity.record(tx, "account.passkey_added", about=f"user:{user_id}", by=user_id, passkey=passkey.id)
    return await sessions.rotate(tx, session_hash, now=now, has_second=True)


async def note_use(tx: AsyncSession, passkey: Passkey, *, sign_count: int, now: datetime) -> bool:
    """Whether the count of the device went on, as it must: one that stands still or goes back is the mark of a copy.

    Devices that do not count always say 0. A refusal is written down, so the caller keeps this transaction and refuses then.
    """
    before = col(Passkey.sign_count)
    noted = await changed(
        tx,
        update(Passkey)
        .where(col(Passkey.id) == passkey.id, or_(before < sign_count, and_(before == 0, literal(sign_count) == 0)))
        .values(sign_count=sign_count, last_used_at=now),
    )
    if noted != 1:
        details = {"passkey": passkey.id, "count": sign_count}
        await activity.record(tx, "account.passkey_refused", about=f"user:{passkey.user_id}", by=None, **details)
    return noted == 1


async def rename(tx: AsyncSession, passkey: Passkey, name: str) -> None:
    await changed(tx, update(Passkey).where(col(Passkey.id) == passkey.id).values(name=name))
    await activity.record(tx, "account.passkey_renamed", about=f"user:{passkey.user_id}", by=passkey.user_id, passkey=passkey.id)


async def remove(tx: AsyncSession, passkey: Passkey, *, is_required: bool, session_hash: str, now: datetime) -> None:
    """The device keeps its half, which opens nothing any more. Raises Refused for the last second factor where one must be."""
    user_id = passkey.user_id
    await sessions.locked(tx, user_id)
    await tx.delete(passkey)
    await tx.flush()
    await activity.record(tx, "account.passkey_removed", about=f"user:{user_id}", by=user_id, passkey=passkey.id)
    if await queries.has_second_factor(tx, user_id):
        return
    if is_required:
        raise Refused(_("Managers and admins of this shop keep a second factor. Add another one before you remove this."))
    await second.removed(tx, user_id, by=user_id, session_hash=session_hash, now=now)
