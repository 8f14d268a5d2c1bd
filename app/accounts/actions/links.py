"""Links that prove an address: mailed, used once, or void."""

from datetime import datetime

from sqlalchemy import update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import LINK_LIFE, MailedLink, User
from app.core.db import changed
from app.core.errors import Refused
from app.core.i18n import gettext as _


async def use_link(tx: AsyncSession, kind: str, link_id: str, *, now: datetime) -> MailedLink:
    """Uses up a mailed link, once. Raises Refused when it was used before or is too old."""
    used = await changed(
        tx,
        update(MailedLink)
        .where(col(MailedLink.id) == link_id, col(MailedLink.kind) == kind)
        .where(col(MailedLink.used_at).is_(None), col(MailedLink.expires_at) > now)
        .values(used_at=now),
    )
    if used != 1:
        raise Refused(_("This link was used before or is too old."))
    return await tx.get_one(MailedLink, link_id, populate_existing=True)


async def new_link(
    tx: AsyncSession,
    kind: str,
    email: str,
    *,
    now: datetime,
    language: str,
    user_id: int | None = None,
    password_hash: str = "",
    role: str = "user",
    leads_to: str = "",
) -> MailedLink:
    link = MailedLink(
        kind=kind,
        email=email,
        user_id=user_id,
        password_hash=password_hash,
        role=role,
        language=language,
        leads_to=leads_to,
        created_at=now,
        expires_at=now + LINK_LIFE[kind],
    )
    tx.add(link)
    await tx.flush()
    return link


async def dead_link(tx: AsyncSession, kind: str, email: str, *, now: datetime, user_id: int | None = None) -> MailedLink:
    """A row that was over before it began, for an address that gets no link; nobody can open it and nothing is mailed."""
    link = MailedLink(kind=kind, email=email, user_id=user_id, created_at=now, expires_at=now + LINK_LIFE[kind], used_at=now)
    tx.add(link)
    await tx.flush()
    return link


async def void_links(tx: AsyncSession, kind: str, email: str, *, now: datetime) -> None:
    """Older links of this kind to the address cannot be used any more."""
    await changed(
        tx,
        update(MailedLink)
        .where(col(MailedLink.kind) == kind, col(MailedLink.email) == email, col(MailedLink.used_at).is_(None))
        .values(used_at=now),
    )


async def void_links_of(tx: AsyncSession, user: User, kind: str, *, now: datetime) -> None:
    """The same for a user's links to whatever address."""
    await changed(
        tx,
        update(MailedLink)
        .where(col(MailedLink.kind) == kind, col(MailedLink.user_id) == user.id, col(MailedLink.used_at).is_(None))
        .values(used_at=now),
    )
