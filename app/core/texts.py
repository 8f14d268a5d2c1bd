"""The operator's own words: who runs the site, on which terms, and how accessible it is. Pages and receipts carry them."""

from datetime import datetime

from sqlalchemy import CheckConstraint
from sqlmodel import Field, SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core.columns import one_of

NAMES = ("imprint", "terms", "accessibility", "privacy")


class SiteText(SQLModel, table=True):
    """A page that the operator writes in Markdown; until then the page shows our default."""

    __tablename__ = "site_texts"
    __table_args__ = (CheckConstraint(one_of("name", NAMES), name="name"),)

    name: str = Field(primary_key=True, max_length=20)
    body: str = Field(max_length=50_000)
    changed_at: datetime


async def body_of(db: AsyncSession, name: str) -> str:
    """What the operator wrote for a page; empty while the page shows our default."""
    stored = await db.get(SiteText, name)
    return stored.body if stored else ""
