"""What the house takes for itself, to give away or to sell at the door: places like any other, whatever the sales say."""

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from app.accounts.models import Visitor
from app.bookings import actions
from app.bookings.boxoffice import Sale
from app.bookings.models import Booking
from app.bookings.rules import SoldOut
from app.core import clock
from app.core.db import Database, reading, writing
from app.core.errors import Refused
from app.events.models import Event, TicketType
from app.tickets import actions as tickets
from tests import invariants, world


async def closed(**columns: Any) -> tuple[Event, TicketType]:
    """An event whose sale begins next week."""
    async with writing() as tx:
        event = await world.event(tx, **columns)
        kind = await world.only_type(tx, event)
        kind.sale_from = clock.now() + timedelta(days=7)
    return event, kind


async def takes(
    event: Event, kind: TicketType, qty: int, *, kind_of_sale: str = "door", nonce: str = "n"
) -> tuple[Booking, bool]:
    """Takes and settles in one block, as everybody does who takes for the house."""
    sale = Sale(kind_of_sale, event.manager_id, {kind.id or 0: qty}, nonce=nonce)
    async with writing() as tx:
        booking, is_new = await actions.take_for_house(tx, event, sale, now=clock.now())
        if is_new and not booking.total_minor:
            await tickets.settle(tx, booking, now=clock.now())
        return booking, is_new


@pytest.mark.parametrize("kind_of_sale, total", [("comp", 0), ("door", 0)])
async def test_it_needs_no_open_sale_and_minds_no_limit(database: Database, kind_of_sale: str, total: int) -> None:
    event, kind = await closed(price_minor=0, per_buyer=1)
    booking, is_new = await takes(event, kind, 5, kind_of_sale=kind_of_sale)
    assert (booking.kind, booking.total_minor, is_new, booking.sold_by_id) == (kind_of_sale, total, True, event.manager_id)
    async with reading() as db:
        assert await invariants.broken(db) == []
        assert (await db.exec(select(TicketType.sold))).one() == 5


async def test_a_gift_costs_nothing_and_a_sale_what_the_place_costs(database: Database) -> None:
    event, kind = await closed(price_minor=1800)
    given, _new = await takes(event, kind, 2, kind_of_sale="comp", nonce="a")
    sold, _new = await takes(event, kind, 2, kind_of_sale="door", nonce="b")
    assert (given.total_minor, sold.total_minor) == (0, 3600)


async def test_there_are_no_more_places_than_there_are(database: Database) -> None:
    event, kind = await closed(capacity=3, price_minor=0)
    with pytest.raises(SoldOut, match="3 places are left") as refusal:
        await takes(event, kind, 4)
    assert refusal.value.left == {kind.id: 3}


async def test_lapsed_holds_make_room(database: Database) -> None:
    async with writing() as tx:
        event = await world.event(tx, capacity=2, price_minor=0)
        kind = await world.only_type(tx, event)
        held = await actions.hold(tx, event, {kind.id or 0: 2}, by=Visitor(key="bobs-browser"), now=clock.now())
        held.held_until = clock.now() - timedelta(minutes=1)
    assert (await takes(event, kind, 2))[1]


async def test_a_form_sent_again_finds_what_it_made(database: Database) -> None:
    event, kind = await closed(price_minor=0)
    first, again = await takes(event, kind, 2), await takes(event, kind, 2)
    assert first[0].id == again[0].id and (first[1], again[1]) == (True, False)


async def test_nothing_is_taken_for_nothing_or_of_what_is_not_public(sqlite_database: Database) -> None:
    event, kind = await closed()
    with pytest.raises(Refused, match="Choose at least one"):
        await takes(event, kind, 0)
    draft, kind = await closed(state="draft")
    with pytest.raises(Refused, match="not on sale"):
        await takes(draft, kind, 1)
