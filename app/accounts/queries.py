"""Questions about accounts."""

from datetime import datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import SESSION_LIFE, LoginSession, MailedLink, User
from app.accounts.rules import session_hash


async def live_session(db: AsyncSession, session_id: str, *, now: datetime) -> tuple[User, LoginSession] | None:
    """Who is signed in with the session whose id the cookie carries, unless it has ended or its account is suspended."""
    found = select(User, LoginSession).join(LoginSession, col(LoginSession.user_id) == User.id)
    live = found.where(LoginSession.id_hash == session_hash(session_id), *_is_live(now), col(User.disabled_at).is_(None))
    row = (await db.exec(live)).first()
    return (row[0], row[1]) if row else None


async def by_email(db: AsyncSession, email: str) -> User | None:
    """The account of an address; addresses are stored in lower case."""
    return (await db.exec(select(User).where(User.email == email.lower()))).first()


async def by_id(db: AsyncSession, user_id: int) -> User | None:
    return await db.get(User, user_id)


async def by_code(db: AsyncSession, code: str) -> User | None:
    return (await db.exec(select(User).where(User.code == code))).first()


async def admins(db: AsyncSession) -> list[User]:
    """Admins who can sign in: whoever is told that something waits."""
    active = select(User).where(User.role == "admin", col(User.disabled_at).is_(None))
    return list((await db.exec(active.order_by(col(User.id)))).all())


async def managers(db: AsyncSession) -> list[User]:
    """Every manager, suspended ones too, by address. Admins are not among them."""
    return list((await db.exec(select(User).where(User.role == "manager").order_by(col(User.email)))).all())


async def link(db: AsyncSession, link_id: str) -> MailedLink | None:
    """What a mailed link stands for; whether it can still be used is for link.is_usable(now)."""
    return await db.get(MailedLink, link_id)


async def open_invitations(db: AsyncSession, *, now: datetime) -> list[MailedLink]:
    """Invitations that can still be accepted, newest first."""
    unused = select(MailedLink).where(
        MailedLink.kind == "invitation", col(MailedLink.used_at).is_(None), MailedLink.expires_at > now
    )
    return list((await db.exec(unused.order_by(col(MailedLink.created_at).desc()))).all())


async def sessions_of(db: AsyncSession, user_id: int, *, now: datetime) -> list[LoginSession]:
    """The browsers in which a user is signed in, last used first."""
    live = select(LoginSession).where(LoginSession.user_id == user_id, *_is_live(now))
    return list((await db.exec(live.order_by(col(LoginSession.last_seen_at).desc()))).all())


def _is_live(now: datetime) -> tuple[bool, bool]:
    """The conditions of LoginSession.is_live, for the database."""
    return col(LoginSession.ended_at).is_(None), LoginSession.created_at > now - SESSION_LIFE  # type: ignore[return-value]
