"""Posters as PNG, for search engines and for whoever shares a page."""

from litestar import Response, Router, get
from litestar.params import FromPath, FromQuery

from app.core.db import reading
from app.core.errors import NotFound
from app.core.i18n import gettext as _
from app.events import posters, queries
from app.events.posters import SHAPES, Look
from app.events.rules import languages
from app.web.limits import looks_at_most


@get("/events/{slug:str}/poster/{name:str}", guards=[looks_at_most("list")])
async def poster(slug: FromPath[str], name: FromPath[str], v: FromQuery[str] = "") -> Response[bytes]:
    """`name` is one of SHAPES with ".png"; `v` is the poster's mark, with which the answer never changes."""
    # The database is left before anything is drawn.
    async with reading() as db:
        event = await queries.by_slug(db, slug)
    if not event or not event.is_public or not name.endswith(".png") or name.removesuffix(".png") not in SHAPES:
        raise NotFound(_("There is no picture at this address."))
    # The mark tells the language too, so that the answer is the same whoever asks.
    looks = [posters.look_of(languages.read_in(event, code)) for code in (event.language, *event.texts)]
    return await _drawn(next((look for look in looks if look.mark == v), looks[0]), name.removesuffix(".png"), v)


@get("/card.png", guards=[looks_at_most("list")])
async def card(v: FromQuery[str] = "") -> Response[bytes]:
    """The shop's own, for its lists."""
    return await _drawn(posters.house(), "16x9", v)


async def _drawn(look: Look, shape: str, mark: str) -> Response[bytes]:
    made = await posters.png(look, shape)
    kept = "max-age=31536000, immutable" if mark == look.mark else "max-age=600"
    return Response(made, media_type="image/png", headers={"Cache-Control": f"public, {kept}"})


router = Router("/", route_handlers=[poster, card])
