"""What Alice changes at one date of a series is taken over to the coming ones, where each of them can have it."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from sqlmodel import col, select

from app.accounts.actions import managers
from app.bookings import actions as bookings
from app.bookings import queries as booking_queries
from app.bookings import spreading as actions
from app.core import clock
from app.core.activity import Activity
from app.core.db import Database, reading, writing
from app.core.jobs import Job
from app.events import dates, queries, reviews
from app.events.actions import revising, ticket_types
from app.events.flows import Done
from app.events.models import Event, TicketType
from app.events.rules.spreading import Change, change_of
from app.events.series import Series
from app.worker import Worker
from tests import world
from tests.events.forms import revise, type_wish
from tests.events.repeating import UNSENT, WEEKS, all_events, repeated

Client = httpx.AsyncClient
SignIn = Callable[[Client, Any], Awaitable[None]]
pytestmark = pytest.mark.usefixtures("moment")


async def four_dates(**columns: Any) -> Event:
    """The first of four dates of one series, all of them in the state of the first. Alice is trusted."""
    async with writing() as tx:
        alice, dora = await world.alice(tx), await world.dora(tx)
        if not alice.trusted_at:
            await managers.trust(tx, alice, by=dora.id or 0, now=clock.now())
        event = await world.event(tx, **columns)
    await repeated(event, WEEKS)
    return event


async def changed(event: Event, section: str, **columns: Any) -> None:
    """Alice saves a section of the one date."""
    async with writing() as tx:
        here = await tx.get_one(Event, event.id)
        await revising.revise(tx, here, columns, section=section, by=here.manager_id, booked=False, now=clock.now())


async def type_changed(event: Event, **values: Any) -> str:
    """Alice saves the only ticket type of the one date; its code."""
    async with writing() as tx:
        here, kind = await tx.get_one(Event, event.id), await world.only_type(tx, event)
        await ticket_types.change_type(tx, here, kind, type_wish(kind, **values), by=here.manager_id, now=clock.now())
        return kind.code


async def spread(event: Event, change: Change) -> Done:
    async with writing() as tx:
        here, now = await tx.get_one(Event, event.id), clock.now()
        targets = await dates.others_ahead(tx, here, now=now)
        return await actions.spread(tx, here, targets, change, by=here.manager_id, now=now)


async def types() -> list[TicketType]:
    async with reading() as db:
        found = await dates.parts_of(db, await all_events())
    return [kind for event in await all_events() for kind in found[event.id or 0].types]


# ---------- texts ----------


async def test_words_are_taken_over_to_every_coming_date(database: Database) -> None:
    event = await four_dates()
    async with writing() as tx:
        over = await tx.get_one(Event, (await all_events())[1].id)
        over.state, over.called_off_at = "called_off", clock.now()
    await changed(event, "basics", title="Ten Pianos", summary="One more.")
    assert await spread(event, change_of(["title", "summary"])) == Done(2, [])
    assert [found.title for found in await all_events()] == ["Ten Pianos", "Nine Pianos", "Ten Pianos", "Ten Pianos"]
    async with reading() as db:
        assert (await db.exec(select(Series.title))).one() == "Ten Pianos"
        assert (await world.words_of(db, "Ten Pianos")).count("ten pianos") == 3
        kept = (await db.exec(select(Activity).where(Activity.kind == "event.revised").order_by(col(Activity.id)))).all()
    assert [row.about for row in kept] == [f"event:{number}" for number in (event.id, *(e.id for e in (await all_events())[2:]))]


async def test_only_what_was_changed_is_taken_over(sqlite_database: Database) -> None:
    event = await four_dates(**UNSENT)
    async with writing() as tx:
        (await tx.get_one(Event, (await all_events())[2].id)).description = "With an encore."
    await changed(event, "page", hue="moss")
    await spread(event, change_of(["hue"]))
    found = await all_events()
    assert {date.hue for date in found} == {"moss"}
    assert found[2].description == "With an encore."


def test_names_that_are_no_fields_of_the_form_are_passed_over() -> None:
    assert not change_of(["manager_id", "state", "series_id", "slug", "version", "<b>"])
    assert change_of(["manager_id", "summary"]).fields == ("summary",)
    assert change_of([], code="x", type_fields=["held", "sold", "code", "event_id"]).type_fields == ()
    # One act is one section.
    assert {change_of(["summary", "access"]).section} == {"basics"}


# ---------- times ----------


async def test_times_move_on_the_own_day_of_each_date(sqlite_database: Database) -> None:
    rome = ZoneInfo("Europe/Rome")
    starts_at = datetime(2027, 3, 14, 20, tzinfo=rome)
    event = await four_dates(starts_at=starts_at, ends_at=starts_at + timedelta(hours=2), **UNSENT)
    days = [starts_at.date() + timedelta(days=number) for number in (14, 21)]
    await repeated(event, days)
    await changed(event, "basics", starts_at=starts_at + timedelta(minutes=30), ends_at=starts_at + timedelta(hours=3))
    assert (await spread(event, change_of(["starts_at"]))).refused == []
    on_the_wall = {f"{moment.astimezone(rome):%H:%M}" for date in await all_events() for moment in (date.starts_at,)}
    assert on_the_wall == {"20:30"}
    assert {f"{date.ends_at.astimezone(rome):%H:%M}" for date in await all_events()} == {"23:00"}
    async with reading() as db:
        assert len({date.starts_at.astimezone(rome).date() for date in await dates.of_series(db, 1)}) == 6


async def test_a_public_date_of_who_is_not_trusted_waits_for_an_admin(sqlite_database: Database) -> None:
    event = await four_dates()
    async with writing() as tx:
        await managers.untrust(tx, await world.alice(tx), by=(await world.dora(tx)).id or 0)
    starts = [date.starts_at for date in await all_events()]
    await changed(event, "basics", starts_at=event.starts_at + timedelta(hours=1))
    assert (await spread(event, change_of(["starts_at"]))).count == 3
    assert [date.starts_at for date in await all_events()] == starts
    async with reading() as db:
        assert len([pending for pending in await reviews.queue(db) if pending.revision]) == 4


async def test_a_date_that_refuses_is_named_and_stays_whole(database: Database) -> None:
    """Its sale begins too late for the new start; the words of the same section are not changed there either."""
    event = await four_dates()
    one = (await all_events())[2]
    async with writing() as tx:
        kind = await world.only_type(tx, one)
        kind.sale_from, kind.sale_to = one.starts_at - timedelta(minutes=10), one.starts_at
    earlier = {"starts_at": event.starts_at - timedelta(hours=1), "ends_at": event.ends_at, "summary": "Earlier."}
    await changed(event, "basics", **earlier)
    done = await spread(event, change_of(["starts_at", "summary"]))
    assert (done.count, len(done.refused)) == (2, 1)
    assert "28 Dec" in done.refused[0]
    assert "would go on sale after the event has begun" in done.refused[0]
    found = await all_events()
    assert (found[2].starts_at, found[2].summary) == (one.starts_at, one.summary)
    assert [date.summary for date in found].count("Earlier.") == 3


# ---------- prices and places ----------


async def test_fewer_places_than_a_date_has_sold_leave_it_as_it_was(database: Database) -> None:
    event = await four_dates()
    async with writing() as tx:
        (await world.only_type(tx, (await all_events())[1])).sold = 60
    code = await type_changed(event, capacity=50, price_minor=2000)
    done = await spread(event, change_of([], code=code, type_fields=["capacity", "price_minor"], was="Standard"))
    assert (done.count, len(done.refused)) == (2, 1)
    assert "60 places of Standard are taken" in done.refused[0]
    found = await types()
    assert [kind.capacity for kind in found] == [50, 100, 50, 50]
    assert [kind.price_minor for kind in found] == [2000, 1800, 2000, 2000]


async def test_a_renamed_type_is_found_by_the_name_it_had(sqlite_database: Database) -> None:
    event = await four_dates()
    async with writing() as tx:
        (await world.only_type(tx, (await all_events())[1])).name = "Balcony"
    code = await type_changed(event, name="Stalls")
    done = await spread(event, change_of([], code=code, type_fields=["name"], was="Standard"))
    assert (done.count, [sentence.split(": ")[1] for sentence in done.refused]) == (2, ["It has no ticket type Standard."])
    assert [kind.name for kind in await types()] == ["Stalls", "Balcony", "Stalls", "Stalls"]


async def test_a_presale_for_some_is_not_one_for_everybody_at_another_date(sqlite_database: Database) -> None:
    event = await four_dates()
    sale_from = clock.now() + timedelta(days=2)
    code = await type_changed(event, presale_from=clock.now(), sale_from=sale_from, needs_code=True)
    async with writing() as tx:
        await bookings.replace_code(tx, (await world.only_type(tx, event)).id or 0, was="", code="SECRET", by=None)
    await spread(event, change_of([], code=code, type_fields=["presale_from", "sale_from"], was="Standard"))
    for number, kind in enumerate(await types()):
        assert kind.needs_code
        assert kind.sale_from == sale_from + timedelta(days=7 * number)
        async with reading() as db:
            assert await booking_queries.codes_of(db, kind.id or 0) == {"SECRET"}


async def test_a_new_type_is_added_to_the_others(sqlite_database: Database) -> None:
    event = await four_dates()
    async with writing() as tx:
        here, kind = await tx.get_one(Event, event.id), await world.only_type(tx, event)
        wish = type_wish(kind, name="Gallery", capacity=20)
        added = await ticket_types.add_type(tx, here, wish, by=here.manager_id, now=clock.now())
        assert added
        code = added.code
    assert await spread(event, change_of([], code=code)) == Done(3, [])
    assert [kind.name for kind in await types()] == ["Standard", "Gallery"] * 4


# ---------- many dates, and the pages ----------


async def test_many_dates_are_changed_by_a_job_that_says_which_refused(client: Client, sign_in: SignIn) -> None:
    event = await four_dates(**UNSENT)
    await repeated(event, [WEEKS[-1] + timedelta(days=number) for number in range(1, 12)])
    async with writing() as tx:
        (await world.only_type(tx, (await all_events())[9])).sold = 60
    await sign_in(client, await _alice())
    async with reading() as db:
        kind = await world.only_type(db, event)
    path = f"/manager/events/{event.slug}/types/{kind.code}"
    form = {"name": "Standard", "price": "18.00", "capacity": "50", "per_booking": "6", "sale_from": "2026-11-15T13:00"}
    asked = await client.post(path, data=form | {"sale_to": "2026-12-14T16:00"})
    assert "/dates/change?" in asked.headers["location"]
    assert "All 14 other coming dates too" in (await client.get(asked.headers["location"])).text
    query = dict(httpx.URL(asked.headers["location"]).params)
    answer = await client.post(asked.headers["location"].split("?")[0], data=query)
    assert answer.headers["location"].startswith("/manager/jobs/")
    await Worker().run_until_idle()
    async with reading() as db:
        job = (await db.exec(select(Job).where(Job.kind == actions.JOB))).one()
    assert (job.state, job.done, len(job.said)) == ("done", 14, 1)
    assert sorted({kind.capacity for kind in await types()}) == [50, 100]
    assert "60 places of Standard are taken" in (await client.get(answer.headers["location"])).text


async def _alice() -> Any:
    async with writing() as tx:
        return await world.alice(tx)


async def test_after_saving_a_section_alice_is_asked_about_the_other_dates(client: Client, sign_in: SignIn) -> None:
    event = await four_dates()
    await sign_in(client, await _alice())
    answer = await revise(client, event.slug, "access", access="Ring the bell.", minimum_age="")
    where = answer.headers["location"]
    assert where == f"/manager/events/{event.slug}/dates/change?fields=access"
    page = (await client.get(where)).text
    for words in ("Saved.", "<strong>Access</strong>", "This date only", "All 3 other coming dates too"):
        assert words in page, words
    assert [date.access for date in await all_events()].count("Ring the bell.") == 1
    spread_out = await client.post(where.split("?")[0], data={"fields": "access"})
    assert (spread_out.status_code, spread_out.headers["location"]) == (303, f"/manager/events/{event.slug}/edit")
    assert {date.access for date in await all_events()} == {"Ring the bell."}
    # Saved once more there is nothing to ask.
    again = await revise(client, event.slug, "access", access="Ring the bell.", minimum_age="")
    assert again.headers["location"] == f"/manager/events/{event.slug}/edit"


async def test_dates_that_refuse_are_named_on_the_page(client: Client, sign_in: SignIn) -> None:
    event = await four_dates()
    one = (await all_events())[2]
    async with writing() as tx:
        there = await tx.get_one(Event, one.id)
        there.state, there.published_at = "submitted", None
    await changed(event, "access", access="Ring the bell.")
    await sign_in(client, await _alice())
    answer = await client.post(f"/manager/events/{event.slug}/dates/change", data={"fields": "access"})
    assert answer.status_code == 409
    for words in ("Taken over to 2 dates.", "28 Dec", "This event cannot be changed now."):
        assert words in answer.text, words


async def test_who_helps_with_one_date_is_not_asked_about_the_others(client: Client, sign_in: SignIn) -> None:
    event = await four_dates()
    async with writing() as tx:
        sam = await world.sam(tx)
        await world.helper(tx, event, sam, "edit")
    await sign_in(client, sam)
    answer = await revise(client, event.slug, "access", access="Ring the bell.", minimum_age="")
    assert answer.headers["location"] == f"/manager/events/{event.slug}/edit"
    refused = await client.post(f"/manager/events/{event.slug}/dates/change", data={"fields": "access"})
    assert refused.status_code == 403
    assert [date.access for date in await all_events()].count("Ring the bell.") == 1


async def test_a_public_date_does_not_lose_its_words(sqlite_database: Database) -> None:
    event = await four_dates()
    async with writing() as tx:
        here = await tx.get_one(Event, event.id)
        here.summary = ""
    done = await spread(event, change_of(["summary"]))
    assert (done.count, len(done.refused)) == (0, 3)
    async with reading() as db:
        found = await queries.by_slug(db, "nine-pianos-2")
    assert found
    assert found.summary
