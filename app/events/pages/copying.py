"""A manager copies an event to a new draft."""

from typing import Any

from litestar import Request, Response, Router, post
from litestar.params import FromPath

from app.bookings import actions as booking_actions
from app.core import clock
from app.core.db import writing
from app.core.i18n import gettext as _
from app.events import queries
from app.events.actions import copying
from app.web.limits import writes_at_most
from app.web.page import see_other
from app.web.visitor import Who, team


@post("/manager/events/{slug:str}/copy")
async def copy(request: Request[Any, Any, Any], visitor: Who, slug: FromPath[str]) -> Response[Any]:
    by = visitor.user_id or 0
    async with writing() as tx:
        event = await queries.event_of(tx, slug, visitor, right="team")
        made = await copying.duplicate(tx, event, by=by, now=clock.now())
        await booking_actions.copy_codes(tx, event, made.types, by=by)
    return see_other(
        request, f"/manager/events/{made.event.slug}/edit", flash=_("Copied to a new draft. Choose its date under Basics.")
    )


router = Router("/", guards=[team, writes_at_most("desk")], route_handlers=[copy])
