"""The activity log as a file: its columns, and the rows of one stretch of it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from app.admin import log
from app.admin.log import Wish
from app.admin.sentences import sentence
from app.core.i18n import gettext as _
from app.core.i18n import pgettext

Row = Sequence[object]
# So many are read, and their names, by one question.
AT_ONCE = 500


def head() -> Row:
    return (_("Number"), _("Time (UTC)"), _("Kind"), pgettext("log", "About"), _("What happened"))


async def rows(db: AsyncSession, wish: Wish, *, most: int) -> tuple[list[Row], int]:
    """The newest ones that the wish names, and the number of the last of them (0: there is none)."""
    rows: list[Row] = []
    last = 0
    while len(rows) < most:
        found = await log.newest(db, wish, most=min(AT_ONCE, most - len(rows)))
        names = await log.names_of(db, found)
        rows += [(row.id, f"{row.at:%Y-%m-%d %H:%M:%S}", row.kind, row.about, sentence(row, names)) for row in found]
        if len(found) < AT_ONCE:
            return rows, (found[-1].id or 0) if found else last
        last = found[-1].id or 0
        wish = replace(wish, before=last)
    return rows, last


def kept(wish: Wish) -> dict[str, Any]:
    """The wish as a job keeps it: ids and words, and times as text."""
    return asdict(wish) | {name: at.isoformat() if (at := getattr(wish, name)) else None for name in ("since", "until")}


def meant(kept: Mapping[str, Any], *, before: int | None) -> Wish:
    """The wish that a job has kept, for what is older than `before`; with None as it was."""
    times = {name: datetime.fromisoformat(kept[name]) if kept[name] else None for name in ("since", "until")}
    wish = Wish(**{**kept, **times})
    return wish if before is None else replace(wish, before=before)
