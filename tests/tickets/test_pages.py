"""The ticket's page and its files, and a user's list of tickets."""

import io
import re
from datetime import timedelta
from typing import Any

import httpx
import pypdfium2
import pytest
import time_machine
from sqlmodel import select

from app.bookings.models import Booking
from app.core import clock
from app.core.db import reading, writing
from app.events.models import Event
from app.tickets.actions import take_back
from app.tickets.models import Ticket
from app.tickets.queries import TicketView, of_booking
from tests import world
from tests.notifications.scenes import bought, bought_by_guest
from tests.reading import words

# The clock stands still on a Monday at noon.
pytestmark = pytest.mark.usefixtures("moment")


async def an_event(**overrides: Any) -> Event:
    async with writing() as tx:
        event: Event = await world.event(tx, **overrides)
        return event


async def bob() -> Any:
    async with writing() as tx:
        return await world.bob(tx)


async def tickets(booking: Booking) -> list[TicketView]:
    async with reading() as db:
        return await of_booking(db, booking.id or 0)


async def test_the_ticket_says_everything_that_the_door_asks_for(client: httpx.AsyncClient) -> None:
    booking = await bought(await an_event(doors_at=clock.now() + timedelta(days=27, hours=23)), await bob())
    first, second = await tickets(booking)
    html = (await client.get(f"/tickets/{second.ticket.code}")).text
    said = words(html)
    facts = [
        "Show this at the door",
        "Nine Pianos",
        "Ticket 2 of 2",
        "Mon 14 Dec, 13:00",
        "Doors 12:00",
        "Standard",
        "€18.00",
        "Bob",
        "Valid",
    ]
    for fact in [*facts, "Teatro Baretti, Via Baretti 4, Turin", "Booked 16 Nov 2026", second.ticket.short_code]:
        assert fact in said, fact
    assert re.search(r'<div class="qr" role="img" aria-label="QR code of ticket [A-Z0-9-]{9}">\s*<svg', html)
    assert first.ticket.code not in html


async def test_whoever_holds_a_guests_link_sees_the_ticket(client: httpx.AsyncClient) -> None:
    booking = await bought_by_guest(await an_event(), "guest@example.com")
    (view,) = await tickets(booking)
    html = (await client.get(f"/tickets/{view.ticket.code}")).text
    assert f'href="/bookings/{booking.code}"' in html
    assert "guest@example.com" not in html


async def test_the_pdf_is_the_same_ticket_on_paper(client: httpx.AsyncClient) -> None:
    booking = await bought(await an_event(), await bob(), 1)
    (view,) = await tickets(booking)
    answer = await client.get(f"/tickets/{view.ticket.code}.pdf")
    assert answer.headers["content-type"] == "application/pdf"
    assert f'filename="nine-pianos-{view.ticket.short_code}.pdf"' in answer.headers["content-disposition"]
    with pypdfium2.PdfDocument(io.BytesIO(answer.content)) as document:
        (printed,) = [page.get_textpage().get_text_range() for page in document]
    assert "Nine Pianos" in printed and view.ticket.short_code in printed


async def test_the_calendar_file_and_the_code_lead_back_to_the_ticket(client: httpx.AsyncClient) -> None:
    booking = await bought(await an_event(), await bob(), 1)
    (view,) = await tickets(booking)
    calendar = await client.get(f"/tickets/{view.ticket.code}.ics")
    assert calendar.headers["content-type"] == "text/calendar; charset=utf-8"
    assert f"/tickets/{view.ticket.code}" in calendar.text.replace("\r\n ", "")
    drawing = await client.get(f"/tickets/{view.ticket.code}.svg")
    assert drawing.headers["content-type"].startswith("image/svg+xml")
    assert drawing.text.lstrip().startswith("<svg")


@pytest.mark.parametrize("ending", [".exe", ".", ".pdf.exe", ".PDF", "/../../x"])
async def test_other_kinds_of_files_do_not_exist(client: httpx.AsyncClient, ending: str) -> None:
    booking = await bought(await an_event(), await bob(), 1)
    (view,) = await tickets(booking)
    answer = await client.get(f"/tickets/{view.ticket.code}{ending}")
    assert answer.status_code == (200 if ending == "." else 404)


async def test_a_wrong_code_is_no_ticket(client: httpx.AsyncClient) -> None:
    booking = await bought(await an_event(), await bob(), 1)
    (view,) = await tickets(booking)
    for code in (view.ticket.code[:-1], view.ticket.code + "x", view.ticket.short_code, str(view.ticket.id), "%"):
        answer = await client.get(f"/tickets/{code}")
        assert answer.status_code == 404, code
        assert "Check the link in your mail" in answer.text, code
    assert (await client.get("/tickets/%00")).status_code == 404


async def test_a_void_ticket_says_so_and_shows_no_code(client: httpx.AsyncClient) -> None:
    booking = await bought(await an_event(), await bob(), 1)
    async with writing() as tx:
        await take_back(tx, booking, to="refunded", now=clock.now())
    (view,) = await tickets(booking)
    html = (await client.get(f"/tickets/{view.ticket.code}")).text
    assert "This ticket is void" in words(html) and "It does not open the door any more." in words(html)
    assert 'class="qr"' not in html


# ---------- my tickets ----------


async def test_my_tickets_begin_with_the_next_event_and_show_its_code(client: httpx.AsyncClient, sign_in: Any) -> None:
    buyer = await bob()
    for days, title in ((30, "Later"), (3, "Soon"), (10, "Between")):
        await bought(await an_event(title=title, starts_at=clock.now() + timedelta(days=days)), buyer)
    await sign_in(client, buyer)
    html = (await client.get("/me/tickets")).text
    assert re.findall(r'<h2 class="h2" id="booking-\d+"><a [^>]+>(\w+)</a>', html) == ["Soon", "Between", "Later"]
    assert html.count('class="qr"') == 1
    assert "2 tickets" not in words(html).split("Past events")[0]


async def test_past_events_fold_away(client: httpx.AsyncClient, moment: time_machine.Traveller, sign_in: Any) -> None:
    buyer = await bob()
    await bought(await an_event(title="Yesterday", starts_at=clock.now() + timedelta(hours=1)), buyer)
    moment.shift(timedelta(days=1))
    await sign_in(client, buyer)
    said = words((await client.get("/me/tickets")).text)
    assert "Past events Yesterday" in said and "2 tickets" in said


async def test_nobody_sees_the_tickets_of_somebody_else(client: httpx.AsyncClient, sign_in: Any) -> None:
    await bought(await an_event(), await bob())
    async with writing() as tx:
        carol = await world.carol(tx)
    await sign_in(client, carol)
    html = (await client.get("/me/tickets")).text
    assert "No tickets yet" in html
    async with reading() as db:
        codes = [ticket.code for ticket in (await db.exec(select(Ticket))).all()]
    assert len(codes) == 2 and not any(code in html for code in codes)
