"""How an event sells: tiles, line, ticket types and bookings say the same, in every way that a booking can go."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest
import time_machine
from sqlalchemy import event as events_of
from sqlmodel import col, func, select, update

from app.accounts.models import User
from app.analytics import queries, rules
from app.bookings import actions as bookings
from app.bookings.models import Booking
from app.core import clock
from app.core import db as databases
from app.core.db import Database, reading, writing
from app.events import queries as event_queries
from app.events.models import Event, Quota, TicketType
from app.payments.actions import asking
from app.payments.models import Payment, Refund
from app.tickets.models import Ticket
from tests import world
from tests.bookings.test_pages import account
from tests.notifications.scenes import bought, held
from tests.reading import words


async def person(name: str) -> User:
    async with writing() as tx:
        return await world.person(tx, name)


async def a_busy_event() -> Event:
    """Two types. Bob paid four and gave one back for a fee, Dan gave the only one back, Carol is in the pre-sale, Erin buys."""
    now = clock.now()
    async with writing() as tx:
        event = await world.event(tx, refund_hours=1, refund_fee_minor=300, capacity=50)
        gallery = await world.ticket_type(tx, event, name="Gallery", capacity=30, price_minor=1000)
        gallery.presale_from, gallery.sale_from, gallery.presale_places = now - timedelta(days=1), now + timedelta(days=2), 20
    await gives_one_back(await bought(event, await person("Bob"), 4))
    await gives_one_back(await bought(event, await person("Dan"), 1))
    await held(event, await person("Erin"), 2)
    carol = account(await person("Carol"))
    async with writing() as tx:
        await bookings.hold(tx, event, {gallery.id or 0: 3}, by=carol, now=now)
    return event


async def gives_one_back(booking: Booking) -> None:
    async with writing() as tx:
        fresh = await tx.get_one(Booking, booking.id)
        [first, *_others] = (await tx.exec(select(Ticket.id).where(Ticket.booking_id == booking.id))).all()
        told = {"reason": "buyer", "by": None, "note": "", "fee_minor_each": 300}
        await asking.return_tickets(tx, fresh, [first or 0], now=clock.now(), **told)


async def test_every_number_of_an_event_is_the_same_wherever_it_stands(database: Database) -> None:
    event = await a_busy_event()
    now = clock.now()
    async with reading() as db:
        types = await event_queries.ticket_types(db, event.id)
        numbers = await queries.numbers(db, event.id or 0, types)
        by_day = await queries.sold_by_day(db, event, now=now)
        tickets = (await db.exec(select(func.count()).where(Ticket.event_id == event.id, Ticket.state == "valid"))).one()
        kept = (await db.exec(select(func.sum(Booking.kept_minor)).where(Booking.event_id == event.id))).one()
        paid = (await db.exec(select(func.count()).where(Booking.event_id == event.id, Booking.state == "paid"))).one()
    stock = rules.stock(types)
    line = rules.chart(by_day, first=now.date(), last=now.date(), capacity=stock.capacity)
    assert numbers.sold == stock.sold == sum(by_day.values()) == line.sold == tickets == 3
    assert [each.sold for each in numbers.types] == [kind.sold for kind in types]
    assert [each.held for each in numbers.types] == [kind.held for kind in types] == [2, 3]
    assert [each.held_in_presale for each in numbers.types] == [0, 3]
    assert (numbers.at_the_till, numbers.presales, numbers.paid) == (1, 1, paid) == (1, 1, 1)
    assert numbers.kept_minor == kept == numbers.value_minor + numbers.adjusted_minor == 3 * 1800 + 2 * 300
    assert stock.left == stock.capacity - stock.held - stock.sold == 80 - 5 - 3


async def test_a_quota_bounds_the_places_of_its_types(database: Database) -> None:
    async with writing() as tx:
        event = await world.event(tx, capacity=50)
        await world.ticket_type(tx, event, name="Gallery", capacity=30)
        quota = Quota(event_id=event.id or 0, name="The hall", capacity=60)
        tx.add(quota)
        await tx.flush()
        await tx.exec(update(TicketType).where(col(TicketType.event_id) == event.id).values(quota_id=quota.id))
    await held(event, await person("Bob"), 2)
    async with reading() as db:
        stock = rules.stock(await event_queries.ticket_types(db, event.id))
    assert (stock.capacity, stock.held, stock.left) == (60, 2, 58)


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        # An hour before midnight in summer, two hours in winter; the change of clocks lies between them.
        ("Europe/Rome", datetime(2026, 10, 24, 22, 30, tzinfo=UTC), date(2026, 10, 25)),
        ("Europe/Rome", datetime(2026, 10, 25, 22, 30, tzinfo=UTC), date(2026, 10, 25)),
        ("Europe/Rome", datetime(2026, 10, 25, 23, 0, tzinfo=UTC), date(2026, 10, 26)),
        ("Asia/Kolkata", datetime(2026, 10, 25, 18, 29, 59, 900_000, tzinfo=UTC), date(2026, 10, 25)),
        ("Asia/Kolkata", datetime(2026, 10, 25, 18, 30, tzinfo=UTC), date(2026, 10, 26)),
        ("America/New_York", datetime(2026, 10, 25, 3, 59, tzinfo=UTC), date(2026, 10, 24)),
    ],
)
async def test_a_sale_counts_on_its_day_at_the_event(
    database: Database, moment: time_machine.Traveller, zone: str, day: date, request: pytest.FixtureRequest
) -> None:
    at = request.node.callspec.params["moment"]
    async with writing() as tx:
        event = await world.event(tx, zone=zone, created_at=at - timedelta(days=40))
    booking = await bought(event, await person("Bob"), 2)
    async with writing() as tx:
        for ticket in (await tx.exec(select(Ticket).where(Ticket.booking_id == booking.id))).all():
            ticket.issued_at = at
    async with reading() as db:
        assert await queries.sold_by_day(db, event, now=clock.now()) == {day: 2}


# ---------- the line ----------


def test_each_step_of_the_line_is_a_row_of_the_table() -> None:
    sold = {date(2026, 11, 2): 3, date(2026, 11, 4): 5}
    line = rules.chart(sold, first=date(2026, 11, 1), last=date(2026, 11, 5), capacity=16)
    assert [(step.first.day, step.sold, step.total) for step in line.steps] == [
        (1, 0, 0), (2, 3, 3), (3, 0, 3), (4, 5, 8), (5, 0, 8)
    ]  # fmt: skip
    heights = [float(pair.split()[1]) for pair in re.findall(r"\d+ \d+", line.line)]
    assert [round(16 * (1 - height / rules.HEIGHT)) for height in heights] == [0, 0, 3, 3, 8, 8]


def test_a_long_time_is_told_week_by_week_and_still_adds_up() -> None:
    sold = {date(2026, 6, 3) + timedelta(days=n): n % 4 for n in range(120)}
    line = rules.chart(sold, first=date(2026, 6, 1), last=date(2026, 9, 30), capacity=500)
    assert line.is_weekly and len(line.steps) == 18
    assert sum(step.sold for step in line.steps) == line.sold == sum(sold.values())
    assert all(step.first.weekday() == 0 for step in line.steps)
    assert sum(step.days for step in line.steps) == (line.last - line.first).days + 1


def test_sales_outside_of_the_days_asked_for_are_not_lost() -> None:
    sold = {date(2026, 10, 28): 1, date(2026, 11, 9): 1}
    line = rules.chart(sold, first=date(2026, 11, 1), last=date(2026, 11, 5), capacity=10)
    assert (line.sold, line.first, line.last) == (2, date(2026, 10, 28), date(2026, 11, 9))


def test_a_phase_stands_on_the_line_at_its_day() -> None:
    sold = {date(2026, 11, 1): 5, date(2026, 11, 3): 5}
    days = [(date(2026, 11, 3), "General sale"), (date(2026, 12, 1), "Later")]
    [mark] = rules.chart(sold, first=date(2026, 11, 1), last=date(2026, 11, 4), capacity=10, phases=days).marks
    assert (mark.what, mark.x, mark.y, mark.total) == ("General sale", 50.0, 50.0, 5)


def test_an_event_that_has_sold_nothing_has_a_line_too() -> None:
    line = rules.chart({}, first=date(2026, 11, 1), last=date(2026, 11, 1), capacity=0)
    assert (line.sold, line.line) == (0, "M0 300 720 300")


# ---------- the page ----------


async def test_the_page_says_the_same_in_tiles_line_table_and_types(
    client: httpx.AsyncClient, sign_in: Any, moment: time_machine.Traveller
) -> None:
    event = await a_busy_event()
    async with writing() as tx:
        alice = await world.alice(tx)
    await sign_in(client, alice)
    answer = await client.get(f"/manager/events/{event.slug}")
    text = words(answer.text)
    assert "Tickets sold 3 of 80, 3 in 7 days Revenue €60 1 paid booking" in text
    assert "Held right now 5 1 buyer at the till, 1 pre-sale booking Places left 72 of 80" in text
    told = re.sub(r"\s+", " ", re.search(r'<title id="chart-title">(.*?)</title>', answer.text, re.DOTALL)[1])  # type: ignore[index]
    assert told.startswith("Line chart. Valid tickets rose from 0 on 11 Nov to 3 on 16 Nov; there are 80 places.")
    assert "Pre-sale from 15 Nov, with 0 sold before. General sale from 15 Nov, with 0 sold before." in told
    assert "Total 11 Nov 0 0 12 Nov 0 0 13 Nov 0 0 14 Nov 0 0 15 Nov 0 0 16 Nov 3 3" in text
    assert "Fees kept and sums sent back €6.00 All types 3 of 80 0 5 72 €60.00" in text
    assert 'style="' not in answer.text


async def test_the_same_number_of_questions_is_asked_for_any_number_of_bookings(
    client: httpx.AsyncClient, sign_in: Any, moment: time_machine.Traveller
) -> None:
    async with writing() as tx:
        event, alice = await world.event(tx), await world.alice(tx)
    await sign_in(client, alice)
    counts = []
    for round_of_buyers in range(2):
        for number in range(3 * round_of_buyers):
            await bought(event, await person(f"Buyer{number}"), 1)
        counts.append(await questions(client, f"/manager/events/{event.slug}"))
    assert counts[0] == counts[1] <= 18


async def questions(client: httpx.AsyncClient, path: str) -> int:
    """How many statements the page asks the database, the login's own among them."""
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        asked.append(statement)

    engine = databases.database().reader.sync_engine
    events_of.listen(engine, "before_cursor_execute", note)
    try:
        assert (await client.get(path)).status_code == 200
    finally:
        events_of.remove(engine, "before_cursor_execute", note)
    return len(asked)


async def test_what_waits_stands_on_the_events_page_and_on_the_desk(client: httpx.AsyncClient, sign_in: Any) -> None:
    """Cash that goes back by hand, a refund that failed, a pre-sale booking that lapses within a day, and a type that is gone."""
    event = await a_busy_event()
    async with writing() as tx:
        alice = await world.alice(tx)
        bobs = (await tx.exec(select(Booking).where(Booking.state == "paid"))).one()
        await tx.exec(update(Booking).where(col(Booking.kind) == "presale").values(held_until=clock.now() + timedelta(hours=20)))
        await tx.exec(update(TicketType).where(col(TicketType.name) == "Standard").values(capacity=5))
        for state, provider in (("failed", "stripe"), ("requested", "cash")):
            payment = Payment(
                booking_id=bobs.id or 0,
                provider=provider,
                state="captured",
                amount_minor=500,
                captured_minor=500,
                currency="EUR",
                pay_until=clock.now(),
                created_at=clock.now(),
            )
            tx.add(payment)
            await tx.flush()
            tx.add(
                Refund(
                    payment_id=payment.id,
                    amount_minor=500,
                    reason="manager",
                    state=state,
                    created_at=clock.now(),
                    next_try_at=clock.now(),
                )
            )
    await sign_in(client, alice)
    its = words((await client.get(f"/manager/events/{event.slug}")).text)
    desk = words((await client.get("/manager")).text)
    for title in ("1 refund has failed", "1 refund in cash", "1 pre-sale booking lapses soon"):
        assert title in its and title in desk
    assert "Standard is sold out" in its
    assert "Nine Pianos · The buyer gets it from your hand." in desk
