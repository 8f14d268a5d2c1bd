"""The event page: what it is, and the picker from which places are held."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote as quote_url

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession
from wtforms import HiddenField, RadioField, SelectChoice  # type: ignore[attr-defined]
from wtforms.validators import Length, Optional

from app.accounts.models import Visitor
from app.bookings import actions as bookings
from app.bookings import queries as booking_queries
from app.bookings.rules import SoldOut
from app.core import clock, limits
from app.core.db import writing
from app.core.errors import NotFound, Refused
from app.core.i18n import gettext as _
from app.core.i18n import lazy
from app.core.money import major
from app.core.settings import settings
from app.events import queries
from app.events.models import Category, Event, TicketType, Venue
from app.tickets.calendar import calendar
from app.web.forms import BaseForm, no_control_characters, plain, read, text
from app.web.page import page, see_other, shown
from app.web.security import client_address
from app.web.visitor import Db, Who, remember, with_key

FEW = 20
MOST_IN_PICKER = 10
MOST_PER_TYPE = 20


class CodeForm(BaseForm):
    code = text(lazy("Access code"), most=40, missing=lazy("Enter your access code"))


@dataclass(frozen=True)
class Offer:
    """A ticket type as the picker shows it now. `state`: open, locked (needs a code), later, sold_out, over."""

    kind: TicketType
    state: str
    left: int
    opens_at: datetime | None
    in_presale: bool

    @property
    def shows_left(self) -> bool:
        """True counts only, and only when they matter."""
        return self.state == "open" and (self.left <= FEW or self.left * 5 <= self.kind.capacity)

    @property
    def most(self) -> int:
        return min(self.kind.per_booking, self.left, MOST_IN_PICKER)


@get("/events/{slug:str}")
async def show(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[str]:
    event = await _public(db, slug)
    types = await queries.ticket_types(db, event.id or 0)
    form = _hold_form(types)(code=plain(request.query_params.get("code", ""))[:40])
    context = await _context(db, event, types, visitor, form)
    return page(request, "events/show.html", fragment="picker", public=True, **context)


@post("/events/{slug:str}/hold")
async def hold(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[Any]:
    await limits.count(f"hold:{client_address(request)}", most=300, seconds=60)
    event = await _public(db, slug)
    types = await queries.ticket_types(db, event.id or 0)
    form = await read(_hold_form(types), request)
    visitor, status = with_key(visitor), form.status
    if not form.rejected:
        try:
            async with writing() as tx:
                booking = await bookings.hold(
                    tx, event, form.wanted(types), by=visitor, access_code=form.code.data or "", now=clock.now()
                )
            return remember(see_other(request, f"/bookings/{booking.code}"), visitor)
        except Refused as refused:
            form.refuse(refused)
            status = 409 if isinstance(refused, SoldOut) else 422
    context = await _context(db, event, await queries.ticket_types(db, event.id or 0), visitor, form)
    return page(request, "events/show.html", fragment="picker", status=status, **context)


@post("/events/{slug:str}/quote")
async def quote(request: Request[Any, Any, Any], db: Db, slug: FromPath[str]) -> Response[str]:
    """What the chosen places cost; nothing changes."""
    event = await _public(db, slug)
    types = await queries.ticket_types(db, event.id or 0)
    form = await read(_hold_form(types), request)
    return page(request, "events/_sum.html", event=event, **_sum(form, types))


@get("/events/{slug:str}/availability")
async def availability(request: Request[Any, Any, Any], db: Db, slug: FromPath[str]) -> Response[Any]:
    """The numbers that changed since the page was made; 204 when none did."""
    event = await _public(db, slug)
    offers = _offers(event, await queries.ticket_types(db, event.id or 0), set(), now=clock.now())
    seen = _fingerprint(offers)
    if request.query_params.get("seen") == seen:
        return Response(None, status_code=204)
    return page(request, "events/_availability.html", event=event, offers=offers, seen=seen)


@post("/events/{slug:str}/unlock")
async def unlock(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[Any]:
    await limits.count(f"unlock:{client_address(request)}", most=20, seconds=3600)
    event = await _public(db, slug)
    code_form = await read(CodeForm, request)
    code = booking_queries.normal_code(code_form.code.data or "")
    if not code_form.errors and not await booking_queries.types_opened_by(db, event.id or 0, code):
        code_form.code.errors = [_("No ticket type of this event opens with that code.")]
    types = await queries.ticket_types(db, event.id or 0)
    context = await _context(db, event, types, visitor, _hold_form(types)(code=code)) | {"code_form": code_form}
    if code_form.errors:
        return page(request, "events/show.html", fragment="picker", status=422, **context)
    return shown(
        request, f"/events/{event.slug}?code={quote_url(code)}#tickets", "events/show.html", fragment="picker", **context
    )


@get("/events/{slug:str}/calendar.ics")
async def calendar_file(db: Db, slug: FromPath[str]) -> Response[bytes]:
    event = await _public(db, slug)
    body = calendar(event, await queries.venue(db, event), f"{settings().base_url}/events/{event.slug}", clock.now())
    disposition = f'attachment; filename="{event.slug}.ics"'
    return Response(body, media_type="text/calendar", headers={"Content-Disposition": disposition})


async def _public(db: AsyncSession, slug: str) -> Event:
    event = await queries.public_event(db, slug)
    if not event:
        raise NotFound(_("There is no such event, or it is not public yet."))
    return event


async def _context(
    db: AsyncSession, event: Event, types: Sequence[TicketType], visitor: Visitor, form: "HoldForm"
) -> dict[str, Any]:
    """Everything that events/show.html shows."""
    now = clock.now()
    venue, category = await queries.venue(db, event), await queries.category(db, event)
    code = booking_queries.normal_code(form.code.data or "")
    opened = await booking_queries.types_opened_by(db, event.id or 0, code)
    offers = _offers(event, types, opened, now=now)
    marked = await queries.favourite_events(db, visitor.user_id) if visitor.user_id else set()
    return {
        "event": event,
        "venue": venue,
        "category": category,
        "is_favourite": event.id in marked,
        "facts": _json_ld(event, venue, category, offers),
        "offers": offers,
        "seen": _fingerprint(offers),
        "state": _state(event, offers, now=now),
        "is_over": event.is_over(now),
        "cheapest": min((kind.price_minor for kind in types), default=None),
        "presale_until": event.presale_kept_until(now),
        "form": form,
        "code": code if opened else "",
        "code_form": CodeForm(code=code),
        "hold_minutes": settings().hold_minutes,
        "similar": await queries.similar(db, event, now),
        **_sum(form, types),
    }


def _offers(event: Event, types: Sequence[TicketType], opened: set[int], *, now: datetime) -> list[Offer]:
    return [
        Offer(
            kind,
            _offer_state(event, kind, opened, now=now),
            max(0, kind.left_now(now)),
            kind.opens_next(now),
            kind.is_in_presale(now),
        )
        for kind in types
    ]


def _offer_state(event: Event, kind: TicketType, opened: set[int], *, now: datetime) -> str:
    if not event.sells(now) or now >= kind.sale_to:
        return "over"
    if not kind.is_on_sale(now):
        return "later"
    if kind.left_now(now) <= 0:
        return "sold_out"
    return "locked" if kind.is_in_presale(now) and kind.needs_code and kind.id not in opened else "open"


def _state(event: Event, offers: Sequence[Offer], *, now: datetime) -> str:
    """One word for the whole event, for the buy bar and the head of the picker."""
    if event.is_called_off or event.is_over(now):
        return "called_off" if event.is_called_off else "over"
    states = {offer.state for offer in offers}
    for word in ("open", "locked", "later", "sold_out"):
        if word in states:
            return word
    return "over"


def _fingerprint(offers: Sequence[Offer]) -> str:
    numbers = [(offer.kind.code, offer.state, offer.left if offer.shows_left else -1) for offer in offers]
    return hashlib.sha256(repr(numbers).encode()).hexdigest()[:12]


class HoldForm(BaseForm):
    """So many places of each type; the fields "q-CODE" are added for the event at hand."""

    code = HiddenField(validators=[Optional(), no_control_characters, Length(max=40)], filters=[plain])

    def wanted(self, types: Sequence[TicketType]) -> dict[int, int]:
        """Places by ticket type id, zeros left out. Raises nothing: what is missing is zero."""
        amounts = {kind.id or 0: self.amount(kind) for kind in types}
        return {type_id: qty for type_id, qty in amounts.items() if qty}

    def amount(self, kind: TicketType) -> int:
        """A number that no radio has counts as none, beside the mistake that the form finds."""
        qty = int(self[f"q-{kind.code}"].data or 0)
        return qty if 0 <= qty <= MOST_PER_TYPE else 0


def _hold_form(types: Sequence[TicketType]) -> type[HoldForm]:
    numbers = [SelectChoice(number, str(number)) for number in range(MOST_PER_TYPE + 1)]
    fields = {f"q-{kind.code}": RadioField(kind.name, [Optional()], coerce=int, choices=numbers, default=0) for kind in types}
    return type("HoldFormOfEvent", (HoldForm,), fields)


def _sum(form: HoldForm, types: Sequence[TicketType]) -> dict[str, Any]:
    return {
        "places": sum(form.amount(kind) for kind in types),
        "sum_minor": sum(kind.price_minor * form.amount(kind) for kind in types),
    }


def _json_ld(event: Event, venue: Venue | None, category: Category | None, offers: Sequence[Offer]) -> dict[str, Any]:
    """What search engines read: https://schema.org/Event with one Offer for each ticket type."""
    stock = {"open": "InStock", "locked": "InStock", "later": "PreOrder", "sold_out": "SoldOut", "over": "Discontinued"}
    url = f"{settings().base_url}/events/{event.slug}"
    status = "EventCancelled" if event.is_called_off else "EventScheduled"
    return {
        "@context": "https://schema.org",
        "@type": "Event",
        "name": event.title,
        "description": event.summary,
        "url": url,
        "startDate": event.starts_at.astimezone(event.tz).isoformat(),
        "endDate": event.ends_at.astimezone(event.tz).isoformat(),
        "eventStatus": f"https://schema.org/{status}",
        "eventAttendanceMode": "https://schema.org/OfflineEventAttendanceMode",
        "location": _place(venue) if venue else {},
        "about": category.name if category else "",
        "offers": [
            {
                "@type": "Offer",
                "name": offer.kind.name,
                "price": str(major(offer.kind.price_minor, event.currency)),
                "priceCurrency": event.currency,
                "availability": f"https://schema.org/{stock[offer.state]}",
                "validFrom": offer.kind.sale_from.isoformat(),
                "url": f"{url}#tickets",
            }
            for offer in offers
        ],
    }


def _place(venue: Venue) -> dict[str, Any]:
    address = {"@type": "PostalAddress", "streetAddress": venue.address, "addressLocality": venue.city}
    return {"@type": "Place", "name": venue.name, "address": address}


router = Router("/", route_handlers=[show, hold, quote, availability, unlock, calendar_file])
