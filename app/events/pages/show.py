"""The event page: what it is, and the picker from which places are held."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote as quote_url

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession
from wtforms import EmailField, HiddenField, RadioField, SelectChoice  # type: ignore[attr-defined]
from wtforms.validators import Length, Optional

from app.accounts.models import Visitor
from app.bookings import boxoffice, waiting
from app.bookings import queries as booking_queries
from app.bookings.boxoffice import Wish
from app.bookings.rules import SoldOut, normal_code
from app.core import clock
from app.core.db import reading
from app.core.errors import NotFound, Refused, TooMany
from app.core.i18n import gettext as _
from app.core.i18n import language, lazy, to, told
from app.core.settings import settings
from app.events import dates, queries
from app.events.models import Event, TicketType
from app.events.pages.hearts import watcher_of
from app.events.posters import SHAPES, Look, look_of
from app.events.posters import path as poster_path
from app.events.queries import EventPage
from app.events.rules import languages, offering, structured
from app.events.rules.offering import Deal
from app.tickets.calendar import calendar
from app.web import limits
from app.web.cookies import theme
from app.web.forms import BaseForm, email, how_many, no_control_characters, plain, read, required, text
from app.web.kept import Briefly, sees_what_everybody_sees
from app.web.limits import at_most, looks_at_most
from app.web.page import is_htmx, page, see_other, shown, wants_part
from app.web.visitor import Db, Who, remember, with_key

MOST_PER_TYPE = 20
_TOO_LATE = Briefly()
AMOUNTS: dict[Any, int] = {str(number): number for number in range(MOST_PER_TYPE + 1)} | {"": 0}


class WaitForm(BaseForm):
    """A place in line; wait_form() makes the fields "type" and "places" for the event at hand."""

    email: EmailField = email()


class RemindForm(BaseForm):
    """Whom to remind when the sale opens; users need no field."""

    email: EmailField = email()


class CodeForm(BaseForm):
    code = text(lazy("Code"), most=40, missing=lazy("Enter your code"))


@get("/events/{slug:str}", guards=[looks_at_most("list")])
async def show(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[str]:
    found = await found_page(request, db, visitor, slug)
    form = hold_form(found.event, found.types)(code=_code_in(request))
    context = await context_of(request, db, found, form, wait_form(found.event, found.types)(email=visitor.email))
    return page(request, "events/show.html", fragment="picker", public=True, **context)


@post("/events/{slug:str}/hold", opt={"is_in_activities": True})
async def hold(request: Request[Any, Any, Any], visitor: Who, slug: FromPath[str]) -> Response[Any]:
    wish = await _wish(request, slug, visitor)
    if not wish:
        await limits.count(request, "hold")
        return await _picker_again(request, slug, visitor)
    try:
        booking = await boxoffice.hold(wish)
    except (NotFound, TooMany):
        raise
    except SoldOut as sold_out:
        return await _sold_out(request, slug, visitor, sold_out)
    except Refused as refused:
        return await _picker_again(request, slug, visitor, refused)
    return remember(see_other(request, f"/bookings/{booking.code}"), wish.by)


@post("/events/{slug:str}/quote")
async def quote(request: Request[Any, Any, Any], db: Db, slug: FromPath[str]) -> Response[str]:
    """What the chosen places cost; nothing changes."""
    event = await _public(db, slug)
    types = await queries.ticket_types(db, event.id or 0)
    form = await read(hold_form(event, types), request)
    deal = await _deal(request, db, event, types, form.code.data or "")
    return page(request, "events/_sum.html", event=event, **_sum(form, offering.offers(event, types, deal=deal, now=clock.now())))


@get("/events/{slug:str}/availability")
async def availability(request: Request[Any, Any, Any], db: Db, slug: FromPath[str]) -> Response[Any]:
    """The numbers that changed since the page was made; 204 when none did."""
    event = await _public(db, slug)
    types = await queries.ticket_types(db, event.id)
    deal = await _deal(request, db, event, types, _code_in(request))
    now = clock.now()
    offers = offering.offers(event, types, deal=deal, free_at=await booking_queries.free_at(db, types, now=now), now=now)
    seen = offering.mark(offers)
    if request.query_params.get("seen") == seen:
        return Response(None, status_code=204)
    return page(request, "events/_availability.html", event=event, offers=offers, seen=seen, code=deal.code)


@post("/events/{slug:str}/unlock", guards=[at_most("access code")])
async def unlock(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[Any]:
    found = await found_page(request, db, visitor, slug)
    code_form = await read(CodeForm, request)
    code = normal_code(code_form.code.data or "")
    deal = await _deal(request, db, found.event, found.types, code)
    if not code_form.errors and not deal.works:
        code_form.code.errors = [deal.refusal or _("No ticket type of this event opens with that code.")]
    right = "" if code_form.errors else code
    context = await context_of(request, db, found, hold_form(found.event, found.types)(code=right)) | {"code_form": code_form}
    if code_form.errors:
        return page(request, "events/show.html", fragment="picker", status=422, **context)
    where = f"/events/{slug}?code={quote_url(code)}#tickets"
    return shown(request, where, "events/show.html", fragment="picker", **context)


@get("/events/{slug:str}/calendar.ics")
async def calendar_file(db: Db, slug: FromPath[str]) -> Response[bytes]:
    event = await _public(db, slug)
    body = calendar(event, await queries.venue(db, event), settings().base_url + to(f"/events/{event.slug}"), clock.now())
    disposition = f'attachment; filename="{event.slug}.ics"'
    return Response(body, media_type="text/calendar", headers={"Content-Disposition": disposition})


async def _wish(request: Request[Any, Any, Any], slug: str, visitor: Visitor) -> Wish | None:
    """What the form asks for, read by hand: when everybody comes at once, building the form takes longer than the hold.

    None when anything in it is odd; the form then finds the words for it.
    """
    try:
        sent = [(name, value) for name, value in (await request.form()).multi_items() if name.startswith("q-") or name == "code"]
    except (ValueError, UnicodeError):
        return None
    code = plain(next((value for name, value in sent if name == "code" and isinstance(value, str)), ""))
    places = {name[2:]: AMOUNTS.get(value) for name, value in sent if name != "code"}
    if None in places.values() or len(dict(sent)) < len(sent) or len(code) > 40 or not code.isprintable():
        return None
    wanted = {code: qty for code, qty in places.items() if qty}
    is_new = not (visitor.key or visitor.is_signed_in)
    allowances = [limits.allowance(request, name) for name in (("hold",) if is_new else ("hold", "hold by buyer"))]
    return Wish(slug, wanted, by=with_key(visitor), access_code=code, is_new=is_new, allowances=allowances)


async def _sold_out(request: Request[Any, Any, Any], slug: str, visitor: Visitor, refused: SoldOut) -> Response[str]:
    """When a thousand people are too late in the same second, the same page is made once for all who chose the same."""
    if not sees_what_everybody_sees(request):
        return await _picker_again(request, slug, visitor, refused)
    looks = (language(), theme(request.cookies), wants_part(request), is_htmx(request))
    key = (slug, await request.body(), refused.sentence, *looks)
    made = await _TOO_LATE.get(key, lambda: _picker_again(request, slug, visitor, refused))
    return Response(made.content, status_code=made.status_code, media_type=made.media_type, headers=dict(made.headers))


async def _picker_again(
    request: Request[Any, Any, Any], slug: str, visitor: Visitor, refused: Refused | None = None
) -> Response[str]:
    """The event page with the choice as it was sent, and what is wrong with it."""
    async with reading() as db:
        found = await found_page(request, db, visitor, slug)
        form = await read(hold_form(found.event, found.types), request)
        if refused:
            form.refuse(refused)
        elif not form.rejected:
            form.refuse(Refused(_("Choose at least one ticket.")))
        status = 409 if isinstance(refused, SoldOut) else form.status
        return page(request, "events/show.html", fragment="picker", status=status, **await context_of(request, db, found, form))


async def _public(db: AsyncSession, slug: str) -> Event:
    event = await queries.public_event(db, slug)
    if not event:
        raise NotFound(_("There is no such event, or it is not public yet."))
    return event


async def found_page(request: Request[Any, Any, Any], db: AsyncSession, visitor: Visitor, slug: str) -> EventPage:
    watcher, takes_codes = watcher_of(request, visitor), booking_queries.takes_codes()
    found = await queries.event_page(db, slug, watcher=watcher, now=clock.now(), takes_codes=takes_codes)
    if not found:
        raise NotFound(_("There is no such event, or it is not public yet."))
    return found


def _code_in(request: Request[Any, Any, Any]) -> str:
    """The code of a link."""
    return plain(request.query_params.get("code", ""))[:40]


async def _deal(request: Request[Any, Any, Any], db: AsyncSession, event: Event, types: Sequence[TicketType], code: str) -> Deal:
    """What a code does, wherever it was typed. Wrong ones count; codes that were used up are not wrong."""
    if not code:
        return offering.NO_DEAL
    await limits.check(db, request, "wrong access code")
    deal = await booking_queries.deal(db, event, types, code, now=clock.now())
    if not deal.is_known:
        await limits.count(request, "wrong access code")
    return deal


async def context_of(
    request: Request[Any, Any, Any], db: AsyncSession, found: EventPage, form: "HoldForm", wait: WaitForm | None = None
) -> dict[str, Any]:
    """Everything that events/show.html shows. How many wait is asked only where somebody does."""
    now, event = clock.now(), found.event
    deal = await _deal(request, db, event, found.types, normal_code(form.code.data or ""))
    if not deal.works:
        # Sent along with the next choice it would only be refused.
        form.code.data = ""
    free_at = await booking_queries.free_at(db, found.types, now=now)
    offers = offering.offers(event, found.types, deal=deal, free_at=free_at, now=now)
    look = look_of(event)
    return {
        "canonical": f"/events/{event.slug}",
        "event": event,
        "spoken": languages.language_of(event, language()),
        "venue": found.venue,
        "category": found.category,
        "is_favourite": found.is_favourite,
        "similar": found.similar,
        "series": found.series,
        "dates": await dates.others(db, event, now=now),
        "manager": found.manager,
        "facts": _facts(found, offers, look),
        "poster": poster_path(event.slug, "16x9", look),
        "offers": offers,
        "seen": offering.mark(offers),
        "state": offering.offer_state(event, offers, now=now),
        "is_over": event.is_over(now),
        "cheapest": min((kind.price_minor for kind in found.types), default=None),
        "presale_until": event.presale_kept_until(now),
        "form": form,
        "code": deal.code if deal.works else "",
        "code_form": CodeForm(code=deal.code),
        "deal": deal,
        "takes_codes": found.takes_codes,
        "wait": wait or wait_form(event, found.types)(),
        "waited_for": waited_for(event, found.types, now=now),
        "people": await waiting.people(db, found.types),
        "opens": offering.opens_next(event, found.types, now=now),
        "remind": RemindForm(),
        "hold_minutes": settings().hold_minutes,
        **_sum(form, offers),
    }


class HoldForm(BaseForm):
    """So many places of each type; the fields "q-CODE" are added for the event at hand."""

    code = HiddenField(validators=[Optional(), no_control_characters, Length(max=40)], filters=[plain])

    def wanted(self, types: Sequence[TicketType]) -> dict[int, int]:
        """Places by ticket type id, zeros left out. Raises nothing: what is missing is zero."""
        amounts = {kind.id or 0: self.amount(kind) for kind in types}
        return {type_id: qty for type_id, qty in amounts.items() if qty}

    def amount(self, kind: TicketType) -> int:
        """Places of this type; none where nothing that can be chosen was sent."""
        return int(self[f"q-{kind.code}"].data)


def waited_for(event: Event, types: Sequence[TicketType], *, now: datetime) -> list[TicketType]:
    """The ticket types whose line can be joined now."""
    if not event.sells(now) or not event.is_waiting_list_open:
        return []
    return [kind for kind in types if kind.is_in_general_sale(now) and kind.left_now(now) <= 0]


def wait_form(event: Event, types: Sequence[TicketType]) -> type[WaitForm]:
    """With one type to wait for there is nothing to choose. The box of a type says how many places it gives at most."""
    kinds = waited_for(event, types, now=clock.now()) or types
    most = min(MOST_PER_TYPE, event.per_buyer, max((kind.per_booking for kind in kinds), default=1))
    return _wait_form(_named(event, kinds), most)


def hold_form(event: Event, types: Sequence[TicketType]) -> type[HoldForm]:
    return _hold_form(_named(event, types))


Named = tuple[tuple[str, str], ...]


def _named(event: Event, types: Sequence[TicketType]) -> Named:
    """The codes of ticket types, and their names in the reader's language."""
    return tuple((kind.code, told(kind.name, event)) for kind in types)


# To make the class of a form takes longer than to fill it in, and it depends on nothing but what is passed.
@lru_cache(maxsize=500)
def _wait_form(kinds: Named, most: int) -> type[WaitForm]:
    choices = [SelectChoice(code, name) for code, name in kinds]
    only = kinds[0][0] if len(kinds) == 1 else None
    fields = {
        # L10N: the kind of ticket that somebody waits for.
        "type": RadioField(lazy("For"), [required(lazy("Choose what you wait for"))], choices=choices, default=only),
        "places": how_many(lazy("Tickets"), least=1, most=most),
    }
    return type("WaitFormOfEvent", (WaitForm,), fields)


@lru_cache(maxsize=500)
def _hold_form(kinds: Named) -> type[HoldForm]:
    fields = {f"q-{code}": how_many(name, most=MOST_PER_TYPE) for code, name in kinds}
    return type("HoldFormOfEvent", (HoldForm,), fields)


def _sum(form: HoldForm, offers: Sequence[offering.Offer]) -> dict[str, Any]:
    return {
        "places": sum(form.amount(offer.kind) for offer in offers),
        "sum_minor": sum(offer.price_minor * form.amount(offer.kind) for offer in offers),
    }


def _facts(found: EventPage, offers: Sequence[offering.Offer], look: Look) -> dict[str, Any]:
    """For search engines."""
    base_url, event, series = settings().base_url, found.event, found.series
    return structured.event_facts(
        event,
        url=base_url + to(f"/events/{event.slug}"),
        venue=found.venue,
        category=found.category,
        series=(series.title, base_url + to(f"/series/{series.slug}")) if series else None,
        offers=offers,
        images=[base_url + poster_path(event.slug, shape, look) for shape in SHAPES],
        organizer=(settings().site_name, base_url),
    )


router = Router("/", route_handlers=[show, hold, quote, availability, unlock, calendar_file])
