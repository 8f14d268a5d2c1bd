"""Opening an account: asked for with an address, opened by a mailed link or by the operator."""

from datetime import datetime

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts import queries
from app.accounts.actions import links
from app.accounts.models import MailedLink, User
from app.core import activity
from app.core.db import changed
from app.core.errors import Refused
from app.core.i18n import gettext as _


async def ask_to_register(tx: AsyncSession, email: str, *, password_hash: str, language: str, now: datetime) -> None:
    """Writes down what the address is to be mailed: a link that opens the account, or that one exists.

    Both write the same rows, so that the time which the answer takes does not tell which it was.
    """
    existing = await queries.by_email(tx, email)
    if existing:
        await links.dead_link(tx, "register", email, now=now, user_id=existing.id)
        await activity.record(tx, "account.exists", about=f"user:{existing.id}", by=None)
        return
    link = await links.new_link(tx, "register", email, now=now, password_hash=password_hash, language=language)
    await activity.record(tx, "account.registered", about=f"link:{link.id}", by=None)


async def open_account(tx: AsyncSession, link: MailedLink, *, now: datetime) -> User:
    """The account that a used "register" link asked for. Raises Refused when the address has one by now."""
    return await new_user(tx, link.email, password_hash=link.password_hash, role=link.role, language=link.language, now=now)


async def create_admin(tx: AsyncSession, email: str, password_hash: str, *, now: datetime) -> User:
    """The operator's own account, made on the command line. Raises Refused when the address has an account."""
    return await new_user(tx, email.lower(), password_hash=password_hash, role="admin", language="en", now=now)


async def new_user(tx: AsyncSession, email: str, *, password_hash: str, role: str, language: str, now: datetime) -> User:
    """Two links for one address can be opened at the same moment; the unique address lets one of them through."""
    user = User(email=email, password_hash=password_hash, role=role, language=language, created_at=now)
    try:
        async with tx.begin_nested():
            tx.add(user)
            await tx.flush()
    except IntegrityError:
        raise Refused(_("An account with this email address exists already.")) from None
    # What was mailed to the address before belongs to the account from now on, also when its address changes later.
    # A link that somebody opens in this very moment is left out: both would wait for each other, and it opens nothing any more.
    earlier = select(MailedLink.id).where(MailedLink.email == email, col(MailedLink.user_id).is_(None))
    free = earlier.with_for_update(skip_locked=True)
    await changed(tx, update(MailedLink).where(col(MailedLink.id).in_(free)).values(user_id=user.id))
    await activity.record(tx, "account.opened", about=f"user:{user.id}", by=user.id, role=role)
    return user
