"""Alice puts an event on further dates: she looks at them first, each becomes an event of its own, and one page has them all."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest
import time_machine
from sqlmodel import select

from app.accounts.actions import managers
from app.bookings import actions as bookings
from app.bookings import queries as booking_queries
from app.bookings import repeating as making
from app.core import clock
from app.core.activity import Activity
from app.core.db import Database, reading, writing
from app.core.errors import Refused
from app.core.jobs import Job
from app.events import queries
from app.events.actions import drafting, waiting
from app.events.models import Event
from app.events.rules import repeating
from app.events.series import Series
from app.notifications.models import Notification
from app.worker import Worker
from tests import world
from tests.events.repeating import FIRST, TODAY, UNSENT, WEEKS, all_events, mark_in, repeated

Client = httpx.AsyncClient
SignIn = Callable[[Client, Any], Awaitable[None]]
pytestmark = pytest.mark.usefixtures("moment")


# ---------- the days ----------


@pytest.mark.parametrize(
    ("every", "times", "until", "expected"),
    [
        ("day", 2, None, ["2026-12-15", "2026-12-16"]),
        ("week", None, date(2026, 12, 29), ["2026-12-21", "2026-12-28"]),
        ("two_weeks", 2, None, ["2026-12-28", "2027-01-11"]),
        ("month", 3, None, ["2027-01-14", "2027-02-14", "2027-03-14"]),
        ("week", 9, date(2026, 12, 21), ["2026-12-21"]),
    ],
)
def test_a_rule_names_its_days(every: str, times: int | None, until: date | None, expected: list[str]) -> None:
    assert [str(day) for day in repeating.days(every, FIRST, after=TODAY, times=times, until=until)] == expected


def test_a_month_without_the_day_is_left_out_and_days_that_are_over_do_not_count() -> None:
    found = repeating.days("month", date(2026, 8, 31), after=TODAY, times=3, until=None)
    assert [str(day) for day in found] == ["2026-12-31", "2027-01-31", "2027-03-31"]


def test_more_than_sixty_dates_are_refused() -> None:
    with pytest.raises(Refused, match="60 dates"):
        repeating.days("day", FIRST, after=TODAY, times=None, until=date(2027, 12, 31))
    with pytest.raises(Refused, match="60 dates"):
        repeating.typed("\n".join(str(FIRST + timedelta(days=number)) for number in range(61)), after=TODAY)


def test_a_typed_list_is_put_in_order_and_the_first_wrong_line_is_named() -> None:
    assert repeating.typed("2026-12-24\n\n 2026-12-20 \n2026-12-24", after=TODAY) == [date(2026, 12, 20), date(2026, 12, 24)]
    for wrong, sentence in (("24.12.2026", "no date"), ("2026-02-30", "no date"), ("2026-11-16", "not ahead")):
        with pytest.raises(Refused, match=sentence):
            repeating.typed(f"2026-12-20\n{wrong}", after=TODAY)


def test_the_time_on_the_wall_stays_and_odd_hours_are_said() -> None:
    starts_at = datetime(2027, 3, 21, 1, 30, tzinfo=UTC)
    event = Event(slug="", manager_id=0, category_id=0, title="", starts_at=starts_at, ends_at=starts_at, created_at=starts_at)
    week, autumn = date(2027, 3, 28), date(2027, 10, 31)
    skipped, twice, there = repeating.planned(event, [week, autumn, date(2027, 4, 4)], {datetime(2027, 4, 4, 0, 30, tzinfo=UTC)})
    assert skipped.said(event.zone) == "Clocks skip this hour on that day, so it starts at 03:30."
    assert twice.said(event.zone) == "Clocks show 02:30 twice on that day; it starts the first time."
    assert "has this date already" in there.said(event.zone)


# ---------- the dates ----------


async def test_each_date_is_an_event_of_its_own_and_all_are_one_series(database: Database) -> None:
    async with writing() as tx:
        await world.dora(tx)
        event = await world.event(tx, has_exit=True, **UNSENT)
        await bookings.replace_code(tx, (await world.only_type(tx, event)).id or 0, was="", code="SECRET", by=None)
    assert await repeated(event, WEEKS) == 3
    # Whoever presses the button twice gets nothing twice.
    assert await repeated(event, WEEKS) == 0
    found = await all_events()
    assert [found[number].starts_at - event.starts_at for number in range(4)] == [timedelta(days=7 * n) for n in range(4)]
    assert {(date.state, date.saved_sections, date.has_exit, date.title) for date in found} == {
        ("draft", "basics tickets page access", True, "Nine Pianos")
    }
    assert len({date.slug for date in found}) == 4
    async with reading() as db:
        [series] = (await db.exec(select(Series))).all()
        assert {date.series_id for date in found} == {series.id}
        assert list((await booking_queries.access_codes(db, found[3].id or 0)).values()) == ["SECRET"]
        assert (series.slug, series.title, series.manager_id) == ("nine-pianos", "Nine Pianos", event.manager_id)


async def test_two_who_press_at_once_make_each_date_once(database: Database) -> None:
    async with writing() as tx:
        event = await world.event(tx, **UNSENT)
    assert sorted(await asyncio.gather(repeated(event, WEEKS), repeated(event, WEEKS))) == [0, 3]
    assert len(await all_events()) == 4


async def test_without_the_lock_one_of_two_who_press_at_once_fails(
    postgresql_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control."""

    async def nobody_waits(*_args: object) -> None:
        await asyncio.sleep(0.02)

    async with writing() as tx:
        event = await world.event(tx, **UNSENT)
    await repeated(event, [FIRST + timedelta(days=1)])
    monkeypatch.setattr(waiting, "lock", nobody_waits)
    for number in range(2, 12):
        days = [FIRST + timedelta(days=number)]
        outcomes = await asyncio.gather(repeated(event, days), repeated(event, days), return_exceptions=True)
        if sorted(map(str, outcomes)) != ["0", "1"]:
            return
    pytest.fail("the lock is not what lets them take turns")


async def test_repeats_of_what_was_approved_are_sent_and_a_trusted_managers_are_out(database: Database) -> None:
    async with writing() as tx:
        await world.dora(tx)
        alice = await world.alice(tx)
        event = await world.event(tx)
    await repeated(event, WEEKS[:2])
    assert [found.state for found in await all_events()] == ["published", "submitted", "submitted"]
    async with writing() as tx:
        await managers.trust(tx, alice, by=(await world.dora(tx)).id or 0, now=clock.now())
    await repeated(event, WEEKS[2:])
    assert (await all_events())[-1].state == "published"


async def test_a_series_tells_people_once(database: Database) -> None:
    async with writing() as tx:
        await world.dora(tx)
        event = await world.event(tx)
    await repeated(event, WEEKS)
    await Worker().run_until_idle()
    async with reading() as db:
        told = (await db.exec(select(Notification.kind))).all()
        acts = (await db.exec(select(Activity.kind).where(Activity.kind == "event.submitted"))).all()
    assert (list(told), len(acts)) == (["event_submitted"], 3)


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"state": "submitted"}, "An admin looks at this event"),
        ({"state": "called_off"}, "This event is closed"),
        ({"state": "draft", "rejected_at": datetime(2026, 11, 1, tzinfo=UTC)}, "This event is closed"),
    ],
)
async def test_what_is_closed_is_not_repeated(sqlite_database: Database, columns: dict[str, Any], sentence: str) -> None:
    async with writing() as tx:
        event = await world.event(tx, **columns)
    with pytest.raises(Refused, match=sentence):
        await repeated(event, WEEKS)


async def test_a_series_goes_with_its_last_date(sqlite_database: Database) -> None:
    async with writing() as tx:
        event = await world.event(tx, **UNSENT)
    await repeated(event, WEEKS[:1])
    for found, left in zip(await all_events(), (1, 0), strict=True):
        async with writing() as tx:
            await drafting.delete_draft(tx, await tx.get_one(Event, found.id), by=event.manager_id)
        async with reading() as db:
            assert len((await db.exec(select(Series))).all()) == left


# ---------- many dates ----------


async def test_many_dates_are_a_job_that_goes_on_where_it_stood(client: Client, sign_in: SignIn) -> None:
    async with writing() as tx:
        alice, event = await world.alice(tx), await world.event(tx, **UNSENT)
    await sign_in(client, alice)
    answer = await look_and_make(client, event, every="day", times="30")
    assert re.fullmatch(r"/manager/jobs/[\w-]{22}", answer.headers["location"])
    assert len(await all_events()) == 1
    await Worker().run_until_idle()
    assert len(await all_events()) == 31
    page = (await client.get(answer.headers["location"])).text
    assert "Nine Pianos on further dates" in page
    assert "30 of 30" in page


async def test_a_job_stops_when_its_starter_may_not_change_the_event_any_more(sqlite_database: Database) -> None:
    async with writing() as tx:
        alice, event = await world.alice(tx), await world.event(tx, **UNSENT)
        await making.make_later(tx, event, WEEKS, by=alice.id or 0)
        alice.role = "user"
    await Worker().run_until_idle()
    async with reading() as db:
        job = (await db.exec(select(Job))).one()
    assert (job.state, len(await all_events())) == ("failed", 1)
    assert "may not change it any more" in job.error


# ---------- the pages ----------


async def look_and_make(browser: Client, event: Event, **form: str) -> httpx.Response:
    """Looks at the dates, and makes what the page has shown."""
    path = f"/manager/events/{event.slug}/repeat"
    looked = await browser.post(path, data=form | {"do": "look"})
    return await browser.post(path, data=form | {"do": "make", "seen": mark_in(looked)})


async def test_alice_looks_at_the_dates_before_they_are_made(client: Client, sign_in: SignIn) -> None:
    async with writing() as tx:
        alice, event = await world.alice(tx), await world.event(tx, **UNSENT)
    await sign_in(client, alice)
    path = f"/manager/events/{event.slug}/repeat"
    shown = await client.post(path, data={"every": "week", "times": "2", "do": "look"})
    assert shown.status_code == 200
    for words in ("2 further dates", "Monday 21 December 2026", "They become drafts", "Make 2 dates"):
        assert words in shown.text, words
    # Another rule than the one that was shown is shown first.
    other = await client.post(path, data={"every": "day", "times": "2", "do": "make", "seen": mark_in(shown)})
    assert (other.status_code, len(await all_events())) == (200, 1)
    answer = await look_and_make(client, event, every="week", times="2")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/manager/events/{event.slug}#dates")
    desk = (await client.get(f"/manager/events/{event.slug}")).text
    for words in ("2 dates made.", "3 dates of the series", "Send all 3 dates for approval"):
        assert words in desk, words


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"every": "week"}, "Say how many times, or until when"),
        ({"every": "week", "times": "61"}, "Enter a number from 1 to 60"),
        ({"every": "week", "until": "2026-12-01"}, "There is no such day ahead"),
        ({"every": "week", "until": "soon"}, "Enter a date such as"),
        ({"every": "dates"}, "Enter the days"),
        ({"every": "dates", "days": "tomorrow"}, "is no date such as"),
        ({"every": "year", "times": "3"}, "Not a valid choice"),
    ],
)
async def test_a_wrong_rule_is_said_at_its_field(client: Client, sign_in: SignIn, form: dict[str, str], sentence: str) -> None:
    async with writing() as tx:
        alice, event = await world.alice(tx), await world.event(tx, **UNSENT)
    await sign_in(client, alice)
    answer = await client.post(f"/manager/events/{event.slug}/repeat", data=form)
    assert answer.status_code == 422
    assert "There is a problem" in answer.text
    assert sentence in answer.text


async def test_the_page_of_a_series_lists_its_coming_dates_with_how_they_stand(
    client: Client, sign_in: SignIn, moment: time_machine.Traveller
) -> None:
    async with writing() as tx:
        event, dora = await world.event(tx, capacity=50), await world.dora(tx)
    await repeated(event, WEEKS, by=dora.id)
    async with writing() as tx:
        found = [await tx.get_one(Event, row.id) for row in await all_events()]
        kind = await world.only_type(tx, found[1])
        kind.sold = kind.capacity
        found[2].state, found[2].called_off_at = "called_off", clock.now()
    page = (await client.get("/series/nine-pianos")).text
    assert "4 dates" in page
    rows = [re.sub(r"<[^>]+>", " ", row) for row in page.split("<li>")]
    for day, word in (("14 December", "Places free"), ("21 December", "Sold out"), ("28 December", "Cancelled")):
        assert any(day in row and word in row for row in rows), (day, word)
    own = (await client.get(f"/events/{event.slug}")).text
    assert 'href="/series/nine-pianos"' in own
    # Neither itself nor the one that was called off.
    assert re.findall(r'href="/events/nine-pianos-\d+"><time[^>]*>([^<]+)', own) == ["Mon 21 Dec, 13:00", "Mon 4 Jan 2027, 13:00"]
    moment.shift(timedelta(days=90))
    assert "No date is ahead" in (await client.get("/series/nine-pianos")).text


async def test_an_event_is_not_like_another_date_of_itself(sqlite_database: Database) -> None:
    async with writing() as tx:
        event, dora = await world.event(tx), await world.dora(tx)
        await world.event(tx, title="Ten Pianos")
    await repeated(event, WEEKS, by=dora.id)
    async with reading() as db:
        found = await queries.event_page(db, event.slug, watcher=queries.NOBODY, now=clock.now())
    assert found
    assert [card.title for card in found.similar] == ["Ten Pianos"]
