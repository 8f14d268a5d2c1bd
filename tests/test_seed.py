"""The demo world: full house, honest numbers, and a second start that adds nothing."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
import time_machine
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app import seed
from app.accounts import flows, rules
from app.accounts.models import User
from app.bookings.models import Booking
from app.core import clock
from app.core.activity import Activity, ActivityWork
from app.core.db import Database, reading
from app.events import dates, queries
from app.events.models import Category, Event, TicketType
from app.notifications.actions import TOLD
from app.payments.models import Payment
from app.tables import metadata
from app.tickets.models import Ticket
from tests import invariants

SOON = timedelta(days=60)


async def counts(db: AsyncSession) -> dict[str, int]:
    return {name: (await db.exec(select(func.count()).select_from(table))).one() for name, table in metadata.tables.items()}


async def test_a_second_start_adds_nothing(database: Database):
    await seed.seed(clock.now())
    async with reading() as db:
        before = await counts(db)
    await seed.seed(clock.now() + timedelta(days=3))
    async with reading() as db:
        assert await counts(db) == before


async def test_the_weeks_ahead_are_full_in_every_category_and_city(sqlite_database: Database, moment: time_machine.Traveller):
    await seed.seed(clock.now())
    async with reading() as db:
        ahead = (
            select(Event, Category.name).join(Category, col(Category.id) == Event.category_id).where(Event.state == "published")
        )
        found = (await db.exec(ahead.where(Event.starts_at > clock.now(), Event.starts_at < clock.now() + SOON))).all()
    assert len(found) >= 35
    assert set(Counter(category for _event, category in found)) == set(seed.CATEGORIES)
    assert {event.zone for event, _category in found} == set(seed.ZONES.values())
    for start, end in ((0, 7), (7, 14), (14, 60)):
        days = [event for event, _ in found if timedelta(days=start) <= event.starts_at - clock.now() < timedelta(days=end)]
        assert len(days) >= 6


async def test_every_state_that_a_page_can_show_is_there(sqlite_database: Database, moment: time_machine.Traveller):
    await seed.seed(clock.now())
    now = clock.now()
    async with reading() as db:
        events = {event.id: event for event in (await db.exec(select(Event))).all()}
        types = [t for t in (await db.exec(select(TicketType))).all() if events[t.event_id].state == "published"]
    assert {event.state for event in events.values()} >= {"draft", "submitted", "published", "called_off"}
    assert any(event.is_over(now) for event in events.values())
    on_sale = [t for t in types if t.is_in_general_sale(now)]
    assert any(t.left == 0 for t in on_sale)
    assert any(t.price_minor == 0 for t in on_sale)
    assert any(t.capacity == 500 for t in on_sale)
    assert any(t.is_in_presale(now) and t.needs_code for t in types)
    assert any(t.is_in_presale(now) and not t.needs_code for t in types)
    assert any(not t.is_on_sale(now) and t.opens_next(now) for t in types)


async def test_one_evening_is_a_series_with_dates_that_are_out_and_dates_that_wait(
    sqlite_database: Database, moment: time_machine.Traveller
):
    await seed.seed(clock.now())
    async with reading() as db:
        series = await dates.public_series(db, "open-mic-at-the-boathouse")
        assert series
        found = await dates.of_series(db, series.id)
        [first, *others] = [await queries.ticket_types(db, date.id) for date in found]
    assert [date.state for date in found] == ["published", "published", "submitted", "submitted"]
    assert {kind.name for types in others for kind in types} == {kind.name for kind in first}
    assert {(kind.held, kind.sold) for types in others for kind in types} == {(0, 0)}


async def test_places_money_and_tickets_add_up(database: Database):
    await seed.seed(clock.now())
    async with reading() as db:
        assert await invariants.broken(db) == []
        paid = dict(
            (await db.exec(select(Booking.id, Booking.total_minor).where(Booking.state == "paid", Booking.total_minor > 0))).all()
        )
        assert dict((await db.exec(select(Payment.booking_id, Payment.captured_minor))).all()) == paid
        sold = (await db.exec(select(func.sum(TicketType.sold)))).one()
        assert (await db.exec(select(func.count()).select_from(Ticket))).one() == sold


async def test_few_people_are_told_about_the_demo_world(sqlite_database: Database):
    await seed.seed(clock.now())
    async with reading() as db:
        waiting = select(Activity).join(ActivityWork, col(ActivityWork.activity_id) == Activity.id)
        told = [found.kind for found in (await db.exec(waiting)).all() if not found.details.get("quiet")]
    assert len([kind for kind in told if kind in TOLD]) < 10


async def test_everybody_on_the_list_can_log_in(sqlite_database: Database):
    await seed.seed(clock.now())
    async with reading() as db:
        users = {user.email: user for user in (await db.exec(select(User))).all()}
    for role, email, password in seed.DEMO_LOGINS:
        assert users[email].role == role
        assert await flows.is_right(password, users[email].password_hash)
        assert not rules.password_mistake(password, email=email, role=role, site_name="EventTicket")


@pytest.mark.parametrize(
    ("on", "day"),
    [("today", 16), ("Tue", 17), ("Sun", 22), ("Mon", 23), ("Mon+1", 30), ("Sat-1", 14)],
)
def test_days_are_counted_from_tomorrow(on: str, day: int):
    monday = datetime(2026, 11, 16, 12, 0, tzinfo=UTC)
    assert seed.moment_of(on, "20:30", zone="Europe/Rome", now=monday) == datetime(2026, 11, day, 19, 30, tzinfo=UTC)


def test_tonight_is_tomorrow_when_it_is_too_late_to_buy():
    late = datetime(2026, 11, 16, 19, 0, tzinfo=UTC)
    assert seed.moment_of("today", "20:30", zone="Europe/Rome", now=late).day == 17


@pytest.mark.parametrize("day", range(7))
async def test_the_world_can_be_made_on_any_weekday_and_at_any_hour(
    sqlite_database: Database, moment: time_machine.Traveller, day: int
):
    moment.shift(timedelta(days=day, hours=day * 5))
    await seed.seed(clock.now())
    async with reading() as db:
        assert (await db.exec(sa.select(func.count()).select_from(Event))).scalar_one() > 40
