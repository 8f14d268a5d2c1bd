"""Promo codes and vouchers of an event on its manager's desk: how they do, and how they are made, paused and withdrawn."""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession
from wtforms import SelectChoice, SelectField  # type: ignore[attr-defined]
from wtforms.validators import Optional

from app.accounts.models import Visitor
from app.bookings import codes, queries, rules
from app.bookings.codes import Code, PromoTerms, VoucherTerms
from app.core import clock
from app.core.db import writing
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.core.i18n import lazy, ngettext
from app.core.money import minor_units
from app.core.settings import settings
from app.core.sheets import csv_file
from app.events import queries as event_queries
from app.events.models import Event, TicketType
from app.events.pages.writing.fields import LocalTime
from app.web.forms import BaseForm, number, read, text
from app.web.limits import at_most, writes_at_most
from app.web.looks import note_look
from app.web.page import page, see_other
from app.web.visitor import Db, Who, team

MOST_AT_ONCE = 500
LOCAL = ["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S"]

_AMOUNT = re.compile(r"[0-9]{1,7}([.,][0-9]{1,3})?")

_HOW_MANY = lazy("Enter a number from 1 to 500")
_NUMBER = lazy("Enter a number from 1 to 1,000,000")
_PLACES = lazy("Enter a number from 1 to 10,000")
_PERCENT = lazy("Enter a number from 1 to 100")
_TICKETS = lazy("Enter a number from 1 to 20")


class CodeForm(BaseForm):
    """What promo codes and vouchers have in common: one with a word, or many with words of ours."""

    word = text(lazy("Code"), most=40)
    number = number(lazy("How many codes"), least=1, most=MOST_AT_ONCE, sentence=_HOW_MANY, default=1)
    until = LocalTime(lazy("Good until"), [Optional()], format=LOCAL)
    kind = SelectField()

    def __init__(self, formdata: Any = None, *, event: Event, types: Sequence[TicketType]) -> None:
        super().__init__(formdata, prefix=f"{type(self).__name__.removesuffix('Form').lower()}-")
        self.event, self.types = event, types
        self.kind.choices = [*self.for_all, *(SelectChoice(kind.code, kind.name) for kind in types)]

    for_all: Sequence[SelectChoice] = ()

    def validate(self, extra_validators: Any = None) -> bool:
        super().validate(extra_validators)
        for field in self:
            if isinstance(field, LocalTime):
                field.place(self.event.zone)
        if self.word.data and (self.number.data or 1) > 1:
            self.word.errors = [*self.word.errors, _("Many codes get words of their own. Leave this empty, or make one code")]
        if self.until.moment and self.until.moment <= clock.now():
            self.until.wrong(_("Choose a moment in the future"))
        return not self.errors

    @property
    def chosen(self) -> TicketType | None:
        return next((kind for kind in self.types if kind.code == self.kind.data), None)

    def minor(self, field: Any) -> int | None:
        """The typed amount in minor units; None when nothing was typed, or a mistake."""
        try:
            typed = field.data if _AMOUNT.fullmatch(field.data or "") else ""
            return minor_units(typed, self.event.currency) if field.data else None
        except ValueError:
            field.errors = [*field.errors, _("Enter an amount such as 18.50")]
            return None


class PromoForm(CodeForm):
    """A lower price. `amount` is off each ticket."""

    # L10N: the kind of ticket that a promo code is good for.
    kind = SelectField(lazy("For"), default="")
    percent = number(lazy("Percent off"), least=1, most=100, sentence=_PERCENT)
    # L10N: goes on after the field before it, a percentage.
    amount = text(lazy("Or an amount off each ticket"), most=12)
    least = number(lazy("Tickets at least"), least=1, most=20, sentence=_TICKETS)
    uses = number(lazy("Bookings with each code"), least=1, most=1_000_000, sentence=_NUMBER)
    per_buyer = number(lazy("Of these, one buyer’s"), least=1, most=1_000_000, sentence=_NUMBER)
    since = LocalTime(lazy("Good from"), [Optional()], format=LOCAL)

    for_all = (SelectChoice("", lazy("All ticket types")),)

    def terms(self) -> PromoTerms:
        """Looks at the amount too; what is wrong is said at its field."""
        off = self.minor(self.amount)
        if not self.amount.errors and bool(self.percent.data) == bool(off) and not self.percent.errors:
            self.percent.errors = [_("Enter a percentage or an amount, one of them")]
        return PromoTerms(
            ticket_type_id=self.chosen.id if self.chosen else None,
            percent=self.percent.data,
            off_minor=off,
            least_places=self.least.data or 1,
            max_uses=self.uses.data,
            per_buyer=self.per_buyer.data,
            valid_from=self.since.moment,
            valid_until=self.until.moment,
        )


class VoucherForm(CodeForm):
    """Places that stand aside. `price` is that of one place; empty leaves the price of the type."""

    # L10N: the kind of ticket of which a voucher sets places aside.
    kind = SelectField(lazy("Places of"))
    places = number(lazy("Places for each voucher"), least=1, most=10_000, sentence=_PLACES, missing=_PLACES)
    price = text(lazy("Price of a place"), most=12)
    uses = number(lazy("Bookings with each voucher"), least=1, most=1_000_000, sentence=_NUMBER)

    def terms(self) -> VoucherTerms:
        unit, until = self.minor(self.price), self.until.moment
        return VoucherTerms(places=self.places.data or 1, unit_minor=unit, max_uses=self.uses.data, valid_until=until)


class ActForm(BaseForm):
    """What is done to one code, or to all that were made together."""

    code = text(lazy("Code"), most=40)
    batch = text(lazy("Made together"), most=9)


@get("/manager/events/{slug:str}/codes")
async def index(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[str]:
    event = await _event(db, slug, visitor)
    return await _page(request, db, event)


@post("/manager/events/{slug:str}/codes/promo")
async def make_promo(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[str]:
    event = await _event(db, slug, visitor)
    form = await read(PromoForm, request, event=event, types=await event_queries.ticket_types(db, event.id))
    terms = form.terms()
    if not form.rejected:
        try:
            async with writing() as tx:
                how = _how(form, visitor)
                names = await codes.make_promos(tx, await _open(tx, slug, visitor), terms, **how, now=clock.now())
            return _made(request, event, names)
        except Refused as refused:
            form.refuse(refused)
    return await _page(request, db, event, wrong=form)


@post("/manager/events/{slug:str}/codes/vouchers")
async def make_voucher(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[str]:
    event = await _event(db, slug, visitor)
    form = await read(VoucherForm, request, event=event, types=await event_queries.ticket_types(db, event.id))
    terms, kind = form.terms(), form.chosen
    if kind and not form.rejected:
        try:
            async with writing() as tx:
                how = _how(form, visitor)
                names = await codes.make_vouchers(tx, await _open(tx, slug, visitor), kind, terms, **how, now=clock.now())
            return _made(request, event, names)
        except Refused as refused:
            form.refuse(refused)
    return await _page(request, db, event, wrong=form)


@post([f"/manager/events/{{slug:str}}/codes/{act}" for act in ("pause", "resume", "withdraw")])
async def change(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[str]:
    """One code, or all that were made together."""
    event = await _event(db, slug, visitor)
    form = await read(ActForm, request)
    act = request.url.path.rpartition("/")[2]
    async with writing() as tx:
        found = await queries.codes_named(tx, event.id or 0, code=form.code.data or "", batch=form.batch.data or "")
        if form.errors or not found:
            raise Refused(_("This event has no such code."))
        said = await _done(tx, event, found, act, by=visitor.user_id or 0)
    return see_other(request, f"/manager/events/{slug}/codes", flash=said)


@get("/manager/events/{slug:str}/codes.csv", guards=[at_most("export")])
async def codes_file(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[bytes]:
    """Every code that still works, or those of one batch: the word, what it does, how often it was used, and its link."""
    event = await _event(db, slug, visitor)
    names = {kind.id: kind.name for kind in await event_queries.ticket_types(db, event.id)}
    batch, address = request.query_params.get("batch", ""), f"{settings().base_url}/events/{event.slug}?code="
    rows = [
        (code.code, names.get(code.ticket_type_id, _("All ticket types")), code.used, address + quote(code.code))
        for group in await queries.code_groups(db, event.id or 0)
        for code in group.codes
        if code.ended_at is None and batch in ("", code.batch)
    ]
    body = csv_file([(_("Code"), _("For"), _("Used"), _("Link")), *rows])
    headers = {"Content-Disposition": f'attachment; filename="{event.slug}-codes.csv"', "Cache-Control": "no-store"}
    return Response(body, media_type="text/csv", headers=headers)


async def _event(db: AsyncSession, slug: str, visitor: Visitor) -> Event:
    """The event of this manager or of who sells for it. An admin may look at everybody's, and the log keeps that."""
    event = await event_queries.event_of(db, slug, visitor, right="sales")
    if event.manager_id != visitor.user_id:
        await note_look(visitor, "codes", about=f"event:{event.id}")
    return event


async def _open(tx: AsyncSession, slug: str, visitor: Visitor) -> Event:
    """The event as it is now. Raises Refused when nothing of it can be sold any more."""
    event = await event_queries.event_of(tx, slug, visitor, right="sales")
    if not event.is_editable or event.is_over(clock.now()):
        raise Refused(_("This event cannot be changed now."))
    return event


def _how(form: CodeForm, visitor: Visitor) -> dict[str, Any]:
    return {"word": form.word.data or "", "number": form.number.data or 1, "by": visitor.user_id or 0}


def _made(request: Request[Any, Any, Any], event: Event, names: Sequence[str]) -> Response[str]:
    if len(names) == 1:
        said = _("The code %(code)s is ready.") % {"code": names[0]}
    else:
        said = ngettext("%(num)s code is ready.", "%(num)s codes are ready.", len(names)) % {"num": len(names)}
    return see_other(request, f"/manager/events/{event.slug}/codes", flash=said)


async def _done(tx: AsyncSession, event: Event, found: Sequence[Code], act: str, *, by: int) -> str:
    if act == "withdraw":
        places = await codes.withdraw(tx, event, found, by=by, now=clock.now())
        if not places:
            return _("Withdrawn. Bookings made with it stay.")
        said = ngettext("Withdrawn. %(num)s place is on sale again.", "Withdrawn. %(num)s places are on sale again.", places)
        return said % {"num": places}
    await codes.pause(tx, event, found, paused=act == "pause", by=by)
    return _("Paused. Nobody can use it until you let it work again.") if act == "pause" else _("It works again.")


async def _page(
    request: Request[Any, Any, Any], db: AsyncSession, event: Event, *, wrong: CodeForm | None = None
) -> Response[str]:
    now, types = clock.now(), await event_queries.ticket_types(db, event.id)
    forms: dict[str, CodeForm] = {form.__name__: form(event=event, types=types) for form in (PromoForm, VoucherForm)}
    if wrong:
        forms[type(wrong).__name__] = wrong
    context: dict[str, Any] = {
        "event": event,
        "groups": await queries.code_groups(db, event.id or 0),
        "names": {kind.id: kind.name for kind in types},
        "forms": forms,
        "wrong": wrong,
        "now": now,
        "can_change": event.is_editable and not event.is_over(now),
        "unusable": lambda code: rules.unusable(code, zone=event.zone, now=now),
    }
    return page(request, "manager/promo_codes.html", status=wrong.status if wrong else 200, **context)


router = Router("/", guards=[team, writes_at_most("desk")], route_handlers=[index, make_promo, make_voucher, change, codes_file])
