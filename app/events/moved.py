"""Addresses of categories that were merged into another: old links lead on."""

from sqlmodel import Field, SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core.columns import link
from app.events.models import Category


class MovedCategory(SQLModel, table=True):
    """`slug` is the address that a category had which is gone; `category_id` is where it leads."""

    __tablename__ = "moved_categories"

    slug: str = Field(primary_key=True, max_length=60)
    category_id: int = link("categories.id")


async def moved_to(db: AsyncSession, slug: str) -> str:
    """The present address of a category that was merged into another; empty for any other word."""
    found = select(Category.slug).join(MovedCategory, col(MovedCategory.category_id) == Category.id)
    return (await db.exec(found.where(MovedCategory.slug == slug))).first() or ""
