"""Login sessions: begin, end, and when they were last used."""

import secrets
from datetime import datetime

from sqlalchemy import update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts import rules
from app.accounts.actions import attempts
from app.accounts.models import LoginSession, User
from app.core import activity
from app.core.db import changed
from app.core.errors import NotFound, Refused
from app.core.i18n import gettext as _


async def log_in(
    tx: AsyncSession, user: User, *, device: str, now: datetime, waits: bool = False, has_second: bool = False
) -> str:
    """Starts a login session and returns its id, which only the browser keeps.

    The password was checked before this block, so the row is read again: raises Refused when it was changed or
    suspended in the meantime. A session that waits for the second factor signs nobody in, and is no login yet.
    """
    checked_hash = user.password_hash
    present = await locked(tx, user.id or 0)
    if present.is_disabled or present.password_hash != checked_hash:
        raise Refused(_("Your account was changed a moment ago. Sign in again."))
    session_id, id_hash = _new_id()
    times = {"created_at": now, "last_seen_at": now, "proved_at": now}
    tx.add(
        LoginSession(id_hash=id_hash, user_id=present.id or 0, device=device[:200], waits=waits, has_second=has_second, **times)
    )
    if not waits:
        await attempts.forget(tx, present.email)
        await activity.record(tx, "account.logged_in", about=f"user:{present.id}", by=present.id)
    return session_id


async def rotate(tx: AsyncSession, session_hash: str, *, now: datetime, proved: bool = False, has_second: bool = False) -> str:
    """The same login under a new id, which is returned; the old cookie is worth nothing from now on.

    `proved` says that the person has just proved who they are, `has_second` that it was by a second factor. The day it
    began stays, so a login does not live longer by this. Raises Refused when it has ended in the meantime.
    """
    old = await tx.get(LoginSession, session_hash, populate_existing=True)
    if old:
        # A change of password waits for this lock, and then ends the new row too.
        await locked(tx, old.user_id)
    if not old or not await log_out(tx, session_hash, now=now):
        raise Refused(_("You are signed out. Sign in again."))
    session_id, id_hash = _new_id()
    tx.add(
        LoginSession(
            id_hash=id_hash,
            user_id=old.user_id,
            created_at=old.created_at,
            last_seen_at=now,
            proved_at=now if proved else old.proved_at,
            device=old.device,
            has_second=has_second or old.has_second,
        )
    )
    await tx.flush()
    return session_id


async def locked(tx: AsyncSession, user_id: int) -> User:
    """The account as it is now. The lock lets a change of password wait, and then end what is begun here too."""
    locked = select(User).where(User.id == user_id).with_for_update().execution_options(populate_existing=True)
    return (await tx.exec(locked)).one()


async def log_out(tx: AsyncSession, session_hash: str, *, now: datetime) -> bool:
    """Ends one login session; the cookie is worth nothing from now on. Whether this call ended it."""
    live = update(LoginSession).where(col(LoginSession.id_hash) == session_hash, col(LoginSession.ended_at).is_(None))
    return await changed(tx, live.values(ended_at=now)) == 1


async def end_session(tx: AsyncSession, user_id: int, session_hash: str, *, now: datetime) -> None:
    """Signs a user's other browser out. Raises NotFound when the user has no such session."""
    session = await tx.get(LoginSession, session_hash)
    if not session or session.user_id != user_id:
        raise NotFound(_("This browser is not signed in to your account."))
    await log_out(tx, session_hash, now=now)
    await activity.record(tx, "account.session_ended", about=f"user:{user_id}", by=user_id)


async def end_sessions(tx: AsyncSession, user_id: int, *, now: datetime, but: str = "") -> None:
    """Signs a user out everywhere, except in the browser whose session hash is `but`."""
    await changed(
        tx,
        update(LoginSession)
        .where(col(LoginSession.user_id) == user_id, col(LoginSession.ended_at).is_(None), col(LoginSession.id_hash) != but)
        .values(ended_at=now),
    )


async def end_other_sessions(tx: AsyncSession, user_id: int, *, now: datetime, but: str) -> None:
    """What a user asks for who has left a browser signed in somewhere."""
    await end_sessions(tx, user_id, now=now, but=but)
    await activity.record(tx, "account.session_ended", about=f"user:{user_id}", by=user_id)


async def end_all(tx: AsyncSession, user_id: int, *, by: int, now: datetime) -> None:
    """What an admin does for somebody who lost a device."""
    await end_sessions(tx, user_id, now=now)
    await activity.record(tx, "account.session_ended", about=f"user:{user_id}", by=by)


async def note_last_seen(tx: AsyncSession, id_hash: str, *, now: datetime) -> None:
    await changed(
        tx,
        update(LoginSession).where(col(LoginSession.id_hash) == id_hash).values(last_seen_at=now),
    )


def _new_id() -> tuple[str, str]:
    """256 random bits for the browser, and what the row stores of them."""
    session_id = secrets.token_urlsafe(32)
    return session_id, rules.session_hash(session_id)
