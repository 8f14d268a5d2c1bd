"""Holding places: all or nothing, never more than there are, never more than a buyer may have."""

from datetime import timedelta

import pytest
import time_machine

from app.accounts.models import User, Visitor
from app.bookings import actions, queries
from app.bookings.rules import SoldOut
from app.core import clock
from app.core.db import Database, reading, writing
from app.core.errors import Refused
from app.events.models import Event, TicketType
from app.events.queries import ticket_types
from tests import invariants, world


def guest(key: str = "bobs-browser") -> Visitor:
    return Visitor(key=key)


def signed_in(user: User) -> Visitor:
    return Visitor(user_id=user.id, email=user.email, name=user.name, role=user.role, key=f"{user.name}s-browser")


async def the_event(**overrides: object) -> tuple[Event, TicketType]:
    async with writing() as tx:
        event = await world.event(tx, **overrides)  # type: ignore[arg-type]
        return event, (await ticket_types(tx, event.id or 0))[0]


async def stock(kind: TicketType) -> tuple[int, int]:
    async with reading() as db:
        assert await invariants.broken(db) == []
        fresh = await db.get(TicketType, kind.id)
        assert fresh
        return fresh.held, fresh.sold


async def hold(event: Event, kind: TicketType, qty: int, by: Visitor) -> object:
    async with writing() as tx:
        return await actions.hold(tx, event, {kind.id or 0: qty}, by=by, now=clock.now())


async def test_a_hold_takes_places_for_fifteen_minutes(database: Database, moment: time_machine.Traveller) -> None:
    event, kind = await the_event(capacity=10)
    async with writing() as tx:
        booking = await actions.hold(tx, event, {kind.id or 0: 3}, by=guest(), now=clock.now())
    assert booking.state == "held"
    assert booking.held_until == clock.now() + timedelta(minutes=15)
    assert booking.total_minor == 3 * kind.price_minor
    assert await stock(kind) == (3, 0)


async def test_more_than_is_left_is_refused_with_what_is_left(database: Database) -> None:
    event, kind = await the_event(capacity=3)
    await hold(event, kind, 2, guest("carols-browser"))
    with pytest.raises(SoldOut) as refusal:
        await hold(event, kind, 2, guest())
    assert refusal.value.left == {kind.id: 1}
    assert await stock(kind) == (2, 0)


@pytest.mark.asvs("V2.3.3")
async def test_all_lines_or_none(database: Database) -> None:
    async with writing() as tx:
        event = await world.event(tx, capacity=5)
        await world.ticket_type(tx, event, name="Balcony", capacity=1)
        stalls, balcony = await ticket_types(tx, event.id or 0)
    with pytest.raises(SoldOut):
        async with writing() as tx:
            await actions.hold(tx, event, {stalls.id or 0: 2, balcony.id or 0: 2}, by=guest(), now=clock.now())
    assert await stock(stalls) == (0, 0)
    assert await stock(balcony) == (0, 0)


async def test_a_second_hold_for_the_event_replaces_the_first(database: Database) -> None:
    event, kind = await the_event(capacity=4)
    async with writing() as tx:
        first = await actions.hold(tx, event, {kind.id or 0: 3}, by=guest(), now=clock.now())
    await hold(event, kind, 4, guest())
    assert await stock(kind) == (4, 0)
    async with reading() as db:
        replaced = await queries.by_code(db, first.code)
    assert replaced
    assert replaced.state == "released"


async def test_a_refused_second_hold_leaves_the_first_alone(database: Database) -> None:
    event, kind = await the_event(capacity=4)
    await hold(event, kind, 2, guest("carols-browser"))
    await hold(event, kind, 2, guest())
    with pytest.raises(SoldOut):
        await hold(event, kind, 3, guest())
    assert await stock(kind) == (4, 0)


@pytest.mark.asvs("V2.3.2")
async def test_a_buyer_gets_no_more_than_the_limit(database: Database) -> None:
    event, kind = await the_event(capacity=100, per_buyer=4)
    async with writing() as tx:
        bob = signed_in(await world.bob(tx))
    with pytest.raises(Refused, match="4 tickets"):
        await hold(event, kind, 5, bob)
    async with writing() as tx:
        booking = await actions.hold(tx, event, {kind.id or 0: 3}, by=bob, now=clock.now())
        await actions.start_paying(tx, booking, now=clock.now())
    with pytest.raises(Refused, match="some are yours already"):
        await hold(event, kind, 2, bob)
    async with reading() as db:
        fresh = await db.get(TicketType, kind.id)
        assert fresh and fresh.held == 3


async def test_a_guests_limit_counts_by_address_once_it_is_known(database: Database) -> None:
    event, kind = await the_event(capacity=100, per_buyer=4)
    for key, allowed in (("first", True), ("second", False)):
        async with writing() as tx:
            booking = await actions.hold(tx, event, {kind.id or 0: 3}, by=guest(key), now=clock.now())
        try:
            async with writing() as tx:
                again = await queries.by_id(tx, booking.id or 0)
                assert again
                await actions.fill_in(tx, again, event, email="bob@example.com", name="Bob", by=guest(key))
            assert allowed
        except Refused:
            assert not allowed
    assert await stock(kind) == (6, 0)


@pytest.mark.parametrize("state", ["draft", "submitted", "approved", "called_off"])
async def test_only_published_events_sell(sqlite_database: Database, state: str) -> None:
    event, kind = await the_event(state=state)
    with pytest.raises(Refused, match="not on sale"):
        await hold(event, kind, 1, guest())


@pytest.mark.asvs("V2.3.1")
async def test_nothing_is_sold_before_the_sale_opens_or_after_it_ends(database: Database, moment: time_machine.Traveller) -> None:
    event, kind = await the_event(capacity=10)
    now = clock.now()
    async with writing() as tx:
        later = await tx.get(TicketType, kind.id)
        assert later
        later.sale_from, later.sale_to = now + timedelta(hours=1), now + timedelta(hours=2)
    with pytest.raises(Refused, match="not on sale now"):
        await hold(event, kind, 1, guest())
    moment.shift(timedelta(hours=1))
    await hold(event, kind, 1, guest())
    moment.shift(timedelta(hours=1))
    with pytest.raises(Refused, match="not on sale now"):
        await hold(event, kind, 1, guest("carols-browser"))


async def test_nothing_chosen_and_more_than_a_booking_takes_are_refused(sqlite_database: Database) -> None:
    event, kind = await the_event(capacity=100, per_buyer=20)
    with pytest.raises(Refused, match="at least one"):
        await hold(event, kind, 0, guest())
    with pytest.raises(Refused, match="at most"):
        await hold(event, kind, kind.per_booking + 1, guest())


@pytest.mark.asvs("V2.2.3")
async def test_ticket_types_of_another_event_are_not_taken(sqlite_database: Database) -> None:
    event, _kind = await the_event()
    _other, foreign = await the_event(title="Another evening")
    with pytest.raises(Refused, match="at least one"):
        await hold(event, foreign, 1, guest())


async def test_the_price_of_the_moment_is_kept(database: Database) -> None:
    event, kind = await the_event(price_minor=1850)
    async with writing() as tx:
        booking = await actions.hold(tx, event, {kind.id or 0: 2}, by=guest(), now=clock.now())
        dearer = await tx.get(TicketType, kind.id)
        assert dearer
        dearer.price_minor = 9900
    async with reading() as db:
        view = await queries.view(db, booking.id or 0)
    assert [line.unit_minor for line in view.lines] == [1850]
    assert view.booking.total_minor == 3700


async def test_a_postponed_event_holds_nothing_until_its_date_is_known(sqlite_database: Database) -> None:
    event, kind = await the_event(postponed_at=clock.now())
    with pytest.raises(Refused, match="is postponed"):
        await hold(event, kind, 1, guest())
