"""Tables about everybody that an admin takes away as CSV."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from litestar import Request, Response

from app.core import activity, jobs
from app.core.db import writing
from app.core.sheets import csv_file
from app.web.page import see_other


async def hand_over(rows: Iterable[Sequence[object]], name: str, *, about: str, by: int, count: int) -> Response[Any]:
    """The file itself. `count` rows without the head are written down as taken away."""
    async with writing() as tx:
        await activity.record(tx, "admin.exported", about=about, by=by, rows=count)
    return attached(csv_file(rows), "text/csv", name)


async def write_by_job(
    request: Request[Any, Any, Any], kind: str, name: str, *, about: str, by: int, count: int, wish: Mapping[str, Any], title: Any
) -> Response[Any]:
    """The way to a job of this kind, which writes the file; a second click leads to the job that is at work already.

    Going back leads to where the address of the file begins.
    """
    back = request.url.path.removesuffix("/file")
    async with writing() as tx:
        job = await jobs.at_work(tx, kind, by=by, wish=wish)
        if not job:
            job = await jobs.start(tx, kind, about=about, by=by, title=title, wish=wish, total=count, back=back, file_name=name)
            await activity.record(tx, "admin.exported", about=about, by=by, rows=count)
    return see_other(request, f"/manager/jobs/{job.code}")


def attached(body: bytes, media_type: str, name: str) -> Response[bytes]:
    """A file to be kept, also as the answer to a form."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(body, media_type=media_type, status_code=200, headers=headers)
