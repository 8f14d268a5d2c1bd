"""Pages hear what is left when it changes: one look for all of them, so many streams and no more, and all of them can end."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError
from sqlmodel import update
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts.models import Visitor
from app.bookings import actions as bookings
from app.bookings import live
from app.bookings.live import Room
from app.core import clock
from app.core.db import Database, reading, writing
from app.events import queries
from app.events.models import Event, TicketType
from app.events.rules import offering
from tests import world
from tests.stage import eventually

Stream = AsyncGenerator[tuple[str, str], None]


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """Quick looks; which events each of them asked for."""
    asked: list[list[int]] = []
    really = queries.with_stock

    async def noted(db: AsyncSession, event_ids: Sequence[int]) -> list[tuple[Event, list[TicketType]]]:
        asked.append(list(event_ids))
        return await really(db, event_ids)

    monkeypatch.setattr(queries, "with_stock", noted)
    monkeypatch.setattr(live, "LOOK_SECONDS", 0.05)
    return asked


async def an_event(slug: str = "nine-pianos", capacity: int = 20) -> tuple[Event, TicketType]:
    async with writing() as tx:
        event = await world.event(tx, slug=slug, capacity=capacity)
        return event, await world.only_type(tx, event)


async def held(event: Event, kind: TicketType, qty: int, key: str = "carols-browser") -> None:
    async with writing() as tx:
        await bookings.hold(tx, event, {kind.id or 0: qty}, by=Visitor(key=key), now=clock.now())


async def seen_by(event: Event) -> str:
    async with reading() as db:
        return offering.mark(offering.offers(event, await queries.ticket_types(db, event.id), now=clock.now()))


def stream(event: Event, seen: str = "", *, address: str = "192.0.2.1", language: str = "en") -> Stream:
    return live.room().follow(event.id or 0, seen=seen, address=address, language=language)


async def text_of(messages: Stream) -> str:
    """The next numbers that are told; signs of life are passed over."""
    async with asyncio.timeout(30):
        return await anext(text async for _mark, text in messages if text)


async def test_who_watches_hears_of_a_hold_and_of_nothing_else(database: Database, looks: list[list[int]]) -> None:
    event, kind = await an_event()
    watching = stream(event, await seen_by(event))
    first = asyncio.create_task(text_of(watching))
    await eventually(lambda: len(looks) > 2)
    assert not first.done()
    await held(event, kind, 3)
    assert f'id="left-{kind.code}"' in await first and "17 left" in await first
    await watching.aclose()


async def test_who_comes_back_hears_at_once_what_was_missed(sqlite_database: Database, looks: list[list[int]]) -> None:
    event, kind = await an_event()
    before = await seen_by(event)
    await held(event, kind, 6)
    assert "14 left" in await text_of(stream(event, before))


async def test_each_reads_it_in_their_own_language(sqlite_database: Database, looks: list[list[int]]) -> None:
    event, _kind = await an_event(capacity=9)
    english, french = await text_of(stream(event)), await text_of(stream(event, language="fr"))
    assert "9 left" in english and "9 left" not in french and "9" in french


async def test_the_end_of_a_type_is_said_by_its_name(sqlite_database: Database, looks: list[list[int]]) -> None:
    event, kind = await an_event(capacity=2)
    watching = stream(event)
    assert "data-gone" not in await text_of(watching)
    await held(event, kind, 2)
    only_held = await text_of(watching)
    assert "All held, look again in 15 minutes" in only_held and "data-gone" not in only_held
    async with writing() as tx:
        await tx.exec(update(TicketType).values(held=0, sold=2))
    assert 'data-gone="Standard just sold out."' in await text_of(watching)


async def test_one_look_serves_everybody_and_none_holds_a_connection(sqlite_database: Database, looks: list[list[int]]) -> None:
    events = [(await an_event(f"event-{number}"))[0] for number in range(3)]
    watching = [stream(event, address=f"192.0.2.{number}") for event in events for number in range(30)]
    assert len(await asyncio.gather(*(text_of(one) for one in watching))) == 90
    before = len(looks)
    waiting = [asyncio.create_task(text_of(one)) for one in watching]
    await eventually(lambda: len(looks) >= before + 4)
    assert all(asked == sorted(event.id or 0 for event in events) for asked in looks[-3:])
    assert len(looks) <= before + 6
    assert sqlite_database.reader.pool.checkedout() <= 1  # type: ignore[attr-defined]
    await _end(waiting, watching)
    # Nobody watches, so nobody looks.
    await eventually(lambda: bool(live.room().looking and live.room().looking.done()))
    assert (live.room().watched, live.room().addresses.total()) == ({}, 0)


async def test_there_are_so_many_places_for_streams_in_all_and_for_each_address(
    sqlite_database: Database, looks: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MOST", 5)
    monkeypatch.setattr(live, "MOST_OF_AN_ADDRESS", 3)
    event, _kind = await an_event()
    mine = [stream(event, address="192.0.2.1") for _tab in range(3)]
    others = [stream(event, address="192.0.2.2") for _tab in range(2)]
    for one in mine:
        await text_of(one)
    assert not live.room().has_place("192.0.2.1") and live.room().has_place("192.0.2.2")
    assert [message async for message in stream(event, address="192.0.2.1")] == []
    for one in others:
        await text_of(one)
    assert not live.room().has_place("192.0.2.3")
    await mine[0].aclose()
    assert live.room().has_place("192.0.2.3") and live.room().has_place("192.0.2.1")


async def test_a_database_that_fails_for_a_while_ends_no_stream(
    sqlite_database: Database, looks: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    event, kind = await an_event()
    watching = stream(event)
    await text_of(watching)
    with monkeypatch.context() as broken:
        failed: list[int] = []

        async def fails(*_asked: Any) -> Any:
            failed.append(1)
            raise OperationalError("SELECT", {}, OSError("gone"))

        broken.setattr(queries, "with_stock", fails)
        await eventually(lambda: len(failed) > 2)
    await held(event, kind, 3)
    assert "17 left" in await text_of(watching)


async def test_silence_is_broken_so_that_no_proxy_ends_it_and_a_stream_that_is_old_ends(
    sqlite_database: Database, looks: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "BEAT_SECONDS", 0.02)
    monkeypatch.setattr(live, "LONGEST_SECONDS", 0.3)
    event, _kind = await an_event()
    said = [text async for _mark, text in stream(event, await seen_by(event))]
    assert set(said) == {""}


async def test_all_streams_end_at_once_and_no_new_one_begins(sqlite_database: Database, looks: list[list[int]]) -> None:
    event, _kind = await an_event()
    watching = [stream(event) for _tab in range(20)]
    for one in watching:
        await text_of(one)
    rests = [asyncio.create_task(_rest(one)) for one in watching]
    await asyncio.sleep(0.05)
    assert not any(rest.done() for rest in rests)
    async with asyncio.timeout(30):
        live.close()
        assert await asyncio.gather(*rests) == [[]] * 20
    assert [message async for message in stream(event)] == []
    assert Room().has_place("192.0.2.1")


async def _rest(messages: AsyncIterator[tuple[str, str]]) -> list[tuple[str, str]]:
    return [message async for message in messages]


async def _end(waiting: Sequence[asyncio.Task[str]], watching: Sequence[Stream]) -> None:
    for task in waiting:
        task.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*waiting, return_exceptions=True)
    for one in watching:
        await one.aclose()
