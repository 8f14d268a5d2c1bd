"""Managers: made, invited, trusted."""

from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts import queries
from app.accounts.actions import details, links, opening, sessions
from app.accounts.models import MailedLink, User
from app.core import activity
from app.core.db import changed
from app.core.errors import Refused
from app.core.i18n import gettext as _


async def make_manager(tx: AsyncSession, email: str, *, by: int | None, language: str, now: datetime) -> bool:
    """Someone with an account becomes a manager at once (True); any other address is invited by mail (False).

    Raises Refused for managers, admins and suspended accounts.
    """
    user = await queries.by_email(tx, email)
    if user:
        await promote(tx, user, by=by, now=now)
        return True
    await links.void_links(tx, "invitation", email, now=now)
    link = await links.new_link(tx, "invitation", email, now=now, role="manager", language=language)
    await activity.record(tx, "manager.invited", about=f"link:{link.id}", by=by, role="manager")
    return False


async def accept_invitation(tx: AsyncSession, link: MailedLink, *, name: str, password_hash: str, now: datetime) -> User:
    """The manager whom a used "invitation" link invited.

    Whoever has registered with the address since then keeps the account: the link proves the address as well as a reset
    link does, so the account gets the new name, password and role. Raises Refused when it is suspended or a manager's already.
    """
    user = await queries.by_email(tx, link.email)
    if not user:
        made = await opening.new_user(
            tx, link.email, password_hash=password_hash, role=link.role, language=link.language, now=now
        )
        made.name = name
        return made
    await promote(tx, user, by=user.id, now=now)
    await details.change_password(tx, user, password_hash=password_hash, now=now)
    await changed(tx, update(User).where(col(User.id) == user.id).values(name=name))
    await tx.refresh(user)
    return user


async def trust(tx: AsyncSession, user: User, *, by: int, now: datetime) -> None:
    """From now on the manager publishes without a review. Raises Refused for anyone but an active manager not yet trusted."""
    untrusted = update(User).where(*_active_manager(user), col(User.trusted_at).is_(None))
    if not await changed(tx, untrusted.values(trusted_at=now)):
        raise Refused(_("Only a manager who can sign in and is not trusted yet can be trusted."))
    await activity.record(tx, "manager.trusted", about=f"user:{user.id}", by=by)


async def untrust(tx: AsyncSession, user: User, *, by: int) -> None:
    """The manager's next events wait for a review again; what is public stays public. Raises Refused for anyone not trusted."""
    trusted = update(User).where(col(User.id) == user.id, col(User.trusted_at).is_not(None))
    if not await changed(tx, trusted.values(trusted_at=None)):
        raise Refused(_("This manager is not trusted."))
    await activity.record(tx, "manager.untrusted", about=f"user:{user.id}", by=by)


async def promote(tx: AsyncSession, user: User, *, by: int | None, now: datetime) -> None:
    """From user to manager. The role is part of what a session may do, so all of them end.

    Raises Refused for managers, admins and suspended accounts.
    """
    users = update(User).where(col(User.id) == user.id, col(User.role) == "user", col(User.disabled_at).is_(None))
    if not await changed(tx, users.values(role="manager")):
        suspended = _("This account is suspended.")
        raise Refused(suspended if user.is_disabled else _("This person is a manager or an admin already."))
    assert user.id is not None
    await sessions.end_sessions(tx, user.id, now=now)
    await links.void_links(tx, "invitation", user.email, now=now)
    await activity.record(tx, "manager.promoted", about=f"user:{user.id}", by=by, roles=["user", "manager"])


def _active_manager(user: User) -> tuple[Any, ...]:
    return (col(User.id) == user.id, col(User.role) == "manager", col(User.disabled_at).is_(None))
