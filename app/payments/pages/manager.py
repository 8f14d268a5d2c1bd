"""A manager, or an admin, gives money back for a booking: with tickets or without, in whole or in part, and says why."""

from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession
from wtforms import SelectChoice  # type: ignore[attr-defined]

from app.accounts.models import Visitor
from app.bookings import queries as booking_queries
from app.bookings.models import Booking
from app.core import clock, formats
from app.core.db import writing
from app.core.errors import NotFound, Refused
from app.core.i18n import gettext as _
from app.core.i18n import lazy, ngettext
from app.events.models import Event
from app.payments import queries
from app.payments.actions import asking
from app.payments.flows import give_back as flows
from app.payments.pages.common import event_of, minor_of
from app.payments.pages.refund import tickets_field
from app.web.forms import BaseForm, number, read, text
from app.web.limits import at_most, writes_at_most
from app.web.page import page, see_other
from app.web.visitor import Db, Who, proved_lately, team


class TakeBackForm(BaseForm):
    """Tickets become void, and what they cost goes back."""

    ticket = tickets_field()
    fee = text(lazy("Kept for each ticket"), most=12)
    reason = text(lazy("Reason"), most=200, missing=lazy("Say why, in words that the buyer will read"))


class AmountForm(BaseForm):
    """Money goes back, the tickets stay valid. `kept` is what was left when the page was shown."""

    amount = text(lazy("Amount"), most=12, missing=lazy("Enter an amount such as 18.50"))
    why = text(lazy("Reason"), most=200, missing=lazy("Say why, in words that the buyer will read"))
    kept = number(
        lazy("What is left"), least=0, most=10**15, sentence=lazy("Load the page again"), missing=lazy("Load the page again")
    )


@get("/manager/events/{slug:str}/bookings/{reference:str}/refund")
async def refund(
    request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str], reference: FromPath[str]
) -> Response[str]:
    event = await event_of(db, slug, visitor)
    booking = await _booking(db, event, reference)
    return await _page(request, db, event, booking)


@post("/manager/events/{slug:str}/bookings/{reference:str}/refund", guards=[at_most("refund")])
async def take_back(
    request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str], reference: FromPath[str]
) -> Response[str]:
    event = await event_of(db, slug, visitor)
    booking = await _booking(db, event, reference)
    form = await read(TakeBackForm, request)
    fee_minor = minor_of(form.fee, booking.currency, otherwise=0)
    ids = await _ticket_ids(db, booking, form)
    if form.rejected:
        return await _page(request, db, event, booking, take=form)
    told = {"reason": _who(event, visitor), "by": visitor.user_id, "note": form.reason.data}
    try:
        minor = await flows.take_back(booking, ids, fee_minor_each=fee_minor, **told)
    except Refused as refused:
        form.refuse(refused)
        return await _page(request, db, event, await _booking(db, event, reference), take=form, status=refused.status)
    return see_other(request, request.url.path, flash=_taken(booking, len(ids), minor))


@post("/manager/events/{slug:str}/bookings/{reference:str}/refund/amount", guards=[at_most("refund")])
async def give_money(
    request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str], reference: FromPath[str]
) -> Response[str]:
    event = await event_of(db, slug, visitor)
    booking = await _booking(db, event, reference)
    form = await read(AmountForm, request)
    minor = _checked(form, booking)
    if form.rejected:
        return await _page(request, db, event, booking, amount=form)
    told = {"reason": _who(event, visitor), "by": visitor.user_id, "note": form.why.data}
    try:
        await flows.give_money(booking, minor, out_of_minor=form.kept.data, **told)
    except Refused as refused:
        form.refuse(refused)
        return await _page(request, db, event, await _booking(db, event, reference), amount=form, status=refused.status)
    sentence = _("%(amount)s is on its way back. The tickets stay valid.")
    said = sentence % {"amount": formats.money(minor, booking.currency)}
    return see_other(request, request.url.path.removesuffix("/amount"), flash=said)


@post("/manager/events/{slug:str}/refunds/{refund:str}/handed-back", guards=[at_most("refund")])
async def handed_back(
    request: Request[Any, Any, Any], db: Db, visitor: Who, slug: FromPath[str], refund: FromPath[str]
) -> Response[str]:
    """Cash that was put into the buyer's hand, or a card that was refunded at the terminal."""
    event = await event_of(db, slug, visitor)
    found = await queries.refund_of_event(db, event.id or 0, refund)
    if not found or not found[1].is_by_hand:
        raise NotFound(_("There is no such refund to hand back."))
    async with writing() as tx:
        await asking.hand_back(tx, found[0], booking_id=found[2].id or 0, by=visitor.user_id or 0, now=clock.now())
    return see_other(
        request, f"/manager/events/{slug}/bookings/{found[2].reference}/refund", flash=_("Noted: the money was handed back.")
    )


async def _booking(db: AsyncSession, event: Event, reference: str) -> Booking:
    booking = await queries.booking_of_event(db, event.id or 0, reference)
    if not booking:
        raise NotFound(_("This event has no such booking."))
    return booking


async def _ticket_ids(db: AsyncSession, booking: Booking, form: TakeBackForm) -> list[int]:
    """The chosen tickets of this booking; at least one must be."""
    wanted = set(form.ticket.data or ())
    places = await queries.places(db, booking.id or 0)
    ids = [ticket.id or 0 for ticket, _line in places if ticket.short_code in wanted]
    if not ids:
        form.ticket.errors = [_("Choose at least one ticket")]
    return ids


def _checked(form: AmountForm, booking: Booking) -> int:
    minor = minor_of(form.amount, booking.currency, otherwise=0)
    if not form.amount.errors and not 0 < minor <= booking.kept_minor:
        left = formats.money(booking.kept_minor, booking.currency)
        form.amount.errors = [_("Enter more than 0 and at most %(left)s") % {"left": left}]
    return minor


def _who(event: Event, visitor: Visitor) -> str:
    return "admin" if visitor.is_admin and event.manager_id != visitor.user_id else "manager"


def _taken(booking: Booking, places: int, minor: int) -> str:
    amount = formats.money(minor, booking.currency)
    sentence = ngettext("The ticket is void; %(amount)s goes back.", "%(num)s tickets are void; %(amount)s goes back.", places)
    return sentence % {"num": places, "amount": amount}


async def _page(
    request: Request[Any, Any, Any],
    db: AsyncSession,
    event: Event,
    booking: Booking,
    *,
    take: TakeBackForm | None = None,
    amount: AmountForm | None = None,
    status: int = 200,
) -> Response[str]:
    booking_id = booking.id or 0
    places = await queries.places(db, booking_id)
    valid = [(ticket, line) for ticket, line in places if ticket.is_valid]
    take = take or TakeBackForm(data={"ticket": [ticket.short_code for ticket, _line in valid]})
    take.ticket.choices = [
        SelectChoice(ticket.short_code, f"{line.name}, {ticket.short_code}, {formats.money(line.unit_minor, booking.currency)}")
        for ticket, line in valid
    ]
    amount = amount or AmountForm()
    amount.kept.data = booking.kept_minor
    amount.kept.raw_data = None
    context: dict[str, Any] = {
        "event": event,
        "view": await booking_queries.view(db, booking_id),
        "booking": booking,
        "valid": valid,
        "void": len(places) - len(valid),
        "refunds": await queries.refunds_with_payments(db, booking_id),
        "disputed": await queries.is_disputed(db, booking_id),
        "take": take,
        "amount": amount,
    }
    status = 422 if status == 200 and (take.errors or amount.errors) else status
    return page(request, "payments/manage.html", status=status, **context)


router = Router(
    "/", guards=[team, proved_lately, writes_at_most("desk")], route_handlers=[refund, take_back, give_money, handed_back]
)
