"""Feeds of public events that readers and calendars understand, and the map that search engines ask for."""

import re
from datetime import UTC, datetime, timedelta
from xml.etree.ElementTree import Element, fromstring

import httpx
import pytest
import time_machine
from icalendar import Calendar

from app.core import clock, i18n
from app.core.db import writing
from app.events import feeds
from app.events.actions import deciding, postponing
from app.events.models import Event
from app.events.series import Series
from tests import world

Client = httpx.AsyncClient
ATOM = "{http://www.w3.org/2005/Atom}"
MAP = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
XHTML = "{http://www.w3.org/1999/xhtml}"

pytestmark = pytest.mark.usefixtures("moment")


async def some_events() -> None:
    now = clock.now()
    async with writing() as tx:
        await world.event(tx, title="Nine Pianos", published_at=now - timedelta(days=3))
        await world.event(tx, title="Salt & <Pepper>", published_at=now - timedelta(days=2), starts_at=now + timedelta(days=1))
        await world.event(tx, title="Long Over", starts_at=now - timedelta(days=40), published_at=now - timedelta(days=50))
        await world.event(tx, title="Secret Plan", state="draft", published_at=None)


def path_of(line: Element) -> str:
    return (line.findtext(f"{MAP}loc") or "").removeprefix("http://testserver.local")


def is_atom(feed: Element) -> None:
    """What RFC 4287 asks of a feed and of each of its entries (4.1.1, 4.1.2)."""
    assert feed.tag == f"{ATOM}feed"
    ids = []
    for part in (feed, *feed.findall(f"{ATOM}entry")):
        for name in ("id", "title", "updated"):
            assert len(part.findall(ATOM + name)) == 1 and part.findtext(ATOM + name), name
        assert datetime.fromisoformat(part.findtext(f"{ATOM}updated") or "").tzinfo == UTC
        assert (part.findtext(f"{ATOM}id") or "").startswith("http://testserver.local/")
        links = [link.get("rel") for link in part.findall(f"{ATOM}link")]
        assert links.count("alternate") == 1
        ids.append(part.findtext(f"{ATOM}id"))
    assert feed.find(f"{ATOM}author/{ATOM}name") is not None
    assert len(ids) == len(set(ids))


async def test_the_atom_feed_is_what_the_rfc_says(client: Client) -> None:
    await some_events()
    answer = await client.get("/events.atom")
    assert answer.headers["content-type"] == "application/atom+xml; charset=utf-8"
    feed = fromstring(answer.content)
    is_atom(feed)
    entries = feed.findall(f"{ATOM}entry")
    assert [entry.findtext(f"{ATOM}title") for entry in entries] == ["Salt & <Pepper>", "Nine Pianos", "Long Over"]
    newest = max(entry.findtext(f"{ATOM}updated") or "" for entry in entries)
    assert feed.findtext(f"{ATOM}updated") == newest
    assert "Monday 14 December 2026, 13:00 · Teatro Baretti, Turin" in (entries[1].findtext(f"{ATOM}summary") or "")
    selves = [link.get("href") for link in feed.findall(f"{ATOM}link") if link.get("rel") == "self"]
    assert selves == ["http://testserver.local/events.atom"]


async def test_each_language_has_its_feeds(client: Client) -> None:
    async with writing() as tx:
        await world.event(tx, texts={"fr": {"title": "Neuf pianos", "summary": "Neuf pianistes."}})
    site = "http://testserver.local"
    for path in ("/events", "/categories/music"):
        feed = fromstring((await client.get(f"/fr{path}.atom")).content)
        is_atom(feed)
        [entry] = feed.findall(f"{ATOM}entry")
        assert entry.findtext(f"{ATOM}title") == "Neuf pianos"
        assert (entry.findtext(f"{ATOM}summary") or "").endswith("Neuf pianistes.")
        assert entry.findtext(f"{ATOM}id") == f"{site}/events/nine-pianos", "a reader knows it in every language"
        links = {link.get("rel"): link.get("href") for link in (*feed.findall(f"{ATOM}link"), *entry.findall(f"{ATOM}link"))}
        assert links == {"self": f"{site}/fr{path}.atom", "alternate": f"{site}/fr/events/nine-pianos"}
        [french] = Calendar.from_ical((await client.get(f"/fr{path}.ics")).content).walk("VEVENT")
        [english] = Calendar.from_ical((await client.get(f"{path}.ics")).content).walk("VEVENT")
        assert (str(french["summary"]), str(english["summary"])) == ("Neuf pianos", "Nine Pianos")
        assert french["uid"] == english["uid"] and str(french["url"]) == f"{site}/fr/events/nine-pianos"
    assert 'href="/fr/events.atom"' in (await client.get("/fr/events")).text


async def test_a_feed_without_events_is_one_too(client: Client) -> None:
    is_atom(fromstring((await client.get("/events.atom")).content))
    assert Calendar.from_ical((await client.get("/events.ics")).content)


async def test_the_calendar_feed_has_what_is_ahead_in_its_own_zone(client: Client) -> None:
    await some_events()
    answer = await client.get("/events.ics")
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    calendar = Calendar.from_ical(answer.content)
    assert [str(entry["summary"]) for entry in calendar.walk("VEVENT")] == ["Salt & <Pepper>", "Nine Pianos"]
    assert [str(zone["tzid"]) for zone in calendar.walk("VTIMEZONE")] == ["Europe/Rome"]
    starts = calendar.walk("VEVENT")[1]["dtstart"]
    assert starts.params["TZID"] == "Europe/Rome"
    assert starts.dt.astimezone(UTC) == datetime(2026, 12, 14, 12, tzinfo=UTC)


async def entry_of(client: Client) -> tuple[str, int, str]:
    """UID, SEQUENCE and STATUS of the one event."""
    [entry] = Calendar.from_ical((await client.get("/categories/music.ics")).content).walk("VEVENT")
    return str(entry["uid"]), int(entry["sequence"]), str(entry["status"])


async def test_a_calendar_learns_that_an_event_was_postponed_and_called_off(
    client: Client, moment: time_machine.Traveller
) -> None:
    async with writing() as tx:
        dora, event = await world.dora(tx), await world.event(tx)
    uid, first, status = await entry_of(client)
    assert (uid, status) == ("nine-pianos@testserver.local", "CONFIRMED")
    moment.shift(timedelta(hours=1))
    async with writing() as tx:
        event = await tx.get_one(Event, event.id)
        await postponing.postpone(tx, event, reason="The pianist is ill.", return_days=14, by=dora.id or 0, now=clock.now())
    same, second, status = await entry_of(client)
    assert (same, status) == (uid, "TENTATIVE")
    moment.shift(timedelta(hours=1))
    async with writing() as tx:
        event = await tx.get_one(Event, event.id)
        await deciding.call_off(tx, event, reason="The pianist is still ill.", by=dora.id or 0, now=clock.now())
    same, third, status = await entry_of(client)
    assert (same, status) == (uid, "CANCELLED")
    assert first < second < third


@pytest.mark.parametrize("path", ["/events.atom", "/events.ics", "/categories/music.atom", "/sitemap.xml"])
async def test_who_has_the_newest_is_told_so(client: Client, path: str, moment: time_machine.Traveller) -> None:
    await some_events()
    answer = await client.get(path)
    assert answer.headers["cache-control"] == "public, max-age=600"
    # Nothing in a feed depends on when it is asked for.
    moment.shift(timedelta(minutes=30))
    again = await client.get(path, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == answer.headers["etag"]
    async with writing() as tx:
        await world.event(tx, title="News")
    fresh = await client.get(path, headers={"If-None-Match": answer.headers["etag"]})
    assert fresh.status_code == 200
    assert fresh.headers["etag"] != answer.headers["etag"]


async def test_a_feed_says_when_it_changed_last(client: Client) -> None:
    await some_events()
    assert (await client.get("/events.atom")).headers["last-modified"] == "Sat, 14 Nov 2026 12:00:00 GMT"


async def a_series(title: str, **columns: object) -> None:
    async with writing() as tx:
        alice = await world.alice(tx)
        series = Series(slug=title, title=title, manager_id=alice.id or 0, created_at=clock.now())
        tx.add(series)
        await tx.flush()
        await world.event(tx, title=title, series_id=series.id, **columns)


async def test_the_map_names_every_public_page_and_each_is_there(client: Client) -> None:
    await some_events()
    await a_series("weekly")
    await a_series("secret-series", state="draft", published_at=None)
    found = fromstring((await client.get("/sitemap.xml")).content)
    paths = [path for line in found if not i18n.parted(path := path_of(line))[0]]
    assert {"/", "/events", "/categories/music", "/cities/turin", "/events/nine-pianos", "/series/weekly"} <= set(paths)
    assert {path.split("/")[1] for path in paths} == {"", "events", "series", "categories", "cities", "venues", "managers"}
    assert not any("secret" in path for path in paths)
    for path in paths:
        assert (await client.get(path)).status_code == 200, path
    dated = {line.findtext(f"{MAP}loc"): line.findtext(f"{MAP}lastmod") for line in found}
    assert dated["http://testserver.local/events/nine-pianos"] == "2026-11-13T12:00:00Z"


async def test_each_page_is_in_the_map_in_every_language_and_names_the_others(client: Client) -> None:
    """What Google wants of localized versions: each its own entry, which names all of them and itself."""
    await some_events()
    found = fromstring((await client.get("/sitemap.xml")).content)
    told = {path_of(line): {link.get("hreflang"): link.get("href") for link in line.findall(f"{XHTML}link")} for line in found}
    assert len(told) == len(found)
    site, path = "http://testserver.local", "/events/nine-pianos"
    same = {code: f"{site}/{code}{path}" for code in ("fr", "it", "de", "es")}
    same |= {"en": site + path, "x-default": site + path}
    for address in {same[code] for code in i18n.LANGUAGES}:
        assert told[address.removeprefix(site)] == same, address
    assert told["/fr"] == told["/"]
    for links in told.values():
        assert {href.removeprefix(site) for href in links.values() if href} <= set(told), "nobody leads to what is not in the map"
    page = (await client.get("/fr/events/nine-pianos")).text
    on_page = dict(re.findall(r'<link rel="alternate" hreflang="([\w-]+)" href="([^"]+)">', page))
    assert on_page == same, "the page says the same"


async def test_a_full_part_of_the_map_is_far_below_what_the_protocol_allows() -> None:
    places = [feeds.Place(f"/events/{'x' * 115}-{number:04}", clock.now()) for number in range(feeds.MOST_PAGES)]
    full = feeds.site_map(places)
    assert len(full) < 50_000_000 / 4
    assert full.count(b"<url>") < 50_000 / 4


async def test_a_map_that_is_too_long_comes_in_parts(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    await some_events()
    monkeypatch.setattr(feeds, "MOST_PAGES", 2)
    index = fromstring((await client.get("/sitemap.xml")).content)
    assert index.tag == f"{MAP}sitemapindex"
    parts = [(line.findtext(f"{MAP}loc") or "") for line in index]
    names = "others-1", "others-2", "others-3", "events-1", "events-2"
    assert parts == [f"http://testserver.local/sitemaps/{name}.xml" for name in names]
    sizes = [len(fromstring((await client.get(part)).content)) // len(i18n.LANGUAGES) for part in parts]
    assert sizes == [2, 2, 2, 2, 1]
    for name in ("events-3.xml", "others-4.xml", "events-0.xml", "x.xml", "1", "events-1", "events-999999.xml", "events-²"):
        assert (await client.get(f"/sitemaps/{name}")).status_code == 404, name


async def test_crawlers_find_the_map_and_leave_private_pages_alone(client: Client) -> None:
    text = (await client.get("/robots.txt")).text
    assert "Sitemap: http://testserver.local/sitemap.xml" in text
    assert "Disallow: /bookings/" in text
    assert "Disallow: /events" not in text
