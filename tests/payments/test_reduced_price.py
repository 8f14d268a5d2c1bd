"""What was bought with a code is worth what it cost with it: at Stripe, on the receipt, and when it goes back."""

from typing import Any

import httpx
import pytest
from sqlmodel import select

from app.accounts.models import Visitor
from app.bookings import actions as bookings
from app.bookings import codes, queries
from app.bookings.codes import PromoTerms
from app.bookings.models import Booking
from app.core import clock
from app.core.db import Database, reading, writing
from app.payments.actions import asking, paying
from app.payments.models import Payment, Refund
from app.tickets import actions as tickets
from tests import invariants
from tests.payments.refund_story import an_event, valid_tickets
from tests.reading import words
from tests.world import only_type

pytestmark = pytest.mark.usefixtures("moment")


async def bought(qty: int = 3, **terms: Any) -> Booking:
    """Tickets of 18.50 that a guest has bought with a code, for a fifth less unless the terms say otherwise."""
    event = await an_event()
    async with writing() as tx:
        made = PromoTerms(**{"percent": 20} | terms)
        await codes.make_promos(tx, event, made, word="spring", by=event.manager_id, now=clock.now())
        kind, by = await only_type(tx, event), Visitor(key="bobs-browser")
        booking = await bookings.hold(tx, event, {kind.id or 0: qty}, by=by, access_code="spring", now=clock.now())
        await bookings.fill_in(tx, booking, event, email="bob@example.com", name="Bob", by=by)
        if booking.total_minor:
            payment = await paying.start(tx, await queries.view(tx, booking.id or 0), now=clock.now())
            payment.state, payment.captured_minor, payment.captured_at = "captured", booking.total_minor, clock.now()
            payment.session_id, payment.payment_intent = "cs_test_1", "pi_1"
        await tickets.settle(tx, booking, now=clock.now())
    async with reading() as db:
        return await db.get_one(Booking, booking.id)


async def test_stripe_asks_for_the_lower_price_and_the_receipt_says_both(client: httpx.AsyncClient) -> None:
    booking = await bought()
    async with reading() as db:
        payment = (await db.exec(select(Payment))).one()
    [item] = payment.params["line_items"]
    assert (item["price_data"]["unit_amount"], item["quantity"], payment.amount_minor) == (1480, 3, 4440)
    said = words((await client.get(f"/bookings/{booking.code}/receipts/{booking.reference}-P1")).text)
    assert "3 × Standard at €14.80 instead of €18.50" in said and "€44.40" in said


async def test_what_goes_back_is_what_was_paid(database: Database) -> None:
    booking = await bought()
    ids = [ticket.id or 0 for ticket in await valid_tickets(booking)]
    async with writing() as tx:
        told = {"reason": "manager", "by": None, "note": "", "now": clock.now()}
        assert await asking.return_tickets(tx, booking, ids[:1], fee_minor_each=0, **told) == 1480
        assert await asking.return_tickets(tx, booking, ids[1:], fee_minor_each=200, **told) == 2 * 1280
    async with reading() as db:
        assert await invariants.broken(db) == []
        assert sum((await db.exec(select(Refund.amount_minor))).all()) == 1480 + 2560


async def test_what_costs_nothing_with_a_code_needs_no_payment(database: Database) -> None:
    booking = await bought(percent=100)
    async with reading() as db:
        assert (booking.state, (await db.exec(select(Payment))).all()) == ("paid", [])
        assert await invariants.broken(db) == []
