"""Helping with somebody's event: what a right opens, and until when."""

import dataclasses
from datetime import timedelta

import httpx
import pytest
import time_machine

from app.accounts.models import Visitor
from app.core import clock
from app.core.db import Database, reading, writing
from app.core.errors import NotFound, NotYours, ProveAgain, SetUpSecond
from app.core.settings import Settings, use
from app.events import queries
from app.events.models import OPENED_BY, Event
from tests import world

Helping = tuple[Event, Visitor]


async def helping(*rights: str, **overrides: object) -> Helping:
    """Alice's event, and Erin's request after she has said yes to these rights."""
    async with writing() as tx:
        event = await world.event(tx)
        erin = await world.erin(tx)
        await world.helper(tx, event, erin, *rights, **overrides)
    return event, Visitor(erin.id, erin.email, erin.name, "user", proved_at=clock.now())


async def opened(helping: Helping) -> set[str]:
    """What the helper may open of the event; NotYours counts as closed."""
    event, visitor = helping
    found = set()
    async with reading() as db:
        for right in OPENED_BY:
            try:
                await queries.event_of(db, event.slug, visitor, right=right)
                found.add(right)
            except NotYours:
                continue
    return found


@pytest.mark.asvs("V8.2.1", "V8.2.2")
@pytest.mark.parametrize(
    ("given", "opens"),
    [
        (("door",), {"door"}),
        (("sales",), {"sales", "desk"}),
        (("edit",), {"edit", "desk"}),
        (("edit", "sales", "door"), {"edit", "sales", "door", "desk"}),
    ],
)
async def test_each_right_opens_its_own_pages_and_none_opens_the_team(
    database: Database, given: tuple[str, ...], opens: set[str]
) -> None:
    assert await opened(await helping(*given)) == opens


async def test_alice_and_dora_may_everything(database: Database) -> None:
    event, _erin = await helping("door")
    async with writing() as tx:
        alice, dora = await world.alice(tx), await world.dora(tx)
    assert await opened((event, Visitor(alice.id, role="manager"))) == set(OPENED_BY)
    assert await opened((event, Visitor(dora.id, role="admin"))) == set(OPENED_BY)


async def test_a_right_at_the_door_ends_a_day_after_the_event(database: Database, moment: time_machine.Traveller) -> None:
    at_the_door = await helping("door")
    moment.move_to(at_the_door[0].ends_at + timedelta(days=1) - timedelta(seconds=1))
    assert await opened(at_the_door) == {"door"}
    moment.shift(timedelta(seconds=1))
    with pytest.raises(NotFound):
        await opened(at_the_door)


async def test_a_right_at_the_door_moves_with_the_event(database: Database, moment: time_machine.Traveller) -> None:
    event, visitor = await helping("door")
    async with writing() as tx:
        moved = await tx.get_one(Event, event.id)
        moved.ends_at += timedelta(days=30)
    moment.move_to(event.ends_at + timedelta(days=2))
    assert await opened((event, visitor)) == {"door"}


async def test_other_rights_stay_so_that_somebody_can_clear_up(database: Database, moment: time_machine.Traveller) -> None:
    event, visitor = await helping("sales", "door")
    moment.move_to(event.ends_at + timedelta(days=2))
    assert await opened((event, dataclasses.replace(visitor, proved_at=clock.now()))) == {"sales", "desk", "door"}


async def test_whoever_has_not_said_yes_is_a_stranger(database: Database) -> None:
    with pytest.raises(NotFound):
        await opened(await helping("edit", "sales", "door", joined_at=None))


async def test_whoever_helps_with_one_event_is_a_stranger_to_the_others(database: Database) -> None:
    _event, visitor = await helping("edit", "sales", "door")
    async with writing() as tx:
        other = await world.event(tx, title="Other Evening")
    with pytest.raises(NotFound):
        await opened((other, visitor))


@pytest.mark.asvs("V6.3.4")
async def test_more_than_the_door_asks_for_the_second_factor_where_managers_need_one(
    sqlite_database: Database, settings: Settings
) -> None:
    event, erin = await helping("edit", "sales", "door")
    use(dataclasses.replace(settings, second_factor="required"))
    async with reading() as db:
        assert (await queries.event_of(db, event.slug, erin, right="door")).id == event.id
        for right in ("edit", "sales", "desk"):
            with pytest.raises(SetUpSecond):
                await queries.event_of(db, event.slug, erin, right=right)
            with_second = dataclasses.replace(erin, has_second=True)
            assert (await queries.event_of(db, event.slug, with_second, right=right)).id == event.id


@pytest.mark.asvs("V7.3.2")
async def test_more_than_the_door_asks_again_after_half_a_day(sqlite_database: Database, moment: time_machine.Traveller) -> None:
    """A user stays signed in for weeks; whoever changes and sells proves who they are as often as a manager."""
    event, erin = await helping("sales", "door")
    moment.shift(timedelta(hours=12) - timedelta(seconds=1))
    assert await opened((event, erin)) == {"sales", "desk", "door"}
    moment.shift(timedelta(seconds=1))
    async with reading() as db:
        assert (await queries.event_of(db, event.slug, erin, right="door")).id == event.id
        with pytest.raises(ProveAgain):
            await queries.event_of(db, event.slug, erin, right="sales")


async def test_the_desk_lists_what_one_helps_with_and_nothing_else(client: httpx.AsyncClient, sign_in) -> None:  # type: ignore[no-untyped-def]
    event, _visitor = await helping("sales")
    async with writing() as tx:
        await world.event(tx, title="Other Evening")
        erin = await world.erin(tx)
    await sign_in(client, erin)
    page = await client.get("/manager")
    assert page.status_code == 200
    assert event.title in page.text
    assert "Other Evening" not in page.text
    assert f'href="/manager/events/{event.slug}"' in page.text
    assert "Events you help with" in page.text
    assert 'href="/manager/events/new"' not in page.text
    assert '"/manager"' in (await client.get("/me")).text


async def test_whoever_sells_is_offered_only_what_opens(client: httpx.AsyncClient, sign_in) -> None:  # type: ignore[no-untyped-def]
    event, _visitor = await helping("sales")
    async with writing() as tx:
        erin = await world.erin(tx)
    await sign_in(client, erin)
    page = await client.get(f"/manager/events/{event.slug}")
    assert f"/manager/events/{event.slug}/sales" in page.text
    for closed in ("edit", "call-off"):
        assert f"/manager/events/{event.slug}/{closed}" not in page.text
        assert (await client.get(f"/manager/events/{event.slug}/{closed}")).status_code == 403


async def test_an_admin_who_looks_is_written_down_and_a_helper_is_not(client: httpx.AsyncClient, sign_in) -> None:  # type: ignore[no-untyped-def]
    from sqlmodel import select

    from app.core.activity import Activity

    event, _visitor = await helping("sales")
    async with writing() as tx:
        erin, dora = await world.erin(tx), await world.dora(tx)
    for person in (erin, dora):
        await sign_in(client, person)
        assert (await client.get(f"/manager/events/{event.slug}/sales")).status_code == 200
    async with reading() as db:
        looks = (await db.exec(select(Activity.by_user_id).where(Activity.kind == "admin.looked"))).all()
    assert looks == [dora.id]
