"""The activity log: every act in one sentence, the newest first; its seal to keep, and the log as a file."""

import json
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts import queries as accounts
from app.admin import log, logged, queries
from app.admin.log import GROUPS, Wish
from app.admin.sentences import sentence
from app.core import clock, seals
from app.core.i18n import gettext as _
from app.core.i18n import lazy
from app.core.settings import settings
from app.web import asked, files
from app.web.limits import at_most
from app.web.page import page
from app.web.visitor import Db, Who, admin

ON_A_PAGE = 50
# A larger file is written by a job.
MOST_AT_ONCE = 10_000
_MOST_LETTERS = 254


@get("/admin/activity")
async def index(request: Request[Any, Any, Any], db: Db) -> Response[str]:
    wish, typed = await _wish(request, db)
    found = await log.newest(db, wish, most=ON_A_PAGE + 1)
    shown = found[:ON_A_PAGE]
    names = await log.names_of(db, shown)
    context: dict[str, Any] = {
        "typed": typed,
        "groups": GROUPS,
        "rows": [(row, sentence(row, names)) for row in shown],
        "older": _url("/admin/activity", **typed, before=shown[-1].id) if len(found) > ON_A_PAGE else "",
        "newest": _url("/admin/activity", **typed) if wish.before is not None else "",
        "file": _url("/admin/activity/file", **typed),
        "head": await seals.last(db),
    }
    return page(request, "admin/activity.html", **context)


@get("/admin/activity/{number:int}")
async def show(request: Request[Any, Any, Any], db: Db, number: FromPath[int]) -> Response[str]:
    """One row by itself, with what was written down beside the sentence."""
    row = await queries.activity_row(db, number)
    names = await log.names_of(db, [row])
    details = json.dumps(row.details, ensure_ascii=False, indent=1)
    return page(request, "admin/activity_row.html", row=row, sentence=sentence(row, names), details=details)


@post("/admin/activity/file", guards=[at_most("export")])
async def file(request: Request[Any, Any, Any], db: Db, visitor: Who) -> Response[Any]:
    """What the filter shows: a small file at once, a large one is a job. Taking it away is an act of its own."""
    wish, _typed = await _wish(request, db)
    count, name = await log.count(db, wish), f"activity-{clock.now():%Y-%m-%d}.csv"
    taken: dict[str, Any] = {"about": "activities:all", "by": visitor.user_id or 0, "count": count}
    if count <= MOST_AT_ONCE:
        rows, _last = await logged.rows(db, wish, most=MOST_AT_ONCE)
        return await files.hand_over([logged.head(), *rows], name, **taken)
    title = lazy("The activity log")
    return await files.write_by_job(request, "activities.listed", name, wish=logged.kept(wish), title=title, **taken)


@get("/admin/activity/head.txt")
async def head(db: Db) -> Response[bytes]:
    """The newest seal, to be kept where nobody with the database can reach it."""
    found = await seals.last(db)
    lines = [settings().base_url, _("Nothing is sealed yet.")]
    if found:
        lines = [
            settings().base_url,
            _("Seal %(number)s of the activity log, made on %(time)s UTC, over %(total)s activities.")
            % {"number": found.number, "time": found.at[:19], "total": found.total},
            _("Check with it later that nothing was cut off:"),
            f"python main.py verify-activity --head {found.number}:{found.mac}",
        ]
    number = found.number if found else 0
    return files.attached("\n".join((*lines, "")).encode(), "text/plain", f"activity-seal-{number}.txt")


async def _wish(request: Request[Any, Any, Any], db: AsyncSession) -> tuple[Wish, dict[str, str]]:
    """What the address asks for, and its words as they were typed. Who or what is unknown has no activities."""
    typed = {name: asked.word(request, name, most=_MOST_LETTERS) for name in ("group", "who", "thing", "kind", "from", "to")}
    typed["group"] = typed["group"] if typed["group"] in GROUPS else ""
    by = await accounts.by_email(db, typed["who"]) if typed["who"] else None
    about = await log.things(db, typed["thing"]) if typed["thing"] else None
    if typed["who"] and not by:
        about = []
    before = asked.word(request, "before")
    older_than = int(before) if before.isascii() and before.isdecimal() and len(before) < 19 else None
    since, last = asked.day(typed["from"]), asked.day(typed["to"])
    until = last + timedelta(days=1) if last else None
    return Wish(typed["group"], by.id if by else None, about, older_than, typed["kind"], since, until), typed


def _url(address: str, **words: object) -> str:
    query = urlencode({name: value for name, value in words.items() if value})
    return f"{address}?{query}" if query else address


router = Router("/", guards=[admin], route_handlers=[index, show, file, head])
