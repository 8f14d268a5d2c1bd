"""Verbs about accounts: open one, log in and out, prove an address, change what belongs to it, and make managers."""

import secrets
from datetime import datetime, timedelta

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts import queries, rules
from app.accounts.models import LINK_LIFE, LoginSession, MailedLink, User
from app.core import activity, limits
from app.core.db import changed
from app.core.errors import NotFound, Refused
from app.core.i18n import gettext as _

NOTED_EVERY = timedelta(minutes=5)


# ---------- opening an account ----------


async def ask_to_register(tx: AsyncSession, email: str, *, password_hash: str, language: str, now: datetime) -> None:
    """Writes down what the address is to be mailed: a link that opens the account, or that one exists."""
    existing = await queries.by_email(tx, email)
    if existing:
        await activity.record(tx, "account.exists", about=f"user:{existing.id}", by=None)
        return
    link = await _new_link(tx, "register", email, now=now, password_hash=password_hash, language=language)
    await activity.record(tx, "account.registered", about=f"link:{link.id}", by=None)


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


async def open_account(tx: AsyncSession, link: MailedLink, *, now: datetime) -> User:
    """The account that a used "register" link asked for. Raises Refused when the address has one by now."""
    return await _new_user(tx, link.email, password_hash=link.password_hash, role=link.role, language=link.language, now=now)


async def create_admin(tx: AsyncSession, email: str, password_hash: str, *, now: datetime) -> User:
    """The operator's own account, made on the command line. Raises Refused when the address has an account."""
    return await _new_user(tx, email.lower(), password_hash=password_hash, role="admin", language="en", now=now)


# ---------- login sessions ----------


async def log_in(tx: AsyncSession, user: User, *, device: str, now: datetime) -> str:
    """Starts a login session and returns its id, which only the browser keeps.

    The password was checked before this block, so the row is read again: raises Refused when it was changed or
    suspended in the meantime. The lock lets a change of password wait, and then end this session too.
    """
    locked = select(User).where(User.id == user.id).with_for_update().execution_options(populate_existing=True)
    checked_hash = user.password_hash
    present = (await tx.exec(locked)).one()
    if present.is_disabled or present.password_hash != checked_hash:
        raise Refused(_("Your account was changed a moment ago. Sign in again."))
    session_id = secrets.token_urlsafe(32)
    assert present.id is not None
    tx.add(
        LoginSession(
            id_hash=rules.session_hash(session_id), user_id=present.id, created_at=now, last_seen_at=now, device=device[:200]
        )
    )
    await limits.forget(tx, rules.login_key(present.email))
    await activity.record(tx, "account.logged_in", about=f"user:{present.id}", by=present.id)
    return session_id


async def log_out(tx: AsyncSession, session_hash: str, *, now: datetime) -> None:
    """Ends one login session; the cookie is worth nothing from now on."""
    await changed(
        tx,
        update(LoginSession)
        .where(col(LoginSession.id_hash) == session_hash, col(LoginSession.ended_at).is_(None))
        .values(ended_at=now),
    )


async def end_session(tx: AsyncSession, user_id: int, session_hash: str, *, now: datetime) -> None:
    """Signs a user's other browser out. Raises NotFound when the user has no such session."""
    session = await tx.get(LoginSession, session_hash)
    if not session or session.user_id != user_id:
        raise NotFound(_("This browser is not signed in to your account."))
    await log_out(tx, session_hash, now=now)
    await activity.record(tx, "account.session_ended", about=f"user:{user_id}", by=user_id)


async def end_sessions(tx: AsyncSession, user_id: int, *, now: datetime, but: str = "") -> None:
    """Signs a user out everywhere, except in the browser whose session hash is `but`."""
    await changed(
        tx,
        update(LoginSession)
        .where(col(LoginSession.user_id) == user_id, col(LoginSession.ended_at).is_(None), col(LoginSession.id_hash) != but)
        .values(ended_at=now),
    )


async def end_other_sessions(tx: AsyncSession, user_id: int, *, now: datetime, but: str) -> None:
    """What a user asks for who has left a browser signed in somewhere."""
    await end_sessions(tx, user_id, now=now, but=but)
    await activity.record(tx, "account.session_ended", about=f"user:{user_id}", by=user_id)


def should_note_last_seen(session: LoginSession, *, now: datetime) -> bool:
    """Once in a while is enough, so that reading a page does not write each time."""
    return now - session.last_seen_at >= NOTED_EVERY


async def note_last_seen(tx: AsyncSession, id_hash: str, *, now: datetime) -> None:
    await changed(
        tx,
        update(LoginSession).where(col(LoginSession.id_hash) == id_hash).values(last_seen_at=now),
    )


# ---------- what belongs to an account ----------


async def ask_for_reset(tx: AsyncSession, email: str, *, now: datetime) -> None:
    """A link for a new password, when the address has an account that may sign in."""
    user = await queries.by_email(tx, email)
    if not user or user.is_disabled:
        return
    link = await _new_link(tx, "reset", email, now=now, user_id=user.id, language=user.language)
    await activity.record(tx, "account.reset_asked", about=f"link:{link.id}", by=None)


async def reset_password(tx: AsyncSession, link: MailedLink, *, password_hash: str, now: datetime) -> None:
    """A new password through a used "reset" link. Raises Refused when the account no longer has the link's address."""
    user = await tx.get_one(User, link.user_id)
    if user.email != link.email or user.is_disabled:
        raise Refused(_("This link was used before or is too old."))
    await change_password(tx, user, password_hash=password_hash, now=now)


async def change_password(tx: AsyncSession, user: User, *, password_hash: str, now: datetime, but: str = "") -> None:
    """Stores a new password, ends every session except `but`, and makes older reset links useless."""
    assert user.id is not None
    values = {"password_hash": password_hash}
    await changed(tx, update(User).where(col(User.id) == user.id).values(**values))
    await end_sessions(tx, user.id, now=now, but=but)
    await _void_links(tx, "reset", user.email, now=now)
    await activity.record(tx, "account.password_changed", about=f"user:{user.id}", by=user.id)


async def rename(tx: AsyncSession, user_id: int, name: str) -> None:
    """The name that tickets and greetings use; an empty one removes it."""
    await changed(tx, update(User).where(col(User.id) == user_id).values(name=name))
    await activity.record(tx, "account.renamed", about=f"user:{user_id}", by=user_id)


async def ask_email_change(tx: AsyncSession, user: User, email: str, *, now: datetime) -> None:
    """Mails a link to the new address. Raises Refused when it is the present one.

    An address that has an account gets a link too, and the link says so: the form tells nobody who has an account here.
    """
    if email == user.email:
        raise Refused(_("This is your present email address. Enter the new one."))
    await _void_links_of(tx, user, "email", now=now)
    link = await _new_link(tx, "email", email, now=now, user_id=user.id, language=user.language)
    await activity.record(tx, "account.email_asked", about=f"link:{link.id}", by=user.id)


async def change_email(tx: AsyncSession, link: MailedLink, *, now: datetime) -> User:
    """The account moves to the address of a used "email" link. Raises Refused when another account has it."""
    user = await tx.get_one(User, link.user_id)
    if user.is_disabled:
        raise Refused(_("This link was used before or is too old."))
    await _void_links(tx, "reset", user.email, now=now)
    try:
        async with tx.begin_nested():
            user.email = link.email
            await tx.flush()
    except IntegrityError:
        raise Refused(_("Another account has this email address. Your account keeps the one it has.")) from None
    await activity.record(tx, "account.email_changed", about=f"user:{user.id}", by=user.id)
    return user


# ---------- managers ----------


async def make_manager(tx: AsyncSession, email: str, *, by: int | None, language: str, now: datetime) -> bool:
    """Someone with an account becomes a manager at once (True); any other address is invited by mail (False).

    Raises Refused for managers, admins and suspended accounts.
    """
    user = await queries.by_email(tx, email)
    if user:
        await _promote(tx, user, by=by, now=now)
        return True
    await _void_links(tx, "invitation", email, now=now)
    link = await _new_link(tx, "invitation", email, now=now, role="manager", language=language)
    await activity.record(tx, "manager.invited", about=f"link:{link.id}", by=by)
    return False


async def accept_invitation(tx: AsyncSession, link: MailedLink, *, name: str, password_hash: str, now: datetime) -> User:
    """The manager whom a used "invitation" link invited.

    Whoever has registered with the address since then keeps the account: the link proves the address as well as a reset
    link does, so the account gets the new name, password and role. Raises Refused when it is suspended or a manager's already.
    """
    user = await queries.by_email(tx, link.email)
    if not user:
        made = await _new_user(tx, link.email, password_hash=password_hash, role=link.role, language=link.language, now=now)
        made.name = name
        return made
    await _promote(tx, user, by=user.id, now=now)
    await change_password(tx, user, password_hash=password_hash, now=now)
    await changed(tx, update(User).where(col(User.id) == user.id).values(name=name))
    await tx.refresh(user)
    return user


async def suspend(tx: AsyncSession, user: User, *, by: int | None, now: datetime) -> None:
    """Closes a manager's login at once. Their events go on selling. Raises Refused for anyone who is not an active manager."""
    await _set_disabled(tx, user, to=now, refusal=_("Only a manager who is not suspended can be suspended."))
    assert user.id is not None
    await end_sessions(tx, user.id, now=now)
    await activity.record(tx, "manager.suspended", about=f"user:{user.id}", by=by)


async def reinstate(tx: AsyncSession, user: User, *, by: int | None) -> None:
    """Lets a suspended manager sign in again. Raises Refused for anyone else."""
    await _set_disabled(tx, user, to=None, refusal=_("Only a suspended manager can be reinstated."))
    await activity.record(tx, "manager.reinstated", about=f"user:{user.id}", by=by)


async def _set_disabled(tx: AsyncSession, user: User, *, to: datetime | None, refusal: str) -> None:
    present = col(User.disabled_at).is_(None) if to else col(User.disabled_at).is_not(None)
    managers = update(User).where(col(User.id) == user.id, col(User.role) == "manager", present)
    if not await changed(tx, managers.values(disabled_at=to)):
        raise Refused(refusal)


async def _promote(tx: AsyncSession, user: User, *, by: int | None, now: datetime) -> None:
    """From user to manager. The role is part of what a session may do, so all of them end."""
    users = update(User).where(col(User.id) == user.id, col(User.role) == "user", col(User.disabled_at).is_(None))
    if not await changed(tx, users.values(role="manager")):
        suspended = _("This account is suspended.")
        raise Refused(suspended if user.is_disabled else _("This person is a manager or an admin already."))
    assert user.id is not None
    await end_sessions(tx, user.id, now=now)
    await _void_links(tx, "invitation", user.email, now=now)
    await activity.record(tx, "manager.promoted", about=f"user:{user.id}", by=by)


# ---------- rows ----------


async def _new_user(tx: AsyncSession, email: str, *, password_hash: str, role: str, language: str, now: datetime) -> User:
    """Two links for one address can be opened at the same moment; the unique address lets one of them through."""
    user = User(email=email, password_hash=password_hash, role=role, language=language, created_at=now)
    try:
        async with tx.begin_nested():
            tx.add(user)
            await tx.flush()
    except IntegrityError:
        raise Refused(_("An account with this email address exists already.")) from None
    await activity.record(tx, "account.opened", about=f"user:{user.id}", by=user.id)
    return user


async def _new_link(
    tx: AsyncSession,
    kind: str,
    email: str,
    *,
    now: datetime,
    language: str,
    user_id: int | None = None,
    password_hash: str = "",
    role: str = "user",
) -> MailedLink:
    link = MailedLink(
        kind=kind,
        email=email,
        user_id=user_id,
        password_hash=password_hash,
        role=role,
        language=language,
        created_at=now,
        expires_at=now + LINK_LIFE[kind],
    )
    tx.add(link)
    await tx.flush()
    return link


async def _void_links(tx: AsyncSession, kind: str, email: str, *, now: datetime) -> None:
    """Older links of this kind to the address cannot be used any more."""
    await changed(
        tx,
        update(MailedLink)
        .where(col(MailedLink.kind) == kind, col(MailedLink.email) == email, col(MailedLink.used_at).is_(None))
        .values(used_at=now),
    )


async def _void_links_of(tx: AsyncSession, user: User, kind: str, *, now: datetime) -> None:
    """The same for a user's links to whatever address."""
    await changed(
        tx,
        update(MailedLink)
        .where(col(MailedLink.kind) == kind, col(MailedLink.user_id) == user.id, col(MailedLink.used_at).is_(None))
        .values(used_at=now),
    )
