"""Accounts at an OpenID provider that open accounts here."""

from datetime import datetime

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.actions import opening
from app.accounts.models import Identity, Person, User
from app.core import activity
from app.core.db import changed
from app.core.errors import Refused
from app.core.i18n import gettext as _


async def open_account(tx: AsyncSession, person: Person, *, language: str, now: datetime) -> User:
    """A new account without a password; the provider has proved its address. Raises Refused when the address has one."""
    user = await opening.new_user(tx, person.email, password_hash="", role="user", language=language, now=now)
    await _keep(tx, user.id or 0, person, now=now)
    return user


async def connect(tx: AsyncSession, user_id: int, person: Person, *, now: datetime) -> None:
    """For an account whose owner has proved both sides. Raises Refused when the identity opens an account already."""
    identity = await _keep(tx, user_id, person, now=now)
    await activity.record(tx, "account.identity_linked", about=f"user:{user_id}", by=user_id, identity=identity.id)


async def note_use(tx: AsyncSession, identity: Identity, *, now: datetime) -> None:
    await changed(tx, update(Identity).where(col(Identity.id) == identity.id).values(last_used_at=now))


async def remove(tx: AsyncSession, identity: Identity) -> None:
    """The account stays, and a sign-in link still opens it."""
    await tx.delete(identity)
    user_id = identity.user_id
    await activity.record(tx, "account.identity_removed", about=f"user:{user_id}", by=user_id, identity=identity.id)


async def _keep(tx: AsyncSession, user_id: int, person: Person, *, now: datetime) -> Identity:
    identity = Identity(
        user_id=user_id, issuer=person.issuer, subject=person.subject, email=person.email, created_at=now, last_used_at=now
    )
    try:
        async with tx.begin_nested():
            tx.add(identity)
            await tx.flush()
    except IntegrityError:
        raise Refused(_("This sign-in belongs to an account already.")) from None
    return identity
