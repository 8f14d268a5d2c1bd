"""The first page of the operator's desk: what waits for a decision or a repair."""

from typing import Any

from litestar import Request, Response, Router, get

from app.admin import queries, queues
from app.core import clock
from app.web.page import page
from app.web.visitor import Db, admin


@get("/admin")
async def overview(request: Request[Any, Any, Any], db: Db) -> Response[str]:
    now = clock.now()
    queue, waiting = await queues.waiting(db, now=now), await queries.waiting(db, now=now)
    return page(request, "admin/overview.html", queues=queue, waiting=waiting, now=now)


router = Router("/", guards=[admin], route_handlers=[overview])
