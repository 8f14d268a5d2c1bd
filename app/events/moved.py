"""Addresses of categories and venues that were merged into another: old links lead on."""

from sqlalchemy import CheckConstraint, func
from sqlmodel import Field, SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core.columns import maybe_link
from app.events.models import Category, Venue


class Moved(SQLModel, table=True):
    """`kind` and `slug` are the two parts of the address that is gone: /venues/old-hall. The other two say where it leads."""

    __tablename__ = "moved_addresses"
    __table_args__ = (
        CheckConstraint("(kind = 'categories') = (category_id IS NOT NULL)", name="category"),
        CheckConstraint("(kind = 'venues') = (venue_id IS NOT NULL)", name="venue"),
    )

    kind: str = Field(primary_key=True, max_length=10)
    slug: str = Field(primary_key=True, max_length=120)
    category_id: int | None = maybe_link("categories.id")
    venue_id: int | None = maybe_link("venues.id")


async def moved_to(db: AsyncSession, kind: str, slug: str) -> str:
    """The present slug of what was merged into another of its kind; empty for any other word."""
    found = select(func.coalesce(Category.slug, Venue.slug)).select_from(Moved)
    found = found.outerjoin(Category, col(Category.id) == Moved.category_id).outerjoin(Venue, col(Venue.id) == Moved.venue_id)
    return (await db.exec(found.where(Moved.kind == kind, Moved.slug == slug))).first() or ""
