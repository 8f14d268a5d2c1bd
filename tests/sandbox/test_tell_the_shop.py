"""Webhooks come late, twice, or after the shop was away."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine

from app.sandbox import webhooks
from tests.stage import SDK_SENDS_DATA, Shop, World, booking, eventually, free_port, opened, serving

pytestmark = pytest.mark.filterwarnings(SDK_SENDS_DATA)


async def test_a_shop_that_fails_is_told_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "WAITS", (0.05, 0.05, 0.05))
    world.shop.answers = [500, 503]
    session = await world.client.v1.checkout.sessions.create_async(booking())
    await world.client.v1.checkout.sessions.expire_async(session.id)
    await eventually(lambda: len(world.shop.heard) == 2)
    event = (await world.client.v1.events.list_async()).data[0]
    await eventually(lambda: world.sandbox.stripe.state.pending(event.id) == 0)


async def test_events_that_did_not_arrive_can_be_asked_for(world: World) -> None:
    world.shop.answers = [500, 500]
    session = await world.client.v1.checkout.sessions.create_async(booking())
    await world.client.v1.checkout.sessions.expire_async(session.id)
    await eventually(lambda: not world.shop.answers)
    missed = await world.client.v1.events.list_async({"delivery_success": False, "types": ["checkout.session.expired"]})
    assert [event.data.object.id for event in missed.data] == [session.id]
    found = await world.client.v1.events.retrieve_async(missed.data[0].id)
    assert (found.type, found.pending_webhooks) == ("checkout.session.expired", 2)
    assert (await world.client.v1.events.list_async({"delivery_success": True})).data == []


async def test_events_are_listed_by_type_and_time_page_by_page(world: World) -> None:
    begin = datetime(2026, 12, 12, 20, 0, tzinfo=UTC)
    world.sandbox.faults.silent = True
    with time_machine.travel(begin, tick=False) as clock:
        for _minute in range(3):
            session = await world.client.v1.checkout.sessions.create_async(booking())
            world.sandbox.stripe.pay(session.id, "paid")
            clock.shift(timedelta(minutes=1))
        other = await world.client.v1.checkout.sessions.create_async(booking())
        await world.client.v1.checkout.sessions.expire_async(other.id)

    events, start = world.client.v1.events, int(begin.timestamp())
    completed, expired = "checkout.session.completed", "checkout.session.expired"
    page = await events.list_async({"types": [completed, expired], "created": {"gt": start, "lte": start + 180}, "limit": 2})
    assert page.has_more
    assert [event.type async for event in page.auto_paging_iter()] == [expired, completed, completed]
    (first,) = (await events.list_async({"type": completed, "created": {"lt": start + 60}})).data
    newer = await events.list_async({"types": [completed], "ending_before": first.id, "limit": 1})
    assert ([event.created for event in newer.data], newer.has_more) == ([start + 60], True)
    assert len((await events.list_async({"type": "checkout.session.*"})).data) == 4
    assert len((await events.list_async({"delivery_success": False})).data) == 7


async def test_a_shop_that_is_away_is_told_when_it_is_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "WAITS", (0.1,) * 50)
    shop = Shop(free_port())
    async with opened(tmp_path, shop) as world:
        session = await world.client.v1.checkout.sessions.create_async(booking())
        await world.client.v1.checkout.sessions.expire_async(session.id)
        async with serving(shop.app(), shop.port):
            await eventually(lambda: len(shop.heard) == 2)


async def test_silence_ends(world: World) -> None:
    world.sandbox.faults.silent = True
    world.sandbox.faults.duplicates = 3
    session = await world.client.v1.checkout.sessions.create_async(booking())
    await world.client.v1.checkout.sessions.expire_async(session.id)
    assert world.shop.heard == []
    world.sandbox.faults.silent = False
    await eventually(lambda: len(world.shop.heard) == 3)
    assert len({event.id for event in world.shop.events}) == 1


async def test_a_fault_needs_an_operation_that_exists(world: World) -> None:
    with pytest.raises(ValueError):
        world.sandbox.faults.next("pay", status=500)
