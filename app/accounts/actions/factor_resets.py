"""Somebody lost every second factor: one admin asks to take it away, another one does it.

Where there is no other admin, the one who asked may do it a day later. The owner is told at once, and `python main.py
reset-second-factor` needs nobody else: whoever can run it owns the machine.
"""

from datetime import datetime

from sqlalchemy import delete
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts import queries
from app.accounts.actions import second
from app.accounts.models import FactorReset, User
from app.core import activity
from app.core.db import changed
from app.core.errors import Refused
from app.core.i18n import gettext as _


async def ask(tx: AsyncSession, user: User, *, by: int, now: datetime) -> None:
    """Writes the wish down and tells the owner. Raises Refused for one's own account, and where there is no second factor."""
    if user.id == by:
        raise Refused(_("Change your own second factor on your security page."))
    if not await queries.has_second_factor(tx, user.id or 0):
        raise Refused(_("This account has no second factor."))
    present = await tx.get(FactorReset, user.id)
    if present and present.counts(now):
        raise Refused(_("An admin has asked for this already."))
    await changed(tx, delete(FactorReset).where(col(FactorReset.user_id) == user.id))
    tx.add(FactorReset(user_id=user.id or 0, asked_by=by, asked_at=now))
    await tx.flush()
    await activity.record(tx, "account.second_factor_reset_asked", about=f"user:{user.id}", by=by)


async def carry_out(tx: AsyncSession, user: User, *, by: int, now: datetime) -> None:
    """Takes the second factors away; every browser is signed out, the password stays.

    Raises Refused when nobody has asked, and for the admin who has, while another could do it or the day is not over.
    """
    wish = await tx.get(FactorReset, user.id)
    if not wish or not wish.counts(now):
        raise Refused(_("Nobody has asked for this, or too long ago."))
    if wish.asked_by == by:
        await _alone(tx, wish, now=now)
    if not await _taken(tx, wish):
        raise Refused(_("Another admin was faster."))
    await second.reset(tx, user, by=by, now=now)


async def withdraw(tx: AsyncSession, user: User, *, by: int) -> None:
    """Nothing is taken away. Raises Refused when nobody has asked."""
    wish = await tx.get(FactorReset, user.id)
    if not wish or not await _taken(tx, wish):
        raise Refused(_("Nobody has asked for this, or too long ago."))
    await activity.record(tx, "account.second_factor_reset_withdrawn", about=f"user:{user.id}", by=by)


async def _alone(tx: AsyncSession, wish: FactorReset, *, now: datetime) -> None:
    others = set(await queries.active_admins(tx)) - {wish.asked_by, wish.user_id}
    if others:
        raise Refused(_("Another admin confirms this: one pair of eyes is not enough."))
    if now < wish.alone_from:
        raise Refused(_("There is no other admin, so a day passes before you can do this alone."))


async def _taken(tx: AsyncSession, wish: FactorReset) -> bool:
    """Whether this caller uses the wish up."""
    same = delete(FactorReset).where(col(FactorReset.user_id) == wish.user_id, col(FactorReset.asked_at) == wish.asked_at)
    return await changed(tx, same) == 1
