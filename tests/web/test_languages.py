"""Which language a page is in: what the address says, what was chosen, what the account speaks, what the browser asks for."""

import re
from html import unescape
from typing import Any

import httpx
import pytest

from app.accounts.queries import by_email
from app.core import i18n
from app.core.db import reading, writing
from app.web.kept import Kept
from app.web.language import Addressed, Spoken
from tests import world
from tests.conftest import BASE_URL

GERMAN = {"Accept-Language": "de-AT, de;q=0.9, en;q=0.5"}


def spoken(answer: httpx.Response) -> str:
    """The language of a page; its element and its header must say the same."""
    found = re.search(r'<html lang="(\w+)" dir="ltr"', answer.text)
    assert found and answer.headers["content-language"] == found[1]
    return found[1]


async def nine_pianos() -> str:
    """The slug of an event on sale."""
    async with writing() as tx:
        return (await world.event(tx)).slug


# ---------- what the browser asks for ----------


@pytest.mark.parametrize(
    ("wish", "language"),
    [
        ("fr", "fr"),
        ("de-AT", "de"),
        ("it-CH, it;q=0.9, en;q=0.8", "it"),
        ("en;q=0.5, es;q=0.9", "es"),
        ("nl, fr;q=0.1", "fr"),
        ("FR-ca", "fr"),
        ("fr;q=0, en", "en"),
        ("fr;q=0", "en"),
        ("fr, de", "fr"),
        ("de; q=0.7, fr; q=0.8", "fr"),
        ("nl, *", "en"),
        ("", "en"),
        ("fr;q=much", "en"),
        (",;,;;q=1", "en"),
        ("x" * 100_000, "en"),
    ],
)
def test_the_browsers_wish_is_understood(wish: str, language: str) -> None:
    assert i18n.preferred(wish) == language


async def test_a_first_visitor_reads_their_own_language(client: httpx.AsyncClient) -> None:
    for path in ("/", "/events", "/login", "/imprint", "/nowhere"):
        assert spoken(await client.get(path, headers=GERMAN)) == "de", path
        assert spoken(await client.get(path)) == "en", path


# ---------- what the address says ----------


@pytest.mark.parametrize(
    ("path", "in_french"),
    [
        ("/", "/fr"),
        ("/?city=Turin", "/fr?city=Turin"),
        ("/events", "/fr/events"),
        ("/events?q=a/b#c", "/fr/events?q=a/b#c"),
        ("/events/nine-pianos/hold", "/fr/events/nine-pianos/hold"),
        ("/me/tickets", "/me/tickets"),
        ("/eventsandmore", "/eventsandmore"),
        ("/fr/events", "/fr/events"),
        ("//evil.example/events", "//evil.example/events"),
        ("https://evil.example/events", "https://evil.example/events"),
        ("", ""),
    ],
)
def test_public_pages_have_an_address_in_each_language(path: str, in_french: str) -> None:
    assert i18n.address_in("fr", path) == in_french
    assert i18n.address_in("en", path) == path


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("/fr", ("fr", "/")),
        ("/fr/", ("fr", "/")),
        ("/fr/events/x", ("fr", "/events/x")),
        ("/events", ("", "/events")),
        ("/en/events", ("", "/en/events")),
        ("/french", ("", "/french")),
        ("//fr/x", ("", "//fr/x")),
        ("", ("", "")),
    ],
)
def test_the_language_is_taken_out_of_an_address(path: str, parts: tuple[str, str]) -> None:
    assert i18n.parted(path) == parts


async def test_an_address_in_french_is_french_whatever_the_browser_wants(client: httpx.AsyncClient) -> None:
    for path in ("/fr", "/fr/", "/fr/events", "/fr/login", "/fr/imprint"):
        answer = await client.get(path, headers=GERMAN)
        assert (answer.status_code, spoken(answer)) == (200, "fr"), path
        assert "set-cookie" not in answer.headers, path
    missing = await client.get("/fr/nowhere")
    assert (missing.status_code, spoken(missing)) == (404, "fr")
    for path in ("/en/events", "/xx/events", "/FR/events", "/frevents"):
        assert (await client.get(path)).status_code == 404, path


async def test_links_on_a_french_page_stay_french(client: httpx.AsyncClient, sqlite_database: Any) -> None:
    slug = await nine_pianos()
    for path in ("/fr", "/fr/events", f"/fr/events/{slug}", "/fr/login"):
        html = (await client.get(path)).text
        there = re.findall(r'(?:href|action|hx-get|hx-post)="(/[^"]*)"', html)
        first = {address.partition("?")[0].split("/")[1] for address in there}
        assert "fr" in first, path
        assert first & i18n.IN_EACH_LANGUAGE == set(), path
    assert f'action="/fr/events/{slug}/hold"' in (await client.get(f"/fr/events/{slug}")).text


async def test_the_searched_words_stand_in_the_quotation_marks_of_the_language(client: httpx.AsyncClient) -> None:
    assert ">„tango“<" in (await client.get("/de/events?q=tango")).text
    assert ">«\u202ftango\u202f»<" in (await client.get("/fr/events?q=tango")).text


async def test_search_engines_are_told_of_every_language(client: httpx.AsyncClient, sqlite_database: Any) -> None:
    slug = await nine_pianos()
    for path in (f"/events/{slug}", f"/it/events/{slug}"):
        html = (await client.get(path)).text
        told = dict(re.findall(r'<link rel="alternate" hreflang="([\w-]+)" href="([^"]+)">', html))
        plain = f"{BASE_URL}/events/{slug}"
        assert told == {"en": plain, "x-default": plain} | {
            code: f"{BASE_URL}/{code}/events/{slug}" for code in ("fr", "it", "de", "es")
        }
    assert f'<link rel="canonical" href="{BASE_URL}/it/events/{slug}">' in html
    for path in ("/events?q=jazz", "/login", "/nowhere"):
        assert "hreflang" not in (await client.get(path)).text, path


async def test_what_is_done_on_a_french_page_goes_on_in_french(client: httpx.AsyncClient, sqlite_database: Any) -> None:
    slug = await nine_pianos()
    kind = re.search(r'name="(q-[^"]+)"', (await client.get(f"/fr/events/{slug}")).text)
    assert kind
    nothing = await client.post(f"/fr/events/{slug}/hold", data={kind[1]: "0"})
    assert (nothing.status_code, spoken(nothing)) == (422, "fr")
    client.cookies.clear()
    held = await client.post(f"/fr/events/{slug}/hold", data={kind[1]: "1"})
    assert held.status_code == 303
    assert spoken(await client.get(held.headers["location"])) == "fr"
    assert spoken(await client.get("/me/nowhere")) == "fr"


async def test_a_foreign_form_is_refused_in_the_language_of_the_page(client: httpx.AsyncClient) -> None:
    answer = await client.post("/fr/login", headers={"Sec-Fetch-Site": "cross-site"})
    assert (answer.status_code, spoken(answer)) == (403, "fr")


async def test_the_way_to_the_login_keeps_the_language(client: httpx.AsyncClient) -> None:
    answer = await client.get("/me/tickets", headers=GERMAN)
    assert (answer.status_code, answer.headers["location"]) == (303, "/de/login?next=/me/tickets")
    answer = await client.get("/me/payments?page=2&x=1")
    assert answer.headers["location"] == "/login?next=/me/payments%3Fpage%3D2%26x%3D1"


@pytest.mark.parametrize("wanted", ["//evil.example", "/fr//evil.example", "/fr/\\evil.example", "https://evil.example/fr"])
async def test_a_language_in_the_address_leads_nowhere_else(client: httpx.AsyncClient, wanted: str) -> None:
    answer = await client.post("/language", data={"language": "fr", "next": wanted})
    assert answer.headers["location"] == "/fr"


# ---------- what was chosen ----------


async def test_the_chosen_language_is_on_every_page(client: httpx.AsyncClient) -> None:
    answer = await client.post("/language", data={"language": "fr", "next": "/events"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/fr/events")
    assert spoken(await client.get("/login", headers=GERMAN)) == "fr"
    back = await client.post("/language", data={"language": "en", "next": "/fr/events"})
    assert back.headers["location"] == "/events"
    assert spoken(await client.get("/events", headers=GERMAN)) == "en"


@pytest.mark.parametrize("form", ["language", "theme"])
async def test_who_changes_how_a_list_looks_keeps_its_filters(client: httpx.AsyncClient, form: str) -> None:
    shown = (await client.get("/events?q=piano&price=free")).text
    inside = shown.split(f'action="/{form}"')[1]
    back = unescape(inside.split('name="next" value="')[1].split('"')[0])
    answer = await client.post(f"/{form}", data={form: "fr", "next": back})
    assert answer.headers["location"].removeprefix("/fr") == "/events?q=piano&price=free"


@pytest.mark.parametrize("chosen", ["xx", "", "fr ", "../fr", "x" * 1000])
async def test_a_language_that_nobody_speaks_changes_nothing(client: httpx.AsyncClient, chosen: str) -> None:
    answer = await client.post("/language", data={"language": chosen, "next": "/login"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert spoken(await client.get("/login")) == "en"


async def test_a_broken_cookie_counts_as_none(client: httpx.AsyncClient) -> None:
    client.cookies.set("language", "klingon", domain="testserver.local")
    assert spoken(await client.get("/events", headers=GERMAN)) == "de"


async def test_an_account_speaks_the_language_that_its_owner_chose_last(
    client: httpx.AsyncClient, open_browser: Any, sign_in: Any, sqlite_database: Any
) -> None:
    async with writing() as tx:
        bob = await world.bob(tx)
    await sign_in(client, bob)
    await client.post("/language", data={"language": "it", "next": "/me"})
    async with reading() as db:
        again = await by_email(db, bob.email)
    assert again and again.language == "it"
    other = await open_browser()
    await sign_in(other, bob)
    assert spoken(await other.get("/me", headers=GERMAN)) == "it"


# ---------- kept pages ----------


async def test_pages_in_two_languages_are_kept_apart() -> None:
    async def shop(_scope: Any, _receive: Any, send: Any) -> None:
        headers = [(b"cache-control", b"public, max-age=2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": i18n.language().encode()})

    kept = Addressed(Spoken(Kept(shop, seconds=60)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=kept), base_url=BASE_URL) as browser:
        asked = [("/events", "fr"), ("/events", "de"), ("/events", ""), ("/it/events", "de"), ("/events", "fr")]
        for (path, wish), language in zip(asked, ["fr", "de", "en", "it", "fr"], strict=True):
            assert (await browser.get(path, headers={"Accept-Language": wish})).text == language
    assert len(kept.app.app.pages) == 4


async def test_kept_pages_would_be_mixed_up_without_the_language(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""
    monkeypatch.setattr("app.web.kept.i18n.language", lambda: "en")
    with pytest.raises(AssertionError):
        await test_pages_in_two_languages_are_kept_apart()
