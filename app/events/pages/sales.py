"""How an event sells, type by type: its places, its two sales, and the codes of its pre-sale."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession
from wtforms import StringField
from wtforms.validators import AnyOf

from app.accounts.models import Visitor
from app.bookings import actions as bookings
from app.bookings import queries as booking_queries
from app.bookings import rules
from app.core import clock
from app.core.db import writing
from app.core.errors import NotFound, Refused
from app.core.formats import list_date
from app.core.i18n import gettext as _
from app.core.i18n import lazy, ngettext
from app.core.settings import settings
from app.core.sheets import csv_file
from app.events import queries
from app.events.models import Event, TicketType
from app.events.pages.writing.fields import LocalTime
from app.web.forms import BaseForm, number, read, text
from app.web.limits import at_most, writes_at_most
from app.web.looks import note_look
from app.web.page import page, see_other
from app.web.visitor import Db, Who, team

MOST_AT_ONCE = 500

_HOW_MANY = lazy("Enter a number from 1 to 500")
_PLACES = lazy("Enter a number from 1 to 1,000,000")


class SalesForm(BaseForm):
    """A form of one ticket type; names are told apart by the place of the type among the event's."""

    def __init__(self, formdata: Any = None, *, event: Event, types: Sequence[TicketType], kind: TicketType) -> None:
        super().__init__(formdata, prefix=f"t{[found.id for found in types].index(kind.id)}")
        self.zone = event.zone


class ShareForm(SalesForm):
    word = text(lazy("Code"), most=40, missing=lazy("Enter the code"))
    max_uses = number(lazy("Most bookings with it"), least=1, most=1_000_000, sentence=_PLACES)


class CodesForm(SalesForm):
    codes = number(lazy("How many codes"), least=1, most=MOST_AT_ONCE, sentence=_HOW_MANY, missing=_HOW_MANY)


class WithdrawForm(SalesForm):
    """Without a word it is about the codes for one booking that nobody has used."""

    word = text(lazy("Code"), most=40)


class MoveForm(SalesForm):
    places = number(lazy("Places"), least=1, most=1_000_000, sentence=_PLACES)
    to = StringField(validators=[AnyOf(("general", "presale"), message=lazy("Choose which sale gets the places"))])


class OpenForm(SalesForm):
    """`do` is "now", or empty for the moment that was typed."""

    at = LocalTime(lazy("General sale opens"), format=["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S"])
    do = StringField(default="")

    def validate(self, extra_validators: Any = None) -> bool:
        super().validate(extra_validators)
        if self.do.data == "now":
            self.at.errors = ()
            return True
        self.at.place(self.zone)
        if not self.at.data and not self.at.errors:
            self.at.wrong(_("Enter when the general sale opens"))
        return not self.errors


@get("/manager/events/{slug:str}/sales")
async def sales(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str]) -> Response[str]:
    return await _sales_page(request, db, await _event(db, slug, visitor))


@post("/manager/events/{slug:str}/sales/{code:str}/share")
async def share(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str], code: FromPath[str]) -> Response[Any]:
    """One word for many people."""

    async def act(tx: AsyncSession, kind: TicketType, form: ShareForm, now: datetime) -> str:
        word, most = form.word.data or "", form.max_uses.data
        await bookings.share_code(tx, kind, word, max_uses=most, by=visitor.user_id or 0, now=now)
        return _("The pre-sale of %(name)s opens with %(code)s.") % {"name": kind.name, "code": rules.normal_code(word)}

    return await _changed(request, db, visitor, slug, code, ShareForm, act)


@post("/manager/events/{slug:str}/sales/{code:str}/codes")
async def make(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str], code: FromPath[str]) -> Response[Any]:
    """Codes for one booking each."""

    async def act(tx: AsyncSession, kind: TicketType, form: CodesForm, now: datetime) -> str:
        count = form.codes.data or 0
        await bookings.make_codes(tx, kind, count, by=visitor.user_id or 0, now=now)
        return ngettext("%(num)s new code.", "%(num)s new codes.", count) % {"num": count}

    return await _changed(request, db, visitor, slug, code, CodesForm, act)


@post("/manager/events/{slug:str}/sales/{code:str}/withdraw")
async def withdraw(
    request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str], code: FromPath[str]
) -> Response[Any]:
    """One code, or all codes for one booking that nobody has used."""

    async def act(tx: AsyncSession, kind: TicketType, form: WithdrawForm, now: datetime) -> str:
        if form.word.data:
            await bookings.withdraw_code(tx, kind, form.word.data, by=visitor.user_id or 0)
            return _("The code opens nothing any more. Bookings made with it stay.")
        count = await bookings.withdraw_unused(tx, kind, by=visitor.user_id or 0)
        return ngettext("%(num)s unused code is withdrawn.", "%(num)s unused codes are withdrawn.", count) % {"num": count}

    return await _changed(request, db, visitor, slug, code, WithdrawForm, act)


@post("/manager/events/{slug:str}/sales/{code:str}/move")
async def move(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str], code: FromPath[str]) -> Response[Any]:
    """Places that the pre-sale has not taken go to the general sale, or back."""

    async def act(tx: AsyncSession, kind: TicketType, form: MoveForm, now: datetime) -> str:
        to = form.to.data or ""
        count = await bookings.move_places(tx, kind, form.places.data, to=to, by=visitor.user_id or 0, now=now)
        if to == "general":
            said = ngettext("%(num)s place waits for the general sale.", "%(num)s places wait for the general sale.", count)
        else:
            said = ngettext("The pre-sale has %(num)s place more.", "The pre-sale has %(num)s places more.", count)
        return said % {"num": count}

    return await _changed(request, db, visitor, slug, code, MoveForm, act)


@post("/manager/events/{slug:str}/sales/{code:str}/open")
async def open_sale(
    request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str], code: FromPath[str]
) -> Response[Any]:
    """The general sale opens now, or at another moment."""

    async def act(tx: AsyncSession, kind: TicketType, form: OpenForm, now: datetime) -> str:
        at = now if form.do.data == "now" else form.at.moment or now
        await bookings.open_general_sale(tx, kind, at=at, by=visitor.user_id or 0, now=now)
        if at == now:
            return _("The general sale of %(name)s is open.") % {"name": kind.name}
        names = {"name": kind.name, "moment": list_date(at, form.zone)}
        return _("The general sale of %(name)s opens %(moment)s.") % names

    return await _changed(request, db, visitor, slug, code, OpenForm, act)


@get("/manager/events/{slug:str}/sales/{code:str}/codes")
async def codes(request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str], code: FromPath[str]) -> Response[str]:
    """All codes for one booking, to be printed and cut."""
    event = await _event(db, slug, visitor)
    kind = _kind(await queries.ticket_types(db, event.id), code)
    single = await booking_queries.single_codes(db, kind.id or 0)
    address = f"{settings().base_url}/events/{event.slug}"
    return page(request, "manager/codes.html", event=event, kind=kind, codes=single, address=address)


@get("/manager/events/{slug:str}/sales/{code:str}/codes.csv", guards=[at_most("export")])
async def codes_file(db: Db, visitor: Who, slug: FromPath[str], code: FromPath[str]) -> Response[bytes]:
    event = await _event(db, slug, visitor)
    kind = _kind(await queries.ticket_types(db, event.id), code)
    page_of_event = f"{settings().base_url}/events/{event.slug}?code="
    rows = [
        (found.code, kind.name, _("used") if found.used else _("unused"), page_of_event + quote(found.code))
        for found in await booking_queries.single_codes(db, kind.id or 0)
    ]
    body = csv_file([(_("Code"), _("Ticket type"), _("State"), _("Link")), *rows])
    headers = {"Content-Disposition": f'attachment; filename="{event.slug}-codes.csv"', "Cache-Control": "no-store"}
    return Response(body, media_type="text/csv", headers=headers)


async def _event(db: AsyncSession, slug: str, visitor: Visitor) -> Event:
    """The event of this manager or of who sells for it. An admin may look at everybody's, and the log keeps that."""
    event = await queries.event_of(db, slug, visitor, right="sales")
    if event.manager_id != visitor.user_id:
        await note_look(visitor, "sales", about=f"event:{event.id}")
    return event


def _kind(types: Sequence[TicketType], code: str) -> TicketType:
    found = next((kind for kind in types if kind.code == code), None)
    if not found:
        raise NotFound(_("This event has no such ticket type."))
    return found


async def _changed(
    request: Request[Any, Any, Any],
    db: AsyncSession,
    visitor: Visitor,
    slug: str,
    code: str,
    form_class: type[Any],
    act: Callable[[AsyncSession, TicketType, Any, datetime], Awaitable[str]],
) -> Response[Any]:
    """Reads the type's form, acts in one writing block, and goes back to the page with what the act says."""
    event = await _event(db, slug, visitor)
    types = await queries.ticket_types(db, event.id)
    kind = _kind(types, code)
    form = await read(form_class, request, event=event, types=types, kind=kind)
    if not form.rejected:
        try:
            async with writing() as tx:
                present = await queries.event_of(tx, slug, visitor, right="sales")
                if not present.is_editable or present.is_over(clock.now()):
                    raise Refused(_("This event cannot be changed now."))
                said = await act(tx, kind, form, clock.now())
            return see_other(request, f"/manager/events/{slug}/sales#type-{code}", flash=said)
        except Refused as refused:
            form.refuse(refused)
    return await _sales_page(request, db, event, wrong=(kind, form))


async def _sales_page(
    request: Request[Any, Any, Any], db: AsyncSession, event: Event, *, wrong: tuple[TicketType, SalesForm] | None = None
) -> Response[str]:
    now = clock.now()
    types = await queries.ticket_types(db, event.id)
    selling = await booking_queries.sales(db, types)
    forms: dict[str, dict[str, SalesForm]] = {}
    for kind in types:
        made: list[type[SalesForm]] = [ShareForm, CodesForm, MoveForm, OpenForm]
        forms[kind.code] = {form.__name__: form(event=event, types=types, kind=kind) for form in made}
    if wrong:
        forms[wrong[0].code][type(wrong[1]).__name__] = wrong[1]
    context: dict[str, Any] = {
        "event": event,
        "selling": selling,
        "forms": forms,
        "wrong": wrong[1] if wrong else None,
        "now": now,
        "can_change": event.is_editable and not event.is_over(now),
        "movable": {kind.code: {to: rules.movable(kind, to=to) for to in ("general", "presale")} for kind in types},
    }
    return page(request, "manager/sales.html", status=wrong[1].status if wrong else 200, **context)


router = Router(
    "/",
    guards=[team, writes_at_most("desk")],
    route_handlers=[sales, share, make, withdraw, move, open_sale, codes, codes_file],
)
