"""What search engines and chat programs read of a page: an event as Google wants it, and a picture beside a shared link."""

import json
import re
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlmodel import col, update

from app.core import clock
from app.core.db import writing
from app.events.actions import revising
from app.events.models import Event, TicketType
from tests import world
from tests.conftest import NOON
from tests.events import google
from tests.events.repeating import made

pytestmark = pytest.mark.usefixtures("moment")


async def an_event(*, kind: dict[str, Any] | None = None, **columns: Any) -> Event:
    async with writing() as tx:
        event = await world.event(tx, **{"summary": "Nine pianos, no light.", **columns})
        if kind:
            await tx.exec(update(TicketType).where(col(TicketType.event_id) == event.id).values(**kind))
        return event


async def facts_of(client: httpx.AsyncClient, event: Event | str) -> dict[str, Any]:
    html = (await client.get(f"/events/{event if isinstance(event, str) else event.slug}")).text
    found = re.search(r'<script type="application/ld\+json">(.*?)</script>', html, flags=re.DOTALL)
    assert found
    facts: dict[str, Any] = json.loads(found[1])
    return facts


async def social(client: httpx.AsyncClient, address: str) -> dict[str, str]:
    html = (await client.get(address)).text
    return dict(re.findall(r'<meta (?:property|name)="((?:og|twitter):[^"]+)" content="([^"]*)">', html))


async def test_an_event_on_sale_is_all_that_google_asks_for(client: httpx.AsyncClient) -> None:
    event = await an_event(doors_at=clock.now() + timedelta(days=27, hours=23))
    facts = await facts_of(client, event)
    assert google.faults(facts) == []
    assert facts["name"] == "Nine Pianos"
    assert facts["startDate"] == "2026-12-14T13:00:00+01:00"
    assert facts["location"]["address"]["addressLocality"] == "Turin"
    (offer,) = facts["offers"]
    assert (offer["price"], offer["priceCurrency"], offer["availability"]) == ("18.00", "EUR", "https://schema.org/InStock")
    assert facts["doorTime"] == "2026-12-14T12:00:00+01:00"
    assert facts["image"] == [f"http://testserver.local/events/{event.slug}/poster/{name}" for name in _names(facts)]
    for address in facts["image"]:
        picture = await client.get(address)
        assert (picture.status_code, picture.headers["content-type"]) == (200, "image/png"), address


def _names(facts: dict[str, Any]) -> list[str]:
    mark = facts["image"][0].partition("?v=")[2]
    return [f"{shape}.png?v={mark}" for shape in ("1x1", "4x3", "16x9")]


@pytest.mark.parametrize(
    ("kind", "word"),
    [({}, "InStock"), ({"held": 100}, "SoldOut"), ({"sale_from": NOON + timedelta(days=1)}, "PreOrder")],
    ids=["open", "sold out", "not yet"],
)
async def test_each_ticket_type_is_an_offer_that_says_how_it_stands(
    client: httpx.AsyncClient, kind: dict[str, Any], word: str
) -> None:
    facts = await facts_of(client, await an_event(kind=kind))
    assert google.faults(facts) == []
    assert [offer["availability"] for offer in facts["offers"]] == [f"https://schema.org/{word}"]


async def test_a_free_event_costs_nothing_and_says_so(client: httpx.AsyncClient) -> None:
    facts = await facts_of(client, await an_event(kind={"price_minor": 0}))
    assert google.faults(facts) == []
    assert facts["offers"][0]["price"] in ("0", "0.00")


async def test_an_online_event_takes_place_online(client: httpx.AsyncClient) -> None:
    event = await an_event(is_online=True, online_url="https://meet.example.org/secret")
    async with writing() as tx:
        await tx.exec(update(Event).values(venue_id=None))
    facts = await facts_of(client, event)
    assert google.faults(facts) == []
    assert facts["location"] == {"@type": "VirtualLocation", "url": facts["url"]}
    assert "secret" not in json.dumps(facts)


async def test_what_is_called_off_or_postponed_says_so_and_offers_nothing(client: httpx.AsyncClient) -> None:
    for columns, word in (
        ({"state": "called_off", "slug": "off"}, "EventCancelled"),
        ({"postponed_at": clock.now(), "slug": "later"}, "EventPostponed"),
    ):
        facts = await facts_of(client, await an_event(**columns))
        assert google.faults(facts, without=("offers",)) == []
        assert facts["eventStatus"] == f"https://schema.org/{word}"
        assert "offers" not in facts


async def test_a_moved_event_names_its_old_date_and_a_draft_that_was_moved_does_not(client: httpx.AsyncClient) -> None:
    event = await an_event()
    before = (await facts_of(client, event))["startDate"]
    async with writing() as tx:
        dora = await world.dora(tx)
        event = await tx.get_one(Event, event.id)
        later = {"starts_at": event.starts_at + timedelta(days=7), "ends_at": event.ends_at + timedelta(days=7)}
        await revising.revise(tx, event, later, section="basics", by=dora.id or 0, booked=False, now=clock.now())
        draft = await world.event(tx, slug="a-draft", state="draft", published_at=None)
        await revising.revise(tx, draft, later, section="basics", by=dora.id or 0, booked=False, now=clock.now())
        assert draft.previous_starts_at is None
    facts = await facts_of(client, event)
    assert google.faults(facts) == []
    assert facts["eventStatus"] == "https://schema.org/EventRescheduled"
    assert facts["previousStartDate"] == before != facts["startDate"]


async def test_a_date_of_a_series_names_the_series(client: httpx.AsyncClient) -> None:
    async with writing() as tx:
        await made(tx, await world.alice(tx))
    facts = await facts_of(client, "every-monday")
    assert google.faults(facts) == []
    assert facts["superEvent"]["@type"] == "EventSeries"
    assert (await client.get(facts["superEvent"]["url"])).status_code == 200


async def test_the_table_finds_what_is_wrong(client: httpx.AsyncClient) -> None:
    facts = await facts_of(client, await an_event())
    planted: list[dict[str, Any]] = [
        {**facts, "startDate": "2026-12-14T13:00:00"},
        {**facts, "image": facts["image"][:1]},
        {**facts, "location": {"@type": "Place", "name": "Teatro"}},
        {**facts, "offers": [{**facts["offers"][0], "price": "18,00"}]},
        {**facts, "offers": [{**facts["offers"][0], "availability": "https://schema.org/Discontinued"}]},
        {**facts, "previousStartDate": facts["startDate"]},
        {**facts, "eventAttendanceMode": "https://schema.org/OnlineEventAttendanceMode"},
        {name: value for name, value in facts.items() if name != "name"},
    ]
    assert [len(google.faults(one)) for one in planted] == [1] * len(planted)


async def test_a_shared_event_shows_its_poster_and_says_what_it_is(client: httpx.AsyncClient) -> None:
    event = await an_event(title='Nine <Pianos> & "more"', slug="pianos")
    said = await social(client, f"/events/{event.slug}")
    assert said["og:title"] == "Nine &lt;Pianos&gt; &amp; &#34;more&#34;"
    assert said["og:description"] == "Nine pianos, no light."
    assert said["og:url"] == f"http://testserver.local/events/{event.slug}"
    assert (said["og:locale"], said["og:type"], said["twitter:card"]) == ("en_GB", "website", "summary_large_image")
    assert (await client.get(said["og:image"])).headers["content-type"] == "image/png"


async def test_a_shared_list_shows_the_shop(client: httpx.AsyncClient) -> None:
    await an_event()
    shown = {(await social(client, address))["og:image"] for address in ("/", "/events", "/events?category=music")}
    assert len(shown) == 1
    assert (await client.get(shown.pop())).headers["content-type"] == "image/png"
