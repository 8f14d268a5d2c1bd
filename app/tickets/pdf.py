"""Tickets on paper: two on an A4 sheet, everything as text, and a QR code of 45 mm."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import typst

from app.core import formats, i18n
from app.core.db import outside_writing
from app.core.i18n import gettext as _
from app.core.settings import settings
from app.events import posters
from app.events.posters import Look
from app.tickets import qr
from app.tickets.inks import ink
from app.tickets.queries import TicketView
from app.tickets.signing import scanned_address

HERE = Path(__file__).parent
# The panel of the drawing or picture above the code, in points: 63 by 36 mm.
ART = (179, 102)


@dataclass(frozen=True)
class PdfTicket:
    """What is printed on one ticket, as ready text in the language of its reader. `url` is what the QR code says."""

    title: str
    hue: str
    when: str
    doors: str
    venue: str
    address: str
    entry: str
    price: str
    holder: str
    short_code: str
    reference: str
    booked_on: str
    url: str
    position: int
    count: int
    is_valid: bool = True
    look: Look | None = None


async def of_views(views: Sequence[TicketView], *, base_url: str, language: str) -> bytes:
    """The tickets of some views as one PDF, made in a thread."""
    tickets = [printed(view, base_url=base_url, language=language) for view in views]
    return await asyncio.to_thread(tickets_pdf, tickets, language=language)


def printed(view: TicketView, *, base_url: str, language: str) -> PdfTicket:
    """A ticket as it is printed."""
    event, venue, booking, line = view.event, view.venue, view.booking, view.line
    with i18n.speaking(language):
        return PdfTicket(
            title=i18n.titled(event),
            hue=event.hue,
            when=_("Postponed") if event.is_postponed else formats.full_date(event.starts_at, event.zone),
            doors=formats.clock_time(event.doors_at, event.zone) if event.doors_at else "",
            venue=venue.name if venue else _("Online") if event.is_online else "",
            address=", ".join(part for part in (venue.address, venue.city) if part) if venue else "",
            entry=i18n.told(line.name, event),
            price=formats.money(line.unit_minor, booking.currency) if line.unit_minor else _("Free"),
            holder=view.ticket.holder or booking.name,
            short_code=view.ticket.short_code,
            reference=booking.reference,
            booked_on=formats.short_date(view.ticket.issued_at, event.zone),
            url=scanned_address(event.id or 0, view.ticket.code, base_url=base_url),
            position=view.position,
            count=view.count,
            is_valid=view.ticket.is_valid,
            look=posters.look_of(event),
        )


def tickets_pdf(tickets: Sequence[PdfTicket], *, language: str) -> bytes:
    """One PDF with all the tickets. Takes some 50 ms of a core, so nothing calls it in the event loop.

    Text reaches the typesetter as JSON and is never read as markup, whatever a title holds.
    """
    outside_writing("A PDF")
    with i18n.speaking(language):
        facts = [_facts(ticket) for ticket in tickets]
        sheet = {"lang": i18n.language(), "site": settings().site_name, "words": _words(), "tickets": facts}
    inputs = {"sheet": json.dumps(sheet)}
    fonts = [HERE / "fonts"]
    return bytes(typst.compile(HERE / "ticket.typ", root=HERE, font_paths=fonts, ignore_system_fonts=True, sys_inputs=inputs))


def _facts(ticket: PdfTicket) -> dict[str, object]:
    return asdict(ticket) | {
        "art": posters.panel(ticket.look, ART) if ticket.look else "",
        "ink": ink(ticket.hue).deep,
        "qr": qr.bare_svg(ticket.url),
        "number": _("Ticket %(position)s of %(count)s") % {"position": ticket.position, "count": ticket.count},
        "qr_alt": _("QR code of ticket %(code)s") % {"code": ticket.short_code},
    }


def _words() -> dict[str, str]:
    return {
        "title": _("Tickets"),
        "doors": _("Doors"),
        "entry": _("Entry"),
        "price": _("Price"),
        "name": _("Name"),
        "booked": _("Booked on"),
        "booking": _("Booking"),
        "void": _("This ticket is void. It does not open the door."),
        "note": _("Show this code at the door, on paper or on a screen. Each code lets one person in once."),
    }
