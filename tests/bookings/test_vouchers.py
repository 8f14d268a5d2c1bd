"""Vouchers set places aside: nobody else gets them, and whoever has the code does, also when the rest is sold out."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlmodel import select

from app.accounts.models import Visitor
from app.bookings import actions, boxoffice, codes, flows, queries, stock
from app.bookings.boxoffice import Held, Wish
from app.bookings.codes import VoucherTerms
from app.bookings.models import Booking, Voucher
from app.bookings.rules import SoldOut
from app.core import clock
from app.core.db import Database, reading, writing
from app.core.errors import Refused
from app.events.actions import quotas, ticket_types
from app.events.models import Event, Quota, TicketType
from app.tickets import actions as tickets
from app.tickets.models import Ticket
from tests import invariants, world


async def with_voucher(*, capacity: int = 10, **terms: Any) -> tuple[Event, TicketType]:
    """An event whose manager keeps three places for whoever says FRIENDS."""
    async with writing() as tx:
        event = await world.event(tx, capacity=capacity)
        kind = await world.only_type(tx, event)
        tx.add(quota := Quota(event_id=event.id or 0, name="House", capacity=capacity))
        await tx.flush()
        await quotas.put_into(tx, kind, quota.id)
        made = VoucherTerms(**{"places": 3} | terms)
        await codes.make_vouchers(tx, event, kind, made, word="friends", by=event.manager_id, now=clock.now())
        return event, await world.only_type(tx, event)


def wish(event: Event, kind: TicketType, qty: int = 1, *, browser: str = "bobs-browser", code: str = "friends") -> Wish:
    return Wish(event.slug, {kind.code: qty}, by=Visitor(key=browser), access_code=code)


async def counted() -> tuple[int, int, int, int]:
    """Held, sold and aside of the type, and what the voucher has; the invariants hold."""
    async with reading() as db:
        assert await invariants.broken(db) == []
        kind, voucher = (await db.exec(select(TicketType))).one(), (await db.exec(select(Voucher))).one()
    return kind.held, kind.sold, kind.aside, voucher.aside


async def booking(held: Held) -> Booking:
    async with reading() as db:
        return await db.get_one(Booking, held.id)


async def ended(tx: Any, event: Event) -> int:
    found = await queries.codes_named(tx, event.id or 0, code="friends")
    return await codes.withdraw(tx, event, found, by=event.manager_id, now=clock.now())


async def test_places_aside_are_not_for_everybody(database: Database) -> None:
    event, kind = await with_voucher(capacity=5)
    with pytest.raises(SoldOut, match="2 places are left"):
        await boxoffice.hold(wish(event, kind, 3, code=""))
    await boxoffice.hold(wish(event, kind, 2, code="", browser="carols-browser"))
    await boxoffice.hold(wish(event, kind, 3))
    assert await counted() == (5, 0, 0, 0)


async def test_more_places_than_are_free_cannot_be_set_aside(database: Database) -> None:
    with pytest.raises(Refused, match="Only 2 places of Standard are free"):
        await with_voucher(capacity=2)
    async with reading() as db:
        assert await invariants.broken(db) == []


@pytest.mark.parametrize("unit, total", [(None, 3600), (500, 1000), (0, 0)])
async def test_a_place_costs_what_the_voucher_says(database: Database, unit: int | None, total: int) -> None:
    event, kind = await with_voucher(unit_minor=unit)
    assert (await booking(await boxoffice.hold(wish(event, kind, 2)))).total_minor == total


async def test_thirty_friends_get_the_three_places_and_everybody_else_the_others(database: Database) -> None:
    event, kind = await with_voucher(capacity=10)
    wishes = [wish(event, kind, browser=f"browser-{n}", code="friends" if n % 2 else "") for n in range(60)]
    answers = await asyncio.gather(*map(boxoffice.hold, wishes), return_exceptions=True)
    assert Counter(map(type, answers[1::2])) == {Held: 3, Refused: 27}
    assert Counter(map(type, answers[::2])) == {Held: 7, SoldOut: 23}
    assert await counted() == (10, 0, 0, 0)


async def test_without_its_guard_a_voucher_is_redeemed_twice(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: the voucher takes from the sale and nobody counts, so the invariants find it."""

    def redeem(_voucher_id: int, ticket_type_id: int, qty: int, *, now: Any) -> Any:
        return (yield from stock.take(ticket_type_id, qty, quota_id=1, sale="house", now=now))

    monkeypatch.setattr(stock, "redeem", redeem)
    event, kind = await with_voucher(capacity=10)
    wishes = [wish(event, kind, browser=f"browser-{n}") for n in range(7)]
    answers = await asyncio.gather(*map(boxoffice.hold, wishes), return_exceptions=True)
    assert Counter(map(type, answers)) == {Held: 7}
    async with reading() as db:
        assert await invariants.broken(db) == ["I2", "I11"]


async def test_places_come_back_to_the_voucher_when_the_hold_ends(database: Database, moment: time_machine.Traveller) -> None:
    event, kind = await with_voucher(capacity=3)
    await boxoffice.hold(wish(event, kind, 2))
    assert await counted() == (2, 0, 1, 1)
    moment.shift(timedelta(minutes=16))
    await flows.expire_due()
    assert await counted() == (0, 0, 3, 3)
    with pytest.raises(SoldOut):
        await boxoffice.hold(wish(event, kind, code=""))


async def test_a_withdrawn_voucher_gives_its_places_to_everybody(database: Database) -> None:
    event, kind = await with_voucher(capacity=4)
    held = await booking(await boxoffice.hold(wish(event, kind, 2)))
    async with writing() as tx:
        assert await ended(tx, event) == 1
    assert await counted() == (2, 0, 0, 0)
    with pytest.raises(Refused, match="does not work now"):
        await boxoffice.hold(wish(event, kind, browser="carols-browser"))
    async with writing() as tx:
        await actions.release(tx, held, now=clock.now())
    assert await counted() == (0, 0, 0, 0), "what comes back later is for everybody too"
    await boxoffice.hold(wish(event, kind, 4, code="", browser="carols-browser"))


async def test_a_voucher_whose_time_is_over_gives_its_places_back_once(
    database: Database, moment: time_machine.Traveller
) -> None:
    event, kind = await with_voucher(valid_until=clock.now() + timedelta(days=2))
    assert not await flows.end_vouchers()
    moment.shift(timedelta(days=3))
    with pytest.raises(Refused, match="was good until"):
        await boxoffice.hold(wish(event, kind))
    assert await flows.end_vouchers()
    assert await counted() == (0, 0, 0, 0)
    assert not await flows.end_vouchers()
    async with reading() as db:
        gone = (await db.exec(select(Voucher))).one()
    async with writing() as tx:
        assert not await codes.end_voucher(tx, gone, now=clock.now())


async def test_tickets_given_back_stand_aside_again(database: Database) -> None:
    event, kind = await with_voucher(unit_minor=0)
    held = await booking(await boxoffice.hold(wish(event, kind, 3)))
    async with writing() as tx:
        await tickets.settle(tx, held, now=clock.now())
        one = (await tx.exec(select(Ticket).limit(1))).one()
        await tickets.take_back_one(tx, held, one, now=clock.now())
    assert await counted() == (0, 2, 1, 1)
    async with writing() as tx:
        await tickets.take_back(tx, held, to="refunded", now=clock.now())
    assert await counted() == (0, 0, 3, 3)


async def test_more_places_than_it_has_left_are_refused_with_how_many_there_are(database: Database) -> None:
    event, kind = await with_voucher()
    await boxoffice.hold(wish(event, kind, 2, browser="carols-browser"))
    with pytest.raises(Refused, match="FRIENDS has 1 place left"):
        await boxoffice.hold(wish(event, kind, 2))
    assert await counted() == (2, 0, 1, 1)


async def test_a_voucher_for_one_booking_is_for_one(database: Database) -> None:
    event, kind = await with_voucher(max_uses=1)
    held = await booking(await boxoffice.hold(wish(event, kind)))
    with pytest.raises(Refused, match="is used up"):
        await boxoffice.hold(wish(event, kind, browser="carols-browser"))
    async with writing() as tx:
        await actions.release(tx, held, now=clock.now())
    await boxoffice.hold(wish(event, kind, 3, browser="carols-browser"))


async def test_it_works_whatever_sale_is_open_but_not_together_with_a_presale(sqlite_database: Database) -> None:
    event, kind = await with_voucher()
    async with writing() as tx:
        bob = await world.bob(tx)
        other = await world.ticket_type(tx, event, name="Balcony")
        for one in (await tx.get_one(TicketType, kind.id), other):
            one.presale_from, one.sale_from = clock.now() - timedelta(hours=1), clock.now() + timedelta(days=1)
    by = Visitor(user_id=bob.id, email=bob.email, role="user", key="bobs-browser")
    with pytest.raises(Refused, match="booked separately"):
        await boxoffice.hold(Wish(event.slug, {kind.code: 1, other.code: 1}, by=by, access_code="friends"))
    assert not (await boxoffice.hold(wish(event, kind))).is_presale
    with_it = Wish(event.slug, {other.code: 1}, by=by, access_code="friends")
    assert (await boxoffice.hold(with_it)).is_presale, "for other places it does nothing"


async def test_a_paused_voucher_keeps_its_places(sqlite_database: Database) -> None:
    event, kind = await with_voucher()
    async with writing() as tx:
        found = await queries.codes_named(tx, event.id or 0, code="friends")
        await codes.pause(tx, event, found, paused=True, by=event.manager_id)
    with pytest.raises(Refused, match="does not work now"):
        await boxoffice.hold(wish(event, kind))
    assert await counted() == (0, 0, 3, 3)


async def test_places_aside_bind_the_capacity_and_go_with_their_type(sqlite_database: Database) -> None:
    event, kind = await with_voucher()
    async with reading() as db:
        quota = (await db.exec(select(Quota))).one()
    with pytest.raises(Refused, match="3 places of the quota House are taken"):
        async with writing() as tx:
            await quotas.resize(tx, quota, 2)
    with pytest.raises(Refused, match="stays in its quota"):
        async with writing() as tx:
            await quotas.put_into(tx, kind, None)
    with pytest.raises(Refused, match="3 places of Standard are taken"):
        async with writing() as tx:
            await ticket_types._change(tx, await tx.get_one(TicketType, kind.id), {"capacity": 2, "presale_places": None})
    async with writing() as tx:
        await actions.forget_codes(tx, kind.id or 0)
    async with reading() as db:
        assert await invariants.broken(db) == []
        assert (await world.only_type(db, event)).aside == 0
