"""An address that waits for a sale is forgotten when nobody needs it any more, and never before its own opening."""

from datetime import timedelta

import time_machine

from app.core import clock
from app.core.db import Database, reading, writing
from app.events import reminders
from app.events.actions import reminding
from app.events.models import Event
from app.events.reminders import Reminder
from app.privacy import flows as privacy
from tests import world
from tests.events.reminding import CAROL, DAY, addresses, ahead, asked, opened


async def test_addresses_are_forgotten_when_nobody_needs_them(database: Database, moment: time_machine.Traveller) -> None:
    event = await ahead(sale=10 * DAY)
    await asked(event, "silent@example.com", confirmed=False)
    await asked(event)
    moment.shift(8 * DAY)
    await privacy.forget()
    assert await addresses() == [CAROL]
    moment.shift(2 * DAY)
    await opened()
    await privacy.forget()
    assert await addresses() == [CAROL]
    moment.shift(2 * DAY)
    await privacy.forget()
    assert await addresses() == []


async def opening_twice(*, confirmed: bool = True) -> tuple[Event, Reminder]:
    """A sale of half a day that opens tomorrow, and another one that opens three days after that; Carol waits for the first."""
    event = await ahead(sale=DAY)
    async with writing() as tx:
        (await world.only_type(tx, event)).sale_to = clock.now() + DAY + timedelta(hours=12)
        await world.ticket_type(tx, event, name="Late", sale_from=clock.now() + 4 * DAY)
    return event, await asked(event, confirmed=confirmed)


async def told_of_the_next(event: Event, moment: time_machine.Traveller) -> bool:
    """Whether Carol hears of the second opening, when it is three days later and old addresses were forgotten each day."""
    before = len(await opened())
    for _day in range(3):
        await privacy.forget()
        moment.shift(DAY)
    return len(await opened()) > before


async def test_who_asks_again_after_an_opening_waits_for_the_next_one(database: Database, moment: time_machine.Traveller) -> None:
    event, _first = await opening_twice()
    moment.shift(DAY)
    assert await opened() == [("sale", f"mail:{CAROL}")]
    moment.shift(timedelta(hours=13))
    await asked(event)
    assert await told_of_the_next(event, moment)


async def test_who_says_yes_after_an_opening_waits_for_the_next_one(database: Database, moment: time_machine.Traveller) -> None:
    event, reminder = await opening_twice(confirmed=False)
    moment.shift(DAY)
    assert await opened() == []
    moment.shift(timedelta(hours=13))
    async with writing() as tx:
        await reminding.confirm(tx, reminder, now=clock.now())
    assert await told_of_the_next(event, moment)


async def test_a_reminder_that_has_done_its_work_is_asked_for_anew_and_not_prolonged_by_strangers(
    database: Database, moment: time_machine.Traveller
) -> None:
    event, _reminder = await opening_twice()
    await asked(event, confirmed=False)
    async with reading() as db:
        assert len(await reminders.asked(db, event.id or 0)) == 1, "before the opening her yes stays a yes"
    moment.shift(DAY)
    await opened()
    moment.shift(timedelta(hours=13))
    # Mallory types Carol's address: she is asked, and hears nothing more when she does not answer.
    await asked(event, confirmed=False)
    assert not await told_of_the_next(event, moment)
