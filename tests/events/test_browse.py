"""Home, the list and its filters, and the search that knows no accents."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from app.core import clock
from app.core.db import reading, writing
from app.events import filters, listing, queries
from app.events.models import Event
from app.events.rules import searching
from tests import world

Client = httpx.AsyncClient
PART = {"HX-Request": "true", "HX-Request-Type": "partial"}


async def _event(
    tx: Any, title: str, *, category: str = "Music", venue: str = "Teatro Baretti", city: str = "Turin", **given: Any
) -> Event:
    kind, place = await world.category(tx, category), await world.venue(tx, venue, city=city)
    return await world.event(tx, title=title, category_id=kind.id, venue_id=place.id, **given)


async def _titles(search: searching.Search) -> list[str]:
    async with reading() as db:
        return [card.title for card in (await listing.search(db, search, now=clock.now())).cards]


@pytest.mark.usefixtures("database", "moment")
async def test_the_search_finds_words_without_accents_or_case() -> None:
    async with writing() as tx:
        await _event(tx, "L’Été des Étoiles", venue="Théâtre Élysée", city="Lyon")
        await _event(tx, "Winter", category="Comedy")
    assert await _titles(searching.Search(q="ete")) == ["L’Été des Étoiles"]
    assert await _titles(searching.Search(q="ELYSÉE lyon")) == ["L’Été des Étoiles"]
    assert await _titles(searching.Search(q="comedy")) == ["Winter"]
    assert await _titles(searching.Search(q="ete comedy")) == []


@pytest.mark.asvs("V1.2.9")
@pytest.mark.usefixtures("database", "moment")
async def test_signs_of_the_pattern_language_are_only_signs() -> None:
    async with writing() as tx:
        await _event(tx, "100% Cotton")
        await _event(tx, "Plain")
    assert await _titles(searching.Search(q="100%")) == ["100% Cotton"]
    assert await _titles(searching.Search(q="%")) == []
    assert await _titles(searching.Search(q="_")) == []
    assert await _titles(searching.Search(q="/")) == []


@pytest.mark.usefixtures("database", "moment")
async def test_filters_narrow_the_list() -> None:
    now = clock.now()
    async with writing() as tx:
        await _event(tx, "Tonight", starts_at=now + timedelta(hours=6))
        await _event(tx, "Saturday", starts_at=now + timedelta(days=5), category="Film", price_minor=0)
        await _event(tx, "Far", starts_at=now + timedelta(days=90), city="Lyon", price_minor=4500)
    assert await _titles(searching.Search()) == ["Tonight", "Saturday", "Far"]
    assert await _titles(searching.Search(when="tonight")) == ["Tonight"]
    assert await _titles(searching.Search(when="weekend")) == ["Saturday"]
    assert await _titles(searching.Search(when="month")) == ["Tonight", "Saturday"]
    assert await _titles(searching.Search(category="film")) == ["Saturday"]
    assert await _titles(searching.Search(city="Lyon")) == ["Far"]
    assert await _titles(searching.Search(price="free")) == ["Saturday"]
    assert await _titles(searching.Search(price="under20")) == ["Tonight", "Saturday"]
    assert await _titles(searching.search_from({"since": "2026-11-17", "until": "2026-11-30"})) == ["Saturday"]


@pytest.mark.usefixtures("database", "moment")
async def test_past_called_off_and_unpublished_events_are_not_listed() -> None:
    now = clock.now()
    async with writing() as tx:
        await _event(tx, "Over", starts_at=now - timedelta(hours=5))
        await _event(tx, "Running", starts_at=now - timedelta(hours=1))
        await _event(tx, "Cancelled", state="called_off")
        await _event(tx, "Draft", state="draft", published_at=None)
    assert await _titles(searching.Search()) == ["Running"]


@pytest.mark.usefixtures("database", "moment")
async def test_pages_of_twelve_say_how_many_there_are() -> None:
    async with writing() as tx:
        for number in range(15):
            await _event(tx, f"Night {number}", starts_at=clock.now() + timedelta(days=1 + number))
    async with reading() as db:
        first = await listing.search(db, searching.Search(), now=clock.now())
        second = await listing.search(db, searching.Search(page=2), now=clock.now())
        beyond = await listing.search(db, searching.Search(page=99), now=clock.now())
    assert (len(first.cards), first.total, first.pages, first.more) == (12, 15, 2, 3)
    assert ([card.title for card in second.cards], second.more) == (["Night 12", "Night 13", "Night 14"], 0)
    assert (beyond.page, len(beyond.cards)) == (1, 12)


@pytest.mark.usefixtures("database", "moment")
async def test_a_card_knows_price_badge_and_place() -> None:
    async with writing() as tx:
        event = await _event(tx, "Nine Pianos", capacity=10, price_minor=3000)
        await world.ticket_type(tx, event, name="Under 26", capacity=5, price_minor=1000)
        other = await _event(tx, "Other", category="Film")
    async with reading() as db:
        card = (await listing.search(db, searching.Search(q="nine"), now=clock.now())).cards[0]
        shown = await queries.event_page(db, event.slug, watcher=queries.NOBODY, now=clock.now())
        facets = await filters.facets(db, clock.now())
    assert (card.from_minor, card.currency, card.venue_name, card.city) == (1000, "EUR", "Teatro Baretti", "Turin")
    assert card.badge
    assert card.badge.text == "15 left"
    assert shown
    assert other.title not in [found.title for found in shown.similar]
    assert ([kind.name for kind in facets.categories], facets.cities, facets.zone) == (
        ["Film", "Music"],
        ["Turin"],
        "Europe/Rome",
    )


@pytest.mark.usefixtures("moment")
async def test_home_shows_a_featured_event_and_groups(client: Client) -> None:
    now = clock.now()
    async with writing() as tx:
        await _event(tx, "Featured", starts_at=now + timedelta(days=1))
        await _event(tx, "Weekend", starts_at=now + timedelta(days=5))
        await _event(tx, "Afterwards", starts_at=now + timedelta(days=40), city="Lyon")
    answer = await client.get("/")
    assert answer.status_code == 200
    for words in ("What’s on", "Featured", "This weekend", "Weekend", "Later", "Afterwards", "Get tickets"):
        assert words in answer.text
    lyon = await client.get("/?city=Lyon")
    assert "What’s on in Lyon" in lyon.text
    assert "Weekend</a>" not in lyon.text


async def test_home_without_events_says_so(client: Client) -> None:
    answer = await client.get("/")
    assert "Nothing is on sale yet" in answer.text


@pytest.mark.usefixtures("moment")
async def test_page_and_fragment_share_an_address(client: Client) -> None:
    async with writing() as tx:
        await _event(tx, "Jazz")
        await _event(tx, "Chess")
    whole = await client.get("/events?q=jazz")
    part = await client.get("/events?q=jazz&city=&when=", headers=PART)
    assert "<html" in whole.text
    assert "1 event found" in whole.text
    assert "HX-Request" in whole.headers["vary"]
    assert "<html" not in part.text
    assert "Jazz" in part.text
    assert "Chess" not in part.text
    assert part.headers["HX-Push-Url"] == "/events?q=jazz"
    assert 'hx-swap-oob="innerHTML:#found">1 event found' in part.text


@pytest.mark.usefixtures("moment")
async def test_show_more_brings_the_next_cards_and_moves_the_focus(client: Client) -> None:
    async with writing() as tx:
        for number in range(15):
            await _event(tx, f"Night {number}", starts_at=clock.now() + timedelta(days=1 + number))
    first = await client.get("/events")
    assert "Show 3 more" in first.text
    more = await client.get("/events?page=2", headers=PART)
    assert "Night 14" in more.text
    assert "autofocus" in more.text
    assert "HX-Push-Url" not in more.headers


async def test_an_empty_result_offers_to_clear_the_filters(client: Client) -> None:
    answer = await client.get("/events?q=<b>brass</b>")
    assert "No events match “&lt;b&gt;brass&lt;/b&gt;”" in answer.text
    assert "Clear filters" in answer.text
    assert "No events found" in answer.text


@pytest.mark.parametrize(
    "query",
    [
        "page=" + "9" * 30,
        "page=%00",
        "q=%00",
        "q=%ff",
        "city=%F0%28",
        "since=9999-12-31&until=0001-01-01",
        "category=" + "x" * 999,
    ],
)
async def test_strange_addresses_are_answered(client: Client, query: str) -> None:
    assert (await client.get(f"/events?{query}")).status_code == 200
    assert (await client.get(f"/?{query}")).status_code == 200


@pytest.mark.usefixtures("moment")
async def test_public_lists_take_three_queries(
    client: Client, sqlite_database: Any, sign_in: Callable[..., Awaitable[None]]
) -> None:
    from sqlalchemy import event as happening

    async with writing() as tx:
        for number in range(5):
            await _event(tx, f"Night {number}")
    counted: list[str] = []

    def count(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.lstrip().upper().startswith("SELECT"):
            counted.append(statement)

    happening.listen(sqlite_database.reader.sync_engine, "before_cursor_execute", count)
    for path in ("/", "/events", "/events?q=night&category=music"):
        counted.clear()
        assert (await client.get(path)).status_code == 200
        assert len(counted) <= 3, counted
