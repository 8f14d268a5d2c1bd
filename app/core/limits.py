"""Rate limits: one counter per key in the database, so that all processes share it."""

from datetime import timedelta

from sqlalchemy import BigInteger, delete, text
from sqlmodel import Field, SQLModel, col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import clock
from app.core.db import writing
from app.core.errors import TooMany
from app.core.i18n import gettext as _


class Limit(SQLModel, table=True):
    """How often something happened in the present period (a fixed window, numbered since 1970)."""

    __tablename__ = "limits"

    key: str = Field(primary_key=True, max_length=200)
    period: int = Field(sa_type=BigInteger)
    seconds: int
    count: int


_COUNT_UP = text(
    "INSERT INTO limits (key, period, seconds, count) VALUES (:key, :period, :seconds, 1) "
    "ON CONFLICT (key) DO UPDATE SET count = CASE WHEN limits.period = excluded.period THEN limits.count + 1 ELSE 1 END, "
    "period = excluded.period, seconds = excluded.seconds RETURNING count"
)


async def count(key: str, *, most: int, seconds: int) -> None:
    """Counts one attempt under the key in a transaction of its own, so that a refused attempt counts too.

    Raises TooMany beyond `most` attempts in a period of `seconds`.
    """
    period, passed = divmod(int(clock.now().timestamp()), seconds)
    async with writing() as tx:
        values = {"key": key[:200], "period": period, "seconds": seconds}
        reached = (await (await tx.connection()).execute(_COUNT_UP, values)).scalar_one()
    if reached > most:
        raise TooMany(_("That was too often. Wait a moment, then try again."), retry_after=seconds - passed)


async def forget(tx: AsyncSession, key: str) -> None:
    """The key starts at zero again, as after a success."""
    await tx.exec(delete(Limit).where(col(Limit.key) == key[:200]))


async def forget_old(tx: AsyncSession) -> None:
    """Removes counters that no present period needs."""
    day_ago = int((clock.now() - timedelta(days=1)).timestamp())
    await tx.exec(delete(Limit).where(col(Limit.period) * col(Limit.seconds) < day_ago))
