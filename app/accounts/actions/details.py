"""What belongs to an account: its password, its name, its address."""

from datetime import datetime

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts import queries
from app.accounts.actions import attempts, links, sessions
from app.accounts.models import MailedLink, User
from app.core import activity
from app.core.db import changed
from app.core.errors import Refused
from app.core.i18n import gettext as _


async def ask_for_reset(tx: AsyncSession, email: str, *, now: datetime) -> None:
    """A link for a new password, when the address has an account that may sign in.

    Any other address gets the same rows without a mail: otherwise the time that the answer takes would tell which it is.
    """
    user = await queries.by_email(tx, email)
    if user and not user.is_disabled:
        link = await links.new_link(tx, "reset", email, now=now, user_id=user.id, language=user.language)
        await activity.record(tx, "account.reset_asked", about=f"link:{link.id}", by=None)
        return
    link = await links.dead_link(tx, "reset", email, now=now, user_id=user.id if user else None)
    await activity.record(tx, "account.reset_refused", about=f"link:{link.id}", by=None)


async def reset_password(tx: AsyncSession, link: MailedLink, *, password_hash: str, now: datetime) -> None:
    """A new password through a used "reset" link. Raises Refused when the account no longer has the link's address."""
    user = await tx.get_one(User, link.user_id)
    if user.email != link.email or user.is_disabled:
        raise Refused(_("This link was used before or is too old."))
    await change_password(tx, user, password_hash=password_hash, now=now)


async def change_password(tx: AsyncSession, user: User, *, password_hash: str, now: datetime, but: str = "") -> None:
    """Stores a new password, ends every session except `but`, and makes older links of these kinds useless."""
    assert user.id is not None
    values = {"password_hash": password_hash}
    await changed(tx, update(User).where(col(User.id) == user.id).values(**values))
    await sessions.end_sessions(tx, user.id, now=now, but=but)
    for kind in ("reset", "login"):
        await links.void_links(tx, kind, user.email, now=now)
    await attempts.forget(tx, user.email)
    await activity.record(tx, "account.password_changed", about=f"user:{user.id}", by=user.id)


async def hash_anew(tx: AsyncSession, user: User, *, password_hash: str) -> bool:
    """Stores another hash of the same password. False when the one it was checked against is not the present one any more."""
    same = update(User).where(col(User.id) == user.id, col(User.password_hash) == user.password_hash)
    return await changed(tx, same.values(password_hash=password_hash)) == 1


async def rename(tx: AsyncSession, user_id: int, name: str, *, by: int) -> None:
    """The name that tickets and greetings use; an empty one removes it."""
    await changed(tx, update(User).where(col(User.id) == user_id).values(name=name))
    await activity.record(tx, "account.renamed", about=f"user:{user_id}", by=by)


async def speak(tx: AsyncSession, user_id: int, language: str) -> None:
    """The language of the account's mails and notifications, and of pages in a browser where none was chosen."""
    await changed(tx, update(User).where(col(User.id) == user_id).values(language=language))
    await activity.record(tx, "account.language_changed", about=f"user:{user_id}", by=user_id, language=language)


async def ask_email_change(tx: AsyncSession, user: User, email: str, *, by: int, now: datetime) -> None:
    """Mails a link to the new address. Raises Refused when it is the present one.

    An address that has an account gets a link too, and the link says so: the form tells nobody who has an account here.
    """
    if email == user.email:
        raise Refused(_("This is your present email address. Enter the new one."))
    await links.void_links_of(tx, user, "email", now=now)
    link = await links.new_link(tx, "email", email, now=now, user_id=user.id, language=user.language)
    await activity.record(tx, "account.email_asked", about=f"link:{link.id}", by=by)


async def change_email(tx: AsyncSession, link: MailedLink, *, now: datetime, but: str = "") -> User:
    """The account moves to the address of a used "email" link, and every session but `but` ends.

    Raises Refused when another account has the address.
    """
    user = await tx.get_one(User, link.user_id)
    if user.is_disabled:
        raise Refused(_("This link was used before or is too old."))
    for kind in ("reset", "login"):
        await links.void_links(tx, kind, user.email, now=now)
    try:
        async with tx.begin_nested():
            user.email = link.email
            await tx.flush()
    except IntegrityError:
        raise Refused(_("Another account has this email address. Your account keeps the one it has.")) from None
    await sessions.end_sessions(tx, user.id or 0, now=now, but=but)
    await activity.record(tx, "account.email_changed", about=f"user:{user.id}", by=user.id)
    return user
