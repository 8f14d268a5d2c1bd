"""What is left, as it changes: a stream for pages that are looked at."""

import secrets
from collections.abc import AsyncGenerator
from typing import Any

from litestar import Request, Response, Router, get
from litestar.params import FromPath

from app.bookings import live
from app.core.db import reading
from app.core.errors import NotFound
from app.core.i18n import gettext as _
from app.core.i18n import language
from app.events import queries
from app.web.limits import looks_at_most
from app.web.security import client_address
from app.web.streams import HEADERS, MEDIA_TYPE, EventStream, told


@get("/events/{slug:str}/live", guards=[looks_at_most("list")])
async def numbers(request: Request[Any, Any, Any], slug: FromPath[str]) -> Response[Any]:
    """Server-sent events whose name is the mark of the numbers and whose data is events/_numbers.html.

    When there are too many streams the answer is 204, which tells a browser not to ask again; the page then asks now and then.
    """
    async with reading() as db:
        event = await queries.public_event(db, slug)
        offers = await live.offers_of(db, event) if event else []
    if not event:
        raise NotFound(_("There is no such event, or it is not public yet."))
    if MEDIA_TYPE not in request.headers.get("accept", ""):
        # Whoever does not read streams hears how it stands, and that is all.
        return Response(told(*live.numbers(event, offers)), media_type=MEDIA_TYPE, headers=HEADERS)
    address = client_address(request)
    if not live.room().has_place(address):
        return Response(None, status_code=204)
    seen = request.headers.get("last-event-id") or request.query_params.get("seen", "")
    return EventStream(_messages(event.id or 0, seen=seen, address=address, language=language()))


async def _messages(event_id: int, **reader: Any) -> AsyncGenerator[str, None]:
    # After a restart not everybody comes back in the same second.
    yield f"retry: {2000 + secrets.randbelow(6000)}\n\n"
    stream = live.room().follow(event_id, **reader)
    try:
        async for mark, text in stream:
            yield told(mark, text) if mark else ":\n\n"
    finally:
        await stream.aclose()


router = Router("/", route_handlers=[numbers])
