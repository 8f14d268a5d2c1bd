"""An admin may open every manager's page, and that is written down: once an hour for each page."""

from datetime import timedelta

from app.accounts.models import Visitor
from app.core import activity, clock
from app.core.db import reading, writing

_AGAIN_AFTER = timedelta(hours=1)


async def note_look(visitor: Visitor, page: str, *, about: str) -> None:
    """Writes down that an admin looked at a `page` ("sales") about a manager's thing ("event:3"); of others nothing."""
    if not visitor.is_admin:
        return
    by = visitor.user_id or 0
    async with reading() as db:
        lately = await activity.by_whom(db, "admin.looked", about=about, by=by, since=clock.now() - _AGAIN_AFTER)
    if any(look.details["page"] == page for look in lately):
        return
    async with writing() as tx:
        await activity.record(tx, "admin.looked", about=about, by=by, page=page)
