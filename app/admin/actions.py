"""Verbs of the operator's desk."""

from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from app.admin.models import SiteText
from app.core import activity


async def save_text(tx: AsyncSession, name: str, body: str, *, by: int | None, now: datetime) -> None:
    """The operator's own Markdown for a page; an empty one brings our default back."""
    stored = await tx.get(SiteText, name)
    if stored and body:
        stored.body, stored.changed_at = body, now
    elif stored:
        await tx.delete(stored)
    elif body:
        tx.add(SiteText(name=name, body=body, changed_at=now))
    await activity.record(tx, "text.saved", about=f"text:{name}", by=by)
