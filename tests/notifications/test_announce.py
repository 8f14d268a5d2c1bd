"""A manager writes to those who come: whom it reaches, once each, after the number was confirmed, and what the mail carries."""

import asyncio
import re
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import httpx
import pytest
import time_machine
from sqlmodel import select, update

from app.bookings import actions as bookings
from app.bookings.models import Booking
from app.core import clock
from app.core.codes import random_id, secret_code
from app.core.db import Database, reading, writing
from app.core.errors import Refused
from app.events.models import Event
from app.notifications import announcing, flows, mails, queries
from app.notifications.announcing import Draft, OtherCount
from app.notifications.models import Announcement, Delivery, Notification
from app.tickets.actions import check_in, settle
from app.tickets.models import Ticket
from app.tickets.rules import Scanned
from app.worker import JOBS, Worker, work_jobs
from tests import world
from tests.admin.logbook import said
from tests.bookings.test_pages import account
from tests.notifications.scenes import bought, bought_by_guest, held
from tests.reading import words

WRITTEN = {"subject": "Doors at eight", "body": "Come **early**."}


async def an_event() -> Event:
    async with writing() as tx:
        return await world.event(tx, price_minor=0, per_buyer=50)


async def a_house() -> Event:
    """Bob has two bookings, a guest one, Carol only holds, Dan's ticket is void: two people come."""
    event = await an_event()
    async with writing() as tx:
        bob, carol, dan = await world.bob(tx), await world.carol(tx), await world.person(tx, "Dan")
    await bought(event, bob, 2)
    await bought(event, bob, 1)
    await bought_by_guest(event, "guest@example.com")
    dans = await bought(event, dan, 1)
    await held(event, carol, 1)
    async with writing() as tx:
        await tx.exec(update(Ticket).where(Ticket.booking_id == dans.id).values(state="void"))  # type: ignore[arg-type]
    return event


async def sent(event: Event, *, people: int = 2, draft: Draft | None = None) -> Announcement:
    async with writing() as tx:
        alice = await world.alice(tx)
        draft = draft or Draft(secret_code(), "Doors at eight", "Come **early**.", ())
        told = {"by": alice.id or 0, "now": clock.now()}
        return await announcing.send(tx, event, draft, people=people, **told)


async def told() -> list[str]:
    async with reading() as db:
        found = await db.exec(select(Notification.recipient).where(Notification.kind == "announcement"))
        return sorted(found.all())


async def everybody_is_told() -> None:
    while await work_jobs():
        pass


# ---------- whom it reaches ----------


async def test_everybody_with_a_valid_ticket_is_told_once(database: Database) -> None:
    event = await a_house()
    async with reading() as db:
        assert await announcing.count(db, event.id or 0, ()) == 2
    made = await sent(event)
    await everybody_is_told()
    async with reading() as db:
        reached = await announcing.reached(db, made)
        bob = (await db.exec(select(Notification).where(Notification.email == "bob@example.com"))).all()
    assert await told() == ["mail:guest@example.com", f"user:{bob[0].user_id}"]
    assert (reached.people, reached.queued, bob[-1].in_panel) == (2, 2, True)
    assert (await said())[-1] == "Alice (alice@example.com) wrote to 2 people who come to “Nine Pianos”."


async def test_it_can_go_to_some_ticket_types_only(database: Database) -> None:
    event = await a_house()
    async with writing() as tx:
        gallery = await world.ticket_type(tx, event, name="Gallery", price_minor=0)
        erin = await world.person(tx, "Erin")
        booking = await bookings.hold(tx, event, {gallery.id or 0: 1}, by=account(erin), now=clock.now())
    async with writing() as tx:
        await settle(tx, await tx.get_one(Booking, booking.id), now=clock.now())
    await sent(event, people=1, draft=Draft(secret_code(), "Up there", "Mind your head.", [gallery.id or 0]))
    await everybody_is_told()
    assert await told() == [f"user:{erin.id}"]


async def comes(event: Event, booking: Booking) -> None:
    """Erin admits one ticket of the booking."""
    async with writing() as tx:
        erin = await world.erin(tx)
        code = (await tx.exec(select(Ticket.code).where(Ticket.booking_id == booking.id))).first()
        told = {"nonce": random_id(), "by": erin.id or 0, "now": clock.now()}
        await check_in(tx, await tx.get_one(Event, event.id), Scanned(code=code or ""), **told)


async def test_it_can_go_only_to_those_who_have_come_or_have_not(database: Database) -> None:
    """Of two friends with one booking, one is inside: the booking is told both."""
    event = await an_event()
    async with writing() as tx:
        bob, carol = await world.bob(tx), await world.carol(tx)
    await comes(event, await bought(event, bob, 1))
    await comes(event, await bought(event, carol, 2))
    await bought_by_guest(event, "guest@example.com")
    came, missing = (Draft(secret_code(), "The bar", "It is open.", (), presence) for presence in ("came", "missing"))
    await sent(event, people=2, draft=came)
    await everybody_is_told()
    assert await told() == [f"user:{bob.id}", f"user:{carol.id}"]
    await sent(event, people=2, draft=missing)
    await everybody_is_told()
    assert await told() == sorted(["mail:guest@example.com", f"user:{bob.id}", *[f"user:{carol.id}"] * 2])


async def test_more_people_than_a_batch_are_told_once_each_also_after_a_failure(
    database: Database, monkeypatch: pytest.MonkeyPatch, moment: time_machine.Traveller
) -> None:
    monkeypatch.setattr(flows, "JOB_BATCH", 2)
    event = await an_event()
    for number in range(5):
        await bought_by_guest(event, f"guest{number}@example.com")
    # The first of them once more: another booking, in another batch.
    await bought_by_guest(event, "guest0@example.com")
    await sent(event, people=5)
    await work_jobs()
    real = announcing.write_down

    async def fails(*args: Any) -> None:
        await real(*args)
        raise OSError("the wall")

    monkeypatch.setattr(announcing, "write_down", fails)
    await work_jobs()
    monkeypatch.setattr(announcing, "write_down", real)
    assert len(await told()) == 2
    moment.shift(timedelta(minutes=1))
    await everybody_is_told()
    async with reading() as db:
        mails_of_all = (await db.exec(select(Delivery))).all()
    assert (len(await told()), len(mails_of_all)) == (5, 5)
    assert "announcement.told" in JOBS


# ---------- confirming ----------


async def test_the_number_that_was_confirmed_must_still_be_true(database: Database) -> None:
    event = await a_house()
    with pytest.raises(OtherCount):
        await sent(event, people=3)
    await everybody_is_told()
    assert await told() == []


async def test_sending_twice_is_sending_once(database: Database) -> None:
    event = await a_house()
    draft = Draft(secret_code(), "Doors at eight", "Come early.", ())
    first, second = await asyncio.gather(sent(event, draft=draft), sent(event, draft=draft))
    await everybody_is_told()
    async with reading() as db:
        assert len((await db.exec(select(Announcement))).all()) == 1
    assert (first.id, len(await told())) == (second.id, 2)


async def test_three_a_day_and_no_more_also_at_once(database: Database, moment: time_machine.Traveller) -> None:
    event = await a_house()
    outcomes = await asyncio.gather(*(sent(event) for _number in range(5)), return_exceptions=True)
    assert sum(isinstance(outcome, Refused) for outcome in outcomes) == 2
    moment.shift(timedelta(days=1, seconds=1))
    await sent(event)


# ---------- the mail ----------


async def a_mail(subject: str = "Doors at eight", body: str = "Come **early**.") -> EmailMessage:
    event = await an_event()
    await bought_by_guest(event, "guest@example.com")
    await sent(event, people=1, draft=Draft(secret_code(), subject, body, ()))
    await everybody_is_told()
    async with reading() as db:
        [delivery_id] = (await db.exec(select(Delivery.id))).all()
        delivery, notification = await queries.delivery(db, delivery_id or 0)
        letter = await announcing.letter(db, notification)
    return mails.compose(delivery, notification, [], [], now=clock.now(), letter=letter)


async def test_the_mail_says_what_was_written_and_answers_go_to_the_manager(sqlite_database: Database) -> None:
    mail = await a_mail()
    text, html = (mail.get_body((kind,)).get_content() for kind in ("plain", "html"))  # type: ignore[union-attr]
    assert mail["Subject"] == "Nine Pianos: Doors at eight"
    assert mail["Reply-To"] == "alice@example.com"
    assert "Come **early**." in text and "<strong>early</strong>" in html


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\u2028", "\x0b", "=?utf-8?q?=0D=0A?="])
async def test_no_subject_makes_another_header(sqlite_database: Database, end: str) -> None:
    """Even if it had come past the form."""
    mail = await a_mail(subject=f"Doors{end}Bcc: mallory@example.com")
    raw = mail.as_bytes()
    assert mail["Bcc"] is None and not re.search(rb"^bcc:", raw, re.IGNORECASE | re.MULTILINE)


async def test_what_was_written_cannot_run_in_a_mail(sqlite_database: Database) -> None:
    mail = await a_mail(body="<script>go()</script> <img src=x onerror=go()> [link](javascript:go())")
    html = mail.get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert "<script" not in html and "<img src=x" not in html and 'href="javascript' not in html


# ---------- the pages ----------


@pytest.fixture
async def alices(client: httpx.AsyncClient, sign_in: Any) -> httpx.AsyncClient:
    async with writing() as tx:
        alice = await world.alice(tx)
    await sign_in(client, alice)
    return client


def hidden(html: str, name: str) -> str:
    return re.search(rf'name="{name}" value="([^"]*)"', html)[1]  # type: ignore[index]


async def test_it_is_looked_at_counted_confirmed_and_sent(alices: httpx.AsyncClient) -> None:
    event = await a_house()
    base = f"/manager/events/{event.slug}/announcements"
    look = await alices.post(f"{base}/preview", data=WRITTEN)
    assert "This goes to 2 people" in words(look.text) and "<strong>early</strong>" in look.text
    assert await told() == []
    form = WRITTEN | {name: hidden(look.text, name) for name in ("people", "code")}
    answer = await alices.post(base, data=form)
    assert answer.status_code == 303
    again = await alices.post(base, data=form)
    assert again.headers["Location"] == answer.headers["Location"]
    await Worker().run_until_idle()
    page = words((await alices.get(answer.headers["Location"])).text)
    assert "0 of 2 mails are sent" in page and "2 are on their way" in page
    assert "Doors at eight" in words((await alices.get(base)).text)
    assert len(await told()) == 2


async def test_the_number_counts_only_those_who_have_not_come(alices: httpx.AsyncClient) -> None:
    event = await a_house()
    base = f"/manager/events/{event.slug}/announcements"
    written = WRITTEN | {"presence": "missing"}
    look = await alices.post(f"{base}/preview", data=written)
    assert "This goes to 2 people" in words(look.text) and "Only who has not come yet." in words(look.text)
    async with reading() as db:
        guests = (await db.exec(select(Booking).where(Booking.email == "guest@example.com"))).one()
    await comes(event, guests)
    form = written | {name: hidden(look.text, name) for name in ("people", "code")}
    answer = await alices.post(base, data=form)
    assert (answer.status_code, hidden(answer.text, "people"), hidden(answer.text, "presence")) == (409, "1", "missing")
    assert (await alices.post(base, data=form | {"people": "1"})).status_code == 303
    assert (await alices.post(f"{base}/preview", data=WRITTEN | {"presence": "late"})).status_code == 422


async def test_another_number_is_shown_and_confirmed_anew(alices: httpx.AsyncClient) -> None:
    event = await a_house()
    base = f"/manager/events/{event.slug}/announcements"
    look = await alices.post(f"{base}/preview", data=WRITTEN)
    await bought_by_guest(event, "late@example.com")
    form = WRITTEN | {name: hidden(look.text, name) for name in ("people", "code")}
    answer = await alices.post(base, data=form)
    assert (answer.status_code, hidden(answer.text, "people")) == (409, "3")
    assert "This goes to 3 people" in words(answer.text) and "The number of people has changed" in words(answer.text)


@pytest.mark.parametrize("subject", ["", " ", "Doors\r\nBcc: mallory@example.com", "Doors\0", "x" * 121])
async def test_a_subject_is_one_short_line(alices: httpx.AsyncClient, subject: str) -> None:
    event = await a_house()
    answer = await alices.post(f"/manager/events/{event.slug}/announcements/preview", data=WRITTEN | {"subject": subject})
    assert answer.status_code == 422 and "Come **early**." in answer.text


async def test_without_having_looked_nothing_is_sent(alices: httpx.AsyncClient) -> None:
    event = await a_house()
    answer = await alices.post(f"/manager/events/{event.slug}/announcements", data=WRITTEN | {"people": "2"})
    assert "This goes to 2 people" in words(answer.text)
    await Worker().run_until_idle()
    assert await told() == []
