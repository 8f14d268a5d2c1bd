"""A user's pre-sales: until when each is kept, and how to pay or to let go."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlmodel import col, select, update

from app.accounts.models import User
from app.bookings import actions
from app.bookings.models import Booking
from app.core import clock
from app.core.db import reading, writing
from app.events.models import TicketType
from tests import world
from tests.bookings.test_pages import account, known, words

pytestmark = pytest.mark.usefixtures("moment")


async def presale(user: User) -> Booking:
    """Two pre-sale places of a user."""
    now = clock.now()
    async with writing() as tx:
        event = await world.event(tx)
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
