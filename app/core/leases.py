"""A lease lets one process at a time run a sweep; it ends by itself when that process dies."""

from datetime import datetime, timedelta

from sqlalchemy import bindparam, text
from sqlmodel import Field, SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.sqltypes import UTCDateTime


class Lease(SQLModel, table=True):
    __tablename__ = "leases"

    name: str = Field(primary_key=True, max_length=60)
    holder: str = Field(max_length=60)
    until: datetime


_TAKE = text(
    "INSERT INTO leases (name, holder, until) VALUES (:name, :holder, :until) ON CONFLICT (name) "
    "DO UPDATE SET holder = excluded.holder, until = excluded.until WHERE leases.holder = :holder OR leases.until <= :now"
).bindparams(bindparam("until", type_=UTCDateTime), bindparam("now", type_=UTCDateTime))


async def take(tx: AsyncSession, name: str, *, holder: str, seconds: int, now: datetime) -> bool:
    """Whether the holder has the lease now: it was free, run out, or already theirs."""
    values = {"name": name, "holder": holder, "until": now + timedelta(seconds=seconds), "now": now}
    return (await (await tx.connection()).execute(_TAKE, values)).rowcount == 1
