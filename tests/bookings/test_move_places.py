"""Between the two sales: places that the pre-sale has not taken move to the general sale and back, and it may open earlier."""

import asyncio
from datetime import datetime, timedelta

import pytest
import time_machine
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select, update

from app.bookings import actions
from app.bookings.rules import SoldOut
from app.core import clock
from app.core.activity import Activity
from app.core.db import Database, reading, retried, writing
from app.core.errors import Refused
from app.events.models import Event, TicketType
from tests import world
from tests.bookings.test_hold import guest, signed_in, stock
from tests.bookings.test_presale import hold, presale


async def move(kind: TicketType, places: int | None, *, to: str) -> int:
    async with writing() as tx:
        alice = await world.alice(tx)
        return await actions.move_places(tx, kind, places, to=to, by=alice.id or 0, now=clock.now())


async def open_sale(kind: TicketType, at: datetime) -> None:
    async with writing() as tx:
        alice = await world.alice(tx)
        await actions.open_general_sale(tx, kind, at=at, by=alice.id or 0, now=clock.now())


async def fresh(kind: TicketType) -> TicketType:
    async with reading() as db:
        return await db.get_one(TicketType, kind.id)


async def test_all_unsold_places_wait_for_the_general_sale(database: Database, moment: time_machine.Traveller) -> None:
    event, kind, bob = await presale(places=8)
    await hold(event, kind, 3, bob)
    assert await move(kind, None, to="general") == 5
    assert (await fresh(kind)).presale_places == 3
    async with writing() as tx:
        carol = signed_in(await world.carol(tx))
    with pytest.raises(SoldOut):
        await hold(event, kind, 1, carol)
    moment.shift(timedelta(days=1))
    await hold(event, kind, 6, guest())
    assert await stock(kind) == (9, 0)


async def test_some_places_move_and_come_back(database: Database) -> None:
    _event, kind, _bob = await presale(places=8)
    assert await move(kind, 2, to="general") == 2
    assert await move(kind, 1, to="presale") == 1
    assert (await fresh(kind)).presale_places == 7
    assert await move(kind, None, to="presale") == 3
    assert (await fresh(kind)).presale_places == 10


async def test_a_presale_of_all_places_gives_some_away(database: Database) -> None:
    _event, kind, _bob = await presale()
    assert await move(kind, 4, to="general") == 4
    assert (await fresh(kind)).presale_places == 6


async def test_what_buyers_hold_is_not_moved(database: Database) -> None:
    event, kind, bob = await presale(places=4)
    await hold(event, kind, 3, bob)
    with pytest.raises(Refused, match="has 1 place to move"):
        await move(kind, 2, to="general")
    assert await move(kind, 1, to="general") == 1
    with pytest.raises(Refused, match="has 0 places to move"):
        await move(kind, None, to="general")


async def test_the_presale_never_gets_more_places_than_there_are(database: Database) -> None:
    _event, kind, _bob = await presale(places=8)
    with pytest.raises(Refused, match="can get 2 places more"):
        await move(kind, 3, to="presale")


async def test_after_the_presale_nothing_is_left_to_move(database: Database, moment: time_machine.Traveller) -> None:
    _event, kind, _bob = await presale(places=8)
    moment.shift(timedelta(days=1))
    for to in ("general", "presale"):
        with pytest.raises(Refused, match="has no pre-sale, or it is over"):
            await move(kind, 1, to=to)
    assert (await fresh(kind)).presale_places == 8


async def test_moving_is_written_down(sqlite_database: Database) -> None:
    event, kind, _bob = await presale(places=8)
    await move(kind, 2, to="general")
    async with reading() as db:
        written = (await db.exec(select(Activity).where(Activity.kind == "presale.places_moved"))).one()
    assert (written.about, written.details) == (
        f"ticket_type:{kind.id}",
        {"event": event.id, "places": 2, "to": "general", "presale": [8, 6]},
    )


async def book_or_not(event: Event, kind: TicketType, name: str) -> int:
    @retried
    async def book() -> int:
        async with writing() as tx:
            visitor = signed_in(await world.person(tx, name))
        try:
            await hold(event, kind, 1, visitor)
        except SoldOut:
            return 0
        return 1

    return await book()


async def test_a_place_is_booked_or_moved_never_both(database: Database) -> None:
    event, kind, _bob = await presale(places=6)

    @retried
    async def move_all() -> int:
        try:
            return await move(kind, None, to="general")
        except Refused:
            return 0

    names = ("Bob", "Carol", "Erik", "Fay", "Gus", "Hana", "Ivo", "Jan")
    *booked, moved = await asyncio.gather(*(book_or_not(event, kind, name) for name in names), move_all())
    after = await fresh(kind)
    assert after.presale_places == 6 - moved == after.presale_taken == sum(booked)


async def test_without_the_guard_what_is_booked_is_moved_too(database: Database) -> None:
    """The negative control: what was seen before is written without looking. Only the CHECK stands behind, and it holds."""
    event, kind, bob = await presale(places=6)
    seen = await fresh(kind)
    await hold(event, kind, 3, bob)
    with pytest.raises(IntegrityError):
        async with writing() as tx:
            blind = update(TicketType).where(col(TicketType.id) == kind.id)
            await tx.exec(blind.values(presale_places=seen.presale_taken))


# ---------- when the general sale opens ----------


async def test_the_general_sale_opens_at_once(database: Database, moment: time_machine.Traveller) -> None:
    event, kind, _bob = await presale(places=2)
    with pytest.raises(Refused, match="kept for accounts"):
        await hold(event, kind, 1, guest())
    await open_sale(kind, clock.now())
    booking = await hold(event, kind, 5, guest())
    assert booking.kind == "purchase"


async def test_a_longer_presale_closes_the_door_again_for_the_general_sale(
    database: Database, moment: time_machine.Traveller
) -> None:
    event, kind, bob = await presale()
    await open_sale(kind, clock.now() + timedelta(days=3))
    moment.shift(timedelta(days=2))
    assert (await hold(event, kind, 1, bob)).kind == "presale"


async def test_a_moment_that_does_not_fit_is_refused_with_the_reason(
    sqlite_database: Database, moment: time_machine.Traveller
) -> None:
    event, kind, _bob = await presale()
    now = clock.now()
    for at, why in ((now - timedelta(minutes=1), "in the future"), (event.ends_at, "before it ends")):
        with pytest.raises(Refused, match=why):
            await open_sale(kind, at)
    async with writing() as tx:
        await tx.exec(update(TicketType).values(presale_from=now + timedelta(hours=2)))
    with pytest.raises(Refused, match="after its pre-sale"):
        await open_sale(kind, now)
    moment.shift(timedelta(days=1))
    with pytest.raises(Refused, match="open already"):
        await open_sale(kind, clock.now())
    assert (await fresh(kind)).sale_from == now + timedelta(days=1)
