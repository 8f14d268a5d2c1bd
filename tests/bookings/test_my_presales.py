"""A user's pre-sales: until when each is kept, and how to pay or to let go."""

import dataclasses
import re
from datetime import timedelta
from typing import Any

import httpx
import pytest
import time_machine
from icalendar import Calendar
from sqlmodel import col, select, update

from app.accounts.models import User, Visitor
from app.bookings import actions
from app.bookings.models import Booking
from app.bookings.pages import checkout
from app.core import clock
from app.core.db import reading, writing
from app.core.settings import settings, use
from app.events.models import TicketType
from tests import world
from tests.bookings.test_pages import account, known
from tests.reading import words

pytestmark = pytest.mark.usefixtures("moment")


async def presale(user: User, **overrides: Any) -> Booking:
    """Two pre-sale places of a user."""
    now = clock.now()
    async with writing() as tx:
        event = await world.event(tx, **overrides)
        opened = {"presale_from": now - timedelta(hours=1), "sale_from": now + timedelta(days=1)}
        await tx.exec(update(TicketType).where(col(TicketType.event_id) == event.id).values(**opened))
        kind = await world.only_type(tx, event)
        return await actions.hold(tx, event, {kind.id or 0: 2}, by=account(user), now=now)


async def test_my_presales_lists_them_with_the_minute_and_the_price(client: httpx.AsyncClient, sign_in: Any) -> None:
    bob = await known("bob")
    booking = await presale(bob)
    await sign_in(client, bob)
    said = words((await client.get("/me/presales")).text)
    assert "Nine Pianos 2 × Standard" in said
    assert "Kept until Wednesday 18 November 2026, 13:00" in said
    assert "Pay €36.00" in said
    await sign_in(client, await known("carol"))
    assert booking.code not in (await client.get("/me/presales")).text


async def test_a_released_presale_leaves_the_list_and_gives_its_places_back(client: httpx.AsyncClient, sign_in: Any) -> None:
    bob = await known("bob")
    booking = await presale(bob)
    await sign_in(client, bob)
    assert (await client.post(f"/bookings/{booking.code}/release")).status_code == 303
    assert "No pre-sales yet" in (await client.get("/me/presales")).text
    async with reading() as db:
        kind = (await db.exec(select(TicketType))).one()
    assert (kind.held, kind.presale_taken) == (0, 0)


async def test_a_presale_has_a_deadline_for_the_calendar_and_no_ticking_clock(client: httpx.AsyncClient, sign_in: Any) -> None:
    bob = await known("bob")
    booking = await presale(bob)
    await sign_in(client, bob)
    html = (await client.get(f"/bookings/{booking.code}")).text
    assert "Put the deadline into my calendar" in html
    assert "I need more time" not in html and "data-until" not in html
    calendar = await client.get(f"/bookings/{booking.code}/deadline.ics")
    assert calendar.headers["content-type"] == "text/calendar; charset=utf-8"
    assert "SUMMARY:Pay for Nine Pianos" in calendar.text


async def test_the_pay_button_leads_straight_to_the_payment(
    client: httpx.AsyncClient, sign_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without JavaScript: the form carries what the checkout asks for, and the account's name is known."""
    paid = {}

    async def stripes_page(booking_id: int, *, email: str, name: str, by: Visitor, answers: object) -> str:
        paid.update(booking=booking_id, email=email, name=name)
        return "https://checkout.stripe.com/c/pay/cs_test"

    monkeypatch.setattr(checkout, "go_and_pay", stripes_page)
    bob = await known("bob")
    booking = await presale(bob)
    await sign_in(client, bob)
    html = (await client.get("/me/presales")).text
    form = re.search(rf'<form method="post" action="(/bookings/{booking.code}/checkout)">(.*?)</form>', html, re.DOTALL)
    assert form and "Pay €36.00" in words(form[2])
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form[2]))
    answer = await client.post(form[1], data=fields)
    assert (answer.status_code, answer.headers["location"]) == (303, "https://checkout.stripe.com/c/pay/cs_test")
    assert paid == {"booking": booking.id, "email": "bob@example.com", "name": "Bob"}


async def test_free_places_become_tickets_with_one_press(client: httpx.AsyncClient, sign_in: Any) -> None:
    bob = await known("bob")
    booking = await presale(bob, price_minor=0)
    await sign_in(client, bob)
    assert "Get tickets Nine Pianos" in words((await client.get("/me/presales")).text)
    await client.post(f"/bookings/{booking.code}/checkout", data={"email": bob.email, "name": "Bob"})
    assert "You’re going" in (await client.get(f"/bookings/{booking.code}")).text
    assert "No pre-sales yet" in (await client.get("/me/presales")).text


async def test_whose_name_we_do_not_know_is_asked_for_it_first(client: httpx.AsyncClient, sign_in: Any) -> None:
    bob = await known("bob")
    async with writing() as tx:
        await tx.exec(update(User).where(col(User.id) == bob.id).values(name=""))
    booking = await presale(User(id=bob.id, email=bob.email, name="", role="user"))
    await sign_in(client, bob)
    html = (await client.get("/me/presales")).text
    assert f'<a class="btn btn--main" href="/bookings/{booking.code}">Pay €36.00' in html
    assert f'action="/bookings/{booking.code}/checkout"' not in html


@pytest.mark.parametrize(
    ("state", "said"),
    [("paying", "Go on paying Nine Pianos"), ("processing", "Your bank is confirming the payment.")],
)
async def test_a_payment_under_way_is_said(client: httpx.AsyncClient, sign_in: Any, state: str, said: str) -> None:
    bob = await known("bob")
    booking = await presale(bob)
    async with writing() as tx:
        await tx.exec(update(Booking).where(col(Booking.id) == booking.id).values(state=state))
    await sign_in(client, bob)
    assert said in words((await client.get("/me/presales")).text)


async def test_a_lapsed_presale_is_gone_at_its_minute_before_any_sweep(
    client: httpx.AsyncClient, sign_in: Any, moment: time_machine.Traveller
) -> None:
    bob = await known("bob")
    await presale(bob)
    await sign_in(client, bob)
    moment.shift(timedelta(hours=47, minutes=59))
    assert "Kept until" in words((await client.get("/me/presales")).text)
    moment.shift(timedelta(minutes=1))
    assert "No pre-sales yet" in (await client.get("/me/presales")).text


async def test_without_online_payment_nothing_promises_it(client: httpx.AsyncClient, sign_in: Any) -> None:
    bob = await known("bob")
    booking = await presale(bob)
    await sign_in(client, bob)
    use(dataclasses.replace(settings(), stripe_api_key=""))
    html = (await client.get("/me/presales")).text
    assert "Online payment is not set up in this shop." in words(html)
    assert f'action="/bookings/{booking.code}/checkout"' not in html


@pytest.mark.parametrize(("hours", "warned_before"), [(48, timedelta(hours=6, minutes=30)), (2, timedelta(hours=1))])
async def test_the_calendar_file_warns_while_there_is_time(
    client: httpx.AsyncClient, sign_in: Any, hours: int, warned_before: timedelta
) -> None:
    bob = await known("bob")
    booking = await presale(bob, presale_hours=hours)
    await sign_in(client, bob)
    file = await client.get(f"/bookings/{booking.code}/deadline.ics")
    (entry,) = Calendar.from_ical(file.content).walk("VEVENT")
    assert entry["DTEND"].dt == booking.held_until
    assert entry.alarms.times[0].trigger == booking.held_until - warned_before
