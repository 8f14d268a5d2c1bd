"""A user asks to become a manager; an admin says yes, or no with a reason."""

from datetime import datetime

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.actions import managers
from app.accounts.models import Application, User
from app.core import activity
from app.core.db import changed
from app.core.errors import Refused
from app.core.i18n import gettext as _


async def apply(tx: AsyncSession, user: User, *, organisation: str, website: str, why: str, now: datetime) -> Application:
    """The wish of a user, which every admin is told of. Raises Refused for managers, and while an earlier one is open."""
    if user.role != "user":
        raise Refused(_("You are a manager already."))
    wish = Application(user_id=user.id or 0, organisation=organisation, website=website, why=why, created_at=now)
    try:
        async with tx.begin_nested():
            tx.add(wish)
            await tx.flush()
    except IntegrityError:
        raise Refused(_("You have applied already. An admin will answer.")) from None
    await activity.record(tx, "manager.applied", about=f"user:{user.id}", by=user.id, application=wish.id)
    return wish


async def approve(tx: AsyncSession, wish: Application, user: User, *, by: int, now: datetime) -> None:
    """The user becomes a manager. Raises Refused when somebody has decided before, or the account is suspended."""
    await _decide(tx, wish, to="approved", reason="", by=by, now=now)
    await managers.promote(tx, user, by=by, now=now)


async def reject(tx: AsyncSession, wish: Application, *, reason: str, by: int, now: datetime) -> None:
    """The user reads the reason and may apply again. Raises Refused when somebody has decided before."""
    await _decide(tx, wish, to="rejected", reason=reason, by=by, now=now)
    await activity.record(tx, "manager.application_rejected", about=f"user:{wish.user_id}", by=by, application=wish.id)


async def _decide(tx: AsyncSession, wish: Application, *, to: str, reason: str, by: int, now: datetime) -> None:
    still_open = update(Application).where(col(Application.id) == wish.id, col(Application.state) == "open")
    if not await changed(tx, still_open.values(state=to, reason=reason, decided_at=now, decided_by=by)):
        raise Refused(_("This application was decided before."))
