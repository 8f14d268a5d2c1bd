"""Categories, venues, cities and managers have pages with what is ahead and what is over, as soon as something is public."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import event as happening
from sqlmodel import select

from app.accounts.models import User
from app.core import clock
from app.core.db import reading, writing
from app.events import listing, topics
from app.events.actions import arranging
from app.events.models import Venue
from app.events.series import Series
from tests import world

Client = httpx.AsyncClient
PART = {"HX-Request": "true", "HX-Request-Type": "partial"}


@pytest.fixture
async def alice(moment: Any, sqlite_database: Any) -> User:
    """She has one event ahead, one that is over, one that was called off, and a draft, all in Turin."""
    now = clock.now()
    async with writing() as tx:
        alice = await world.alice(tx)
        await world.event(tx, title="Nine Pianos")
        await world.event(tx, title="Last Summer", starts_at=now - timedelta(days=90))
        await world.event(tx, title="Called Off", state="called_off", called_off_at=now)
        await world.event(tx, title="Secret Plan", state="draft", published_at=None)
        lyon = await world.venue(tx, "Théâtre du Quai", city="Lyon")
        await world.event(tx, title="Elsewhere", venue_id=lyon.id, category_id=(await world.category(tx, "Film")).id)
    return alice


async def pages_of(alice: User) -> dict[str, str]:
    async with reading() as db:
        venue = (await db.exec(select(Venue).where(Venue.city == "Turin"))).one()
    return {
        "/categories/music": "Music",
        venue.path: "Teatro Baretti",
        "/cities/turin": "What’s on in Turin",
        f"/managers/{alice.code}": "Events by Alice",
    }


async def test_each_topic_has_a_page_with_what_is_ahead_and_what_is_over(client: Client, alice: User) -> None:
    for path, heading in (await pages_of(alice)).items():
        answer = await client.get(path)
        assert answer.status_code == 200, path
        assert f'<h1 id="h">{heading}</h1>' in answer.text, path
        ahead, past = answer.text.split("Past events")
        assert "Nine Pianos" in ahead and "Last Summer" not in ahead, path
        assert "Last Summer" in past, path
        assert "Secret Plan" not in answer.text, path
        assert ("Elsewhere" in answer.text) == path.startswith("/managers/"), path
        assert f'<link rel="canonical" href="http://testserver.local{path}">' in answer.text
        for ending, kind in (("atom", "application/atom+xml"), ("ics", "text/calendar")):
            assert f'<link rel="alternate" type="{kind}"' in answer.text
            assert (await client.get(f"{path}.{ending}")).headers["content-type"].startswith(kind)


async def test_what_has_nothing_public_has_no_page(client: Client, alice: User) -> None:
    async with writing() as tx:
        mallory = await world.mallory(tx)
        empty = await world.venue(tx, "Empty Hall", city="Nowhere")
        hidden = await world.venue(tx, "Back Room", city="Hidden")
        await world.event(tx, manager=mallory, title="Draft", venue_id=hidden.id, state="draft", published_at=None)
    there_is_none = (
        "/categories/none",
        empty.path,
        hidden.path,
        "/cities/hidden",
        "/cities/nowhere",
        f"/managers/{mallory.code}",
    )
    for path in (*there_is_none, "/categories/music.exe", f"/managers/{alice.email}", "/managers/Alice"):
        assert (await client.get(path)).status_code == 404, path


async def test_a_manager_without_a_name_is_not_shown(client: Client, alice: User) -> None:
    async with writing() as tx:
        (await tx.get_one(User, alice.id)).name = ""
    assert (await client.get(f"/managers/{alice.code}")).status_code == 404


async def test_a_venue_keeps_its_address_under_another_name(client: Client, alice: User) -> None:
    async with writing() as tx:
        venue = await world.venue(tx)
        before = venue.path
        await arranging.change_venue(tx, venue, name="Cinema Nuovo", address="", city="Turin", by=alice.id or 0)
    assert before.startswith("/venues/teatro-baretti-turin-")
    assert "Cinema Nuovo</h1>" in (await client.get(before)).text


async def test_the_address_of_a_merged_category_leads_on(client: Client, alice: User) -> None:
    async with writing() as tx:
        gone, into = await world.category(tx, "Film"), await world.category(tx)
        await arranging.merge_categories(tx, gone, into, by=alice.id or 0)
    for ending in ("", ".atom", ".ics"):
        answer = await client.get(f"/categories/film{ending}")
        assert (answer.status_code, answer.headers["location"]) == (301, f"/categories/music{ending}")
    assert (await client.get("/categories/film.exe")).status_code == 404


async def test_the_address_of_a_merged_venue_leads_on_also_after_a_second_merge(client: Client, alice: User) -> None:
    async with writing() as tx:
        first, second, last = [await world.venue(tx, name) for name in ("Old Hall", "New Hall", "Hall")]
        await arranging.merge_venues(tx, first, second, by=alice.id or 0)
        await arranging.merge_venues(tx, second, last, by=alice.id or 0)
    assert (await client.get(first.path)).status_code == 404, "nothing takes place there yet"
    async with writing() as tx:
        await world.event(tx, title="Small", venue_id=last.id)
    for gone in (first, second):
        for ending in ("", ".atom", ".ics"):
            answer = await client.get(f"/fr{gone.path}{ending}")
            assert (answer.status_code, answer.headers["location"]) == (301, f"/fr{last.path}{ending}")


async def test_a_city_is_one_however_it_is_written(client: Client, alice: User) -> None:
    async with writing() as tx:
        other = await world.venue(tx, "Bar", city="TURIN")
        far = await world.venue(tx, "Hall", city="東京")
        await world.event(tx, title="Small", venue_id=other.id)
        await world.event(tx, title="Far", venue_id=far.id)
    turin = (await client.get("/cities/turin")).text
    assert "Small" in turin and "Nine Pianos" in turin
    assert "What’s on in 東京" in (await client.get(far.city_path)).text


@pytest.mark.usefixtures("database", "moment")
async def test_more_dates_than_one_page_come_in_pages() -> None:
    async with writing() as tx:
        for number in range(14):
            await world.event(tx, title=f"Night {number}", starts_at=clock.now() + timedelta(days=1 + number))
        for number in range(3):
            await world.event(tx, title=f"Past {number}", starts_at=clock.now() - timedelta(days=9 - number))
    async with reading() as db:
        topic = await topics.topic(db, "categories", "music")
        assert topic
        first = await listing.about(db, topic.where, page=1, now=clock.now())
        second = await listing.about(db, topic.where, page=2, now=clock.now())
        beyond = await listing.about(db, topic.where, page=99, now=clock.now())
    assert (len(first.ahead.cards), first.ahead.total, first.ahead.more) == (12, 14, 2)
    assert [card.title for card in first.past] == ["Past 2", "Past 1", "Past 0"]
    assert ([card.title for card in second.ahead.cards], second.past) == (["Night 12", "Night 13"], [])
    assert (beyond.ahead.page, len(beyond.ahead.cards)) == (1, 12)


async def test_show_more_adds_to_the_page(client: Client, alice: User) -> None:
    async with writing() as tx:
        for number in range(13):
            await world.event(tx, title=f"Night {number}", starts_at=clock.now() + timedelta(days=1 + number))
    assert 'hx-get="/categories/music?page=2"' in (await client.get("/categories/music")).text
    more = await client.get("/categories/music?page=2", headers=PART)
    assert "<html" not in more.text
    assert "Night 12" in more.text and "autofocus" in more.text


async def test_who_marked_a_category_sees_it_on_its_page(
    client: Client, alice: User, sign_in: Callable[..., Awaitable[None]]
) -> None:
    heart = 'id="fav-category-music" aria-pressed="true"'
    assert heart not in (await client.get("/categories/music")).text
    await client.post("/categories/music/favourite")
    assert heart in (await client.get("/categories/music")).text
    await sign_in(client, alice)
    await client.get("/me")
    client.cookies.delete("favourites")
    assert heart not in (await client.get("/categories/music")).text
    await client.post("/categories/music/favourite")
    assert heart in (await client.get("/categories/music")).text


async def test_a_topic_takes_three_queries(client: Client, alice: User, sqlite_database: Any) -> None:
    counted: list[str] = []

    def count(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        counted.append(statement)

    happening.listen(sqlite_database.reader.sync_engine, "before_cursor_execute", count)
    for path in await pages_of(alice):
        counted.clear()
        await client.get(path)
        asked = [statement for statement in counted if statement.lstrip().upper().startswith(("SELECT", "WITH"))]
        assert 0 < len(asked) <= 3, (path, asked)


async def test_the_page_of_an_event_leads_to_its_topics(client: Client, alice: User) -> None:
    text = (await client.get("/events/nine-pianos")).text
    for path in await pages_of(alice):
        assert f'href="{path}"' in text, path


async def test_lists_say_under_which_address_they_are_to_be_known(client: Client, alice: User) -> None:
    async with writing() as tx:
        for number in range(12):
            await world.event(tx, title=f"Night {number}")
        series = Series(slug="nights", title="Nights", manager_id=alice.id or 0, created_at=clock.now())
        tx.add(series)
        await tx.flush()
        await world.event(tx, title="First", series_id=series.id)
    known = {
        "/": "/",
        "/?from=a-newsletter": "/",
        "/?city=Turin": "/cities/turin",
        "/?city=Nowhere": "/",
        "/events/nine-pianos?code=friends": "/events/nine-pianos",
        "/fr/series/nights": "/fr/series/nights",
        "/events": "/events",
        "/events?page=2": "/events?page=2",
        "/events?q=night": "/events",
        "/events?q=night&page=2": "/events",
        "/events?category=music": "/categories/music",
        "/events?category=music&page=2": "/categories/music?page=2",
        "/events?city=Turin": "/cities/turin",
        "/events?city=Turin&when=weekend": "/events",
        "/categories/music?page=2": "/categories/music?page=2",
        "/fr/categories/music": "/fr/categories/music",
    }
    for address, path in known.items():
        text = (await client.get(address)).text
        assert text.count('rel="canonical"') == 1, address
        assert f'<link rel="canonical" href="http://testserver.local{path}">' in text, address


async def test_an_event_that_is_over_keeps_its_page(client: Client, alice: User) -> None:
    answer = await client.get("/events/last-summer")
    assert answer.status_code == 200
    assert "This event is over." in answer.text
    assert "noindex" not in answer.text
