"""Public pages are kept for two seconds, rendered by one request at a time, and never mixed up between visitors."""

import asyncio
import dataclasses
import re
from typing import Any

import httpx
import pytest

from app.core.db import Database
from app.core.settings import Settings, use
from app.web.kept import Kept
from main import create_app
from tests.stage import eventually


class Counting:
    """An app that counts how often it is asked and says what it was told to say, as soon as it may."""

    def __init__(self, *, headers: dict[str, str]) -> None:
        self.asked, self.headers, self.may_answer = 0, headers, asyncio.Event()
        self.may_answer.set()

    async def __call__(self, _scope: Any, _receive: Any, send: Any) -> None:
        self.asked += 1
        mine = self.asked
        await self.may_answer.wait()
        headers = [(name.lower().encode(), value.encode()) for name, value in self.headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": f"page {mine}".encode()})


def browser(app: Any, **given: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://testserver.local", **given)


PUBLIC = {"Cache-Control": "public, max-age=2"}


async def test_a_rush_renders_once() -> None:
    shop = Counting(headers=PUBLIC)
    shop.may_answer.clear()
    async with browser(Kept(shop, seconds=60)) as client:
        rush = [asyncio.create_task(client.get("/events/hot")) for _visitor in range(50)]
        await eventually(lambda: shop.asked > 0)
        shop.may_answer.set()
        answers = await asyncio.gather(*rush)
    assert {answer.text for answer in answers} == {"page 1"}
    assert shop.asked == 1


async def test_the_old_page_is_served_while_one_request_renders() -> None:
    shop = Counting(headers=PUBLIC)
    kept = Kept(shop, seconds=0.01)
    async with browser(kept) as client:
        await client.get("/")
        await asyncio.sleep(0.02)
        shop.may_answer.clear()
        rush = [asyncio.create_task(client.get("/")) for _visitor in range(10)]
        await eventually(lambda: sum(one.done() for one in rush) == 9)
        shop.may_answer.set()
        answers = await asyncio.gather(*rush)
    assert sorted(answer.text for answer in answers) == ["page 1"] * 9 + ["page 2"]


@pytest.mark.asvs("V14.2.2")
@pytest.mark.parametrize(
    "headers", [{"Cache-Control": "no-store"}, {**PUBLIC, "Set-Cookie": "login=secret"}], ids=["private", "with a cookie"]
)
async def test_what_belongs_to_one_visitor_is_never_kept(headers: dict[str, str]) -> None:
    shop = Counting(headers=headers)
    async with browser(Kept(shop, seconds=2)) as client:
        assert [(await client.get("/")).text for _visit in range(2)] == ["page 1", "page 2"]


@pytest.mark.parametrize("difference", [{"cookies": {"theme": "dark"}}, {"params": {"q": "jazz"}}], ids=["theme", "search"])
async def test_pages_that_look_different_are_kept_apart(difference: dict[str, Any]) -> None:
    shop = Counting(headers=PUBLIC)
    kept = Kept(shop, seconds=2)
    async with browser(kept) as client, browser(kept, **difference) as other:
        assert (await client.get("/")).text == "page 1"
        assert (await other.get("/")).text == "page 2"


@pytest.mark.asvs("V14.2.2")
@pytest.mark.parametrize(
    "own", [{"cookies": {"flash": "x"}}, {"cookies": {"favourites": "x"}}, {"headers": {"HX-Request": "true"}}]
)
async def test_a_visitor_with_something_of_their_own_gets_their_own_page(own: dict[str, Any]) -> None:
    shop = Counting(headers=PUBLIC)
    kept = Kept(shop, seconds=2)
    async with browser(kept) as client, browser(kept, **own) as other:
        assert (await client.get("/")).text == "page 1"
        assert (await other.get("/")).text == "page 2"
        assert (await client.get("/")).text == "page 1"


async def test_an_app_that_fails_leaves_nobody_waiting() -> None:
    async def broken(_scope: Any, _receive: Any, _send: Any) -> None:
        await asyncio.sleep(0.01)
        raise RuntimeError("no page today")

    kept = Kept(broken, seconds=2)
    async with browser(kept) as client:
        async with asyncio.timeout(2):
            answers = await asyncio.gather(*(client.get("/") for _visitor in range(3)), return_exceptions=True)
    assert all(isinstance(answer, RuntimeError) for answer in answers)
    assert kept.making == {}


async def test_no_seconds_keeps_nothing() -> None:
    shop = Counting(headers=PUBLIC)
    async with browser(Kept(shop, seconds=0)) as client:
        assert [(await client.get("/")).text for _visit in range(2)] == ["page 1", "page 2"]


# ---------- languages ----------

# Each asks twice, so that the second may get what was kept. The address goes before what the browser asks for.
READERS = [("/", "en", "en"), ("/", "fr", "fr"), ("/fr", "en", "fr"), ("/de", "fr", "de"), ("/", "xx", "en"), ("/fr", "de", "fr")]


async def languages_of(shop: Any) -> list[str]:
    found = []
    for path, asks, _gets in READERS * 2:
        async with browser(shop, headers={"Accept-Language": asks}) as reader:
            found.append(re.search(r'<html lang="(\w+)"', (await reader.get(path)).text)[1])  # type: ignore[index]
    return found


async def test_nobody_gets_a_page_in_another_language(sqlite_database: Database, settings: Settings) -> None:
    use(dataclasses.replace(settings, keep_pages_seconds=2))
    assert await languages_of(create_app()) == [gets for _path, _asks, gets in READERS * 2]


async def test_without_the_language_in_the_key_somebody_would(
    sqlite_database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control."""
    use(dataclasses.replace(settings, keep_pages_seconds=2))
    key_of = Kept._key
    monkeypatch.setattr(Kept, "_key", lambda self, scope: (key := key_of(self, scope)) and (*key[:2], "", *key[3:]))
    assert await languages_of(create_app()) != [gets for _path, _asks, gets in READERS * 2]


# ---------- addresses that somebody makes up ----------


async def test_made_up_searches_neither_fill_the_memory_nor_take_the_others_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.web.kept.MOST_PAGES", 10)
    shop = Counting(headers=PUBLIC)
    kept = Kept(shop, seconds=60)
    async with browser(kept) as client:
        for made_up in range(40):
            await asyncio.gather(client.get("/events"), client.get(f"/events?x={made_up}"), client.get(f"/events?x={made_up}"))
    assert len(kept.pages) == 10 and kept.making == {}
    # Each of the made-up ones was rendered once, and the page that people read once in all.
    assert shop.asked == 41
