"""Who helps with an event: invited by mail, given other rights, sent away. The address is proved by the mailed link."""

from datetime import datetime
from typing import Any

from sqlalchemy import delete, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts import queries as accounts
from app.accounts.actions import opening
from app.accounts.models import LINK_LIFE, User
from app.core import activity
from app.core.db import changed
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.events.models import RIGHTS, Event, Helper

COLUMNS = dict(zip(RIGHTS, ("may_edit", "may_sell", "may_check_in"), strict=True))


async def invite(tx: AsyncSession, event: Event, email: str, rights: list[str], *, by: int, now: datetime) -> Helper:
    """Invites an address to help; it has no right before it has said yes. Raises Refused for the manager and for the team."""
    manager = await accounts.by_id(tx, event.manager_id)
    if manager and manager.email == email:
        raise Refused(_("This is the event’s own manager, who may do everything."))
    given: dict[str, Any] = {**_given(rights), "event_id": event.id, "email": email, "invited_by": by, "created_at": now}
    helper = Helper(**given)
    try:
        async with tx.begin_nested():
            tx.add(helper)
    except IntegrityError:
        raise Refused(_("This address is in the team already.")) from None
    await activity.record(tx, "helper.invited", about=f"helper:{helper.id}", by=by, event=event.id, rights=rights)
    return helper


async def invite_again(tx: AsyncSession, helper: Helper, *, by: int, now: datetime) -> None:
    """Another mail, and another week, for somebody who has not said yes. Raises Refused for who has."""
    waiting = update(Helper).where(col(Helper.id) == helper.id, col(Helper.joined_at).is_(None))
    if not await changed(tx, waiting.values(created_at=now)):
        raise Refused(_("They have accepted already."))
    told = {"event": helper.event_id, "rights": list(helper.rights)}
    await activity.record(tx, "helper.invited", about=f"helper:{helper.id}", by=by, **told)


async def accept(tx: AsyncSession, code: str, *, now: datetime) -> tuple[Helper, User, bool]:
    """Whoever has the mailed link says yes: (helper, their account, whether it was opened now). Raises Refused for an old link.

    The link proves the address, so it opens an account without a password where there is none.
    """
    helper = (await tx.exec(select(Helper).where(Helper.code == code))).first()
    user = await accounts.by_email(tx, helper.email) if helper else None
    if not helper or (user and user.is_disabled):
        raise Refused(_("This invitation does not hold any more. Ask whoever invited you for another."))
    is_new = user is None
    if user is None:
        inviter = await tx.get_one(User, helper.invited_by)
        user = await opening.new_user(tx, helper.email, password_hash="", role="user", language=inviter.language, now=now)
    waiting = update(Helper).where(col(Helper.id) == helper.id, col(Helper.joined_at).is_(None))
    in_time = waiting.where(col(Helper.created_at) > now - LINK_LIFE["invitation"])
    if not await changed(tx, in_time.values(joined_at=now, user_id=user.id)):
        raise Refused(_("This invitation was accepted before or is too old."))
    await activity.record(tx, "helper.joined", about=f"helper:{helper.id}", by=user.id, event=helper.event_id)
    return helper, user, is_new


async def give(tx: AsyncSession, helper: Helper, rights: list[str], *, by: int) -> None:
    """Exactly these rights from now on."""
    await changed(tx, update(Helper).where(col(Helper.id) == helper.id).values(**_given(rights)))
    before = list(helper.rights)
    if before != rights:
        await activity.record(
            tx, "helper.changed", about=f"helper:{helper.id}", by=by, event=helper.event_id, rights=rights, before=before
        )


async def remove(tx: AsyncSession, helper: Helper, *, by: int) -> None:
    """Somebody helps no longer, or was never to."""
    if await changed(tx, delete(Helper).where(col(Helper.id) == helper.id)):
        await activity.record(tx, "helper.removed", about=f"helper:{helper.id}", by=by, event=helper.event_id)


def _given(rights: list[str]) -> dict[str, bool]:
    return {column: right in rights for right, column in COLUMNS.items()}
