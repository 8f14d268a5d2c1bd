"""Two managers write one event: nobody overwrites what they have not seen, and nothing that was typed is lost."""

import re
from typing import Any

import httpx
import pytest

from app.core import clock
from app.core.db import reading, writing
from app.events import queries
from app.events.actions import revising
from app.events.actions.revising import Overtaken
from app.events.models import Event
from tests import world
from tests.events.forms import addresses, revise, typed

pytestmark = pytest.mark.usefixtures("moment")


@pytest.fixture
async def two(client: httpx.AsyncClient, sign_in: Any, open_browser: Any) -> tuple[httpx.AsyncClient, httpx.AsyncClient]:
    """Alice's browser and Dora's, who is an admin and writes Alice's event too."""
    async with writing() as tx:
        alice, dora, _event = await world.alice(tx), await world.dora(tx), await world.event(tx)
    doras = await open_browser()
    await sign_in(client, alice)
    await sign_in(doras, dora)
    return client, doras


async def opened(browser: httpx.AsyncClient, address: str) -> str:
    """Opens a page of the form; what its hidden mark says."""
    found = re.search(r'name="seen" type="hidden" value="(\w+)"', (await browser.get(address)).text)
    assert found, address
    return found[1]


async def the_event() -> Event:
    async with reading() as db:
        event = await queries.by_slug(db, "nine-pianos")
    assert event
    return event


async def test_the_second_sees_what_the_first_saved_beside_their_own_and_may_save_on_top(
    two: tuple[httpx.AsyncClient, httpx.AsyncClient],
) -> None:
    alices, doras = two
    address = addresses("nine-pianos")["basics"]
    marks = [await opened(browser, address) for browser in two]
    assert (await revise(doras, "nine-pianos", "basics", title="Ten Pianos", seen=marks[1])).status_code == 303
    mine = typed("basics", title="Nine Grand Pianos", seen=marks[0])
    late = await alices.post(address, data=mine)
    assert late.status_code == 409
    assert (await the_event()).title == "Ten Pianos"
    row = re.search(r"<tr>(?:(?!</tr>).)*Ten Pianos.*?</tr>", late.text, re.DOTALL)
    assert row
    assert "Title" in row[0] and "Nine Grand Pianos" in row[0]
    assert 'name="title" type="text" value="Nine Grand Pianos"' in late.text
    again = re.search(r'name="seen" type="hidden" value="(\w+)"', late.text)
    assert again
    assert (await alices.post(address, data=mine | {"seen": again[1]})).status_code == 303
    assert (await the_event()).title == "Nine Grand Pianos"


async def test_two_sections_are_written_at_the_same_time(two: tuple[httpx.AsyncClient, httpx.AsyncClient]) -> None:
    alices, doras = two
    places = addresses("nine-pianos")
    marks = await opened(alices, places["access"]), await opened(doras, places["page"])
    assert (await revise(doras, "nine-pianos", "page", description="New words.", seen=marks[1])).status_code == 303
    assert (await revise(alices, "nine-pianos", "access", access="A ramp.", seen=marks[0])).status_code == 303
    event = await the_event()
    assert (event.description, event.access) == ("New words.", "A ramp.")


async def test_two_who_change_one_ticket_type_read_of_each_other(two: tuple[httpx.AsyncClient, httpx.AsyncClient]) -> None:
    alices, doras = two
    async with reading() as db:
        code = (await world.only_type(db, await the_event())).code
    address = f"/manager/events/nine-pianos/types/{code}"
    marks = [await opened(browser, address) for browser in two]
    theirs = typed("type", types_0_price="25") | {"seen": marks[1]}
    assert (await doras.post(address, data=theirs)).status_code == 303
    late = await alices.post(address, data=typed("type", types_0_price="19") | {"seen": marks[0]})
    assert late.status_code == 409
    assert "25.00" in late.text and 'value="19"' in late.text


@pytest.mark.usefixtures("database")
async def test_the_version_decides_between_two_who_save_in_the_same_moment() -> None:
    async with writing() as tx:
        alice, event = await world.alice(tx), await world.event(tx)
        read_before = Event(**event.model_dump())
    async with writing() as tx:
        now = await tx.get_one(Event, event.id)
        await _renamed(tx, now, "Ten Pianos", by=alice.id or 0)
    with pytest.raises(Overtaken):
        async with writing() as tx:
            await _renamed(tx, read_before, "Eleven Pianos", by=alice.id or 0)
    assert (await the_event()).title == "Ten Pianos"


@pytest.mark.usefixtures("database")
async def test_without_the_version_the_second_would_win_unseen() -> None:
    """The negative control: whoever says the present version without having read it overwrites the first."""
    async with writing() as tx:
        alice, event = await world.alice(tx), await world.event(tx)
        await _renamed(tx, event, "Ten Pianos", by=alice.id or 0)
    async with writing() as tx:
        stale = await tx.get_one(Event, event.id)
        await _renamed(tx, stale, "Eleven Pianos", by=alice.id or 0)
    assert (await the_event()).title == "Eleven Pianos"


async def _renamed(tx: Any, event: Event, title: str, *, by: int) -> None:
    await revising.revise(tx, event, {"title": title}, section="basics", by=by, booked=False, now=clock.now())
