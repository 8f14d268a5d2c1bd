"""The box office at the door: place, money and ticket in one moment; a second click sells nothing; the till adds up."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
import time_machine
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from app.accounts.models import User, Visitor
from app.bookings import actions as bookings
from app.bookings import boxoffice
from app.bookings.boxoffice import Sale
from app.bookings.models import Booking
from app.bookings.rules import SoldOut
from app.core.db import Database, reading, writing
from app.core.errors import NotFound, Refused
from app.core.steps import run
from app.events.models import Event, TicketType
from app.payments import till
from app.payments.flows import door
from app.payments.models import Payment, Refund
from app.tickets.models import Ticket
from tests import invariants, world
from tests.bookings.test_pages import known
from tests.payments.refund_story import sign_in_as
from tests.reading import words

SignIn = Callable[[httpx.AsyncClient, User], Awaitable[None]]


async def an_event(**columns: Any) -> tuple[Event, TicketType]:
    async with writing() as tx:
        event = await world.event(tx, **columns)
        return event, await world.only_type(tx, event)


def sale(event: Event, kind: TicketType, qty: int = 1, *, nonce: str = "a", **more: Any) -> Sale:
    return Sale("door", event.manager_id, {kind.id or 0: qty}, nonce=nonce, **more)


async def counted(kind: TicketType) -> tuple[int, int]:
    """Held and sold; the invariants hold."""
    async with reading() as db:
        assert await invariants.broken(db) == []
        found = await db.get_one(TicketType, kind.id)
    return found.held, found.sold


@pytest.mark.parametrize("provider", ["cash", "card"])
async def test_a_sale_is_paid_and_has_its_tickets_at_once(database: Database, provider: str) -> None:
    event, kind = await an_event(price_minor=1800)
    booking = await door.sell(event.slug, sale(event, kind, 2), provider=provider)
    assert (booking.kind, booking.state, booking.total_minor, booking.kept_minor) == ("door", "paid", 3600, 3600)
    async with reading() as db:
        payment = (await db.exec(select(Payment))).one()
        codes = (await db.exec(select(Ticket.code))).all()
    assert (payment.provider, payment.state, payment.captured_minor, len(codes)) == (provider, "captured", 3600, 2)
    assert await counted(kind) == (0, 2)


async def test_a_free_place_needs_no_payment(database: Database) -> None:
    event, kind = await an_event(price_minor=0)
    assert (await door.sell(event.slug, sale(event, kind), provider="cash")).is_paid
    async with reading() as db:
        assert (await db.exec(select(Payment))).all() == []
    assert await counted(kind) == (0, 1)


async def test_the_door_and_the_web_share_the_last_places(database: Database) -> None:
    event, kind = await an_event(capacity=10)
    at_door = [door.sell(event.slug, sale(event, kind, nonce=f"n{n}"), provider="cash") for n in range(8)]
    buyers = (Visitor(key=f"browser-{n}") for n in range(8))
    on_web = [boxoffice.hold(boxoffice.Wish(event.slug, {kind.code: 1}, by=by)) for by in buyers]
    answers = await asyncio.gather(*at_door, *on_web, return_exceptions=True)
    kinds = Counter(map(type, answers))
    assert kinds[SoldOut] == 6 and kinds[Booking] + kinds[boxoffice.Held] == 10
    held, sold = await counted(kind)
    assert held + sold == 10


async def test_ten_clicks_in_the_same_moment_are_one_sale(database: Database) -> None:
    event, kind = await an_event()
    clicks = (door.sell(event.slug, sale(event, kind, 2), provider="cash") for _ in range(10))
    assert len({booking.id for booking in await asyncio.gather(*clicks)}) == 1
    assert await counted(kind) == (0, 2)


async def test_without_looking_for_the_first_the_second_click_is_stopped_by_the_database(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the unique column stands behind."""
    event, kind = await an_event()

    async def take(tx: Any, event: Event, sale: Sale, *, now: Any) -> tuple[Booking, bool]:
        present, types = await run(tx, boxoffice.offer(event.slug))
        held = await run(tx, boxoffice.for_house(present, types, sale, now=now))
        return await tx.get_one(Booking, held.id), True

    monkeypatch.setattr(bookings, "take_for_house", take)
    await door.sell(event.slug, sale(event, kind), provider="cash")
    with pytest.raises(IntegrityError):
        await door.sell(event.slug, sale(event, kind), provider="cash")
    assert await counted(kind) == (0, 1)


async def test_the_same_number_at_another_event_is_another_sale(database: Database) -> None:
    for _ in range(2):
        event, kind = await an_event()
        await door.sell(event.slug, sale(event, kind), provider="cash")
        assert await counted(kind) == (0, 1)


async def test_the_door_sells_until_the_event_ends(sqlite_database: Database, moment: time_machine.Traveller) -> None:
    event, kind = await an_event()
    moment.move_to(event.ends_at - timedelta(minutes=1))
    await door.sell(event.slug, sale(event, kind), provider="cash")
    moment.shift(timedelta(minutes=1))
    with pytest.raises(Refused, match="not on sale"):
        await door.sell(event.slug, sale(event, kind, nonce="b"), provider="cash")
    with pytest.raises(NotFound):
        await door.sell("no-such-event", sale(event, kind, nonce="b"), provider="cash")


# ---------- the desk ----------


async def test_alice_sells_two_tickets_shows_them_and_goes_on(
    client: httpx.AsyncClient, sign_in: SignIn, moment: time_machine.Traveller
) -> None:
    event, kind = await an_event(price_minor=1800)
    await sign_in(client, await known("alice"))
    address = f"/manager/events/{event.slug}/box-office"
    assert "Nothing was sold at the door yet." in words((await client.get(address)).text)
    data = {f"q-{kind.code}": "2", "provider": "cash", "nonce": "c" * 32, "name": "Bob", "email": "bob@example.com"}
    sold = await client.post(address, data=data)
    assert sold.status_code == 303
    page = (await client.get(sold.headers["location"])).text
    assert "2 tickets, €36.00" in words(page) and page.count('class="qr"') == 2 and "Next sale" in words(page)
    assert (await client.post(address, data=data)).headers["location"] == sold.headers["location"]
    assert await counted(kind) == (0, 2)
    said = words((await client.get(address)).text)
    assert "Alice" in said and "16 Nov 2026" in said and said.count("€36.00") == 2


@pytest.mark.parametrize(
    "change, status, sentence",
    [
        ({"provider": "shells"}, 422, "Choose cash or card"),
        ({"nonce": ""}, 422, "Load the page again"),
        ({"email": "bob"}, 422, "Enter an email address"),
        ({"qty": "0"}, 409, "Choose at least one ticket."),
        ({"qty": "3"}, 409, "Standard: 2 places are left."),
    ],
)
async def test_what_cannot_be_sold_is_said(
    client: httpx.AsyncClient, sign_in: SignIn, change: dict[str, str], status: int, sentence: str
) -> None:
    event, kind = await an_event(capacity=2)
    await sign_in(client, await known("alice"))
    values = {"qty": "1", "provider": "cash", "nonce": "d" * 32, "email": ""} | change
    data = {(f"q-{kind.code}" if name == "qty" else name): value for name, value in values.items()}
    answer = await client.post(f"/manager/events/{event.slug}/box-office", data=data)
    assert answer.status_code == status and sentence in words(answer.text)
    assert await counted(kind) == (0, 0)


@pytest.mark.parametrize("provider", ["cash", "card"])
async def test_money_of_the_door_is_handed_back_by_hand(
    client: httpx.AsyncClient, sign_in: SignIn, moment: time_machine.Traveller, provider: str
) -> None:
    event, kind = await an_event(price_minor=1800)
    booking = await door.sell(event.slug, sale(event, kind, 2), provider=provider)
    await sign_in_as("alice", client, sign_in)
    async with reading() as db:
        one = (await db.exec(select(Ticket.short_code).limit(1))).one()
    address = f"/manager/events/{event.slug}/bookings/{booking.reference}/refund"
    assert (await client.post(address, data={"ticket": [one], "reason": "Ill."})).status_code == 303
    waiting = words((await client.get(address)).text)
    assert "Handed back" in waiting and ("in cash" if provider == "cash" else "at the terminal") in waiting
    async with reading() as db:
        refund = (await db.exec(select(Refund))).one()
    assert (await client.post(f"/manager/events/{event.slug}/refunds/{refund.id}/handed-back")).status_code == 303
    async with reading() as db:
        [day] = await till.days(db, event)
    assert (day.seller, day.tickets) == ("Alice", 2)
    cash = provider == "cash"
    assert (day.cash_minor, day.card_minor) == ((3600, 0) if cash else (0, 3600))
    assert (day.cash_back_minor, day.card_back_minor) == ((1800, 0) if cash else (0, 1800))
    assert day.in_till_minor == (1800 if cash else 0)
    receipt = words((await client.get(f"/bookings/{booking.code}/receipts/{booking.reference}-P1")).text)
    assert ("Cash" if cash else "Card, at the door") in receipt
    assert await counted(kind) == (0, 1)


async def test_each_day_and_each_seller_has_a_line(sqlite_database: Database, moment: time_machine.Traveller) -> None:
    """The day is that of the event's zone: half past eleven at night in UTC is the next day in Rome."""
    event, kind = await an_event(price_minor=1000)
    async with writing() as tx:
        dora = (await world.dora(tx)).id or 0
    await door.sell(event.slug, sale(event, kind, nonce="a"), provider="cash")
    await door.sell(event.slug, Sale("door", dora, {kind.id or 0: 3}, nonce="b"), provider="card")
    moment.move_to("2026-11-16T23:30:00+00:00")
    await door.sell(event.slug, sale(event, kind, nonce="c"), provider="cash")
    async with reading() as db:
        days = await till.days(db, event)
    assert [(f"{day.day:%d %b}", day.seller, day.tickets, day.cash_minor, day.card_minor) for day in days] == [
        ("17 Nov", "Alice", 1, 1000, 0),
        ("16 Nov", "Alice", 1, 1000, 0),
        ("16 Nov", "Dora", 3, 0, 3000),
    ]


async def test_a_sale_of_another_event_is_not_shown(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    event, kind = await an_event()
    other, _kind = await an_event()
    booking = await door.sell(event.slug, sale(event, kind), provider="cash")
    await sign_in(client, await known("alice"))
    assert (await client.get(f"/manager/events/{other.slug}/box-office/{booking.reference}")).status_code == 404


@pytest.mark.parametrize("sent", ["9" * 30, "-3", "11", "many"])
async def test_a_number_that_nobody_can_choose_is_a_mistake_and_counts_as_none(
    client: httpx.AsyncClient, sign_in: SignIn, sent: str
) -> None:
    event, kind = await an_event(price_minor=1800)
    await sign_in_as("alice", client, sign_in)
    desk = f"/manager/events/{event.slug}/box-office"
    form = {f"q-{kind.code}": sent, "provider": "cash", "nonce": "a" * 32}
    answer = await client.post(desk, data=form)
    assert answer.status_code == 422
    assert "Not a valid choice." in words(answer.text)
    assert "0 tickets" in words(answer.text)
    assert await counted(kind) == (0, 0)
