"""Giving tickets back: the buyer chooses which, sees what comes back, and confirms; a guest proves the address by a code."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession
from wtforms import SelectChoice, SelectMultipleField  # type: ignore[attr-defined]
from wtforms.widgets import CheckboxInput, ListWidget

from app.accounts.models import Visitor
from app.bookings.queries import BookingView
from app.core import clock, formats
from app.core.errors import Refused, TooMany
from app.core.i18n import gettext as _
from app.core.i18n import lazy, ngettext, told
from app.payments import queries
from app.payments.flows.give_back import WrongCode, give_back, send_code
from app.payments.pages.common import booking_of
from app.payments.rules import Choice, RefundOffer, refund_offer
from app.web import limits
from app.web.forms import BaseForm, read, text
from app.web.limits import at_most, looks_at_most
from app.web.page import page, see_other
from app.web.visitor import Db, Who, proved_lately


def tickets_field() -> Any:
    """Boxes for tickets, by their short codes; which of them count, the offer says."""
    return SelectMultipleField(
        lazy("Tickets"), choices=[], validate_choice=False, widget=ListWidget(prefix_label=False), option_widget=CheckboxInput()
    )


class GiveBackForm(BaseForm):
    ticket = tickets_field()
    code = text(lazy("Code from the mail"), most=20)


@dataclass(frozen=True)
class Asked:
    """A booking, what of it may be given back now, and whether the visitor must prove the address."""

    view: BookingView
    offer: RefundOffer
    needs_code: bool
    code_sent: bool


@get("/bookings/{code:str}/refund", guards=[looks_at_most("secret")])
async def offer(request: Request[Any, Any, Any], db: Db, visitor: Who, code: FromPath[str]) -> Response[str]:
    """Without a choice in the address all tickets count as chosen."""
    asked = await _asked(db, code, visitor)
    all_of_them = [choice.short_code for choice in asked.offer.choices]
    wanted = request.query_params.getall("ticket", []) if "chosen" in request.query_params else all_of_them
    return _page(request, asked, GiveBackForm(data={"ticket": wanted}))


@post("/bookings/{code:str}/refund", guards=[at_most("refund")])
async def refund(request: Request[Any, Any, Any], db: Db, visitor: Who, code: FromPath[str]) -> Response[str]:
    asked = await _asked(db, code, visitor)
    form = await read(GiveBackForm, request)
    wanted = set(form.ticket.data or ())
    if not wanted:
        form.ticket.errors = [_("Choose at least one ticket")]
    if form.rejected or not asked.offer.is_open:
        return _page(request, asked, form, status=0 if asked.offer.is_open else 409)
    try:
        minor = await _given(request, db, asked, wanted, form, visitor)
    except TooMany:
        raise
    except Refused as refused:
        if not isinstance(refused, WrongCode):
            form.refuse(refused)
        return _page(request, await _asked(db, code, visitor), form, status=refused.status)
    return see_other(request, f"/bookings/{code}", flash=_said(asked.view, len(wanted), minor))


@post("/bookings/{code:str}/refund/code")
async def code(request: Request[Any, Any, Any], db: Db, visitor: Who, code: FromPath[str]) -> Response[str]:
    """Mails a code to the booking's address, when there is something to give back and somebody to prove it."""
    asked = await _asked(db, code, visitor)
    if not asked.offer.is_open:
        raise Refused(asked.offer.refusal)
    if asked.needs_code:
        await send_code(asked.view.booking)
    return see_other(request, f"/bookings/{code}/refund", flash=_("The code is on its way. It works for 15 minutes."))


async def _asked(db: AsyncSession, code: str, visitor: Visitor) -> Asked:
    view = await booking_of(db, code, visitor)
    now, booking_id = clock.now(), view.booking.id or 0
    places, disputed = await queries.places(db, booking_id), await queries.is_disputed(db, booking_id)
    offer = refund_offer(view.booking, places, view.event, disputed=disputed, now=now)
    live = await queries.live_code(db, booking_id, now=now)
    return Asked(view, offer, needs_code=view.booking.user_id is None, code_sent=live is not None)


async def _given(
    request: Request[Any, Any, Any], db: AsyncSession, asked: Asked, wanted: set[str], form: GiveBackForm, visitor: Visitor
) -> int:
    """What goes back. A wrong code is also a mistake of its field, and who types many has to wait."""
    booking = asked.view.booking
    reason = "buyer" if booking.user_id in (None, visitor.user_id) else "admin"
    by = None if asked.needs_code else visitor.user_id
    if asked.needs_code:
        await limits.check(db, request, "wrong refund code")
        await limits.count(request, "refund code")
    try:
        return await give_back(booking, wanted, by=by, reason=reason, code=form.code.data or "")
    except WrongCode as wrong:
        form.code.errors = [wrong.sentence]
        await limits.count(request, "wrong refund code")
        raise


def _page(request: Request[Any, Any, Any], asked: Asked, form: GiveBackForm, *, status: int = 0) -> Response[str]:
    wanted: Collection[str] = form.ticket.data or ()
    chosen = asked.offer.chosen(wanted)
    form.ticket.choices = [SelectChoice(choice.short_code, _label(asked.view, choice)) for choice in asked.offer.choices]
    form.ticket.data = [choice.short_code for choice in chosen]
    context: dict[str, Any] = {
        "view": asked.view,
        "booking": asked.view.booking,
        "event": asked.view.event,
        "offer": asked.offer,
        "chosen": chosen,
        "back_minor": asked.offer.back_minor(chosen),
        "needs_code": asked.needs_code,
        "code_sent": asked.code_sent,
        "address": _hidden(asked.view.booking.email),
    }
    return page(request, "payments/refund.html", fragment="sum", status=status or form.status, form=form, **context)


def _label(view: BookingView, choice: Choice) -> str:
    """What stands beside a ticket's box."""
    names = {"name": told(choice.name, view.event), "code": choice.short_code}
    if not choice.price_minor:
        return _("%(name)s, %(code)s: free") % names
    back = formats.money(choice.back_minor, view.booking.currency)
    return _("%(name)s, %(code)s: %(amount)s back") % {**names, "amount": back}


def _said(view: BookingView, places: int, minor: int) -> str:
    if not minor:
        return ngettext("The ticket is void and its place is free again.",
                        "%(num)s tickets are void and their places are free again.", places) % {"num": places}  # fmt: skip
    amount = formats.money(minor, view.booking.currency)
    return ngettext(
        "The ticket is void, and %(amount)s is on its way back to you.",
        "%(num)s tickets are void, and %(amount)s is on its way back to you.",
        places,
    ) % {"num": places, "amount": amount}


def _hidden(address: str) -> str:
    """ "b…@example.com": enough for its owner to know which mailbox to open."""
    name, _at, host = address.partition("@")
    return f"{name[:1]}…@{host}"


# An account, a manager's or an admin's too, says again who it is; a guest has the mailed code.
router = Router("/", guards=[proved_lately], route_handlers=[offer, refund, code])
