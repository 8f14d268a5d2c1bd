"""Rate limits: one counter per key in the database, so that all processes share it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, delete
from sqlmodel import Field, SQLModel, col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import clock, logs
from app.core.db import writing
from app.core.errors import TooMany
from app.core.i18n import gettext as _
from app.core.steps import Steps, run


class Limit(SQLModel, table=True):
    """How often something happened in the present period (a fixed window, numbered since 1970)."""

    __tablename__ = "limits"

    key: str = Field(primary_key=True, max_length=200)
    period: int = Field(sa_type=BigInteger)
    seconds: int
    count: int


_COUNT_UP = (
    "INSERT INTO limits (key, period, seconds, count) VALUES (:key, :period, :seconds, 1) "
    "ON CONFLICT (key) DO UPDATE SET count = CASE WHEN limits.period = excluded.period THEN limits.count + 1 ELSE 1 END, "
    "period = excluded.period, seconds = excluded.seconds RETURNING count"
)


@dataclass(frozen=True)
class Allowance:
    """At most so often in a period of so many seconds."""

    key: str
    most: int
    seconds: int

    def period(self, now: datetime) -> int:
        return int(now.timestamp()) // self.seconds

    def refusal(self, now: datetime) -> TooMany:
        """What to say until the next period begins; the log is told too."""
        # The rest of the key tells whose it is.
        logs.security("limit_reached", limit=self.key.split(":")[0])
        wait = self.seconds - int(now.timestamp()) % self.seconds
        return TooMany(_("That was too often. Wait a moment, then try again."), retry_after=wait)


async def count(key: str, *, most: int, seconds: int) -> None:
    """Counts one attempt under the key in a transaction of its own, so that a refused attempt counts too.

    Raises TooMany beyond `most` attempts in a period of `seconds`.
    """
    await count_all([Allowance(key, most, seconds)])


async def count_all(allowances: Sequence[Allowance]) -> None:
    """Counts one attempt under each key, in one transaction. Raises TooMany with the longest wait of those beyond.

    Whoever counts the same kinds of keys names them in the same order, so that nobody waits in a circle.
    """
    now = clock.now()
    async with writing() as tx:
        refusals = [await run(tx, _counted(allowance, now=now)) for allowance in allowances]
    if refused := [refusal for refusal in refusals if refusal]:
        raise max(refused, key=lambda refusal: refusal.retry_after)


async def check(db: AsyncSession, allowance: Allowance) -> None:
    """Counts nothing. Raises TooMany when everything was used up in the present period."""
    now = clock.now()
    found = await db.get(Limit, allowance.key[:200])
    if found and found.period == allowance.period(now) and found.count >= allowance.most:
        raise allowance.refusal(now)


def spend(allowance: Allowance, *, now: datetime) -> Steps[None]:
    """The same as steps of a larger work, which comes before its TRY, so that a refused attempt counts too. Raises TooMany."""
    refusal = yield from _counted(allowance, now=now)
    if refusal:
        raise refusal


def _counted(allowance: Allowance, *, now: datetime) -> Steps[TooMany | None]:
    values = {"key": allowance.key[:200], "period": allowance.period(now), "seconds": allowance.seconds}
    reached = (yield _COUNT_UP, values)[0][0]
    return None if reached <= allowance.most else allowance.refusal(now)


async def forget(tx: AsyncSession, key: str) -> None:
    """The key starts at zero again, as after a success."""
    await tx.exec(delete(Limit).where(col(Limit.key) == key[:200]))


async def forget_old(tx: AsyncSession) -> None:
    """Removes counters that no present period needs."""
    day_ago = int((clock.now() - timedelta(days=1)).timestamp())
    await tx.exec(delete(Limit).where(col(Limit.period) * col(Limit.seconds) < day_ago))
