"""The activity log as an admin reads it."""

from app.admin import log
from app.admin.log import Wish
from app.admin.sentences import sentence
from app.core.db import reading


async def said() -> list[str]:
    """The sentences of the whole log, the oldest first."""
    async with reading() as db:
        rows = await log.newest(db, Wish(), most=1000)
        names = await log.names_of(db, rows)
    return [sentence(row, names) for row in reversed(rows)]
