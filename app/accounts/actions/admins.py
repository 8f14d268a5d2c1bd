"""Who runs the shop: admins are made of managers, and one always stays."""

from datetime import datetime

from sqlalchemy import update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts import queries
from app.accounts.actions import sessions
from app.accounts.models import User
from app.core import activity
from app.core.db import changed
from app.core.errors import Refused
from app.core.i18n import gettext as _


async def make_admin(tx: AsyncSession, user: User, *, by: int, now: datetime) -> None:
    """From manager to admin; all their browsers are signed out. Raises Refused for anyone but an active manager."""
    await _move(tx, user, roles=("manager", "admin"), by=by, now=now)


async def end_admin(tx: AsyncSession, user: User, *, by: int, now: datetime) -> None:
    """From admin to manager. Raises Refused for one's own account and for the last admin who can sign in."""
    if user.id == by:
        raise Refused(_("You cannot end your own rights. Ask another admin."))
    await keep_one(tx, but=user)
    await _move(tx, user, roles=("admin", "manager"), by=by, now=now)


async def keep_one(tx: AsyncSession, *, but: User) -> None:
    """Raises Refused when nobody else could run the shop.

    The question locks every admin, so two who remove each other at the same moment stand in line.
    """
    if not [admin for admin in await queries.active_admins(tx, lock=True) if admin != but.id]:
        raise Refused(_("This is the last admin who can sign in. Make somebody else an admin first."))


async def _move(tx: AsyncSession, user: User, *, roles: tuple[str, str], by: int, now: datetime) -> None:
    before, after = roles
    active = update(User).where(col(User.id) == user.id, col(User.role) == before, col(User.disabled_at).is_(None))
    if not await changed(tx, active.values(role=after)):
        raise Refused(_("The role or the state of this account has just changed. Look at it again."))
    await sessions.end_sessions(tx, user.id or 0, now=now)
    await activity.record(tx, "manager.role_changed", about=f"user:{user.id}", by=by, roles=list(roles))
