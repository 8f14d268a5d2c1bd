"""Questions with one answer: asked of a passkey or of an OpenID provider, answered once and in time."""

from datetime import datetime

from sqlalchemy import update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import CHALLENGE_LIFE, Challenge, Person
from app.core.db import changed
from app.core.errors import Refused
from app.core.i18n import gettext as _


class TooLate(Refused):
    """Nobody asked this, or not any more: the way in begins anew."""

    status = 422


async def new_challenge(
    tx: AsyncSession,
    kind: str,
    *,
    now: datetime,
    user_id: int | None = None,
    verifier: str = "",
    person: Person | None = None,
    leads_to: str = "",
) -> Challenge:
    challenge = Challenge(
        kind=kind,
        user_id=user_id,
        verifier=verifier,
        issuer=person.issuer if person else "",
        subject=person.subject if person else "",
        email=person.email if person else "",
        leads_to=leads_to,
        expires_at=now + CHALLENGE_LIFE[kind],
    )
    tx.add(challenge)
    await tx.flush()
    return challenge


async def use_challenge(tx: AsyncSession, kind: str, *, now: datetime, id: str = "", nonce: str = "") -> Challenge:
    """Uses up the question with this id or nonce, whatever the answer turns out to be. Raises TooLate."""
    asked = (col(Challenge.kind) == kind, col(Challenge.id) == id if id else col(Challenge.nonce) == nonce)
    used = await changed(
        tx,
        update(Challenge).where(*asked, col(Challenge.used_at).is_(None), col(Challenge.expires_at) > now).values(used_at=now),
    )
    if used != 1:
        raise TooLate(_("This took too long or was done before. Start again."))
    return (await tx.exec(select(Challenge).where(*asked).execution_options(populate_existing=True))).one()
