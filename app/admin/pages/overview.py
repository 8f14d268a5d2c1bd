"""The first page of the operator's desk: what waits for a decision or a repair."""

from typing import Any

from litestar import Request, Response, Router, get

from app.admin import queries
from app.core import clock
from app.web.page import page
from app.web.visitor import Db, admin


@get("/admin")
async def overview(request: Request[Any, Any, Any], db: Db) -> Response[str]:
    return page(request, "admin/overview.html", waiting=await queries.waiting(db, now=clock.now()))


router = Router("/", guards=[admin], route_handlers=[overview])
