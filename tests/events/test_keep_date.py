"""A postponed event takes place on its old date after all: the sale goes on, everybody is told, and what was promised holds."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
import time_machine
from sqlalchemy import update
from sqlmodel import col

from app.core import clock
from app.core.db import Database, changed, reading, writing
from app.core.errors import Refused
from app.events.actions import postponing, revising
from app.events.actions.revising import Overtaken
from app.events.models import Event
from app.payments.rules import rule_of
from tests import world
from tests.accounts.links import told
from tests.events.revising import dated
from tests.events.test_postpone import event_now, hold, postpone
from tests.events.test_postpone import told as mails
from tests.payments.refund_story import again, an_event, paid

SignIn = Callable[[httpx.AsyncClient, Any], Awaitable[None]]
pytestmark = pytest.mark.usefixtures("moment")


async def keep_date(event: Event) -> None:
    """Alice or a second manager of the event, who has read it as it is given."""
    async with writing() as tx:
        alice = await world.alice(tx)
        await postponing.keep_date(tx, event, by=alice.id or 0, now=clock.now())


async def a_postponed(**columns: Any) -> Event:
    event = await an_event(**columns)
    await postpone(event)
    return await event_now(event)


async def test_the_sale_goes_on_and_everybody_who_booked_is_told(database: Database, moment: time_machine.Traveller) -> None:
    event = await an_event()
    booking = await paid(event)
    moment.shift(timedelta(hours=1))
    await postpone(event)
    with pytest.raises(Refused):
        await hold(event)
    moment.shift(timedelta(hours=1))
    await keep_date(await event_now(event))
    assert (await hold(event)).state == "held"
    present = await event_now(event)
    assert (present.starts_at, present.keeps_its_date, present.postponed_reason) == (event.starts_at, True, "")
    assert await mails() == [("event_postponed", booking.email), ("event_date_kept", booking.email)]
    [row] = await told("event.date_kept")
    assert row.details == {"states": ["postponed", "published"], "days": 14}


async def test_what_was_promised_for_returns_holds_until_the_event_begins(
    database: Database, moment: time_machine.Traveller
) -> None:
    event = await an_event(refund_hours=None, starts_at=clock.now() + timedelta(days=10))
    booking = await again(await paid(event))
    moment.shift(timedelta(hours=1))
    await postpone(event, return_days=3)
    await keep_date(await event_now(event))
    kept_at, present = clock.now(), await event_now(event)
    assert rule_of(booking, present, now=clock.now()).until == kept_at + timedelta(days=3)
    present.return_days = 30
    assert present.returns_until == event.starts_at


async def test_only_a_postponed_event_whose_date_is_ahead_keeps_it(database: Database, moment: time_machine.Traveller) -> None:
    event = await an_event()
    with pytest.raises(Refused, match="not postponed"):
        await keep_date(event)
    await postpone(event)
    moment.move_to(event.starts_at)
    with pytest.raises(Refused, match="date has passed"):
        await keep_date(await event_now(event))
    assert (await event_now(event)).is_postponed


async def test_a_new_date_that_waits_for_an_admin_goes_first(database: Database) -> None:
    event = await a_postponed()
    async with writing() as tx:
        alice = await world.alice(tx)
        await dated(tx, await tx.get_one(Event, event.id), later=timedelta(days=60), by=alice.id or 0)
    with pytest.raises(Refused, match="A new date waits"):
        await keep_date(await event_now(event))


async def set_date(event: Event) -> None:
    async with writing() as tx:
        dora = await world.dora(tx)
        await dated(tx, event, later=timedelta(days=60), by=dora.id or 0)


@pytest.mark.parametrize("other", [keep_date, set_date], ids=lambda verb: verb.__name__)
async def test_of_two_managers_who_have_read_the_same_event_one_acts(
    database: Database, other: Callable[[Event], Awaitable[None]]
) -> None:
    event = await a_postponed()
    seen_by_both = [await event_now(event), await event_now(event)]
    await other(seen_by_both[0])
    with pytest.raises(Overtaken):
        await keep_date(seen_by_both[1])
    assert len(await told("event.date_kept")) == (1 if other is keep_date else 0)


async def test_without_the_look_at_the_version_both_would(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: the new date is lost, and its event says that nothing has changed."""

    async def careless(tx: Any, event: Event, **values: Any) -> None:
        await changed(tx, update(Event).where(col(Event.id) == event.id).values(**values))

    event = await a_postponed()
    seen = await event_now(event)
    await set_date(await event_now(event))
    monkeypatch.setattr(revising, "keep", careless)
    await keep_date(seen)
    present = await event_now(event)
    assert present.keeps_its_date
    assert present.starts_at != event.starts_at


async def test_a_manager_keeps_the_date_with_one_button_and_once(
    client: httpx.AsyncClient, open_browser: Any, sign_in: SignIn, moment: time_machine.Traveller
) -> None:
    event = await an_event()
    booking = await paid(event)
    moment.shift(timedelta(hours=1))
    await postpone(event)
    async with writing() as tx:
        alice = await world.alice(tx)
    await sign_in(client, alice)
    page, path = f"/manager/events/{event.slug}", f"/manager/events/{event.slug}/keep-date"
    assert f'action="{path}"' in (await client.get(page)).text
    assert (await client.post(path)).headers["location"] == page
    assert f'action="{path}"' not in (await client.get(page)).text
    assert (await client.post(path)).status_code == 409
    assert len(await told("event.date_kept")) == 1
    bobs = await open_browser()
    shown = (await bobs.get(f"/bookings/{booking.code}")).text
    assert "This event takes place as it was planned" in shown
    assert "new date" not in shown
    assert "Continue" in (await bobs.get(f"/events/{event.slug}")).text


async def test_after_the_old_date_there_is_no_such_button(
    client: httpx.AsyncClient, sign_in: SignIn, moment: time_machine.Traveller
) -> None:
    event = await a_postponed()
    moment.move_to(event.starts_at + timedelta(minutes=1))
    async with writing() as tx:
        alice = await world.alice(tx)
    await sign_in(client, alice)
    shown = (await client.get(f"/manager/events/{event.slug}")).text
    assert "Set the new date" in shown
    assert "keep-date" not in shown
    async with reading() as db:
        assert (await db.get_one(Event, event.id)).is_postponed
