"""Filters are links that can be combined and taken away; the list comes by time, as a month, by distance, or of what is over."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import event as happening

from app.core import clock
from app.core.db import reading, writing
from app.events import filters, listing, monthly
from app.events.rules.searching import FAR, Search, box, km, search_from
from tests import world

Client = httpx.AsyncClient
PART = {"HX-Request": "true", "HX-Request-Type": "partial"}

LYON, VILLEURBANNE, GENEVA, SAINT_ETIENNE = (45.76, 4.84), (45.77, 4.88), (46.2, 6.14), (45.44, 4.39)


async def found(search: Search) -> list[str]:
    async with reading() as db:
        facets = await filters.facets(db, clock.now())
        results = await listing.search(db, search, now=clock.now(), facets=facets)
        return [card.title for card in results.cards]


@pytest.mark.usefixtures("database", "moment")
async def test_prices_up_to_an_amount_and_places_that_are_left() -> None:
    async with writing() as tx:
        await world.event(tx, title="Dear", price_minor=6000)
        await world.event(tx, title="Fifty", price_minor=5000)
        await world.event(tx, title="Yen", price_minor=50, currency="JPY")
        full = await world.event(tx, title="Full", capacity=3, price_minor=0)
        (await world.only_type(tx, full)).sold = 3
        waited = await world.event(tx, title="Waited for", capacity=3, price_minor=0)
        (await world.only_type(tx, waited)).waiting = 3
        later = await world.event(tx, title="Later", price_minor=0)
        (await world.only_type(tx, later)).sale_from = clock.now() + timedelta(days=1)
        early = await world.event(tx, title="Pre-sale", price_minor=0)
        kind = await world.only_type(tx, early)
        kind.presale_from, kind.sale_from = clock.now() - timedelta(days=1), clock.now() + timedelta(days=1)
    assert await found(Search(price="50")) == ["Fifty", "Yen", "Full", "Waited for", "Later", "Pre-sale"]
    assert await found(Search(price="49")) == ["Full", "Waited for", "Later", "Pre-sale"]
    assert await found(Search(price="50", places="1")) == ["Fifty", "Yen", "Pre-sale"]
    assert await found(Search(price="free", places="1")) == ["Pre-sale"]


@pytest.mark.usefixtures("database", "moment")
async def test_tomorrow_is_a_day_where_most_events_take_place() -> None:
    noon = clock.now()
    async with writing() as tx:
        await world.event(tx, title="Tonight", starts_at=noon + timedelta(hours=8))
        await world.event(tx, title="After midnight", starts_at=noon + timedelta(hours=11, minutes=30))
        await world.event(tx, title="Tomorrow", starts_at=noon + timedelta(days=1))
        await world.event(tx, title="The day after", starts_at=noon + timedelta(days=2))
    assert await found(Search(when="tomorrow")) == ["After midnight", "Tomorrow"]


@pytest.mark.usefixtures("database", "moment")
async def test_what_is_over_stands_in_the_archive_the_last_one_first() -> None:
    async with writing() as tx:
        for days in (400, 3, 30):
            await world.event(tx, title=f"{days} days ago", starts_at=clock.now() - timedelta(days=days))
        await world.event(tx, title="Called off", state="called_off", starts_at=clock.now() - timedelta(days=5))
        await world.event(tx, title="Running", starts_at=clock.now() - timedelta(hours=1))
        await world.event(tx, title="Postponed", starts_at=clock.now() - timedelta(days=1), postponed_at=clock.now())
        await world.event(tx, title="Draft", state="draft", starts_at=clock.now() - timedelta(days=1), published_at=None)
        await world.event(tx, title="Ahead")
    assert await found(Search(when="past")) == ["3 days ago", "Called off", "30 days ago", "400 days ago"]
    assert await found(Search(when="past", q="400")) == ["400 days ago"]
    assert await found(Search()) == ["Running", "Ahead"]


@pytest.mark.usefixtures("database", "moment")
async def test_near_a_city_the_nearest_comes_first_and_says_how_far_it_is() -> None:
    async with writing() as tx:
        places = {"Lyon": LYON, "Villeurbanne": VILLEURBANNE, "Genève": GENEVA, "Saint-Étienne": SAINT_ETIENNE}
        for ahead, (city, (north, east)) in enumerate(places.items()):
            venue = await world.venue(tx, f"Hall of {city}", city=city)
            venue.latitude, venue.longitude = north, east
            await world.event(tx, title=city, venue_id=venue.id, starts_at=clock.now() + timedelta(days=9 - ahead))
        unknown = await world.venue(tx, "Somewhere", city="Lyon")
        await world.event(tx, title="Nobody knows where", venue_id=unknown.id)
    assert await found(Search(near="Lyon")) == ["Lyon", "Villeurbanne", "Saint-Étienne"]
    assert await found(Search(near="Genève")) == ["Genève", "Villeurbanne"]
    assert await found(Search(near="Atlantis")) == []
    async with reading() as db:
        facets = await filters.facets(db, clock.now())
        results = await listing.search(db, Search(near="Lyon"), now=clock.now(), facets=facets)
    assert [card.km for card in results.cards] == [0, 3, 50]


def test_distances_hold_on_the_globe() -> None:
    # Great circles by hand: Lyon to Geneva 112 km, to Saint-Étienne 50 km.
    assert (km(LYON, GENEVA), km(LYON, SAINT_ETIENNE)) == (112, 50)
    (south, north), (west, east) = box(LYON)
    assert [km(LYON, corner) for corner in ((south, LYON[1]), (north, LYON[1]), (LYON[0], west), (LYON[0], east))] == [FAR] * 4
    assert box((90.0, 0.0))


@pytest.mark.usefixtures("database", "moment")
async def test_a_month_has_each_event_on_its_day_where_it_takes_place() -> None:
    noon = clock.now()
    async with writing() as tx:
        for number in range(5):
            await world.event(tx, title=f"Night {number}", starts_at=noon + timedelta(days=2, hours=number))
        # Half past eleven in the evening there is the next day in Turin, and of the next month.
        await world.event(
            tx, title="New York", zone="America/New_York", starts_at=noon.replace(month=12, day=1, hour=4, minute=30)
        )
        await world.event(tx, title="Past", starts_at=noon - timedelta(days=15))
        await world.event(tx, title="December", starts_at=noon.replace(month=12, day=9))
        await world.event(tx, title="Hidden", state="draft", published_at=None, starts_at=noon + timedelta(days=2))
    async with reading() as db:
        november = await monthly.month(db, Search(view="month"), zone="Europe/Rome", now=noon)
        december = await monthly.month(db, Search(view="month", month="2026-12", q="december"), zone="Europe/Rome", now=noon)
    days = {day.date.day: day for week in november.weeks for day in week if day and day.events}
    assert {day: len(found.events) for day, found in days.items()} == {1: 1, 18: 5, 30: 1}
    assert ([event.title for event in days[18].shown], days[18].more) == (["Night 0", "Night 1", "Night 2"], 2)
    assert days[30].shown[0].title == "New York"
    assert (november.before, november.after, november.total) == ("2026-10", "2026-12", 7)
    assert all(len(week) == 7 for week in november.weeks)
    assert (december.total, december.first.month) == (1, 12)


async def test_the_table_of_a_month_can_be_read_aloud(client: Client, moment: Any) -> None:
    async with writing() as tx:
        for number in range(4):
            await world.event(tx, title=f"Night {number}", starts_at=clock.now() + timedelta(days=2))
    text = (await client.get("/events?view=month&category=music")).text
    assert "November 2026" in text
    assert text.count('<th scope="col">') == 7
    assert '<abbr title="Monday">Mon</abbr>' in text
    assert 'href="/events?category=music&amp;view=month&amp;month=2026-12" rel="next nofollow"' in text
    assert 'href="/events?category=music&amp;since=2026-11-18&amp;until=2026-11-18">1 more' in text
    assert "4 events found" in text
    empty = (await client.get("/events?view=month&month=2027-05")).text
    assert "No events in this month" in empty
    assert 'rel="next' not in (await client.get("/events?view=month&month=2028-11")).text


async def test_a_filter_of_days_or_distance_leaves_the_month(client: Client, moment: Any) -> None:
    async with writing() as tx:
        await world.event(tx)
    for asked in ("when=tonight", "when=past", "near=Lyon", "since=2027-01-01", "until=2026-11-30"):
        text = (await client.get(f"/events?{asked}&view=month&month=2026-12")).text
        assert "Nine Pianos" not in text and "<table" not in text, asked
        assert text.count("(remove this filter)") == 1, asked


async def test_who_searches_among_what_is_over_stays_there(client: Client, moment: Any) -> None:
    async with writing() as tx:
        await world.event(tx, title="Last Summer", starts_at=clock.now() - timedelta(days=90))
    archive = (await client.get("/events?when=past")).text
    assert '<option value="past" selected>Past events</option>' in archive
    assert "Last Summer" in (await client.get("/events?q=summer&when=past&category=", headers=PART)).text


async def test_the_address_for_search_engines_is_one_that_is_there(client: Client, moment: Any) -> None:
    async with writing() as tx:
        await world.event(tx)
    for asked, known in (("city=Turin", "/cities/turin"), ("city=Nowhere", "/events"), ("category=none", "/events")):
        text = (await client.get(f"/events?{asked}")).text
        assert f'<link rel="canonical" href="http://testserver.local{known}">' in text, asked


async def test_every_active_filter_is_a_link_that_takes_it_away(client: Client, moment: Any) -> None:
    async with writing() as tx:
        await world.event(tx)
    asked = "q=pianos&category=music&city=Turin&since=2026-12-01&until=2026-12-31&price=30&places=1"
    text = (await client.get(f"/events?{asked}")).text
    for taken in ("q=pianos", "category=music", "city=Turin", "since=2026-12-01", "until=2026-12-31", "price=30", "places=1"):
        rest = "&amp;".join(part for part in asked.split("&") if part != taken)
        assert f'<a class="chip" href="/events?{rest}" aria-current="true">' in text, taken
    assert text.count("(remove this filter)") == 7
    part = await client.get(f"/events?{asked}", headers=PART)
    assert part.headers["HX-Push-Url"] == f"/events?{asked}"
    assert part.text.count("(remove this filter)") == 7
    assert 'hx-swap-oob="innerHTML:#found">1 event found' in part.text


async def test_cards_stand_under_headings_of_time(client: Client, moment: Any) -> None:
    async with writing() as tx:
        for days in (1, 9, 30, 60):
            await world.event(tx, title=f"In {days} days", starts_at=clock.now() + timedelta(days=days))
        await world.event(tx, title="Over", starts_at=clock.now() - timedelta(days=30))
    text = (await client.get("/events")).text
    assert [text.index(f">{words}</h2>") for words in ("This week", "Next week", "December 2026", "January 2027")] == sorted(
        text.index(f">{words}</h2>") for words in ("This week", "Next week", "December 2026", "January 2027")
    )
    assert ">October 2026</h2>" in (await client.get("/events?when=past")).text


async def test_an_empty_category_offers_to_tell_about_new_events(client: Client, moment: Any) -> None:
    async with writing() as tx:
        await world.category(tx)
    text = (await client.get("/events?category=music")).text
    assert "Clear filters" in text
    assert "we tell you about its new events" in text
    await client.post("/categories/music/favourite")
    assert "we tell you about its new events" not in (await client.get("/events?category=music")).text


def test_what_makes_no_sense_in_an_address_counts_as_absent() -> None:
    odd = {"price": "0", "places": "2", "view": "week", "month": "2026-12", "when": "never", "near": "\x00"}
    assert search_from(odd).is_empty
    assert search_from({"view": "month", "month": "2026-13"}).month == ""
    assert search_from({"price": "999999"}).price == ""


async def test_an_admin_fills_in_where_a_venue_lies(client: Client, moment: Any, sign_in: Callable[..., Any]) -> None:
    async with writing() as tx:
        dora, venue = await world.dora(tx), await world.venue(tx)
        await world.event(tx)
    await sign_in(client, dora)
    values = {"name": venue.name, "address": venue.address, "city": venue.city}
    wrong = [("45.07", ""), ("", "7.69"), ("north", "7.69"), ("91", "7.69"), ("45.07", "181"), ("nan", "inf"), ("1e1", "1")]
    for north, east in wrong:
        answer = await client.post(f"/admin/venues/{venue.id}", data=values | {"latitude": north, "longitude": east})
        assert answer.status_code == 422, (north, east)
    right = await client.post(f"/admin/venues/{venue.id}", data=values | {"latitude": "45,07", "longitude": "-7.69"})
    assert right.status_code == 303
    assert 'value="45.07"' in (await client.get(f"/admin/venues/{venue.id}")).text
    assert "<option>Turin</option>" in (await client.get("/events")).text.split('id="near"')[1]


@pytest.mark.parametrize(
    "query", ["view=month", "view=month&month=2027-01&q=night", "near=Turin", "when=past", "places=1&price=30"]
)
async def test_every_kind_of_list_takes_three_queries(client: Client, moment: Any, sqlite_database: Any, query: str) -> None:
    async with writing() as tx:
        venue = await world.venue(tx)
        venue.latitude, venue.longitude = LYON
        for number in range(3):
            await world.event(tx, title=f"Night {number}")
            await world.event(tx, title=f"Past {number}", starts_at=clock.now() - timedelta(days=9))
    counted: list[str] = []

    def count(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "WITH")):
            counted.append(statement)

    happening.listen(sqlite_database.reader.sync_engine, "before_cursor_execute", count)
    assert (await client.get(f"/events?{query}")).status_code == 200
    assert 0 < len(counted) <= 3, counted


@pytest.mark.usefixtures("moment")
async def test_a_list_among_many_events_walks_through_one_index(sqlite_database: Any) -> None:
    """What the database plans for the list and its filters: no event is fetched that is not shown, and nothing is sorted."""
    async with writing() as tx:
        await world.event(tx)
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_rest: Any) -> None:
        if "AS some" in statement or "WITH some" in statement:
            asked.append((statement, values))

    happening.listen(sqlite_database.reader.sync_engine, "before_cursor_execute", note)
    for search in (Search(), Search(category="music"), Search(city="Turin"), Search(q="pianos"), Search(when="week")):
        await found(search)
    happening.remove(sqlite_database.reader.sync_engine, "before_cursor_execute", note)
    assert len(asked) == 5
    async with reading() as db:
        for statement, values in asked:
            plan = await (await db.connection()).exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            lines = [row[3] for row in plan]
            walk = lines[lines.index("MATERIALIZE some") + 1 :]
            assert "COVERING INDEX ix_events_shown" in walk[0], lines
            assert not any("TEMP B-TREE FOR ORDER BY" in line for line in walk[: walk.index("SCAN some")]), lines
