"""A manager copies an event: the copy knows what the form knew, a month later, and nothing of what happened."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from sqlmodel import col, select

from app.accounts.models import Visitor
from app.bookings import actions as bookings
from app.bookings import queries as booking_queries
from app.core import clock
from app.core.activity import Activity
from app.core.db import Database, reading, writing
from app.events import queries
from app.events.actions import copying as actions
from app.events.models import Event, Question, Quota, TicketType
from app.events.rules import copying
from app.events.rules.snapshots import EVENT_FIELDS, TYPE_FIELDS, UNSHOWN_OF_TYPE
from tests import world

Client = httpx.AsyncClient
SignIn = Callable[[Client, Any], Awaitable[None]]
pytestmark = pytest.mark.usefixtures("moment")
ROME = ZoneInfo("Europe/Rome")


async def sold_event(tx: Any, **columns: Any) -> Event:
    """An event with everything: a quota, a question, an access code, a pre-sale, and places that somebody holds."""
    event = await world.event(tx, picture="A" * 22 + ".webp", refund_hours=24, minimum_age=16, **columns)
    kind = await world.only_type(tx, event)
    quota = Quota(event_id=event.id or 0, name="Hall", capacity=80)
    tx.add(quota)
    await tx.flush()
    kind.quota_id, kind.presale_from, kind.sale_from = quota.id, clock.now() - timedelta(days=1), clock.now() + timedelta(days=7)
    await bookings.replace_code(tx, kind.id or 0, was="", code="SECRET", by=None)
    await world.question(tx, event, "How do you come?", is_required=True)
    await world.question(tx, event, "Why?", ended_at=clock.now())
    return event


async def test_a_copy_knows_what_the_form_knew_and_nothing_of_what_happened(database: Database) -> None:
    async with writing() as tx:
        bob = await world.bob(tx)
        event = await sold_event(tx)
        kind = await world.only_type(tx, event)
        visitor = Visitor(bob.id, bob.email, bob.name, "user", key="bobs-browser")
        await bookings.hold(tx, event, {kind.id or 0: 2}, by=visitor, now=clock.now(), access_code="SECRET")
    async with writing() as tx:
        made = await actions.duplicate(tx, event, by=event.manager_id, now=clock.now())
        await bookings.copy_codes(tx, event, made.types, by=event.manager_id)
    async with reading() as db:
        copy = await queries.by_slug(db, "nine-pianos-2")
        assert copy
        assert copying.copied(copy, copying.COPIED) == copying.copied(event, copying.COPIED)
        assert (copy.state, copy.submitted_at, copy.published_at, copy.version) == ("draft", None, None, 1)
        assert copy.saved_sections == "tickets page access"
        assert copy.starts_at - event.starts_at == timedelta(days=28)
        [new] = await queries.ticket_types(db, copy.id)
        assert (new.price_minor, new.capacity, new.held, new.sold, new.presale_taken) == (1800, 100, 0, 0, 0)
        assert event.starts_at - kind.sale_from == copy.starts_at - new.sale_from
        assert new.quota_id not in (None, kind.quota_id)
        quota = (await db.exec(select(Quota).where(Quota.id == new.quota_id))).one()
        assert (quota.event_id, quota.name, quota.capacity, quota.held) == (copy.id, "Hall", 80, 0)
        asked = (await db.exec(select(Question).where(Question.event_id == copy.id))).all()
        assert [(question.label, question.is_required) for question in asked] == [("How do you come?", True)]
        assert await booking_queries.access_codes(db, copy.id or 0) == {new.id: "SECRET"}
        written = (await db.exec(select(Activity).where(Activity.about == f"event:{copy.id}"))).one()
        assert (written.kind, written.details) == ("event.copied", {"source": event.id})


def test_every_column_is_taken_over_moved_or_begun_anew() -> None:
    """Whoever adds a column to an event or a ticket type says here what a copy has in it."""
    of_event = [*copying.COPIED, *copying.MOVED, *copying.ANEW]
    assert sorted(of_event) == sorted(Event.__table__.columns.keys())  # type: ignore[attr-defined]
    of_type = [*copying.COPIED_OF_TYPE, *copying.MOVED_OF_TYPE, *(UNSHOWN_OF_TYPE - {"position"})]
    assert sorted(of_type) == sorted(TicketType.__table__.columns.keys())  # type: ignore[attr-defined]
    # What a manager can read in the form is in the copy.
    assert (set(EVENT_FIELDS) - {"category", "venue"}) <= {*copying.COPIED, *copying.MOVED}
    assert set(TYPE_FIELDS) <= {*copying.COPIED_OF_TYPE, *copying.MOVED_OF_TYPE}


def event_at(starts: str, *, hours: float = 3) -> Event:
    starts_at = datetime.fromisoformat(starts).replace(tzinfo=ROME).astimezone(UTC)
    return Event(
        slug="", manager_id=0, category_id=0, title="", starts_at=starts_at, ends_at=starts_at + timedelta(hours=hours),
        created_at=starts_at,
    )  # fmt: skip


def on_the_wall(moment: Any) -> str:
    return f"{moment.astimezone(ROME):%Y-%m-%d %H:%M}"


def test_a_copy_keeps_the_time_on_the_wall_across_a_change_of_clocks() -> None:
    event = event_at("2026-10-10 20:30")
    event.doors_at = event.starts_at - timedelta(hours=1)
    moved = {name: on_the_wall(moment) for name, moment in copying.moved_event(event, days=28).items() if moment}
    assert moved == {"starts_at": "2026-11-07 20:30", "ends_at": "2026-11-07 23:30", "doors_at": "2026-11-07 19:30"}


def test_hours_that_clocks_skip_or_show_twice_are_found() -> None:
    skipped = copying.placed(datetime.fromisoformat("2027-03-28 02:30"), "Europe/Rome")
    assert (on_the_wall(skipped.moment), skipped.oddity) == ("2027-03-28 03:30", "skipped")
    twice = copying.placed(datetime.fromisoformat("2026-10-25 02:30"), "Europe/Rome")
    assert (twice.moment, twice.oddity) == (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "twice")
    assert copying.placed(datetime.fromisoformat("2026-10-25 03:30"), "Europe/Rome").oddity == ""


def test_a_change_of_clocks_turns_nothing_round() -> None:
    """From half past two to three, on a night that has no hour between two and three."""
    event = event_at("2027-02-28 02:30", hours=0.5)
    kind = TicketType(event_id=0, name="", price_minor=0, capacity=1, sale_from=event.starts_at, sale_to=event.ends_at)
    moved, windows = copying.moved_event(event, days=28), copying.moved_type(kind, event, days=28)
    assert (on_the_wall(moved["starts_at"]), on_the_wall(moved["ends_at"])) == ("2027-03-28 03:30", "2027-03-28 04:00")
    assert (windows["sale_from"], windows["sale_to"]) == (moved["starts_at"], moved["ends_at"])


def test_a_copy_of_a_past_event_takes_place_in_four_weeks() -> None:
    now = datetime(2026, 11, 16, 12, tzinfo=UTC)
    assert copying.days_ahead(event_at("2026-12-01 20:00"), now) == 28
    long_ago = event_at("2025-11-16 20:00")
    moved = copying.moved_event(long_ago, days=copying.days_ahead(long_ago, now))
    assert on_the_wall(moved["starts_at"]) == "2026-12-14 20:00"


async def test_alice_copies_a_rejected_draft_from_its_page(client: Client, sign_in: SignIn) -> None:
    async with writing() as tx:
        alice = await world.alice(tx)
        unsent: dict[str, Any] = {"state": "draft", "published_at": None, "submitted_at": None}
        event = await world.event(tx, rejected_at=clock.now(), publish_at=clock.now() - timedelta(days=60), **unsent)
    await sign_in(client, alice)
    desk = f"/manager/events/{event.slug}"
    assert (await client.get(desk)).text.count("Copy to a new draft") == 1
    answer = await client.post(f"{desk}/copy")
    assert (answer.status_code, answer.headers["location"]) == (303, "/manager/events/nine-pianos-2/edit")
    assert "Choose its date under Basics" in (await client.get(answer.headers["location"])).text
    async with reading() as db:
        copy = await queries.by_slug(db, "nine-pianos-2")
    assert copy
    assert (copy.title, copy.rejected_at, copy.publish_at) == ("Nine Pianos", None, None)


async def test_only_a_second_copy_on_the_same_day_gets_another_title(client: Client, sign_in: SignIn) -> None:
    async with writing() as tx:
        alice = await world.alice(tx)
        event = await world.event(tx)
    await sign_in(client, alice)
    for _round in range(2):
        await client.post(f"/manager/events/{event.slug}/copy")
    async with reading() as db:
        titles = (await db.exec(select(Event.title).order_by(col(Event.id)))).all()
    assert titles == ["Nine Pianos", "Nine Pianos", "Nine Pianos (copy)"]
    assert copying.copied_title("x" * 120, "(copy)") == "x" * 113 + " (copy)"
