"""Many buyers at the same moment, and what happens when the guard is taken away."""

import asyncio
from collections import Counter

import httpx
import pytest
from sqlmodel import col, select, update

from app.accounts.models import Visitor
from app.bookings import actions
from app.bookings.rules import SoldOut
from app.core import clock
from app.core.db import Database, reading, retried, writing
from app.core.settings import settings
from app.events.models import Event, TicketType
from main import create_app
from tests import invariants, world
from tests.bookings.test_hold import the_event

BUYERS = 64
PLACES = 50


async def storm(event: Event, kind: TicketType, *, buyers: int) -> int:
    """Everybody holds one place at once; how many got one."""

    @retried
    async def buy(number: int) -> bool:
        try:
            async with writing() as tx:
                await actions.hold(tx, event, {kind.id or 0: 1}, by=Visitor(key=f"browser-{number}"), now=clock.now())
        except SoldOut:
            return False
        return True

    return sum(await asyncio.gather(*(buy(number) for number in range(buyers))))


@pytest.mark.asvs("V2.3.4")
async def test_sixty_four_buyers_at_once_get_exactly_fifty_places(database: Database) -> None:
    event, kind = await the_event(capacity=PLACES)
    assert await storm(event, kind, buyers=BUYERS) == PLACES
    async with reading() as db:
        assert await invariants.broken(db) == []
        after = await db.get(TicketType, kind.id)
    assert after
    assert (after.held, after.sold) == (PLACES, 0)


@pytest.mark.asvs("V2.3.4", "V15.4.2")
async def test_the_last_place_goes_to_one_of_two(database: Database) -> None:
    event, kind = await the_event(capacity=1)
    assert await storm(event, kind, buyers=2) == 1


async def test_without_the_guard_the_same_storm_oversells(database: Database) -> None:
    """The negative control: read, compare in Python, assign."""
    _event, kind = await the_event(capacity=PLACES)
    all_have_read = asyncio.Barrier(BUYERS)
    got = await asyncio.gather(*(_read_compare_assign(kind, all_have_read) for _number in range(BUYERS)))
    assert sum(got) > PLACES


async def _read_compare_assign(kind: TicketType, all_have_read: asyncio.Barrier) -> bool:
    async with reading() as db:
        seen = (await db.exec(select(TicketType.held).where(TicketType.id == kind.id))).one()
    await all_have_read.wait()
    if seen + 1 > PLACES:
        return False
    async with writing() as tx:
        await tx.exec(update(TicketType).where(col(TicketType.id) == kind.id).values(held=seen + 1))
    return True


async def test_sixty_four_browsers_at_once_get_exactly_fifty_places(database: Database) -> None:
    event, kind = await the_event(capacity=PLACES)
    app = create_app()

    async def browse() -> int:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url=settings().base_url) as browser:
            answer = await browser.post(
                f"/events/{event.slug}/hold", data={f"q-{kind.code}": "1"}, headers={"Origin": settings().base_url}
            )
        return answer.status_code

    answers = Counter(await asyncio.gather(*(browse() for _browser in range(BUYERS))))
    assert answers == {303: PLACES, 409: BUYERS - PLACES}
    async with reading() as db:
        assert await invariants.broken(db) == []
        assert (await world.only_type(db, event)).held == PLACES
