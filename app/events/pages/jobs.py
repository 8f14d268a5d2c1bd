"""Long work that somebody has started: how far it is, what came of it, and the file it has made."""

from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from litestar.response import File
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import Visitor
from app.core import clock, jobs
from app.core.db import writing
from app.core.errors import NotFound
from app.core.i18n import gettext as _
from app.core.jobs import Job
from app.events.team import may_still_sell
from app.web.limits import writes_at_most
from app.web.looks import note_look
from app.web.page import page, see_other
from app.web.visitor import Db, Who, team


@get("/manager/jobs")
async def index(request: Request[Any, Any, Any], db: Db, visitor: Who) -> Response[str]:
    everyone = visitor.is_admin and request.query_params.get("all") == "1"
    if everyone:
        await note_look(visitor, "jobs", about="jobs:all")
    found = await jobs.newest(db, by=None if everyone else visitor.user_id)
    return page(request, "manager/jobs.html", jobs=found, everyone=everyone, now=clock.now())


@get("/manager/jobs/{code:str}")
async def show(request: Request[Any, Any, Any], db: Db, visitor: Who, code: FromPath[str]) -> Response[str]:
    """The page, or only the part about its progress, which asks for itself until the job is over."""
    job = await _job(db, code, visitor)
    return page(request, "manager/job.html", fragment="job", job=job, now=clock.now())


@get("/manager/jobs/{code:str}/file")
async def file(db: Db, visitor: Who, code: FromPath[str]) -> File:
    job = await _job(db, code, visitor)
    if not job.has_file(clock.now()) or not job.path.is_file():
        raise NotFound(_("There is no such file any more. Start the job again."))
    return File(job.path, filename=job.file_name, media_type="text/csv", headers={"Cache-Control": "no-store"})


@post("/manager/jobs/{code:str}/again")
async def again(request: Request[Any, Any, Any], visitor: Who, code: FromPath[str]) -> Response[str]:
    async with writing() as tx:
        await jobs.try_again(tx, await _found(tx, code, visitor), by=visitor.user_id or 0)
    return see_other(request, f"/manager/jobs/{code}")


async def _job(db: AsyncSession, code: str, visitor: Visitor) -> Job:
    """The job of whoever started it. An admin may look at everybody's, and the log keeps that."""
    job = await _found(db, code, visitor)
    if job.by_user_id != visitor.user_id:
        await note_look(visitor, "job", about=f"job:{job.id}")
    return job


async def _found(db: AsyncSession, code: str, visitor: Visitor) -> Job:
    """Whoever has started a job about an event sees it as long as they may still sell for the event."""
    job = await jobs.by_code(db, code)
    own = job is not None and job.by_user_id == visitor.user_id and job.about not in jobs.OF_EVERYBODY
    if not job or not (visitor.is_admin or own):
        raise NotFound(_("There is no such job."))
    if not await may_still_sell(db, job.about, visitor):
        raise NotFound(_("There is no such job."))
    return job


router = Router("/", guards=[team, writes_at_most("desk")], route_handlers=[index, show, file, again])
