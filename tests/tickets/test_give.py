"""Comps: tickets that the manager gives away count in the stock, are mailed at once, and can be taken back."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from sqlmodel import select

from app.accounts.models import User
from app.bookings.boxoffice import Sale
from app.bookings.models import Booking
from app.bookings.rules import SoldOut
from app.core import clock
from app.core.db import Database, reading, retried, writing
from app.core.errors import Refused
from app.events.models import Event, TicketType
from app.notifications.models import Notification
from app.tickets import actions as tickets
from app.tickets.models import Ticket
from app.worker import Worker
from tests import invariants, world
from tests.bookings.test_pages import known
from tests.reading import words

SignIn = Callable[[httpx.AsyncClient, User], Awaitable[None]]


async def an_event(**columns: Any) -> tuple[Event, TicketType]:
    async with writing() as tx:
        event = await world.event(tx, **columns)
        return event, await world.only_type(tx, event)


def comp(event: Event, kind: TicketType, qty: int = 1, *, nonce: str = "a") -> Sale:
    guest = {"email": "press@example.com", "name": "Ada Press", "note": "by Dora"}
    return Sale("comp", event.manager_id, {kind.id or 0: qty}, nonce=nonce, **guest)


async def given(event: Event, sale: Sale) -> Booking:
    async with writing() as tx:
        return await tickets.give(tx, event, sale, now=clock.now())


async def counted(kind: TicketType) -> tuple[int, int]:
    """Held and sold; the invariants hold."""
    async with reading() as db:
        assert await invariants.broken(db) == []
        found = await db.get_one(TicketType, kind.id)
    return found.held, found.sold


async def test_a_comp_is_free_paid_and_named(database: Database) -> None:
    event, kind = await an_event()
    booking = await given(event, comp(event, kind, 2))
    assert (booking.kind, booking.state, booking.total_minor, booking.sold_by_id) == ("comp", "paid", 0, event.manager_id)
    async with reading() as db:
        holders = (await db.exec(select(Ticket.holder))).all()
    assert holders == ["Ada Press", "Ada Press"]
    assert await counted(kind) == (0, 2)
    await Worker().react()
    async with reading() as db:
        told = (await db.exec(select(Notification.kind, Notification.email))).all()
    assert told == [("booking_paid", "press@example.com")]


async def test_gifts_never_oversell_and_do_not_mind_limits_and_windows(database: Database) -> None:
    """Twelve at once for ten places, before the sale has begun, more than one buyer may have."""
    event, kind = await an_event(capacity=10, per_buyer=1)
    async with writing() as tx:
        opens_later = await tx.get_one(TicketType, kind.id)
        opens_later.sale_from = clock.now().replace(year=2090)
        opens_later.sale_to = clock.now().replace(year=2091)

    @retried
    async def one(number: int) -> type:
        try:
            async with writing() as tx:
                return type(await tickets.give(tx, event, comp(event, kind, nonce=f"n{number}"), now=clock.now()))
        except SoldOut:
            return SoldOut

    assert Counter(await asyncio.gather(*map(one, range(12)))) == {Booking: 10, SoldOut: 2}
    assert await counted(kind) == (0, 10)


async def test_a_form_that_is_sent_twice_gives_once(database: Database) -> None:
    event, kind = await an_event()
    first, second = await given(event, comp(event, kind, 3)), await given(event, comp(event, kind, 3))
    assert first.id == second.id
    assert await counted(kind) == (0, 3)


async def test_nothing_is_given_away_of_what_does_not_take_place(sqlite_database: Database) -> None:
    draft, kind = await an_event(state="draft")
    with pytest.raises(Refused, match="not on sale"):
        await given(draft, comp(draft, kind))
    event, kind = await an_event()
    with pytest.raises(Refused, match="Choose at least one"):
        await given(event, comp(event, kind, 0))


async def test_the_manager_gives_two_tickets_and_takes_them_back(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    event, kind = await an_event()
    await sign_in(client, await known("alice"))
    address = f"/manager/events/{event.slug}/comps"
    assert "Give tickets" in words((await client.get(address)).text)
    to = {"name": "Ada Press", "email": "press@example.com", "note": "by Dora"}
    data = {"kind": kind.code, "number": "2", "nonce": "a" * 32} | to
    assert (await client.post(address, data=data)).status_code == 303
    assert (await client.post(address, data=data)).status_code == 303
    said = words((await client.get(address)).text)
    assert "2 tickets are on their way to Ada Press." in said and said.count("2 × Standard") == 1 and "by Dora" in said
    async with reading() as db:
        booking = (await db.exec(select(Booking))).one()
    public = words((await client.get(f"/bookings/{booking.code}")).text)
    assert "by Dora" not in public, "the note is for the house alone"
    assert (await client.post(f"{address}/{booking.reference}/take-back")).status_code == 303
    assert "Void" in words((await client.get(address)).text)
    assert await counted(kind) == (0, 0)
    assert (await client.post(f"{address}/{booking.reference}/take-back")).status_code == 409
    assert (await client.post(f"{address}/XXXX-XXXX/take-back")).status_code == 404


async def test_what_is_missing_is_said_and_what_was_typed_stays(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    event, kind = await an_event(capacity=1)
    await sign_in(client, await known("alice"))
    address = f"/manager/events/{event.slug}/comps"
    wrong = await client.post(address, data={"kind": kind.code, "number": "99", "name": "Ada", "email": "no", "nonce": "?"})
    said = words(wrong.text)
    assert wrong.status_code == 422 and 'value="Ada"' in wrong.text
    for sentence in ("Enter a number from 1 to 50", "Enter an email address", "Load the page again"):
        assert sentence in said, sentence
    fine = {"kind": kind.code, "number": "2", "name": "Ada", "email": "ada@example.com", "nonce": "b" * 32}
    full = await client.post(address, data=fine)
    assert full.status_code == 409 and "Standard: one place is left." in words(full.text)
    assert await counted(kind) == (0, 0)
