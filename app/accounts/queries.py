"""Questions about accounts."""

from datetime import datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import (
    LONGEST_LIFE,
    Application,
    Authenticator,
    Challenge,
    FactorReset,
    Identity,
    LoginSession,
    MailedLink,
    Passkey,
    RecoveryCode,
    User,
)
from app.accounts.rules import session_hash


async def live_session(db: AsyncSession, session_id: str, *, now: datetime) -> tuple[User, LoginSession] | None:
    """Whose the session is whose id the cookie carries, unless it has ended, is too old for the role, or the account is
    suspended. One that waits for the second factor signs nobody in: the caller looks at `waits`.
    """
    found = select(User, LoginSession).join(LoginSession, col(LoginSession.user_id) == User.id)
    ours = found.where(LoginSession.id_hash == session_hash(session_id), col(User.disabled_at).is_(None))
    row = (await db.exec(ours)).first()
    return (row[0], row[1]) if row and row[1].is_live(now, role=row[0].role) else None


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


async def active_admins(db: AsyncSession, *, lock: bool = False) -> list[int]:
    """Ids of the admins who can sign in. With `lock` nobody changes them until the transaction is over."""
    found = select(User.id).where(User.role == "admin", col(User.disabled_at).is_(None)).order_by(col(User.id))
    return [admin for admin in (await db.exec(found.with_for_update() if lock else found)).all() if admin]


async def open_applications(db: AsyncSession) -> list[tuple[Application, User]]:
    """Who wants to become a manager and waits for an answer, longest first."""
    found = select(Application, User).join(User, col(User.id) == Application.user_id).where(Application.state == "open")
    return list((await db.exec(found.order_by(col(Application.created_at)))).all())


async def application(db: AsyncSession, code: str) -> tuple[Application, User] | None:
    """An application by its code, and whose it is."""
    found = select(Application, User).join(User, col(User.id) == Application.user_id).where(Application.code == code)
    row = (await db.exec(found)).first()
    return (row[0], row[1]) if row else None


async def newest_application(db: AsyncSession, user_id: int) -> Application | None:
    """What a user asked for last."""
    own = select(Application).where(Application.user_id == user_id).order_by(col(Application.id).desc())
    return (await db.exec(own.limit(1))).first()


async def factor_reset(db: AsyncSession, user_id: int, *, now: datetime) -> FactorReset | None:
    """An admin's wish to take the account's second factors away, while it counts."""
    found = await db.get(FactorReset, user_id)
    return found if found and found.counts(now) else None


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
    user = await by_id(db, user_id)
    begun = (LoginSession.user_id == user_id, col(LoginSession.ended_at).is_(None), LoginSession.created_at > now - LONGEST_LIFE)
    found = select(LoginSession).where(*begun, col(LoginSession.waits).is_(False))
    sessions = await db.exec(found.order_by(col(LoginSession.last_seen_at).desc()))
    return [session for session in sessions if user and session.is_live(now, role=user.role)]


async def waiting(db: AsyncSession, id_hash: str) -> LoginSession | None:
    """The session of a browser that waits for the second factor; whether it is live, the visitor has been asked already."""
    found = await db.get(LoginSession, id_hash) if id_hash else None
    return found if found and found.waits else None


async def authenticator(db: AsyncSession, user_id: int) -> Authenticator | None:
    """The app of an account, which counts once it is confirmed."""
    return await db.get(Authenticator, user_id)


async def has_second_factor(db: AsyncSession, user_id: int) -> bool:
    """Whether a password is not enough to sign in to the account: it has an app that shows codes, or a passkey."""
    confirmed = select(Authenticator.user_id).where(
        Authenticator.user_id == user_id, col(Authenticator.confirmed_at).is_not(None)
    )
    passkey = select(Passkey.user_id).where(Passkey.user_id == user_id).limit(1)
    return (await db.exec(confirmed)).first() is not None or (await db.exec(passkey)).first() is not None


async def open_recovery_codes(db: AsyncSession, user_id: int) -> list[RecoveryCode]:
    """The recovery codes that were not used yet."""
    unused = select(RecoveryCode).where(RecoveryCode.user_id == user_id, col(RecoveryCode.used_at).is_(None))
    return list((await db.exec(unused.order_by(col(RecoveryCode.id)))).all())


async def passkeys_of(db: AsyncSession, user_id: int) -> list[Passkey]:
    """An account's passkeys, oldest first."""
    return list((await db.exec(select(Passkey).where(Passkey.user_id == user_id).order_by(col(Passkey.id)))).all())


async def own_passkey(db: AsyncSession, user_id: int, code: str) -> Passkey | None:
    return (await db.exec(select(Passkey).where(Passkey.user_id == user_id, Passkey.code == code))).first()


async def passkey_and_user(db: AsyncSession, credential_id: str) -> tuple[Passkey, User] | None:
    """Which passkey a device means, and whose it is."""
    found = select(Passkey, User).join(User, col(User.id) == Passkey.user_id).where(Passkey.credential_id == credential_id)
    row = (await db.exec(found)).first()
    return (row[0], row[1]) if row else None


async def identities_of(db: AsyncSession, user_id: int) -> list[Identity]:
    """The accounts at providers that open this account, oldest first."""
    return list((await db.exec(select(Identity).where(Identity.user_id == user_id).order_by(col(Identity.id)))).all())


async def own_identity(db: AsyncSession, user_id: int, code: str) -> Identity | None:
    return (await db.exec(select(Identity).where(Identity.user_id == user_id, Identity.code == code))).first()


async def identity_and_user(db: AsyncSession, *, issuer: str, subject: str) -> tuple[Identity, User] | None:
    """Whose account somebody at a provider opens."""
    found = select(Identity, User).join(User, col(User.id) == Identity.user_id)
    row = (await db.exec(found.where(Identity.issuer == issuer, Identity.subject == subject))).first()
    return (row[0], row[1]) if row else None


async def challenge(db: AsyncSession, challenge_id: str) -> Challenge | None:
    """A question that was asked; whether it can still be answered is for challenge.is_usable(now)."""
    return await db.get(Challenge, challenge_id)
