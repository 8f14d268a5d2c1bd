"""A ticket type has a page of its own: its price, its places, and when it sells."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession
from wtforms import BooleanField

from app.accounts.models import Visitor
from app.bookings import actions as booking_actions
from app.bookings import queries as booking_queries
from app.core import clock
from app.core.db import reading, writing
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.core.i18n import lazy, pgettext
from app.core.money import major
from app.events import drafts, reviews
from app.events.actions import ticket_types
from app.events.actions.revising import Overtaken
from app.events.models import Event, TicketType
from app.events.pages.writing import common, spreading
from app.events.pages.writing.fields import Watched, local, price_minor
from app.events.rules import changes, proposing
from app.events.rules.spreading import Change, change_of
from app.web.forms import number, read, text
from app.web.limits import writes_at_most
from app.web.page import see_other
from app.web.visitor import Db, Who, team

TEMPLATE = "manager/form/type.html"


class TypeForm(Watched):
    price_minor = 0

    name = text(lazy("Name"), most=60)
    note = text(lazy("Note"), most=120)
    price = text(lazy("Price"), most=12, missing=lazy("Enter the price, 0 for free places"))
    capacity = number(lazy("Places"), least=0, most=1_000_000, sentence=lazy("Enter how many places there are, up to 1,000,000"),
                      missing=lazy("Enter how many places there are"))  # fmt: skip
    per_booking = number(lazy("Most per booking"), least=1, most=20, sentence=lazy("Enter a number from 1 to 20"), default=6)
    sale_from = local(lazy("General sale from"))
    sale_to = local(lazy("General sale until"))
    presale_from = local(lazy("Pre-sale from"))
    presale_places = number(
        lazy("Places in the pre-sale"), least=0, most=1_000_000, sentence=lazy("Enter a number up to 1,000,000")
    )
    needs_code = BooleanField(lazy("Only with an access code"))
    access_code = text(lazy("Access code"), most=40)

    def __init__(
        self, formdata: Any = None, *, event: Event, kind: TicketType | None = None, access_code: str = "", **given: Any
    ) -> None:
        self.event, self.kind = event, kind
        super().__init__(formdata, data=_values(event, kind, access_code) if kind and formdata is None else None, **given)
        if formdata is None:
            self.seen.data = self.mark()

    def validate(self, extra_validators: Mapping[str, Any] | None = None) -> bool:
        super().validate(extra_validators)
        kind, zone, now = self.kind, self.event.zone, clock.now()
        self.sale_from.place(zone, was=kind.sale_from if kind else None)
        self.sale_to.place(zone, was=kind.sale_to if kind else None)
        self.presale_from.place(zone, was=kind.presale_from if kind else None)
        self.sale_from.moment = self.sale_from.moment or now.replace(second=0, microsecond=0)
        # Without an end of its own the sale ends when the event starts.
        self.sale_to.moment = self.sale_to.moment or self.event.starts_at
        self.price_minor = self._price()
        if self.sale_to.moment <= self.sale_from.moment and not (self.sale_from.errors or self.sale_to.errors):
            self.sale_to.wrong(_("The sale must end after it begins"))
        if self.presale_from.moment and self.presale_from.moment >= self.sale_from.moment:
            self.presale_from.wrong(_("The pre-sale must begin before the general sale"))
        if (self.presale_places.data or 0) > (self.capacity.data or 0) and not self.presale_places.errors:
            self.presale_places.errors = [_("The pre-sale cannot have more places than there are")]
        if not self.presale_from.data and (self.presale_places.data is not None or self.access_code.data):
            self.presale_from.wrong(_("Say when the pre-sale begins, or leave its places and code empty"))
        self.needs_code.data = bool(self.presale_from.data and (self.needs_code.data or self.access_code.data))
        return not self.errors

    def _price(self) -> int:
        try:
            return price_minor(self.price.data or "", self.event.currency)
        except ValueError:
            if not self.price.errors:
                self.price.errors = [_("Enter a price such as 18.50 or 0")]
            return 0

    def wish(self) -> proposing.TypeWish:
        return proposing.TypeWish(
            name=self.name.data or _("Standard"),
            note=self.note.data or "",
            price_minor=self.price_minor,
            capacity=self.capacity.data,
            per_booking=self.per_booking.data or 6,
            sale_from=self.sale_from.moment,
            sale_to=self.sale_to.moment,
            presale_from=self.presale_from.moment,
            presale_places=self.presale_places.data if self.presale_from.moment else None,
            needs_code=self.needs_code.data,
        )

    def change(self) -> Change:
        """What of a ticket type that is there becomes another."""
        assert self.kind
        differing = changes.differences(self.kind, asdict(self.wish()))
        return change_of((), code=self.kind.code, type_fields=differing, was=self.kind.name)


def _values(event: Event, kind: TicketType, access_code: str) -> dict[str, Any]:
    names = ("name", "note", "capacity", "per_booking", "presale_places", "needs_code")
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


@get("/manager/events/{slug:str}/types/new")
async def new(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[str]:
    event = await common.editable(db, slug, visitor)
    return common.written(request, TEMPLATE, TypeForm(event=event), event)


@post("/manager/events/{slug:str}/types/new")
async def add(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[Any]:
    event = await common.editable(db, slug, visitor)
    form = await read(TypeForm, request, event=event)
    if form.rejected:
        return common.written(request, TEMPLATE, form, event)
    try:
        async with writing() as tx:
            there = await common.to_change(tx, slug, visitor)
            kind = await ticket_types.add_type(tx, there, form.wish(), by=visitor.user_id or 0, now=clock.now())
            if kind:
                await _set_code(tx, kind, form, visitor)
    except Refused as refused:
        form.refuse(refused)
        return common.written(request, TEMPLATE, form, event)
    said = pgettext("ticket type", "%(name)s is added.") if kind else _("%(name)s waits for an admin, because of its price.")
    onward = await spreading.onward(db, event, visitor, change_of((), code=kind.code)) if kind else ""
    onward = onward or f"/manager/events/{slug}/edit/tickets"
    return see_other(request, onward, flash=said % {"name": form.name.data or _("Standard")})


@get("/manager/events/{slug:str}/types/{code:str}")
async def edit(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str], code: FromPath[str]) -> Response[str]:
    event = await common.editable(db, slug, visitor)
    return common.written(request, TEMPLATE, await _form_of(db, event, code), event)


@post("/manager/events/{slug:str}/types/{code:str}")
async def save(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str], code: FromPath[str]) -> Response[Any]:
    event = await common.editable(db, slug, visitor)
    form = await read(TypeForm, request, event=event, kind=await drafts.type_of(db, event, code))
    if form.rejected:
        return common.written(request, TEMPLATE, form, event)
    change = form.change()
    try:
        await _save(form, slug, code, visitor)
    except Overtaken:
        return await _beside(request, form, slug, code, visitor)
    except Refused as refused:
        form.refuse(refused)
        return common.written(request, TEMPLATE, form, event)
    onward = await spreading.onward(db, event, visitor, change) or f"/manager/events/{slug}/edit/tickets"
    return see_other(request, onward, flash=await common.saved(slug, visitor))


@post("/manager/events/{slug:str}/types/{code:str}/remove")
async def remove(request: Request[Any, Any, Any], visitor: Who, slug: FromPath[str], code: FromPath[str]) -> Response[Any]:
    async with writing() as tx:
        event = await common.to_change(tx, slug, visitor)
        kind = await drafts.type_of(tx, event, code)
        booked = await booking_queries.booked_types(tx, event.id or 0)
        if kind.id not in booked:
            await booking_actions.forget_codes(tx, kind.id or 0)
        await ticket_types.remove_type(tx, event, kind, booked=booked, by=visitor.user_id or 0, now=clock.now())
    return see_other(request, f"/manager/events/{slug}/edit/tickets", flash=_("%(name)s is removed.") % {"name": kind.name})


async def _form_of(db: AsyncSession, event: Event, code: str) -> TypeForm:
    kind = await reviews.type_as_wanted(db, event, await drafts.type_of(db, event, code))
    codes = await booking_queries.access_codes(db, event.id or 0)
    return TypeForm(event=event, kind=kind, access_code=codes.get(kind.id or 0, ""))


async def _save(form: TypeForm, slug: str, code: str, visitor: Visitor) -> None:
    async with writing() as tx:
        event = await common.to_change(tx, slug, visitor)
        fresh = await _form_of(tx, event, code)
        common.insist(form, fresh)
        kind = await drafts.type_of(tx, event, code)
        await ticket_types.change_type(tx, event, kind, form.wish(), by=visitor.user_id or 0, now=clock.now())
        await _set_code(tx, kind, form, visitor, was=fresh.access_code.data or "")


async def _set_code(tx: AsyncSession, kind: TicketType, form: TypeForm, visitor: Visitor, *, was: str = "") -> None:
    await booking_actions.replace_code(tx, kind.id or 0, was=was, code=form.access_code.data or "", by=visitor.user_id)


async def _beside(request: Request[Any, Any, Any], form: TypeForm, slug: str, code: str, visitor: Visitor) -> Response[str]:
    async with reading() as db:
        event = await common.editable(db, slug, visitor)
        form.show_beside(await _form_of(db, event, code))
        return common.written(request, TEMPLATE, form, event)


router = Router("/", guards=[team, writes_at_most("desk")], route_handlers=[new, add, edit, save, remove])
