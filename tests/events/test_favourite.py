"""Hearts: toggled, kept in a cookie, joined at login, and asked for when an event is published."""

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from app.core import clock
from app.core.db import reading, writing
from app.events import queries
from app.events.actions import favourites
from app.events.rules import searching
from app.web.cookies import FAVOURITES, signed
from tests import world

Client = httpx.AsyncClient
SignIn = Callable[[Client, Any], Awaitable[None]]
PART = {"HX-Request": "true", "HX-Request-Type": "partial"}


@pytest.mark.usefixtures("database", "moment")
async def test_a_mark_is_set_and_taken_away() -> None:
    async with writing() as tx:
        bob, event = await world.bob(tx), await world.event(tx)
        assert await favourites.toggle_favourite(tx, bob.id, now=clock.now(), event_id=event.id) is True
        assert await queries.favourite_events(tx, bob.id) == {event.id}
        assert await favourites.toggle_favourite(tx, bob.id, now=clock.now(), category_id=event.category_id) is True
        assert await favourites.toggle_favourite(tx, bob.id, now=clock.now(), event_id=event.id) is False
    async with reading() as db:
        assert await queries.favourite_events(db, bob.id) == set()
        assert await queries.favourite_categories(db, bob.id) == {event.category_id}


@pytest.mark.usefixtures("database", "moment")
async def test_hearts_of_a_client_join_the_account_once() -> None:
    async with writing() as tx:
        bob, event = await world.bob(tx), await world.event(tx)
        draft = await world.event(tx, title="Secret", state="draft", published_at=None)
        value = ["e:nine-pianos", "c:music", "e:gone", "e:secret", 7, {"x": 1}, "e:\x00"]
        for _again in range(2):
            await favourites.adopt_favourites(tx, bob.id, value, clock.now())
        await favourites.adopt_favourites(tx, bob.id, "broken", clock.now())
    async with reading() as db:
        assert await queries.favourite_events(db, bob.id) == {event.id}
        assert draft.id not in await queries.favourite_events(db, bob.id)
        assert await queries.favourite_categories(db, bob.id) == {event.category_id}


@pytest.mark.usefixtures("database", "moment")
async def test_followers_of_event_or_category_come_once_and_without_closed_accounts() -> None:
    async with writing() as tx:
        bob, carol, mallory, event = await world.bob(tx), await world.carol(tx), await world.mallory(tx), await world.event(tx)
        for user in (bob, carol, mallory):
            await favourites.toggle_favourite(tx, user.id, now=clock.now(), category_id=event.category_id)
        await favourites.toggle_favourite(tx, bob.id, now=clock.now(), event_id=event.id)
        mallory.disabled_at = clock.now()
        tx.add(mallory)
    async with reading() as db:
        assert [user.name for user in await queries.followers(db, event.category_id, event.id or 0)] == ["Bob", "Carol"]


@pytest.mark.usefixtures("moment")
async def test_a_client_keeps_hearts_in_a_cookie(client: Client) -> None:
    async with writing() as tx:
        await world.event(tx)
    answer = await client.post("/events/nine-pianos/favourite", headers={"Referer": "http://testserver.local/events?q=pianos"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/events?q=pianos#fav-nine-pianos")
    listed = await client.get("/events")
    assert 'id="fav-nine-pianos" aria-pressed="true"' in listed.text
    assert listed.headers["cache-control"] == "no-store"
    part = await client.post("/events/nine-pianos/favourite", headers=PART)
    assert 'aria-pressed="false"' in part.text
    assert part.text.strip().startswith("<form")


@pytest.mark.asvs("V3.7.2")
@pytest.mark.usefixtures("moment")
@pytest.mark.parametrize("referer", ["https://evil.example/x", "http://testserver.local//evil.example", "nonsense", ""])
async def test_the_way_back_is_always_ours(client: Client, referer: str) -> None:
    async with writing() as tx:
        await world.event(tx)
    answer = await client.post("/events/nine-pianos/favourite", headers={"Referer": referer})
    assert answer.headers["location"] == "/events/nine-pianos#fav-nine-pianos"


@pytest.mark.usefixtures("moment")
async def test_a_category_is_marked_on_its_page(client: Client, sign_in: SignIn) -> None:
    async with writing() as tx:
        bob, event = await world.bob(tx), await world.event(tx)
    await sign_in(client, bob)
    answer = await client.post("/categories/music/favourite", headers=PART)
    assert 'aria-pressed="true"' in answer.text
    assert 'id="fav-category-music" aria-pressed="true"' in (await client.get("/events?category=music")).text
    async with reading() as db:
        assert await queries.favourite_categories(db, bob.id) == {event.category_id}
    assert (await client.post("/categories/none/favourite")).status_code == 404


async def test_what_is_not_public_has_no_heart(client: Client) -> None:
    async with writing() as tx:
        await world.event(tx, state="draft", published_at=None)
    assert (await client.post("/events/nine-pianos/favourite")).status_code == 404


@pytest.mark.usefixtures("moment")
async def test_the_list_of_favourites_is_saved_with_one_button(client: Client, sign_in: SignIn) -> None:
    async with writing() as tx:
        bob, event, film = await world.bob(tx), await world.event(tx), await world.category(tx, "Film")
        await favourites.toggle_favourite(tx, bob.id, now=clock.now(), event_id=event.id)
        await favourites.toggle_favourite(tx, bob.id, now=clock.now(), category_id=event.category_id)
    await sign_in(client, bob)
    page = await client.get("/me/favourites")
    assert "Nine Pianos" in page.text
    assert re.findall(r'<input checked[^>]* value="([a-z]+)"', page.text) == ["music"]
    answer = await client.post("/me/favourites", data={"categories": ["film", "none"]})
    assert answer.status_code == 303
    async with reading() as db:
        assert await queries.favourite_categories(db, bob.id) == {film.id}


@pytest.mark.usefixtures("moment")
async def test_a_called_off_favourite_stays_in_the_list_until_its_evening(client: Client, sign_in: SignIn, moment: Any) -> None:
    async with writing() as tx:
        bob, event = await world.bob(tx), await world.event(tx, state="called_off")
        await favourites.toggle_favourite(tx, bob.id, now=clock.now(), event_id=event.id)
    await sign_in(client, bob)
    assert "Cancelled" in (await client.get("/me/favourites")).text
    moment.shift(timedelta(days=29))
    await sign_in(client, bob)
    assert "No events saved yet" in (await client.get("/me/favourites")).text


async def test_clients_sign_in_to_see_their_list(client: Client) -> None:
    assert (await client.get("/me/favourites")).headers["location"] == "/login?next=/me/favourites"


@pytest.mark.usefixtures("moment")
async def test_a_client_sees_what_the_browser_keeps_and_how_it_stands(client: Client) -> None:
    assert "No events saved yet" in (await client.get("/favourites")).text
    async with writing() as tx:
        await world.event(tx, title="Moved House", postponed_at=clock.now())
        await world.event(tx, title="Last Dance", state="called_off")
        full = await world.event(tx, title="Full House", capacity=1)
        (await world.only_type(tx, full)).sold = 1
        await world.event(tx, title="Not Mine")
    for slug in ("moved-house", "last-dance", "full-house"):
        await client.post(f"/events/{slug}/favourite")
    await client.post("/categories/music/favourite")
    page = await client.get("/favourites")
    for words in ("Moved House", "Postponed", "Last Dance", "Cancelled", "Full House", "Sold out", "Sign in to keep it"):
        assert words in page.text
    assert "Not Mine" not in page.text
    assert page.headers["cache-control"] == "no-store"
    assert 'id="fav-category-music" aria-pressed="true"' in page.text
    # The heart on its card, and that of the category, take it away.
    for path in ("/events/last-dance/favourite", "/categories/music/favourite"):
        answer = await client.post(path, headers={"Referer": "http://testserver.local/favourites"})
        assert answer.headers["location"].startswith("/favourites#fav-")
    page = await client.get("/favourites")
    assert "Last Dance" not in page.text
    assert "fav-category-music" not in page.text


@pytest.mark.usefixtures("moment")
async def test_whoever_is_signed_in_has_a_list_of_their_own(client: Client, sign_in: SignIn) -> None:
    async with writing() as tx:
        bob = await world.bob(tx)
    await sign_in(client, bob)
    assert (await client.get("/favourites")).headers["location"] == "/me/favourites"


def test_the_oldest_marks_make_room_before_the_cookie_is_too_long_for_a_browser() -> None:
    marks: list[str] = []
    for number in range(60):
        marks = searching.toggled(marks, f"e:{number:0>120}")
    assert marks[-1].endswith("59")
    assert len(signed(FAVOURITES, marks).value or "") < 4000
    short: list[str] = []
    for number in range(60):
        short = searching.toggled(short, f"e:event-{number}")
    assert len(short) == searching.MOST_MARKS


@pytest.mark.usefixtures("moment")
async def test_the_button_of_an_event_s_page_is_answered_with_the_button(client: Client) -> None:
    async with writing() as tx:
        await world.event(tx)
    part = await client.post("/events/nine-pianos/favourite?button", headers=PART)
    assert 'id="fav-nine-pianos" aria-pressed="true"' in part.text
    assert "Saved" in part.text
