"""Signing in by a mailed link: who can read the mail of an address may use its account."""

from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts import queries
from app.accounts.actions import links
from app.accounts.models import MailedLink, User
from app.core import activity
from app.core.errors import Refused
from app.core.i18n import gettext as _


async def ask(tx: AsyncSession, email: str, *, leads_to: str, now: datetime) -> None:
    """A link, when the address has an account that may sign in; the links before it are void.

    Any other address gets the same rows without a mail: otherwise the time that the answer takes would tell which it is.
    """
    user = await queries.by_email(tx, email)
    await links.void_links(tx, "login", email, now=now)
    if user and not user.is_disabled:
        link = await links.new_link(tx, "login", email, now=now, user_id=user.id, language=user.language, leads_to=leads_to)
        await activity.record(tx, "account.link_asked", about=f"link:{link.id}", by=None)
        return
    link = await links.dead_link(tx, "login", email, now=now, user_id=user.id if user else None)
    await activity.record(tx, "account.link_refused", about=f"link:{link.id}", by=None)


async def use(tx: AsyncSession, link_id: str, *, now: datetime) -> tuple[User, MailedLink]:
    """Uses the link up, once. Raises Refused when it is over, or when the account has another address by now."""
    link = await links.use_link(tx, "login", link_id, now=now)
    user = await tx.get_one(User, link.user_id)
    if user.email != link.email or user.is_disabled:
        raise Refused(_("This link was used before or is too old."))
    return user, link
