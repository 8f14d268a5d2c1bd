"""Passwords that were tried: how many in a row, and when the next one is heard.

A stranger who tries passwords must not be able to lock the owner out. So a browser that was signed in to the account before
is counted apart from everybody else, and a mailed link opens the account however often strangers have failed.
"""

from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts import rules
from app.accounts.models import LoginAttempts
from app.core.steps import Steps, run

# A row that nobody has touched for so long says nothing about a present attack.
KEPT = timedelta(days=30)

_PAUSES = " ".join(f"WHEN {tries} THEN {seconds}" for tries, seconds in rules.PAUSES.items())

# One statement compares, counts and sets the next pause, so that simultaneous tries cannot slip through together.
# Without a row in the answer the try came too early, or was one too many. What is put in are numbers of our own.
_TRY = f"""
INSERT INTO login_attempts (email_key, browser, failures, tried_at, free_at) VALUES (:email_key, :browser, 1, :now, :now)
ON CONFLICT (email_key, browser) DO UPDATE SET
    failures = login_attempts.failures + 1,
    tried_at = excluded.tried_at,
    free_at = excluded.tried_at + CASE login_attempts.failures + 1 {_PAUSES}
        ELSE CASE WHEN login_attempts.failures + 1 < {rules.FREE_TRIES} THEN 0 ELSE {rules.LONGEST_PAUSE} END END
WHERE login_attempts.free_at <= excluded.tried_at AND login_attempts.failures < {rules.MOST_TRIES}
RETURNING failures
"""  # noqa: S608

_WHY_NOT = "SELECT failures, free_at FROM login_attempts WHERE email_key = :email_key AND browser = :browser"


async def try_once(tx: AsyncSession, email: str, *, browser: str, now: datetime) -> int | None:
    """Counts a try before the password is looked at. The seconds until it is heard, 0 for now, None when only mail helps.

    An answer and no exception, because the count is to be kept when the try is refused.
    """
    return await run(tx, _tried(email, browser=browser, now=now))


async def forget(tx: AsyncSession, email: str) -> None:
    """The owner is in, or has a new password: strangers and known browsers begin at zero again."""
    await tx.exec(delete(LoginAttempts).where(col(LoginAttempts.email_key) == rules.email_key(email)))


async def forget_old(tx: AsyncSession, *, now: datetime) -> None:
    """Removes what nobody has touched for a month."""
    await tx.exec(delete(LoginAttempts).where(col(LoginAttempts.tried_at) < int((now - KEPT).timestamp())))


def _tried(email: str, *, browser: str, now: datetime) -> Steps[int | None]:
    seconds = int(now.timestamp())
    values = {"email_key": rules.email_key(email), "browser": browser}
    if (yield _TRY, values | {"now": seconds}):
        return 0
    failures, free_at = (yield _WHY_NOT, values)[0]
    return None if failures >= rules.MOST_TRIES else max(1, free_at - seconds)
