"""A manager writes an event's texts in several languages; whoever reads none of them reads the event's own."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from app.core import clock, i18n
from app.core.activity import Activity
from app.core.db import Database, reading, writing
from app.events import listing, queries, reviews
from app.events.actions import copying, revising
from app.events.actions.favourites import toggle_favourite
from app.events.models import Event
from app.events.rules import searching
from app.notifications import recipients
from tests import world

Client = httpx.AsyncClient
pytestmark = pytest.mark.usefixtures("moment")
FRENCH = {"title": "Neuf pianos", "summary": "Neuf pianistes, une soirée.", "description": "Personne n’a **compté** les touches."}
DESK = "/manager/events/nine-pianos"


@pytest.fixture
async def alice(client: Client, sign_in: Callable[[Client, Any], Awaitable[None]]) -> Client:
    """Alice's browser; her event Nine Pianos is public."""
    async with writing() as tx:
        manager = await world.alice(tx)
        await world.event(tx, manager=manager)
    await sign_in(client, manager)
    return client


async def nine_pianos() -> Event:
    async with reading() as db:
        found = await queries.by_slug(db, "nine-pianos")
    assert found
    return found


async def in_french(tx: Any, event: Event, **texts: str) -> None:
    await revising.revise(tx, event, {"texts": {"fr": texts}}, section="", by=event.manager_id, booked=False, now=clock.now())


async def test_everybody_reads_their_own_language(alice: Client, open_browser: Any) -> None:
    page = await alice.get(f"{DESK}/edit/page")
    assert f'href="{DESK}/edit/texts-fr"' in page.text and "texts-en" not in page.text
    saved = await alice.post(f"{DESK}/edit/texts-fr", data=FRENCH)
    assert (saved.status_code, saved.headers["location"]) == (303, f"{DESK}/edit")
    visitor = await open_browser()
    french, italian, english = [(await visitor.get(f"{way}/events/nine-pianos")).text for way in ("/fr", "/it", "")]
    assert '<h1 lang="fr">Neuf pianos</h1>' in french
    assert "<strong>compté</strong>" in french and 'content="Neuf pianistes, une soirée."' in french
    assert '"name": "Neuf pianos"' in french
    for other in (italian, english):
        assert '<h1 lang="en">Nine Pianos</h1>' in other and "Nobody has counted the keys." in other
    assert ">Neuf pianos</a>" in (await visitor.get("/fr/events")).text
    assert ">Nine Pianos</a>" in (await visitor.get("/de/events")).text


async def test_what_is_left_empty_is_read_in_the_events_own_language(alice: Client) -> None:
    await alice.post(f"{DESK}/edit/texts-fr", data={"title": "Neuf pianos", "summary": "", "description": ""})
    french = (await alice.get("/fr/events/nine-pianos")).text
    assert '<h1 lang="fr">Neuf pianos</h1>' in french
    assert '<div class="prose" lang="en"' in french and "Nobody has counted the keys." in french
    await alice.post(f"{DESK}/edit/texts-fr", data={"title": "", "summary": "", "description": ""})
    assert (await nine_pianos()).texts == {}


async def test_nobody_overwrites_a_text_that_they_have_not_seen(alice: Client) -> None:
    form = (await alice.get(f"{DESK}/edit/texts-fr")).text
    seen = form.split('name="seen" type="hidden" value="')[1].split('"')[0]
    async with writing() as tx:
        await in_french(tx, await nine_pianos_in(tx), title="Neuf pianos noirs")
    answer = await alice.post(f"{DESK}/edit/texts-fr", data=FRENCH | {"seen": seen})
    assert answer.status_code == 409
    assert "Neuf pianos noirs" in answer.text and "Neuf pianistes" in answer.text
    assert (await nine_pianos()).texts == {"fr": {"title": "Neuf pianos noirs"}}


async def test_a_text_that_is_too_long_or_in_no_language_is_refused(alice: Client) -> None:
    answer = await alice.post(f"{DESK}/edit/texts-it", data=FRENCH | {"title": "x" * 121})
    assert answer.status_code == 422 and "Use 120 characters or fewer." in answer.text
    assert (await alice.post(f"{DESK}/edit/texts-xx", data=FRENCH)).status_code == 404
    assert (await nine_pianos()).texts == {}


async def test_the_events_own_language_is_chosen_with_its_texts(alice: Client) -> None:
    answer = await alice.post("/manager/events/new", data={"title": "Été à Turin"}, headers={"Accept-Language": "fr"})
    slug = answer.headers["location"].split("/")[3]
    async with reading() as db:
        event = await queries.by_slug(db, slug)
    assert event and event.language == "en", "the account speaks English"
    async with writing() as tx:
        event = await queries.by_slug(tx, slug)
        assert event
        await revising.revise(tx, event, {"language": "fr"}, section="", by=event.manager_id, booked=False, now=clock.now())
    page = (await alice.get(f"/manager/events/{slug}/edit/page")).text
    assert "texts-en" in page and "texts-fr" not in page


async def test_the_search_finds_every_language(database: Database) -> None:
    async with writing() as tx:
        event = await world.event(tx)
        await in_french(tx, event, title="Neuf pianos", description="Personne n’a compté les touches.")
    async with reading() as db:
        for words in ("neuf", "touches", "nine"):
            found = await listing.search(db, searching.Search(q=words), now=clock.now())
            assert [card.slug for card in found.cards] == ["nine-pianos"], words
        with i18n.speaking("fr"):
            [card] = (await listing.search(db, searching.Search(q="nine"), now=clock.now())).cards
    assert (card.title, card.language, card.summary) == ("Neuf pianos", "fr", event.summary)


async def test_a_copy_and_the_admins_comparison_know_the_texts(database: Database) -> None:
    async with writing() as tx:
        event = await world.event(tx)
        before = await reviews.snapshot(tx, event)
        await in_french(tx, event, title="Neuf pianos", summary="Une soirée.")
        [difference] = reviews.snapshots.differences(before, await reviews.snapshot(tx, event)).fields
        made = await copying.duplicate(tx, event, by=event.manager_id, now=clock.now())
    assert (difference.section, difference.after) == ("page", "Français\nNeuf pianos\nUne soirée.")
    async with reading() as db:
        copy = await queries.by_slug(db, "nine-pianos-2")
    assert made and copy and copy.texts == {"fr": {"title": "Neuf pianos", "summary": "Une soirée."}}


async def test_the_log_keeps_how_long_a_text_is_and_not_what_it_says(database: Database) -> None:
    async with writing() as tx:
        event = await world.event(tx)
        await in_french(tx, event, title="Neuf pianos")
        rows = [row for row in await tx.exec(queries.columns(Activity)) if row[0].kind == "event.revised"]
    assert rows[0][0].details["fields"] == {"texts": [0, len("Neuf pianos")]}


async def test_who_follows_a_category_is_told_in_their_language(database: Database) -> None:
    async with writing() as tx:
        bob, carol, event = await world.bob(tx), await world.carol(tx), await world.event(tx)
        bob.language = "fr"
        await in_french(tx, event, title="Neuf pianos", summary="Une soirée.")
        for person in (bob, carol):
            await toggle_favourite(tx, person.id or 0, now=clock.now(), category_id=event.category_id)
        about = Activity(id=1, kind="event.published", about=f"event:{event.id}", at=clock.now())
        told = {
            reader.user_id: (reader.facts["title"], reader.facts["summary"]) for reader in await recipients.followers(tx, about)
        }
    assert told == {bob.id: ("Neuf pianos", "Une soirée."), carol.id: ("Nine Pianos", event.summary)}


async def nine_pianos_in(tx: Any) -> Event:
    found = await queries.by_slug(tx, "nine-pianos")
    assert found
    return found
