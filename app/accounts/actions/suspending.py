"""Closing an account's login, and opening it again. Whatever the account sells goes on selling."""

from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.actions import admins, sessions
from app.accounts.models import User
from app.core import activity
from app.core.db import changed
from app.core.errors import Refused
from app.core.i18n import gettext as _


async def suspend(tx: AsyncSession, user: User, *, reason: str, by: int | None, now: datetime) -> None:
    """Closes the login at once and ends a manager's trust. The person is told the reason.

    Raises Refused for one's own account, for the last admin, and for an account that is suspended already.
    """
    if user.id == by:
        raise Refused(_("You cannot suspend yourself. Ask another admin."))
    if user.role == "admin":
        await admins.keep_one(tx, but=user)
    active = update(User).where(col(User.id) == user.id, col(User.role) == user.role, col(User.disabled_at).is_(None))
    if not await changed(tx, active.values(disabled_at=now, disabled_reason=reason, trusted_at=None)):
        raise Refused(_("This account is suspended already, or its role has just changed."))
    await sessions.end_sessions(tx, user.id or 0, now=now)
    told: dict[str, Any] = {"about": f"user:{user.id}", "by": by, "states": ["active", "suspended"]}
    if user.role == "manager":
        await activity.record(tx, "manager.suspended", **told)
    else:
        await activity.record(tx, "account.suspended", **told)


async def reinstate(tx: AsyncSession, user: User, *, by: int | None) -> None:
    """Lets somebody sign in again. Raises Refused for an account that is not suspended, and for one that was erased."""
    suspended = update(User).where(col(User.id) == user.id, col(User.role) == user.role, col(User.disabled_at).is_not(None))
    if user.is_erased or not await changed(tx, suspended.values(disabled_at=None, disabled_reason="")):
        raise Refused(_("Only a suspended account can be reinstated."))
    told: dict[str, Any] = {"about": f"user:{user.id}", "by": by, "states": ["suspended", "active"]}
    if user.role == "manager":
        await activity.record(tx, "manager.reinstated", **told)
    else:
        await activity.record(tx, "account.reinstated", **told)
