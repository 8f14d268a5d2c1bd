"""Many at once around a waiting list: nobody overtakes, nobody is asked twice, and no place is offered to two."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from sqlmodel import col, select, update

from app.accounts.models import Visitor
from app.bookings import boxoffice, flows, stock, waiting
from app.bookings.boxoffice import Wish
from app.bookings.models import Booking, WaitingEntry
from app.core import clock
from app.core.db import Database, reading, retried, writing
from app.core.errors import Refused
from app.core.steps import Steps, rows_of
from app.events.models import Event, TicketType
from tests.bookings.test_wait import gives_back, kind_of, line_of, offers_of, sold_out, waits

STRANGERS = 16


async def holds(event: Event, browser: str) -> bool:
    """Somebody who does not wait presses Continue; whether that got them a place."""
    kind = await kind_of(event)
    try:
        await boxoffice.hold(Wish(event.slug, {kind.code: 1}, by=Visitor(key=browser), is_new=True))
    except Refused:
        return False
    return True


async def strangers_hold(event: Event) -> int:
    return sum(await asyncio.gather(*(holds(event, f"stranger-{number}") for number in range(STRANGERS))))


async def everybody_in_line(event: Event, number: int) -> list[str]:
    names = [f"w{position:02}" for position in range(number)]
    for name in names:
        await waits(event, name)
    return names


async def test_of_sixty_four_in_line_the_first_five_get_the_five_places_that_come_back(database: Database) -> None:
    """While tickets come back one by one, strangers press Continue and two workers pass on what is free."""
    event, booking = await sold_out(capacity=5)
    names = await everybody_in_line(event, 64)

    async def come_back() -> None:
        for _number in range(5):
            await gives_back(booking)

    async def pass_on() -> None:
        for _round in range(4):
            await flows.offer_next(event.slug)

    outcomes = await asyncio.gather(come_back(), strangers_hold(event), pass_on(), pass_on())
    await flows.pass_on()
    assert outcomes[1] == 0
    assert [name for name, _qty, _state in await offers_of(event)] == names[:5]
    assert Counter(state for _name, state in await line_of(event)) == {"offered": 5, "waiting": 59}


async def test_a_hold_that_does_not_look_at_the_line_overtakes_it(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: the guard of the general hold without `waiting`."""
    monkeypatch.setitem(stock._TAKES, "general", stock._TAKES["general"].replace("+ waiting", ""))
    event, booking = await sold_out(capacity=5)
    await everybody_in_line(event, 8)
    await gives_back(booking, 5)
    assert await strangers_hold(event) == 5
    await flows.pass_on()
    assert await offers_of(event) == []


async def room_for(event: Event, places: int) -> None:
    async with writing() as tx:
        await tx.exec(
            update(TicketType).where(col(TicketType.event_id) == event.id).values(capacity=TicketType.capacity + places)
        )


@retried
async def offers_one(event: Event) -> int:
    async with writing() as tx:
        return await waiting.offer_next(tx, event.slug, most=1, now=clock.now())


async def test_workers_at_the_same_time_ask_each_person_once(database: Database) -> None:
    event, _booking = await sold_out()
    names = await everybody_in_line(event, 6)
    await room_for(event, 20)
    assert await asyncio.gather(*(offers_one(event) for _worker in range(4))) == [1, 1, 1, 1]
    assert [name for name, _qty, _state in await offers_of(event)] == names[:4]
    assert [state for _name, state in await line_of(event)] == ["offered"] * 4 + ["waiting"] * 2


def _unlocked(slug: str) -> Steps[tuple[Event, list[TicketType]]]:
    [event] = yield from rows_of(Event, "slug = :slug", slug=slug)
    return event, (yield from rows_of(TicketType, "event_id = :event ORDER BY id", event=event.id))


async def _moved_anyway(tx: Any, entry: WaitingEntry, state: str, **values: Any) -> bool:
    await tx.exec(update(WaitingEntry).where(col(WaitingEntry.id) == entry.id).values(state=state, **values))
    return True


async def test_without_lock_and_guard_one_person_is_asked_several_times(
    postgresql_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control, on the database where two can write at once."""
    event, _booking = await sold_out()
    await everybody_in_line(event, 6)
    await room_for(event, 20)
    monkeypatch.setattr(boxoffice, "offer", _unlocked)
    monkeypatch.setattr(waiting, "_move", _moved_anyway)
    await asyncio.gather(*(offers_one(event) for _worker in range(4)))
    assert max(Counter(name for name, _qty, _state in await offers_of(event)).values()) > 1


async def entries_of(event: Event) -> Sequence[WaitingEntry]:
    async with reading() as db:
        of_event = select(WaitingEntry).where(WaitingEntry.event_id == event.id)
        return (await db.exec(of_event.order_by(col(WaitingEntry.id)))).all()


@retried
async def leaves(entry: WaitingEntry) -> bool:
    async with writing() as tx:
        return await waiting.leave(tx, entry, now=clock.now())


async def test_whoever_leaves_while_places_are_offered_has_left_or_has_an_offer(database: Database) -> None:
    event, _booking = await sold_out()
    await everybody_in_line(event, 8)
    await room_for(event, 5)
    leaving = (await entries_of(event))[:6]
    left = await asyncio.gather(*(leaves(entry) for entry in leaving), offers_one(event), offers_one(event), offers_one(event))
    async with reading() as db:
        found = select(Booking.email).where(Booking.event_id == event.id, Booking.kind == "offer")
        asked = {email.split("@")[0] for email in (await db.exec(found)).all()}
    line = dict(await line_of(event))
    assert {name for name, state in line.items() if state == "offered"} == asked
    assert sum(state == "left" for state in line.values()) == sum(left[:6])
    assert sum(left[6:]) == len(asked) > 0
