"""A lease lets one process at a time run a sweep; it ends by itself when that process dies."""

from datetime import datetime, timedelta

from sqlalchemy import or_, update
from sqlmodel import Field, SQLModel, col
from sqlmodel.ext.asyncio.session import AsyncSession


class Lease(SQLModel, table=True):
    __tablename__ = "leases"

    name: str = Field(primary_key=True, max_length=60)
    holder: str = Field(max_length=60)
    until: datetime


async def take(tx: AsyncSession, name: str, *, holder: str, seconds: int, now: datetime) -> bool:
    """Whether the holder has the lease now: it was free, run out, or already theirs."""
    if await tx.get(Lease, name) is None:
        tx.add(Lease(name=name, holder=holder, until=now + timedelta(seconds=seconds)))
        await tx.flush()
        return True
    taken = await tx.exec(
        update(Lease)
        .where(col(Lease.name) == name, or_(col(Lease.holder) == holder, col(Lease.until) <= now))
        .values(holder=holder, until=now + timedelta(seconds=seconds))
        .execution_options(synchronize_session=False)
    )
    return taken.rowcount == 1
