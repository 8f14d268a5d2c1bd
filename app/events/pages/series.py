"""The page of a series: all its dates that are ahead, each with how it stands."""

from typing import Any

from litestar import Request, Response, Router, get
from litestar.params import FromPath

from app.core import clock
from app.core.errors import NotFound
from app.core.i18n import gettext as _
from app.events import dates, queries
from app.events.posters import card_path
from app.web.limits import looks_at_most
from app.web.page import page
from app.web.visitor import Db


@get("/series/{slug:str}", guards=[looks_at_most("list")])
async def show(request: Request[Any, Any, Any], db: Db, slug: FromPath[str]) -> Response[str]:
    """Public as soon as one of its dates is, and from then on also when none is ahead."""
    found = await dates.public_series(db, slug)
    if not found:
        raise NotFound(_("There is no such series."))
    cards = await queries.dates_ahead(db, found.id, now=clock.now())
    canonical = f"/series/{found.slug}"
    return page(request, "events/series.html", public=True, canonical=canonical, series=found, cards=cards, card=card_path())


router = Router("/", route_handlers=[show])
