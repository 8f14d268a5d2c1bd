"""What a manager sees and does while an admin decides about an event."""

from typing import Any

from litestar import Request, Response, Router, post
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import Visitor
from app.core import clock
from app.core.db import writing
from app.core.i18n import gettext as _
from app.events import queries, reviews
from app.events.actions import deciding, waiting
from app.events.models import Event
from app.events.rules import reviewing
from app.web.limits import writes_at_most
from app.web.page import see_other
from app.web.visitor import Who, team


@post("/manager/events/{slug:str}/withdraw")
async def withdraw(request: Request[Any, Any, Any], visitor: Who, slug: FromPath[str]) -> Response[Any]:
    async with writing() as tx:
        event = await queries.event_of(tx, slug, visitor)
        await deciding.withdraw(tx, event, by=visitor.user_id or 0)
    return see_other(request, f"/manager/events/{slug}", flash=_("It is a draft again. Change it, and send it when it is ready."))


@post("/manager/events/{slug:str}/changes/withdraw")
async def take_back(request: Request[Any, Any, Any], visitor: Who, slug: FromPath[str]) -> Response[Any]:
    async with writing() as tx:
        event = await queries.event_of(tx, slug, visitor)
        await waiting.withdraw(tx, event, by=visitor.user_id or 0, now=clock.now())
    return see_other(request, f"/manager/events/{slug}", flash=_("The change is taken back; the event stays as it is."))


async def review_context(db: AsyncSession, event: Event, visitor: Visitor) -> dict[str, Any]:
    """What manager/_review.html shows beside the event."""
    change = await reviews.waiting(db, event)
    return {
        "change": change,
        "declined": await reviews.declined(db, event) if event.state in ("approved", "published") else None,
        "asked": await reviews.asked(db, event, change) if change else None,
        "wishes": await reviews.wishes(db, event) if event.state == "draft" else {},
        "section_names": reviewing.SECTION_NAMES,
        "is_trusted": await reviews.is_trusted(db, visitor.user_id),
    }


router = Router("/", guards=[team, writes_at_most("desk")], route_handlers=[withdraw, take_back])
