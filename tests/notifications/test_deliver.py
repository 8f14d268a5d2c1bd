"""Delivering: a mail may be late, but it is never lost, and it carries what its reader needs."""

import asyncio
import dataclasses
from datetime import timedelta
from email.message import EmailMessage

import pypdfium2
import pytest
import time_machine
from icalendar import Calendar

from app.accounts.models import MailedLink
from app.core import clock, i18n, tokens
from app.core.db import Database, writing
from app.core.settings import settings, use
from app.notifications import actions, flows
from app.sandbox.mailbox import Mailbox
from tests import pseudo, world
from tests.notifications.scenes import bought, deliveries, happened


async def the_paid_booking() -> None:
    async with writing() as tx:
        bob, event = await world.bob(tx), await world.event(tx, title="Nine Pianos", hue="cobalt")
    booking = await bought(event, bob)
    await happened("booking.paid", f"booking:{booking.id}")


async def the_only_mail(mailbox: Mailbox) -> EmailMessage:
    assert await flows.deliver() == 1
    (mail,) = await mailbox.messages()
    return mail.message


async def test_every_part_of_a_mail_is_in_the_buyers_language(
    sqlite_database: Database, mailbox: Mailbox, moment: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    pseudo.speak(monkeypatch)
    async with writing() as tx:
        bob, event = await world.bob(tx), await world.event(tx)
        event.is_online, event.venue_id = True, None
    with i18n.speaking(pseudo.LONG):
        booking = await bought(event, bob)
    assert booking.language == pseudo.LONG
    await happened("booking.paid", f"booking:{booking.id}")
    message = await the_only_mail(mailbox)
    assert pseudo.bare(message["Subject"], ["Nine Pianos"]) == ""
    pdf, ics = list(message.iter_attachments())
    with pypdfium2.PdfDocument(pdf.get_payload(decode=True)) as document:
        assert "[Éñtrý" in document[0].get_textpage().get_text_range()
    assert str(Calendar.from_ical(ics.get_payload(decode=True)).events[0]["LOCATION"]) == pseudo.pseudo("Online")


async def test_a_bought_ticket_arrives_as_link_pdf_and_calendar_file(
    database: Database, mailbox: Mailbox, moment: time_machine.Traveller
) -> None:
    await the_paid_booking()
    message = await the_only_mail(mailbox)
    assert message["To"] == "bob@example.com"
    assert message["Subject"] == "Your 2 tickets: Nine Pianos, Mon 14 Dec, 13:00"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["List-Unsubscribe"] is None
    assert message["Reply-To"] is None
    text, html = (message.get_body((kind,)).get_content() for kind in ("plain", "html"))  # type: ignore[union-attr]
    for part in (text, html):
        assert "http://testserver.local/bookings/" in part
        assert part.count("http://testserver.local/tickets/") == 2
        assert "€36.00" in part
    assert "#1e59cd" in html
    assert len(html.encode()) < 12_000
    pdf, ics = list(message.iter_attachments())
    assert (pdf.get_filename(), ics.get_filename()) == ("nine-pianos-tickets.pdf", "nine-pianos.ics")
    with pypdfium2.PdfDocument(pdf.get_payload(decode=True)) as document:
        assert document[0].get_textpage().get_text_range().count("Nine Pianos") == 2
    picture = next(part for part in message.walk() if part.get_content_maintype() == "image")
    assert f'src="cid:{picture["Content-ID"].strip("<>")}"' in html
    assert picture.get_content_disposition() == "inline"
    drawn = picture.get_payload(decode=True)
    assert isinstance(drawn, bytes) and drawn.startswith(b"\x89PNG") and len(drawn) <= 30_000
    entry = Calendar.from_ical(ics.get_payload(decode=True)).events[0]
    assert entry["SUMMARY"] == "Nine Pianos"


async def test_without_a_mail_server_the_mail_is_late_and_not_lost(
    database: Database, mailbox: Mailbox, moment: time_machine.Traveller
) -> None:
    await the_paid_booking()
    await mailbox.stop()
    assert await flows.deliver() == 1
    (late,) = await deliveries()
    assert (late.state, late.attempts, late.next_try_at) == ("queued", 1, clock.now() + timedelta(seconds=30))
    assert await flows.deliver() == 0, "it waits for its pause"
    moment.shift(timedelta(seconds=30))
    assert await flows.deliver() == 1
    assert (await deliveries())[0].next_try_at == clock.now() + timedelta(seconds=60)
    moment.shift(timedelta(minutes=1))
    use(dataclasses.replace(settings(), smtp_url=f"smtp://127.0.0.1:{await mailbox.start()}"))
    assert await flows.deliver() == 1
    (sent,) = await deliveries()
    assert (sent.state, sent.attempts, sent.sent_at) == ("sent", 3, clock.now())
    assert len(await mailbox.messages("bob@example.com")) == 1


async def test_after_a_day_it_has_failed_and_is_tried_no_more(
    sqlite_database: Database, mailbox: Mailbox, moment: time_machine.Traveller
) -> None:
    await the_paid_booking()
    await mailbox.stop()
    moment.shift(timedelta(hours=24))
    await flows.deliver()
    assert (await deliveries())[0].state == "failed"
    moment.shift(timedelta(hours=2))
    assert await flows.deliver() == 0


async def test_without_the_setting_mails_stay_queued(sqlite_database: Database) -> None:
    await the_paid_booking()
    assert await flows.deliver() == 0
    assert (await deliveries())[0].attempts == 0


async def test_of_two_who_deliver_one_sends(database: Database, mailbox: Mailbox) -> None:
    await the_paid_booking()
    await asyncio.gather(flows.deliver(), flows.deliver())
    assert len(await mailbox.messages()) == 1


async def test_who_dies_while_sending_is_followed_by_another_with_the_same_message_id(
    sqlite_database: Database, mailbox: Mailbox, moment: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    await the_paid_booking()

    async def dies(*_args: object, **_kwargs: object) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr(actions, "note_sent", dies)
        with pytest.raises(asyncio.CancelledError):
            await flows.deliver()
    assert await flows.deliver() == 0, "the claim holds for two minutes"
    moment.shift(timedelta(minutes=2))
    await flows.deliver()
    first, second = [mail.header("Message-ID") for mail in await mailbox.messages()]
    assert first == second


async def test_a_link_is_signed_when_it_is_mailed(sqlite_database: Database, mailbox: Mailbox) -> None:
    now = clock.now()
    async with writing() as tx:
        link = MailedLink(kind="register", email="new@example.com", created_at=now, expires_at=now + timedelta(hours=24))
        tx.add(link)
    await happened("account.registered", f"link:{link.id}")
    message = await the_only_mail(mailbox)
    assert f"http://testserver.local/verify/{tokens.sign('register', link.id)}" in message.get_body(("plain",)).get_content()  # type: ignore[union-attr]


async def test_what_somebody_waits_for_goes_before_what_goes_to_many(
    sqlite_database: Database, moment: time_machine.Traveller
) -> None:
    from app.core.db import reading
    from app.notifications import queries

    async with writing() as tx:
        bob, event = await world.bob(tx), await world.event(tx)
    booking = await bought(event, bob)
    await happened("booking.day_before", f"booking:{booking.id}")
    await happened("booking.paid", f"booking:{booking.id}")
    async with reading() as db:
        assert await queries.due(db, now=clock.now(), most=9) == [2, 1]
