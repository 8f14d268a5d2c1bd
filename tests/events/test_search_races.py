"""Two change what an event is found by in the same moment: its words are those of whoever was the last to be kept."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import Select
from sqlalchemy.exc import DBAPIError
from sqlmodel import select

from app.core import clock
from app.core.db import Database, reading, writing
from app.core.errors import Refused
from app.events import search
from app.events.actions import arranging, deciding, revising
from app.events.models import Category, Event, Venue
from app.events.rules.words import found_by
from app.events.search import EventSearch
from tests import world

pytestmark = pytest.mark.usefixtures("moment")

Act = Callable[[Event], Awaitable[None]]
# How long somebody who has read all names waits for the other to have read them, too.
PAUSE_SECONDS = 0.15


async def write(event: Event, section: str, **columns: Any) -> None:
    async with writing() as tx:
        dora = await world.dora(tx)
        present = await tx.get_one(Event, event.id)
        await revising.revise(tx, present, columns, section=section, by=dora.id or 0, booked=False, now=clock.now())


async def retitle(event: Event) -> None:
    await write(event, "basics", title="Ten Cellos")


async def describe(event: Event) -> None:
    await write(event, "page", description="With umbrellas.")


async def publish(event: Event) -> None:
    async with writing() as tx:
        await deciding.publish(tx, event.id or 0, now=clock.now())


async def rename_category(_event: Event) -> None:
    async with reading() as db:
        kind = (await db.exec(select(Category).where(Category.name == "Music"))).one()
    async with writing() as tx:
        await arranging.rename_category(tx, kind, "Strings", by=1)


async def merge_categories(_event: Event) -> None:
    async with writing() as tx:
        gone = (await tx.exec(select(Category).where(Category.name == "Music"))).one()
        await arranging.merge_categories(tx, gone, await world.category(tx, "Concerts"), by=1)


async def rename_venue(_event: Event) -> None:
    async with reading() as db:
        venue = (await db.exec(select(Venue))).one()
    async with writing() as tx:
        await arranging.change_venue(tx, venue, name="House of Strings", address="", city="Milan", by=1)


async def meet(monkeypatch: pytest.MonkeyPatch, event: Event, *acts: Act) -> list[BaseException | None]:
    """Everybody acts at once, and writes the words down only when all have read them or nobody else can; what became of each."""
    read, all_have = 0, asyncio.Event()
    take_out = search.take_out

    async def wait_and_take_out(*given: Any) -> None:
        nonlocal read
        read += 1
        if read == len(acts):
            all_have.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(all_have.wait(), PAUSE_SECONDS)
        await take_out(*given)

    monkeypatch.setattr(search, "take_out", wait_and_take_out)
    return list(await asyncio.gather(*(act(event) for act in acts), return_exceptions=True))


async def an_event(**columns: Any) -> Event:
    async with writing() as tx:
        await world.dora(tx)
        return await world.event(tx, **columns)


async def are_right(event: Event) -> bool:
    """Whether the event is found by what it says now."""
    async with reading() as db:
        found = select(Event, Category, Venue).join(Category).join(Venue).where(Event.id == event.id)
        present, kind, venue = (await db.exec(found)).one()
        kept = (await db.exec(select(EventSearch.words).where(EventSearch.event_id == event.id))).all()
    texts = (present.title, present.summary, venue.name, venue.city, kind.name, present.description)
    return kept == [found_by(*texts)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (retitle, rename_category),
        (describe, rename_venue),
        (retitle, merge_categories),
        (rename_category, rename_venue),
    ],
    ids=lambda act: act.__name__,
)
async def test_both_are_found(database: Database, monkeypatch: pytest.MonkeyPatch, one: Act, other: Act) -> None:
    event = await an_event()
    assert await meet(monkeypatch, event, one, other) == [None, None]
    assert await are_right(event)


async def test_an_event_that_is_published_while_its_category_is_renamed_is_found(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = await an_event(state="approved", publish_at=clock.now())
    assert await meet(monkeypatch, event, publish, rename_category) == [None, None]
    assert await are_right(event)
    async with reading() as db:
        assert (await db.get_one(Event, event.id)).state == "published"


async def test_of_two_who_write_one_event_the_words_are_those_of_the_one_that_was_kept(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = await an_event()
    done = await meet(monkeypatch, event, retitle, describe)
    assert None in done and all(one is None or isinstance(one, Refused) for one in done)
    assert await are_right(event)


async def test_without_the_locks_somebody_is_lost(postgresql_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: each reads what the other has not kept yet."""
    event = await an_event()
    monkeypatch.setattr(Select, "with_for_update", lambda self, **_how: self)
    # Nobody stands in line, so both come, however slow the machine is.
    monkeypatch.setattr(f"{__name__}.PAUSE_SECONDS", 30)
    done = await meet(monkeypatch, event, retitle, rename_category)
    assert any(isinstance(one, DBAPIError) for one in done) or not await are_right(event)


async def test_words_that_were_put_together_before_ones_turn_are_old(database: Database) -> None:
    """The negative control on both databases: whoever reads first and waits then has missed what was kept meanwhile."""
    event = await an_event()
    async with reading() as db:
        before = (await db.exec(select(EventSearch.words).where(EventSearch.event_id == event.id))).one()
    await rename_category(event)
    async with writing() as tx:
        await search.take_out(tx, [event.id])
        await search.put_in(tx, [{"event_id": event.id, "words": before}])
    assert not await are_right(event)
