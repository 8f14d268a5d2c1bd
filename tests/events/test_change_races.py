"""Two decide about one change of a public event, or one decides while the other changes it again."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import update
from sqlmodel import col

from app.accounts.models import User
from app.core import clock
from app.core.db import Database, changed, reading, writing
from app.core.errors import Refused
from app.events import reviews
from app.events.actions import revising, waiting
from app.events.decisions import Revision
from app.events.models import Event
from tests import world
from tests.events.changing import DAY, agree, now_is, postponed_by, prices, public, states, waits

pytestmark = pytest.mark.usefixtures("moment")

Verb = Callable[[Any, Event, Revision], Awaitable[object]]


async def withdraw(tx: Any, event: Event, _revision: Revision) -> None:
    await waiting.withdraw(tx, event, by=await _id(tx, "alice"), now=clock.now())


async def decline(tx: Any, event: Event, revision: Revision) -> None:
    await waiting.decline(tx, event, revision, reason="No.", by=await _id(tx, "dora"), now=clock.now())


async def edit(tx: Any, event: Event, _revision: Revision) -> None:
    moved = {"starts_at": event.starts_at + 3 * DAY, "ends_at": event.ends_at + 3 * DAY}
    await revising.revise(tx, event, moved, section="basics", by=await _id(tx, "alice"), booked=False, now=clock.now())


async def _id(tx: Any, name: str) -> int:
    user: User = await getattr(world, name)(tx)
    return user.id or 0


async def meet(event: Event, *verbs: Verb) -> list[bool]:
    """Everybody has read the event and its change before anybody acts; who of them went through."""
    read = asyncio.Barrier(len(verbs))

    async def one(verb: Verb) -> bool:
        async with reading() as db:
            present = await db.get_one(Event, event.id)
            revision = await reviews.waiting(db, present)
            assert revision
            mine = revision.id
        await read.wait()
        try:
            async with writing() as tx:
                await verb(tx, await tx.get_one(Event, event.id), await tx.get_one(Revision, mine))
        except Refused:
            return False
        return True

    return list(await asyncio.gather(*(one(verb) for verb in verbs)))


@pytest.mark.parametrize("other", [withdraw, decline, agree], ids=lambda verb: verb.__name__)
async def test_of_two_who_decide_about_a_change_one_does(database: Database, other: Verb) -> None:
    event = await public()
    await postponed_by(event, 1)
    assert sorted(await meet(event, agree, other)) == [False, True]
    assert len(await states(event)) == 1


async def test_a_change_that_is_edited_while_an_admin_agrees_is_lost_to_nobody(database: Database) -> None:
    """Either the admin agreed first and the edit waits as a new change, or the edit came first and the admin is told."""
    for _round in range(3):
        event = await public()
        await postponed_by(event, 1)
        agreed, edited = await meet(event, agree, edit)
        assert edited or agreed
        present = await now_is(event)
        assert present.starts_at == event.starts_at + (DAY if agreed else 0 * DAY)
        if edited:
            assert (await waits(event))["event"]["starts_at"] in {(at + 3 * DAY).isoformat() for at in _bases(event)}


def _bases(event: Event) -> list[Any]:
    return [event.starts_at, event.starts_at + DAY]


async def test_without_the_guard_both_decide(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""

    async def unguarded(tx: Any, revision: Revision, state: str, *, by: int, now: Any, **values: Any) -> bool:
        return bool(await changed(tx, update(Revision).where(col(Revision.id) == revision.id).values(state=state, **values)))

    monkeypatch.setattr(waiting, "end", unguarded)
    event = await public()
    await postponed_by(event, 1)
    assert await meet(event, agree, decline) == [True, True]


async def test_only_one_change_waits_for_an_event(database: Database) -> None:
    event = await public()
    done = await asyncio.gather(postponed_by(event, 1), prices(event, price_minor=2500), return_exceptions=True)
    assert all(one is None or isinstance(one, Refused) for one in done)
    assert (await states(event)).count("waiting") == 1
