"""Mails about money carry its receipt on paper, beside what they carry anyway."""

import pypdfium2
import pytest
from sqlmodel import col, update

from app.bookings.models import Booking
from app.core import clock
from app.core.db import Database, writing
from app.core.texts import SiteText
from app.notifications import flows
from app.notifications.models import Notification
from app.payments.models import Refund
from app.sandbox.mailbox import Mailbox
from tests.notifications.scenes import happened
from tests.payments.refund_story import an_event, given, paid
from tests.payments.story import refunds_of

# The clock stands still on a Monday at noon.
pytestmark = pytest.mark.usefixtures("moment")


async def files_of_the_mail(mailbox: Mailbox) -> dict[str, bytes]:
    """The attachments of the only mail that goes out now, by their names."""
    before = len(await mailbox.messages())
    assert await flows.deliver() == 1
    found = await mailbox.messages()
    assert len(found) == before + 1
    newest = max(found, key=lambda mail: mail.header("Message-ID"))
    return {str(part.get_filename()): part.get_payload(decode=True) for part in newest.message.iter_attachments()}  # type: ignore[misc]


async def money_went_back(refund: Refund, booking: Booking) -> None:
    async with writing() as tx:
        await tx.exec(update(Refund).where(col(Refund.id) == refund.id).values(state="succeeded", ended_at=clock.now()))
    await happened("refund.succeeded", f"booking:{booking.id}", refund=refund.id, minor=refund.amount_minor)


def words(paper: bytes) -> str:
    with pypdfium2.PdfDocument(paper) as document:
        return " ".join(" ".join(page.get_textpage().get_text_range() for page in document).split())


async def test_who_paid_gets_tickets_calendar_and_receipt(database: Database, mailbox: Mailbox) -> None:
    async with writing() as tx:
        tx.add(SiteText(name="imprint", body="**Teatro Baretti**, Via Baretti 4", changed_at=clock.now()))
    booking = await paid(await an_event())
    await happened("booking.paid", f"booking:{booking.id}")
    files = await files_of_the_mail(mailbox)
    receipt = f"{booking.reference}-P1.pdf"
    assert list(files) == ["nine-pianos-tickets.pdf", "nine-pianos.ics", receipt]
    for fact in ("Receipt", f"{booking.reference}-P1", "€37.00", "Teatro Baretti, Via Baretti 4"):
        assert fact in words(files[receipt]), fact


async def test_who_paid_nothing_gets_no_receipt(sqlite_database: Database, mailbox: Mailbox) -> None:
    booking = await paid(await an_event(price_minor=0))
    await happened("booking.paid", f"booking:{booking.id}")
    assert list(await files_of_the_mail(mailbox)) == ["nine-pianos-tickets.pdf", "nine-pianos.ics"]


async def test_each_refund_comes_with_its_own_receipt(sqlite_database: Database, mailbox: Mailbox) -> None:
    booking = await paid(await an_event())
    for minor in (500, 300):
        await given(booking, minor)
    by_amount = {refund.amount_minor: refund for refund in await refunds_of(booking)}
    numbers = {refund.id: number for number, refund in enumerate(await refunds_of(booking), 1)}
    for minor, amount in ((300, "€3.00"), (500, "€5.00")):
        refund = by_amount[minor]
        await money_went_back(refund, booking)
        ((name, paper),) = (await files_of_the_mail(mailbox)).items()
        assert name == f"{booking.reference}-R{numbers[refund.id]}.pdf"
        for fact in ("Receipt for a refund", amount, "Bad seats.", "The money has gone back."):
            assert fact in words(paper), fact


async def test_a_new_date_brings_the_tickets_again_and_no_receipt(sqlite_database: Database, mailbox: Mailbox) -> None:
    event = await an_event()
    await paid(event)
    await happened("event.revised", f"event:{event.id}", changed=["starts_at"])
    assert list(await files_of_the_mail(mailbox)) == ["nine-pianos-tickets.pdf", "nine-pianos.ics"]


async def test_a_mail_that_names_no_refund_goes_out_without_a_receipt(sqlite_database: Database, mailbox: Mailbox) -> None:
    booking = await paid(await an_event())
    await given(booking, 500)
    (refund,) = await refunds_of(booking)
    await money_went_back(refund, booking)
    async with writing() as tx:
        told = (await tx.get_one(Notification, 1)).facts
        await tx.exec(update(Notification).values(facts={name: value for name, value in told.items() if name != "refund"}))
    assert await files_of_the_mail(mailbox) == {}
