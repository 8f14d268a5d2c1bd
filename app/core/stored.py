"""Settings that an admin has changed on the page. Every process reads them at its start and again within seconds."""

import asyncio
from collections.abc import Mapping
from datetime import datetime

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Field, SQLModel, col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core import settings as of_the_shop
from app.core.db import reading
from app.core.sealing import seal, unseal

log = structlog.get_logger()

# No request asks for them: this is how late a process hears what another one has saved.
LOOK_EVERY = 3
# Not a setting of the page: the secret of the endpoint at Stripe, sealed.
SEALED = "stripe_webhook_secret"


class StoredSetting(SQLModel, table=True):
    """`name` is a name of settings.EDITABLE, or SEALED, whose value is sealed."""

    __tablename__ = "settings"

    name: str = Field(primary_key=True, max_length=40)
    value: str = Field(max_length=500, repr=False)
    changed_at: datetime


async def values(db: AsyncSession) -> dict[str, str]:
    """Everything that is stored, by its name."""
    return {row.name: row.value for row in (await db.exec(select(StoredSetting))).all()}


async def keep(tx: AsyncSession, wanted: Mapping[str, str | None], *, now: datetime) -> None:
    """Stores these values; None brings the default back. Call apply() after the block."""
    await tx.exec(delete(StoredSetting).where(col(StoredSetting.name).in_(wanted)))
    tx.add_all(StoredSetting(name=name, value=value, changed_at=now) for name, value in wanted.items() if value is not None)
    await tx.flush()


async def keep_webhook_secret(tx: AsyncSession, secret: str, *, now: datetime) -> None:
    await keep(tx, {SEALED: seal(secret)}, now=now)


async def apply() -> None:
    """Puts in force what is stored now."""
    async with reading() as db:
        stored = await values(db)
    of_the_shop.overlay(stored, webhook_secret=_opened(stored.get(SEALED, "")))


async def follow(stop: asyncio.Event) -> None:
    """Looks every few seconds until the event is set. What cannot be read now is read the next time."""
    while not stop.is_set():
        try:
            await apply()
        except (SQLAlchemyError, OSError):
            log.exception("settings could not be read")
        try:
            async with asyncio.timeout(LOOK_EVERY):
                await stop.wait()
        except TimeoutError:
            pass


def _opened(sealed: str) -> str:
    try:
        return unseal(sealed) if sealed else ""
    except ValueError:
        # SECRET_KEY was changed and the old one is not known: the page offers to make the endpoint anew.
        log.error("the secret of the endpoint at Stripe cannot be read")
        return ""
