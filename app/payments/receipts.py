"""Receipts: for every payment that came and every refund, as a page and on paper."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import typst

from app.bookings.models import BookingLine
from app.bookings.queries import BookingView
from app.core import formats, i18n
from app.core.db import outside_writing
from app.core.i18n import gettext as _
from app.core.i18n import lazy, ngettext, titled, told
from app.core.settings import settings
from app.core.templates import render
from app.payments.queries import Receipt

HERE = Path(__file__).parent
FONTS = HERE.parent / "tickets" / "fonts"
MOST_OF_IMPRINT = 8
_METHODS = {"stripe": lazy("Card, through Stripe"), "cash": lazy("Cash"), "card": lazy("Card, at the door")}


@dataclass(frozen=True)
class Paper:
    """What stands on one receipt, as ready text in the language of its reader. Rows and facts are (name, value)."""

    title: str
    number: str
    date: str
    seller: tuple[str, ...]
    rows: tuple[tuple[str, str], ...]
    total_label: str
    total: str
    facts: tuple[tuple[str, str], ...]
    note: str


def paper(receipt: Receipt, view: BookingView, *, imprint: str, language: str, kept_name: str = "") -> Paper:
    """The receipt in words. `imprint` is what the operator wrote about the shop, as Markdown; empty when nothing.

    `kept_name` is who paid when the buyer was erased since and the books still need the name.
    """
    with i18n.speaking(language):
        zone, currency = view.event.zone, receipt.payment.currency
        return Paper(
            title=_("Receipt for a refund") if receipt.refund else _("Receipt"),
            number=receipt.number,
            date=formats.short_date(receipt.at, zone),
            seller=_seller(imprint),
            rows=tuple(_rows(receipt, view)),
            total_label=_("Given back") if receipt.refund else _("Paid"),
            total=formats.money(receipt.minor, currency),
            facts=tuple(_facts(receipt, view, view.booking.name or kept_name)),
            note=_("This receipt says what was paid and given back. It is not an invoice and shows no tax."),
        )


async def pdf(found: Paper, *, language: str) -> bytes:
    """The receipt on one A4 sheet, made in a thread."""
    return await asyncio.to_thread(_typeset, found, language=language)


def _typeset(found: Paper, *, language: str) -> bytes:
    """Text reaches the typesetter as JSON and is never read as markup, whatever a title holds."""
    outside_writing("A PDF")
    sheet = json.dumps(asdict(found) | {"lang": language})
    inputs = {"sheet": sheet}
    return bytes(typst.compile(HERE / "receipt.typ", root=HERE, font_paths=[FONTS], ignore_system_fonts=True, sys_inputs=inputs))


def _seller(imprint: str) -> tuple[str, ...]:
    """The shop, where it is, and the first paragraphs of its imprint."""
    paragraphs = [str(formats.markdown(part).striptags()) for part in imprint.split("\n\n")]
    said = [part[:300] for part in paragraphs if part][:MOST_OF_IMPRINT]
    return settings().site_name, settings().base_url, *(said or [settings().mail_from])


def _rows(receipt: Receipt, view: BookingView) -> Sequence[tuple[str, str]]:
    """What the money was for. When another sum came than was asked for, the tickets are not what it paid."""
    currency = receipt.payment.currency
    whole = formats.money(receipt.minor, currency)
    if receipt.refund:
        places = receipt.refund.places
        of_tickets = ngettext("Refund for one ticket", "Refund for %(num)s tickets", places) % {"num": places}
        return [(of_tickets if places else _("Refund"), whole)]
    if receipt.minor != view.booking.total_minor:
        return [(_("Payment"), whole)]
    return [(_line(line, told(line.name, view.event), currency), formats.money(line.sum_minor, currency)) for line in view.lines]


def _line(line: BookingLine, name: str, currency: str) -> str:
    names = {"qty": line.qty, "name": name, "price": formats.money(line.unit_minor, currency)}
    if not line.was_minor:
        return (_("%(qty)s × %(name)s at %(price)s") if line.unit_minor else _("%(qty)s × %(name)s, free")) % names
    names["was"] = formats.money(line.was_minor, currency)
    if not line.unit_minor:
        return _("%(qty)s × %(name)s, free instead of %(was)s") % names
    return _("%(qty)s × %(name)s at %(price)s instead of %(was)s") % names


def _facts(receipt: Receipt, view: BookingView, buyer: str) -> Sequence[tuple[str, str]]:
    booking, event, refund = view.booking, view.event, receipt.refund
    found = [
        (_("Event"), titled(event)),
        (_("Date"), formats.full_date(event.starts_at, event.zone)),
        (_("Place"), ", ".join(part for part in (view.venue.name, view.venue.city) if part) if view.venue else ""),
        (_("Booking"), booking.reference),
        (_("Buyer"), buyer),
        (_("Email"), booking.email),
        (_("Method"), str(_METHODS[receipt.payment.provider])),
    ]
    if refund:
        found += [(_("Reason"), _why(refund.reason)), (_("In their words"), refund.note), (_("State"), _state(refund.state))]
    return [(name, value) for name, value in found if value]


def _why(reason: str) -> str:
    return render("payments/_why.html", {"reason": reason}).strip()


def _state(state: str) -> str:
    return _("The money has gone back.") if state == "succeeded" else _("The money is on its way.")
