"""What happened is written once, and reacted to once."""

import asyncio
from datetime import timedelta

import pytest
import time_machine
from sqlmodel import select

from app.core import activity, clock
from app.core.activity import Activity, ActivityWork
from app.core.db import Database, reading, writing
from tests import world


async def record(about: str = "booking:17") -> int:
    async with writing() as tx:
        return (await activity.record(tx, "booking.paid", about=about, by=None, event=3)).id or 0


async def due() -> list[int]:
    async with reading() as db:
        return await activity.due(db, now=clock.now(), most=10)


async def claim(activity_id: int) -> Activity | None:
    async with writing() as tx:
        return await activity.claim(tx, activity_id, now=clock.now())


async def test_an_activity_says_who_did_what_to_what_and_when(database: Database, moment: time_machine.Traveller):
    async with writing() as tx:
        dora = await world.dora(tx)
        await activity.record(tx, "event.approved", about="event:3", by=dora.id, changed=["venue"])
    async with reading() as db:
        row = (await db.exec(select(Activity))).one()
    assert (row.kind, row.about, row.by_user_id, row.at) == ("event.approved", "event:3", dora.id, clock.now())
    assert row.details == {"changed": ["venue"]}


async def test_an_activity_that_was_undone_never_happened(database: Database):
    with pytest.raises(ZeroDivisionError):
        async with writing() as tx:
            await activity.record(tx, "booking.paid", about="booking:17", by=None)
            raise ZeroDivisionError
    assert await due() == []


async def test_work_is_due_in_the_order_in_which_things_happened(database: Database):
    first, second = await record("booking:1"), await record("booking:2")
    assert await due() == [first, second]


async def test_work_is_claimed_once_by_however_many_workers(database: Database):
    activity_id = await record()
    answers = await asyncio.gather(*(claim(activity_id) for _ in range(8)))
    assert [answer.about for answer in answers if answer] == ["booking:17"]
    assert await due() == []


async def test_a_reaction_that_fails_gives_its_claim_back(database: Database):
    activity_id = await record()
    with pytest.raises(ZeroDivisionError):
        async with writing() as tx:
            await activity.claim(tx, activity_id, now=clock.now())
            raise ZeroDivisionError
    assert await due() == [activity_id]


async def test_a_failed_reaction_is_tried_again_after_growing_pauses(database: Database, moment: time_machine.Traveller):
    activity_id = await record()
    pauses = []
    for _ in range(12):
        async with writing() as tx:
            await activity.postpone(tx, activity_id, error="x" * 5000, now=clock.now())
        assert await due() == []
        async with reading() as db:
            work = (await db.exec(select(ActivityWork))).one()
        pauses.append((work.next_try_at - clock.now()).total_seconds())
        moment.move_to(work.next_try_at)
        assert await due() == [activity_id]
    assert pauses == sorted(pauses)
    assert pauses[0] == 10
    assert pauses[-1] == timedelta(hours=1).total_seconds()


async def test_whoever_waits_for_news_hears_of_it_after_the_commit(database: Database):
    heard: list[str] = []
    stop = activity.on_news(lambda: heard.append("news"))
    async with writing() as tx:
        await activity.record(tx, "booking.paid", about="booking:17", by=None)
        assert heard == []
    assert heard == ["news"]
    stop()
    await record()
    assert heard == ["news"]
