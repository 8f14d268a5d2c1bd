"""Receipts: one for every payment and every refund, under a number that never moves, as a page and on paper."""

from typing import Any

import httpx
import pypdfium2
import pytest
from sqlmodel import col, select, update

from app.admin import actions as admin_actions
from app.bookings.models import Booking, BookingLine
from app.core import clock
from app.core.db import Database, reading, writing
from app.payments import queries, receipts
from app.payments.models import Payment, Refund
from tests import world
from tests.payments.refund_story import an_event, bobs, given, paid, returned, valid_tickets
from tests.payments.story import refunds_of
from tests.reading import words

# The clock stands still on a Monday at noon.
pytestmark = pytest.mark.usefixtures("moment")

HOSTILE = '#panic("x") *bold* $1$ <script>alert(1)</script>'


def text_of(content: bytes) -> str:
    with pypdfium2.PdfDocument(content) as document:
        return " ".join(page.get_textpage().get_text_range() for page in document)


async def numbers(booking: Booking) -> list[str]:
    async with reading() as db:
        return [receipt.number for receipt in await queries.receipts(db, booking)]


async def test_payments_and_refunds_are_numbered_in_the_order_of_time(database: Database) -> None:
    booking = await paid(await an_event())
    await given(booking, 500)
    assert await numbers(booking) == [f"{booking.reference}-P1", f"{booking.reference}-R1"]


async def test_a_failed_refund_has_no_receipt_and_keeps_its_number(database: Database, moment: Any) -> None:
    booking = await paid(await an_event())
    for _time in range(2):
        await given(booking, 500)
        moment.shift(60)
    first = (await refunds_of(booking))[0]
    async with writing() as tx:
        await tx.exec(update(Refund).where(col(Refund.id) == first.id).values(state="failed"))
    assert await numbers(booking) == [f"{booking.reference}-P1", f"{booking.reference}-R2"]


async def test_the_receipt_of_a_payment_says_everything(client: httpx.AsyncClient, sign_in: Any) -> None:
    bob, booking = await bobs(await an_event())
    await sign_in(client, bob)
    assert f"{booking.reference}-P1" in (await client.get(f"/bookings/{booking.code}/receipts")).text
    address = f"/bookings/{booking.code}/receipts/{booking.reference}-P1"
    said = words((await client.get(address)).text)
    paper = await client.get(f"{address}.pdf")
    assert paper.headers["content-type"] == "application/pdf" and paper.headers["cache-control"] == "no-store"
    for fact in (
        "EventTicket", "Receipt", f"{booking.reference}-P1", "16 Nov 2026", "2 × Standard at €18.50", "€37.00", "Nine Pianos",
        "Teatro Baretti", "bob@example.com", "Card, through Stripe", "It is not an invoice",
    ):  # fmt: skip
        assert fact in said, fact
        assert fact in " ".join(text_of(paper.content).split()), fact


async def test_the_receipt_of_a_refund_says_for_what_and_why(client: httpx.AsyncClient) -> None:
    booking = await paid(await an_event(), provider="cash")
    await returned(booking, (await valid_tickets(booking))[:1])
    address = f"/bookings/{booking.code}/receipts/{booking.reference}-R1"
    waiting = words((await client.get(address)).text)
    for fact in ("Receipt for a refund", "Refund for one ticket", "€18.50", "Cash", "The event’s manager gave it back.",
                 "The singer is ill.", "The money is on its way."):  # fmt: skip
        assert fact in waiting, fact
    async with writing() as tx:
        await tx.exec(update(Refund).values(state="succeeded", ended_at=clock.now()))
    assert "The money has gone back." in words((await client.get(address)).text)


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        ("called_off", "The event was called off."),
        ("buyer", "The buyer gave tickets back."),
        ("admin", "The shop gave it back."),
        ("elsewhere", "The shop gave it back."),
        ("dispute", "The buyer’s bank took it back."),
        ("not_needed", "The payment was not needed."),
    ],
)
async def test_every_reason_has_a_sentence(client: httpx.AsyncClient, reason: str, sentence: str) -> None:
    booking = await paid(await an_event())
    await given(booking, 500)
    async with writing() as tx:
        await tx.exec(update(Refund).values(reason=reason, note=""))
    said = words((await client.get(f"/bookings/{booking.code}/receipts/{booking.reference}-R1")).text)
    assert sentence in said and "In their words" not in said


async def test_another_sum_than_the_price_is_just_a_payment(client: httpx.AsyncClient) -> None:
    booking = await paid(await an_event())
    async with writing() as tx:
        await tx.exec(update(Payment).values(captured_minor=3000))
    said = words((await client.get(f"/bookings/{booking.code}/receipts/{booking.reference}-P1")).text)
    assert "Payment €30.00" in said and "Standard" not in said


def test_free_places_stand_on_the_receipt_as_free() -> None:
    line = BookingLine(booking_id=1, ticket_type_id=1, name="Child", qty=1, unit_minor=0)
    assert receipts._line(line, "Child", "EUR") == "1 × Child, free"


async def test_a_free_booking_has_no_receipts(client: httpx.AsyncClient) -> None:
    booking = await paid(await an_event(price_minor=0))
    assert "Nothing was paid for this booking" in words((await client.get(f"/bookings/{booking.code}/receipts")).text)
    assert "Receipts" not in words((await client.get(f"/bookings/{booking.code}")).text)
    assert (await client.get(f"/bookings/{booking.code}/receipts/{booking.reference}-P1")).status_code == 404


@pytest.mark.parametrize("number", ["P1", "x", "{reference}-P2", "{reference}-P1.pdf.pdf", "{reference}-R1.pdf", "%00"])
async def test_a_number_that_is_none_is_unknown(client: httpx.AsyncClient, number: str) -> None:
    booking = await paid(await an_event())
    address = f"/bookings/{booking.code}/receipts/" + number.replace("{reference}", booking.reference)
    assert (await client.get(address)).status_code == 404


async def test_the_operators_imprint_stands_on_the_receipt_as_text(client: httpx.AsyncClient) -> None:
    async with writing() as tx:
        dora = await world.dora(tx)
        await admin_actions.save_text(
            tx, "imprint", f"**Teatro** Baretti\n\n{HOSTILE}\n\n" + "x" * 900, by=dora.id, now=clock.now()
        )
    booking = await paid(await an_event(title=HOSTILE[:100]))
    address = f"/bookings/{booking.code}/receipts/{booking.reference}-P1"
    page, paper = await client.get(address), text_of((await client.get(f"{address}.pdf")).content)
    assert "Teatro Baretti" in page.text and "<script>alert" not in page.text
    assert "Teatro Baretti" in paper and '#panic("x")' in paper


async def test_a_receipt_knows_the_sum_and_the_moment_of_its_money(database: Database) -> None:
    booking = await paid(await an_event())
    async with reading() as db:
        (receipt,) = await queries.receipts(db, booking)
        payment = (await db.exec(select(Payment))).one()
    assert (receipt.minor, receipt.at) == (3700, payment.captured_at)
