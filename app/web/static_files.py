"""The files of static/ over HTTP. They lie in memory under their names, so that no address leads anywhere else on the disk."""

import asyncio
from typing import Any

from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from app.core.static import StaticFile, find
from app.web.packing import accepted

FOR_EVER = "public, max-age=31536000, immutable"


@get("/static/{file_path:path}", include_in_schema=False)
async def static_file(request: Request[Any, Any, Any], file_path: FromPath[str]) -> Response[bytes]:
    """The file under its marked name, kept for a year; under any other name asked for again each time."""
    found, is_marked = find(file_path.removeprefix("/"))
    if not found:
        raise NotFoundException
    mark = f'W/"{found.mark}"'
    headers = {"Cache-Control": FOR_EVER} if is_marked else {"Cache-Control": "no-cache", "ETag": mark}
    if not found.is_packed:
        headers["Vary"] = "Accept-Encoding"
    if not is_marked and mark in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers)
    encoding = "" if found.is_packed else accepted(request.headers.get("accept-encoding", ""), offered=("br", "gzip"))
    body = await _packed(found, encoding)
    return Response(body, media_type=found.media_type, headers=headers | ({"Content-Encoding": encoding} if encoding else {}))


async def _packed(file: StaticFile, encoding: str) -> bytes:
    """In a thread, because the first time takes a quarter of a second; after that it lies there."""
    kind = {"br": "as_brotli", "gzip": "as_gzip"}.get(encoding, "body")
    packed: Any = file.__dict__.get(kind) or await asyncio.to_thread(getattr, file, kind)
    return bytes(packed)
