"""The operator's commands: the first admin, and somebody who lost the phone and every recovery code."""

from app.accounts import flows, queries, rules
from app.accounts.actions import opening, second
from app.core import clock, db, migrate
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.core.settings import settings


async def create_admin(email: str, password: str) -> None:
    """An admin for the first login. Raises ValueError for a weak password, Refused for a taken address."""
    mistake = rules.password_mistake(password, email=email, role="admin", site_name=settings().site_name)
    if mistake:
        raise ValueError(mistake)
    password_hash = await flows.hash_password(password)
    await migrate.upgrade(settings().database_url)
    db.connect(settings().database_url)
    try:
        async with db.writing() as tx:
            await opening.create_admin(tx, email.strip().lower(), password_hash, now=clock.now())
    finally:
        await db.disconnect()


async def reset_second_factor(email: str) -> str:
    """Removes an account's second factors and signs it out everywhere; gives a sentence. Raises Refused for a strange address."""
    await migrate.upgrade(settings().database_url)
    db.connect(settings().database_url)
    try:
        async with db.writing() as tx:
            user = await queries.by_email(tx, email.strip())
            if not user:
                raise Refused(_("No account has this email address."))
            await second.reset(tx, user, now=clock.now())
        return "The second factors are removed and every browser is signed out. The account is told by mail."
    finally:
        await db.disconnect()
