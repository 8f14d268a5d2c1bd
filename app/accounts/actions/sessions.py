"""Login sessions: begin, end, and when they were last used."""

import secrets
from datetime import datetime, timedelta

from sqlalchemy import update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts import rules
from app.accounts.models import LoginSession, User
from app.core import activity, limits
from app.core.db import changed
from app.core.errors import NotFound, Refused
from app.core.i18n import gettext as _

NOTED_EVERY = timedelta(minutes=5)


async def log_in(tx: AsyncSession, user: User, *, device: str, now: datetime) -> str:
    """Starts a login session and returns its id, which only the browser keeps.

    The password was checked before this block, so the row is read again: raises Refused when it was changed or
    suspended in the meantime. The lock lets a change of password wait, and then end this session too.
    """
    locked = select(User).where(User.id == user.id).with_for_update().execution_options(populate_existing=True)
    checked_hash = user.password_hash
    present = (await tx.exec(locked)).one()
    if present.is_disabled or present.password_hash != checked_hash:
        raise Refused(_("Your account was changed a moment ago. Sign in again."))
    session_id = secrets.token_urlsafe(32)
    assert present.id is not None
    tx.add(
        LoginSession(
            id_hash=rules.session_hash(session_id), user_id=present.id, created_at=now, last_seen_at=now, device=device[:200]
        )
    )
    await limits.forget(tx, rules.login_key(present.email))
    await activity.record(tx, "account.logged_in", about=f"user:{present.id}", by=present.id)
    return session_id


async def log_out(tx: AsyncSession, session_hash: str, *, now: datetime) -> None:
    """Ends one login session; the cookie is worth nothing from now on."""
    await changed(
        tx,
        update(LoginSession)
        .where(col(LoginSession.id_hash) == session_hash, col(LoginSession.ended_at).is_(None))
        .values(ended_at=now),
    )


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


def should_note_last_seen(session: LoginSession, *, now: datetime) -> bool:
    """Once in a while is enough, so that reading a page does not write each time."""
    return now - session.last_seen_at >= NOTED_EVERY


async def note_last_seen(tx: AsyncSession, id_hash: str, *, now: datetime) -> None:
    await changed(
        tx,
        update(LoginSession).where(col(LoginSession.id_hash) == id_hash).values(last_seen_at=now),
    )
