"""Who has booked and who comes: found by what one knows of them, page by page, and as a file."""

import csv
import io
import re
from typing import Any

import httpx
import pytest
from sqlmodel import select

from app.analytics import people
from app.analytics.people import Wish
from app.bookings.models import Answer, Booking
from app.bookings.pages import people as pages
from app.core import clock, jobs
from app.core.activity import Activity
from app.core.codes import random_id
from app.core.db import Database, reading, writing
from app.core.sheets import MARK
from app.events.models import Event, Question
from app.notifications.models import Notification
from app.tickets import actions
from app.tickets.models import Ticket
from app.tickets.rules import Scanned
from app.worker import Worker
from tests import world
from tests.admin.logbook import said
from tests.notifications.scenes import bought, bought_by_guest, held
from tests.reading import words

PART = {"HX-Request": "true", "HX-Request-Type": "partial"}


@pytest.fixture
async def alices(client: httpx.AsyncClient, sign_in: Any) -> httpx.AsyncClient:
    async with writing() as tx:
        alice = await world.alice(tx)
    await sign_in(client, alice)
    return client


async def an_event() -> Event:
    async with writing() as tx:
        return await world.event(tx, per_buyer=100, price_minor=0)


async def sold(event: Event, name: str, qty: int = 1) -> Booking:
    async with writing() as tx:
        buyer = await world.person(tx, name)
    return await bought(event, buyer, qty)


async def ticket_of(booking: Booking) -> Ticket:
    async with reading() as db:
        return (await db.exec(select(Ticket).where(Ticket.booking_id == booking.id))).first()  # type: ignore[return-value]


async def found(event: Event, what: str = "attendees", **wish: Any) -> list[str]:
    """Names of whom the wish finds, and the count must say the same."""
    async with reading() as db:
        if what == "attendees":
            come, total = await people.attendees(db, event.id or 0, Wish(**wish), page=1)
            names = [each.name for each in come]
        else:
            booked, total = await people.bookings(db, event.id or 0, Wish(**wish), page=1)
            names = [row.booking.name for row in booked]
    assert total == len(names)
    return names


# ---------- finding ----------


async def test_people_are_found_by_name_address_reference_and_short_code(database: Database) -> None:
    event = await an_event()
    bobs, _carols = await sold(event, "Bob"), await sold(event, "Carol")
    async with writing() as tx:
        fresh = await tx.get_one(Booking, bobs.id)
        fresh.name = "Bob Müller"
        ticket = await tx.get_one(Ticket, (await ticket_of(bobs)).id)
        ticket.holder = "Zoë"
    for word in ("bob m", "BOB@EXAMPLE", "zo", bobs.reference.lower(), ticket.short_code.lower()):
        assert await found(event, q=word) == ["Zoë"], word
        assert word == "zo" or await found(event, "bookings", q=word) == ["Bob Müller"], word
    for word in ("b_b", "%", "nobody"):
        assert await found(event, q=word) == [] == await found(event, "bookings", q=word), word


async def test_a_name_that_looks_like_a_code_is_still_found(database: Database) -> None:
    """Whoever types a code means the one ticket, and not everybody in whose address it stands."""
    event = await an_event()
    annas = await sold(event, "Anna-Maya")
    carols = await ticket_of(await sold(event, "Carol"))
    assert await found(event, q="anna-maya") == ["Anna-Maya"] == await found(event, "bookings", q="anna-maya")
    async with writing() as tx:
        (await tx.get_one(Booking, annas.id)).email = f"{carols.short_code}@example.com"
    assert await found(event, q=carols.short_code) == ["Carol"] == await found(event, "bookings", q=carols.short_code)


async def test_a_page_behind_the_last_one_still_counts(database: Database) -> None:
    event = await an_event()
    await sold(event, "Bob")
    async with reading() as db:
        for q in ("", "bob"):
            assert await people.attendees(db, event.id or 0, Wish(q=q), page=9) == ([], 1)


async def test_filters_and_orders(database: Database) -> None:
    event = await an_event()
    async with writing() as tx:
        gallery = await world.ticket_type(tx, event, name="Gallery", price_minor=0)
    await sold(event, "Zed")
    bobs = await sold(event, "Bob")
    async with writing() as tx:
        ticket = await tx.get_one(Ticket, (await ticket_of(bobs)).id)
        ticket.ticket_type_id = gallery.id or 0
        carol = await world.carol(tx)
    await held(event, carol, 1)
    assert [await found(event, sort=sort) for sort in people.SORTS] == [["Bob", "Zed"], ["Bob", "Zed"]]
    assert await found(event, type_id=gallery.id) == ["Bob"]
    assert (await found(event, state="valid"), await found(event, state="void")) == (["Bob", "Zed"], [])
    assert (len(await found(event, "bookings", state="paid")), len(await found(event, "bookings", state="held"))) == (2, 1)


async def come(event: Event, ticket: Ticket, *, undone: bool = False) -> None:
    """Erin admits the ticket, and may take it back."""
    async with writing() as tx:
        erin, present = await world.erin(tx), await tx.get_one(Event, event.id)
        told: dict[str, Any] = {"by": erin.id or 0, "now": clock.now()}
        verdict = await actions.check_in(tx, present, Scanned(code=ticket.code), nonce=random_id(), **told)
        if undone:
            await actions.undo(tx, present, verdict.scan, any_of=True, **told)


async def test_who_has_come_and_who_has_not_yet(database: Database) -> None:
    """Whoever went out again has come; whose check-in was undone, has not; whose ticket is void, is not waited for."""
    event = await an_event()
    bobs, carols, dans, erins = [await ticket_of(await sold(event, name)) for name in ("Bob", "Carol", "Dan", "Erin")]
    await come(event, bobs)
    await come(event, carols, undone=True)
    async with writing() as tx:
        (await tx.get_one(Ticket, bobs.id)).inside = False
        (await tx.get_one(Ticket, dans.id)).state = "void"
    assert await found(event, state="came") == ["Bob"]
    assert await found(event, state="missing", sort="name") == ["Carol", "Erin"]
    await come(event, erins)
    assert await found(event, state="missing") == ["Carol"]


async def test_the_page_and_the_file_say_who_has_come(alices: httpx.AsyncClient) -> None:
    event = await an_event()
    bobs = await ticket_of(await sold(event, "Bob"))
    await sold(event, "Carol")
    await come(event, bobs)
    path = f"/manager/events/{event.slug}/attendees"
    page = words((await alices.get(path, params={"state": "came"})).text)
    assert "1 ticket" in page and "Bob Checked in" in page and "Carol" not in page
    head, *rows = table((await alices.post(f"{path}/file")).content)
    came = {row[0]: row[head.index("Came (UTC)")] for row in rows}
    assert came["Carol"] == "" and came["Bob"].startswith(f"{clock.now():%Y-%m-%d}")
    assert [row[0] for row in table((await alices.post(f"{path}/file", data={"state": "missing"})).content)[1:]] == ["Carol"]


async def test_nobody_of_another_event_is_shown(database: Database) -> None:
    event, other = await an_event(), await an_event()
    await sold(other, "Bob")
    assert await found(event) == [] == await found(event, "bookings")


async def test_a_page_is_not_long_and_more_comes_behind_it(alices: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "ON_A_PAGE", 4)
    event = await an_event()
    await sold(event, "Bob", 6)
    path = f"/manager/events/{event.slug}/attendees"
    first = await alices.get(path)
    assert first.text.count("Change name") == 4
    assert "Page 1 of 2" in words(first.text) and f'hx-get="{path}?page=2"' in first.text
    more = await alices.get(f"{path}?page=2", headers=PART)
    assert more.text.partition("</title>")[2].startswith('<ul class="todo"') and more.text.count("Change name") == 2
    assert "Page 2 of 2" in words((await alices.get(f"{path}?page=2")).text)


async def test_what_was_typed_is_kept_by_the_next_page_and_strange_words_do_no_harm(
    alices: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "ON_A_PAGE", 4)
    event = await an_event()
    await sold(event, "Bob", 6)
    path = f"/manager/events/{event.slug}/attendees"
    page = (await alices.get(path, params={"q": "Bob", "sort": "name", "state": "valid"})).text
    assert f'href="{path}?q=Bob&amp;state=valid&amp;sort=name&amp;page=2"' in page
    for odd in ("\0", "\ufffd", "%00", "x" * 5000, "<script>", "'"):
        assert (await alices.get(path, params=dict.fromkeys(("q", "type", "state", "sort", "page"), odd))).status_code == 200


# ---------- one booking ----------


async def test_a_booking_shows_what_its_buyer_answered(alices: httpx.AsyncClient) -> None:
    event = await an_event()
    booking = await sold(event, "Bob")
    await answered(event, booking, "Vegetarian <b>")
    page = words((await alices.get(f"/manager/events/{event.slug}/bookings/{booking.reference}")).text)
    assert "What do you eat? Vegetarian &lt;b&gt;" in page


async def test_the_list_of_attendees_says_what_was_answered_about_each_ticket(alices: httpx.AsyncClient) -> None:
    event = await an_event()
    booking = await sold(event, "Bob", 2)
    await answered(event, booking, "Vegetarian <b>", per_ticket=True)
    page = words((await alices.get(f"/manager/events/{event.slug}/attendees")).text)
    assert page.count("What do you eat? Vegetarian &lt;b&gt;") == 1


async def answered(event: Event, booking: Booking, value: str, *, per_ticket: bool = False) -> None:
    ticket = await ticket_of(booking)
    async with writing() as tx:
        question = Question(event_id=event.id or 0, label="What do you eat?", per_ticket=per_ticket)
        tx.add(question)
        await tx.flush()
        place = {"line_id": ticket.line_id, "n": ticket.n} if per_ticket else {}
        tx.add(Answer(booking_id=booking.id or 0, question_id=question.id or 0, value=value, **place))


async def test_tickets_are_sent_again_three_times_an_hour(alices: httpx.AsyncClient) -> None:
    event = await an_event()
    booking = await bought_by_guest(event, "guest@example.com")
    await Worker().run_until_idle()
    answers = [
        (await alices.post(f"/manager/events/{event.slug}/bookings/{booking.reference}/send")).status_code for _try in range(4)
    ]
    await Worker().run_until_idle()
    async with reading() as db:
        mails = (await db.exec(select(Notification.kind).where(Notification.email == "guest@example.com"))).all()
    assert (answers, mails) == ([303, 303, 303, 429], ["booking_paid"] * 4)
    assert "had the tickets of booking" in " ".join(await said())


async def test_a_ticket_gets_another_name_everywhere(alices: httpx.AsyncClient) -> None:
    event = await an_event()
    booking = await sold(event, "Bob")
    ticket = await ticket_of(booking)
    path = f"/manager/events/{event.slug}/attendees/{ticket.short_code}"
    assert (await alices.post(path, data={"holder": " "})).status_code == 422
    assert (await alices.post(path, data={"holder": "Eve\u202e\0"})).status_code == 422
    assert (await alices.post(path, data={"holder": "Zoë Example"})).status_code == 303
    assert "Zoë Example" in (await alices.get(f"/tickets/{ticket.code}")).text
    assert (await said())[-1].startswith("Alice (alice@example.com) put another name on a ticket of booking")
    async with reading() as db:
        logged = (await db.exec(select(Activity.details).where(Activity.kind == "ticket.renamed"))).one()
    assert "Zoë" not in str(logged)


async def test_of_two_who_name_a_ticket_the_second_is_told(database: Database) -> None:
    event = await an_event()
    ticket = await ticket_of(await sold(event, "Bob"))
    async with writing() as tx:
        first = await actions.name_holder(tx, ticket, "Zoë", by=1)
        second = await actions.name_holder(tx, ticket, "Yves", by=1)
    assert (first, second, (await ticket_of(await booking_of(ticket))).holder) == (True, False, "Zoë")


async def booking_of(ticket: Ticket) -> Booking:
    async with reading() as db:
        return await db.get_one(Booking, ticket.booking_id)


async def test_a_void_ticket_keeps_its_name(alices: httpx.AsyncClient) -> None:
    event = await an_event()
    booking = await sold(event, "Bob")
    ticket = await ticket_of(booking)
    async with writing() as tx:
        (await tx.get_one(Ticket, ticket.id)).state = "void"
    path = f"/manager/events/{event.slug}/attendees/{ticket.short_code}"
    assert (await alices.post(path, data={"holder": "Zoë"})).status_code == 404


# ---------- files ----------


def table(body: bytes) -> list[list[str]]:
    assert body.startswith(MARK) and body.count(MARK) == 1
    return list(csv.reader(io.StringIO(body.decode("utf-8-sig"))))


async def test_the_file_has_everybody_with_answers_and_no_formulas(alices: httpx.AsyncClient) -> None:
    event = await an_event()
    booking = await sold(event, "Bob")
    await answered(event, booking, "=HYPERLINK(1)", per_ticket=True)
    async with writing() as tx:
        (await tx.get_one(Ticket, (await ticket_of(booking)).id)).holder = "@Bob"
    answer = await alices.post(f"/manager/events/{event.slug}/attendees/file")
    head, row = table(answer.content)
    assert (head[0], head[-1], row[0], row[-1]) == ("Name", "What do you eat?", "'@Bob", "'=HYPERLINK(1)")
    assert answer.headers["Cache-Control"] == "no-store"
    booked = table((await alices.post(f"/manager/events/{event.slug}/bookings/file", data={"state": "paid"})).content)
    assert (booked[1][0], booked[1][-1]) == (booking.reference, "'=HYPERLINK(1)")
    assert (await said())[-1] == "Alice (alice@example.com) took 1 row about the people of “Nine Pianos” away as a file."


@pytest.mark.parametrize("what", ["attendees", "bookings"])
async def test_a_large_file_is_a_job_and_says_the_same_as_a_small_one(
    alices: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    event = await an_event()
    for name in ("Bob", "Carol", "Dan", "Erin", "Finn"):
        await sold(event, name)
    path = f"/manager/events/{event.slug}/{what}/file"
    small = (await alices.post(path)).content
    monkeypatch.setattr(pages, "MOST_AT_ONCE", 4)
    monkeypatch.setattr("app.analytics.flows.BATCH", 2)
    answer = await alices.post(path)
    code = re.sub(r".*/", "", answer.headers["Location"])
    await Worker().run_until_idle()
    async with reading() as db:
        job = await jobs.by_code(db, code)
    assert job and (job.state, job.done, job.total) == ("done", 5, 5)
    assert (await alices.get(f"/manager/jobs/{code}/file")).content == small
    assert job.has_file(clock.now())
