"""Tickets on paper, their QR code and their calendar files."""

import dataclasses
import io
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pypdfium2
import pytest
import segno
from icalendar import Calendar
from PIL import Image

from app.core.db import Database, reading, writing
from app.events import pictures
from app.events.models import Event, Venue
from app.events.posters import Look
from app.events.rules.looks import palette
from app.tickets import pdf, qr, queries
from app.tickets.calendar import calendar, deadline
from app.tickets.pdf import PdfTicket, tickets_pdf
from tests import world
from tests.notifications.scenes import bought

NOON = datetime(2026, 11, 16, 12, 0, tzinfo=UTC)
URL = "https://tickets.example.org/tickets/" + "A" * 22
TICKET = PdfTicket(
    title="Nine Pianos",
    hue="cobalt",
    when="Saturday 12 December 2026, 20:30",
    doors="19:30",
    venue="Teatro Carignano",
    address="Piazza Carignano 6, Turin",
    entry="Gallery",
    price="€18.50",
    holder="Zoë Łukasz",
    short_code="7K2M-9QXD",
    reference="7K2M-AAAA",
    booked_on="20 Nov 2026",
    url=URL,
    position=1,
    count=2,
)


def pages(content: bytes) -> list[str]:
    with pypdfium2.PdfDocument(content) as document:
        return [page.get_textpage().get_text_range() for page in document]


def test_everything_on_the_paper_is_text_and_tagged() -> None:
    content = tickets_pdf([TICKET, dataclasses.replace(TICKET, position=2, short_code="7K2M-4TVR")], language="en")
    (text,) = pages(content)
    for fact in (
        "Nine Pianos",
        "20:30",
        "Doors 19:30",
        "Gallery",
        "€18.50",
        "Zoë Łukasz",
        "7K2M-9QXD",
        "7K2M-4TVR",
        "Ticket 2 of 2",
        "20 Nov 2026",
    ):
        assert fact in text
    assert b"StructTreeRoot" in content
    assert len(content) < 60_000


async def test_the_drawing_is_printed_sharp_and_a_picture_takes_its_place() -> None:
    written = io.BytesIO()
    Image.new("RGB", (800, 500), "#00ff00").save(written, "PNG")
    look = Look("Nine Pianos", "EventTicket", "rose", "night", "stars")
    with_picture = dataclasses.replace(look, picture=await pictures.store(written.getvalue()))
    for shown, raster, colour in ((look, 0, palette("rose", "night")["ground"]), (with_picture, 1, "#00ff00")):
        with pypdfium2.PdfDocument(tickets_pdf([dataclasses.replace(TICKET, look=shown)], language="en")) as document:
            page = document[0]
            images = [one for one in page.get_objects(max_depth=9) if one.type == pypdfium2.raw.FPDF_PAGEOBJ_IMAGE]
            assert len(images) == raster, shown
            # At the left of the panel above the code, where the drawing leaves its ground free.
            red, green, blue = page.render(scale=1).to_pil().convert("RGB").getpixel((390, 60))
            wanted = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
            assert max(abs(one - two) for one, two in zip((red, green, blue), wanted, strict=True)) < 12, shown


def test_two_tickets_share_a_sheet() -> None:
    assert len(pages(tickets_pdf([TICKET] * 5, language="en"))) == 3


@pytest.mark.asvs("V1.3.3", "V1.1.2")
@pytest.mark.parametrize(
    "title", ['#panic("x") *bold* $1$ ]#[ \\', "// gone /* too */ `code` @ref <label>", "W" * 120, "\U0001f3b9 \u200f\u0627", " "]
)
def test_no_title_is_read_as_markup(title: str) -> None:
    (text,) = pages(tickets_pdf([dataclasses.replace(TICKET, title=title)], language="en"))
    assert "7K2M-9QXD" in text
    if title.isascii() and len(title) < 120:
        assert title.strip() in re.sub(r"\s+", " ", text)


async def test_a_ticket_is_printed_as_its_booking_says(database: Database) -> None:
    async with writing() as tx:
        bob, event = await world.bob(tx), await world.event(tx, title="Nine Pianos", price_minor=1850)
    booking = await bought(event, bob)
    async with reading() as db:
        views = await queries.of_booking(db, booking.id or 0)
    printed = pdf.printed(views[1], base_url="https://shop.example", language="en")
    assert (printed.title, printed.entry, printed.price, printed.holder) == ("Nine Pianos", "Standard", "€18.50", "Bob")
    assert (printed.position, printed.count, printed.reference) == (2, 2, booking.reference)
    address, _hash, signature = printed.url.partition("#")
    assert (address, len(signature)) == (f"https://shop.example/tickets/{views[1].ticket.code}", 86)
    (text,) = pages(await pdf.of_views(views, base_url="https://shop.example", language="en"))
    assert all(view.ticket.short_code in text for view in views)


def modules() -> list[list[bool]]:
    """What the code of URL must look like, made without our own module."""
    return [[bool(module) for module in row] for row in segno.make(URL, error="m", micro=False, boost_error=False).matrix]


def test_the_svg_draws_the_right_modules() -> None:
    drawn = qr.svg(URL)
    expected = modules()
    size = len(expected)
    assert f'viewBox="0 0 {size + 8} {size + 8}"' in drawn
    assert not re.search(r"<\?xml|style=|class=|\son\w+=|width=|height=", drawn)
    assert read_path(drawn, size) == expected


def read_path(drawn: str, size: int) -> list[list[bool]]:
    """Follows the pen of the path: m moves, h draws along the row."""
    path = re.findall(r' d="([^"]+)"', drawn)[-1]
    grid, x, y = [[False] * size for _row in range(size)], 0.0, 0.0
    for command, numbers in re.findall(r"([Mmh])([-\d. ]+)", path):
        values = [float(number) for number in re.findall(r"-?[\d.]+", numbers)]
        if command == "h":
            for column in range(int(values[0])):
                grid[int(y - 4)][int(x - 4) + column] = True
            x += values[0]
        else:
            x, y = (values[0], values[1]) if command == "M" else (x + values[0], y + values[1])
    return grid


def test_the_png_draws_the_right_modules() -> None:
    picture = Image.open(io.BytesIO(qr.png(URL, scale=3))).convert("L")
    expected = modules()
    middle = range(len(expected))
    assert [[picture.getpixel((x * 3 + 13, y * 3 + 13)) == 0 for x in middle] for y in middle] == expected


def the_event(**columns: Any) -> Event:
    return Event(
        **{
            "slug": "nine-pianos",
            "title": "Nine Pianos; live, in the Dark",
            "manager_id": 1,
            "category_id": 1,
            "zone": "Europe/Rome",
            "starts_at": NOON,
            "ends_at": NOON + timedelta(hours=3),
            "created_at": NOON - timedelta(days=9),
            "state": "published",
            **columns,
        }
    )


def the_entry(content: bytes) -> Any:
    (entry,) = Calendar.from_ical(content).events
    return entry


def test_the_calendar_file_reads_back() -> None:
    content = calendar(the_event(), Venue(name="Teatro Baretti", address="Via Baretti 4", city="Turin"), URL, NOON)
    entry = the_entry(content)
    assert entry["SUMMARY"] == "Nine Pianos; live, in the Dark"
    assert entry["LOCATION"] == "Teatro Baretti, Via Baretti 4, Turin"
    assert entry.start == NOON
    assert entry.end == NOON + timedelta(hours=3)
    assert b"BEGIN:VTIMEZONE\r\nTZID:Europe/Rome" in content
    assert b"DTSTART;TZID=Europe/Rome:20261116T130000" in content


def test_a_later_version_moves_the_entry_and_an_event_called_off_cancels_it() -> None:
    first = the_entry(calendar(the_event(), None, URL, NOON))
    moved = the_entry(calendar(the_event(changed_at=NOON), None, URL, NOON))
    off = the_entry(
        calendar(the_event(changed_at=NOON, called_off_at=NOON + timedelta(hours=1), state="called_off"), None, URL, NOON)
    )
    assert first["UID"] == moved["UID"] == off["UID"]
    assert first["SEQUENCE"] < moved["SEQUENCE"] < off["SEQUENCE"]
    assert (first["STATUS"], off["STATUS"]) == ("CONFIRMED", "CANCELLED")


def test_the_deadline_ends_when_the_booking_lapses_and_warns_before() -> None:
    until = NOON + timedelta(days=2)
    entry = the_entry(deadline(the_event(), until, "https://tickets.example.org/bookings/abc", NOON))
    assert entry.end == until
    assert entry["SUMMARY"] == "Pay for Nine Pianos; live, in the Dark"
    assert entry.alarms.times[0].trigger == until - timedelta(minutes=30) - timedelta(hours=6)
    other = the_entry(deadline(the_event(), until, "https://tickets.example.org/bookings/def", NOON))
    assert entry["UID"] != other["UID"]
