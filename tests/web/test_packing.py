"""Pages are packed on their way, but never where their length would tell a stranger what they say."""

import gzip
from typing import Any

import httpx
import pytest
import time_machine

from app.core.db import Database
from app.web import packing
from app.web.kept import Kept
from app.web.packing import Packed
from tests import town
from tests.town import Town

TAKES = {"Accept-Encoding": "gzip, br"}
WORDS = "Tonight in the great hall. " * 60


def telling(kind: str, body: str, **headers: str) -> Any:
    """An app that always answers the same."""

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        head = {"content-type": kind, "content-length": str(len(body)), "cache-control": "public, max-age=2", **headers}
        named = [(name.encode(), value.encode()) for name, value in head.items()]
        await send({"type": "http.response.start", "status": 200, "headers": named})
        await send({"type": "http.response.body", "body": body.encode(), "more_body": False})

    return app


def browser(app: Any, **headers: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://testserver.local", headers=headers)


async def raw(client: httpx.AsyncClient, path: str = "/", **headers: str) -> tuple[bytes, httpx.Headers]:
    async with client.stream("GET", path, headers=headers) as answer:
        return b"".join([part async for part in answer.aiter_raw()]), answer.headers


async def test_a_page_is_packed_and_says_how_long_it_is() -> None:
    async with browser(Packed(telling("text/html; charset=utf-8", WORDS, vary="Cookie")), **TAKES) as client:
        sent, headers = await raw(client)
    assert gzip.decompress(sent).decode() == WORDS
    assert headers["content-encoding"] == "gzip"
    assert headers.get_list("content-length") == [str(len(sent))]
    assert headers.get_list("vary") == ["Cookie, Accept-Encoding"]


@pytest.mark.parametrize("takes", ["", "identity", "gzip;q=0", "br"])
async def test_who_takes_nothing_packed_gets_it_as_it_is(takes: str) -> None:
    async with browser(Packed(telling("text/html", WORDS))) as client:
        sent, headers = await raw(client, **{"Accept-Encoding": takes})
    assert sent.decode() == WORDS
    assert "content-encoding" not in headers and headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize(("kind", "body"), [("text/html", "short"), ("image/webp", WORDS), ("application/pdf", WORDS)])
async def test_what_would_not_get_smaller_is_left_alone(kind: str, body: str) -> None:
    async with browser(Packed(telling(kind, body)), **TAKES) as client:
        sent, headers = await raw(client)
    assert sent.decode() == body and "content-encoding" not in headers


async def test_a_stream_passes_piece_by_piece() -> None:
    async def streaming(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
        for piece in (WORDS, WORDS, ""):
            await send({"type": "http.response.body", "body": piece.encode(), "more_body": bool(piece)})

    async with browser(Packed(streaming), **TAKES) as client:
        sent, headers = await raw(client)
    assert sent.decode() == WORDS * 2 and "content-encoding" not in headers


async def test_kept_pages_are_kept_apart_by_what_the_browser_takes() -> None:
    kept = Kept(Packed(telling("text/html", WORDS)), seconds=2)
    async with browser(kept) as client:
        packed, _headers = await raw(client, **TAKES)
        plain, _headers = await raw(client, **{"Accept-Encoding": "identity"})
        again, _headers = await raw(client, **TAKES)
    assert plain.decode() == WORDS and gzip.decompress(packed).decode() == WORDS and again == packed


# ---------- whose page may be packed ----------

# Where a request comes from, as browsers say it: a click here, a typed address, a link elsewhere; a browser that says nothing.
FROM = {"same-origin": True, "none": True, "cross-site": False, "same-site": False, "": False}


async def packed_for(app: Any, small_town: Town, visitor: str) -> dict[str, bool]:
    found = {}
    for site in FROM:
        said = {"Sec-Fetch-Site": site} if site else {}
        async with small_town.browser(app, visitor, **TAKES, **said) as person:
            answer = await person.get("/events")
        found[site] = answer.headers.get("content-encoding") == "gzip"
        assert "Accept-Encoding" in answer.headers["vary"] and answer.text.startswith("<!doctype html>")
    return found


@pytest.fixture
async def small_town(sqlite_database: Database, moment: time_machine.Traveller, tmp_path: Any) -> Town:
    return await town.opened(tmp_path / "town.db")


async def test_another_site_never_makes_a_signed_in_visitor_fetch_a_packed_page(app: Any, small_town: Town) -> None:
    """Otherwise it could try words in the address until the page's length says that one of them stands on it already."""
    assert await packed_for(app, small_town, "bob") == FROM
    assert set((await packed_for(app, small_town, "client")).values()) == {True}


async def test_without_asking_where_from_it_could(app: Any, small_town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""
    monkeypatch.setattr(packing, "OURSELVES", (*FROM, None))
    assert set((await packed_for(app, small_town, "bob")).values()) == {True}
