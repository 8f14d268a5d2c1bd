"""The desk on which a manager writes an event, from the first draft to a change of a published one."""

from collections.abc import Sequence
from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import Visitor
from app.bookings import actions as booking_actions
from app.bookings import queries as booking_queries
from app.core import clock
from app.core.db import writing
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.core.money import major
from app.events import pictures, queries
from app.events.actions import drafting, revising
from app.events.models import Event, TicketType
from app.events.pages.proposal import HUES, MOTIFS, TONES, EventForm
from app.events.rules import proposing
from app.web import limits
from app.web.forms import read
from app.web.limits import writes_at_most
from app.web.looks import note_look
from app.web.page import page, see_other
from app.web.visitor import Db, Who, manager, team

LARGEST_REQUEST = pictures.LARGEST_UPLOAD + 1_000_000


@get("/manager/events/new", guards=[manager])
async def new(request: Request[Any, Any, Any], db: Db) -> Response[str]:
    return _form_page(request, EventForm(categories=await queries.categories(db)))


@post("/manager/events/new", guards=[manager], request_max_body_size=LARGEST_REQUEST)
async def propose(request: Request[Any, Any, Any], db: Db, visitor: Who) -> Response[Any]:
    form = await read(EventForm, request, categories=await queries.categories(db))
    if form.has_upload:
        await limits.count(request, "upload")
    await form.take_picture()
    if form.rearrange() or form.rejected:
        return _form_page(request, form)
    wish = form.wish()
    async with writing() as tx:
        event = await drafting.draft(tx, wish, by=visitor.user_id or 0, now=clock.now())
        await _set_codes(tx, event, wish, by=visitor.user_id)
    return see_other(request, f"/manager/events/{event.slug}", flash=_("Draft saved."))


@get("/manager/events/{slug:str}/edit")
async def edit(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[str]:
    event = await _editable(db, slug, visitor)
    return _form_page(request, EventForm(categories=await queries.categories(db), event=event, data=await _values(db, event)))


@post("/manager/events/{slug:str}/edit", request_max_body_size=LARGEST_REQUEST)
async def revise(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[Any]:
    event = await _editable(db, slug, visitor)
    form = await read(EventForm, request, categories=await queries.categories(db), event=event)
    if form.has_upload:
        await limits.count(request, "upload")
    await form.take_picture()
    if form.rearrange() or form.rejected:
        return _form_page(request, form)
    try:
        await _save(event.slug, form.wish(), visitor)
    except Refused as refused:
        form.refuse(refused)
        return _form_page(request, form)
    if event.picture != form.picture_address and not await queries.is_picture_used(db, event.picture):
        pictures.remove(event.picture)
    return see_other(request, f"/manager/events/{slug}", flash=_("Saved."))


@post("/manager/events/poster", guards=[manager], opt={"changes_nothing": True})
async def poster(request: Request[Any, Any, Any], db: Db) -> Response[str]:
    """The poster in the colours that were just chosen."""
    form = await read(EventForm, request, categories=())
    return page(request, "manager/_poster.html", fragment="poster", look=_look(form))


async def _editable(db: AsyncSession, slug: str, visitor: Visitor) -> Event:
    event = await queries.event_of(db, slug, visitor)
    if event.manager_id != visitor.user_id:
        await note_look(visitor, "form", about=f"event:{event.id}")
    if not event.is_editable:
        raise Refused(_("This event cannot be changed now."))
    return event


async def _save(slug: str, wish: proposing.EventWish, visitor: Visitor) -> None:
    async with writing() as tx:
        event = await queries.event_of(tx, slug, visitor)
        booked = await booking_queries.booked_types(tx, event.id or 0)
        staying = {kind.code for kind in wish.types}
        for kind in await queries.ticket_types(tx, event.id):
            if kind.code not in staying and kind.id not in booked:
                await booking_actions.forget_codes(tx, kind.id or 0)
        await revising.revise(tx, event, wish, by=visitor.user_id or 0, booked=booked, now=clock.now())
        await _set_codes(tx, event, wish, by=visitor.user_id)


async def _set_codes(tx: AsyncSession, event: Event, wish: proposing.EventWish, *, by: int | None) -> None:
    """Ticket types stand in the order of the wish."""
    present = await booking_queries.access_codes(tx, event.id or 0)
    for kind, wanted in zip(await queries.ticket_types(tx, event.id), wish.types, strict=True):
        was = present.get(kind.id or 0, "")
        await booking_actions.replace_code(tx, kind.id or 0, was=was, code=wanted.access_code, by=by)


async def _values(db: AsyncSession, event: Event) -> dict[str, Any]:
    """An event as its form shows it: times on the zone's clock, prices as they are typed."""
    venue, kind = await queries.venue(db, event), await queries.category(db, event)
    codes = await booking_queries.access_codes(db, event.id or 0)
    names = (
        "title",
        "summary",
        "description",
        "zone",
        "currency",
        "hue",
        "tone",
        "motif",
        "access",
        "per_buyer",
        "presale_hours",
        "presale_per_buyer",
        "refund_hours",
    )
    times = {"starts": event.starts_at, "ends": event.ends_at, "doors": event.doors_at, "publish_at": event.publish_at}
    return {
        **{name: getattr(event, name) for name in names},
        **{name: proposing.in_zone(moment, event.zone) for name, moment in times.items()},
        **({"venue": venue.name, "address": venue.address, "city": venue.city} if venue else {}),
        "category": kind.slug,
        "refund_fee": str(major(event.refund_fee_minor, event.currency)) if event.refund_fee_minor else "",
        "types": [_type_values(event, of, codes.get(of.id or 0, "")) for of in await queries.ticket_types(db, event.id)],
    }


def _type_values(event: Event, kind: TicketType, access_code: str) -> dict[str, Any]:
    names = ("code", "name", "note", "capacity", "per_booking", "presale_places", "needs_code")
    # A sale that ends when the event starts moves with it, so the field stays empty.
    times = {
        "sale_from": kind.sale_from,
        "sale_to": kind.sale_to if kind.sale_to != event.starts_at else None,
        "presale_from": kind.presale_from,
    }
    return {
        **{name: getattr(kind, name) for name in names},
        **{name: proposing.in_zone(moment, event.zone) for name, moment in times.items()},
        "price": str(major(kind.price_minor, event.currency)),
        "access_code": access_code,
    }


def _form_page(request: Request[Any, Any, Any], form: EventForm) -> Response[str]:
    return page(request, "manager/form.html", status=form.status, form=form, event=form.event, look=_look(form))


def _look(form: EventForm) -> dict[str, str]:
    """What the poster macro wants to know of an event; words that are none of ours count as the first choice."""
    chosen = {name: _one_of(form[name].data, words) for name, words in (("hue", HUES), ("tone", TONES), ("motif", MOTIFS))}
    return {**chosen, "title": form.title.data or "", "picture": form.picture_address}


def _one_of(word: str, words: Sequence[str]) -> str:
    return word if word in words else words[0]


router = Router("/", guards=[team, writes_at_most("desk")], route_handlers=[new, propose, poster, edit, revise])
