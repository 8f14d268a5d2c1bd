"""Broken cookies and broken bytes: they count as none."""

import asyncio
import re
from dataclasses import replace
from typing import Any

import httpx
import pytest

from app.core.db import Database
from app.core.settings import settings, use
from app.web import cookies
from app.web.cookies import signed
from tests.conftest import BASE_URL, whole_shop
from tests.hostile import SCRIPT, mistakes
from tests.stage import free_port, serving
from tests.town import Town
from tests.world import PASSWORD


@pytest.fixture
def shop(small_town: Town) -> Any:
    # With the wrapper that keeps pages, which reads cookies too.
    use(replace(settings(), keep_pages_seconds=2))
    return whole_shop()


# ---------- cookies ----------

NAMES = ("login", "visitor", "flash", "theme", "favourites", "__Host-login", "__Host-visitor")
RUBBISH = [
    "",
    "x",
    "a.b",
    "a.b.c",
    "%00",
    "%ff",
    "=;=",
    '"unclosed',
    "é".encode().decode("latin-1"),
    "\x7f",
    "9" * 30,
    "x" * 16_000,
    ".eJw" + "A" * 4000,
    SCRIPT.replace(";", ""),
]
SHAPES: list[Any] = [
    None, 1, 10**30, "text", "a\x00b", "x" * 5000,
    [], [1, 2], ["a", None], ["e:" + "x" * 5000], [SCRIPT, SCRIPT], ["ok", "a\x00b"],
    ["e:nine-pianos"] * 500, ["c:a\x00", "e:\ufffd"],
    {}, {"id": None}, {"id": 1}, {"id": ["x"]}, {"id": "a\x00b", "role": "admin"}, {"id": "x" * 5000, "role": {}},
    [["e:nine-pianos"]], [{"e": 1}],
]  # fmt: skip
VISITED = ["/", "/events", "/me", "/login", "/imprint", "/nowhere"]


@pytest.mark.asvs("V9.1.1")
@pytest.mark.parametrize("name", NAMES)
async def test_a_broken_cookie_counts_as_none(shop: Any, small_town: Town, name: str) -> None:
    found: list[str] = []
    async with small_town.browser(shop, "client") as browser:
        for value in RUBBISH:
            for path in VISITED:
                answer = await browser.get(path, headers={"Cookie": f"{name}={value}".encode("latin-1")})  # type: ignore[dict-item]
                found += mistakes(answer, f"{name}={value[:40]!r} on {path}")
                assert path != "/me" or answer.status_code == 303
    assert found == [], found


@pytest.mark.parametrize("name", ["login", "visitor", "flash", "favourites"])
async def test_a_signed_cookie_of_another_shape_counts_as_none(shop: Any, small_town: Town, name: str) -> None:
    """Nobody can sign these but us, and an older release of ours may have written something else."""
    found: list[str] = []
    hold = "/events/" + small_town.things["event"]
    async with small_town.browser(shop, "client") as browser:
        for shape in SHAPES:
            cookie = {"Cookie": f"{name}={signed(name, shape).value}"}
            for path in VISITED:
                found += mistakes(await browser.get(path, headers=cookie), f"{shape!r:.60} on {path}")
            for verb in ("favourite", "hold"):
                found += mistakes(await browser.post(f"{hold}/{verb}", headers=cookie), f"{shape!r:.60} to {verb}")
            login = {"email": "bob@example.com", "password": PASSWORD}
            found += mistakes(await browser.post("/login", data=login, headers=cookie), f"{shape!r:.60} at the login")
            browser.cookies.clear()
    assert found == [], found


@pytest.mark.asvs("V9.2.2")
async def test_a_cookie_signed_for_one_purpose_is_worth_nothing_for_another(shop: Any, small_town: Town) -> None:
    claim = cookies.read_signed({"login": small_town.cookies["dora"]}, "login")
    async with small_town.browser(shop, "client") as browser:
        for name in ("visitor", "flash", "favourites"):
            cookie = {"Cookie": f"login={signed(name, claim).value}"}
            assert (await browser.get("/admin", headers=cookie)).status_code == 303, name


# ---------- bytes on the wire ----------

# The request line, and whatever stands below it.
REQUESTS = {
    "bytes in the path": (b"GET /events/\xff\xfe", b""),
    "an encoded NUL": (b"GET /events/%00", b""),
    "encoded rubbish": (b"GET /events/%ff%fe?q=%ff&%00=%00", b""),
    "bytes in the query": (b"GET /events?q=\xff\xfe", b""),
    "bytes in a cookie": (b"GET /", b"Cookie: login=\xff\xfe; theme=\x80\r\n"),
    "bytes in the headers": (b"GET /", b"User-Agent: \xff\xfe\r\nReferer: \xff\r\nAccept-Language: \xff\r\n"),
    "bytes in the browser's name": (
        b"POST /login",
        b"User-Agent: \xff\r\nSec-Fetch-Site: same-origin\r\nContent-Length: 0\r\n",
    ),
    "bytes in the page before": (
        b"POST /events/nine-pianos/favourite",
        b"Referer: \xff\r\nSec-Fetch-Site: same-origin\r\nContent-Length: 0\r\n",
    ),
    "bytes in the origin": (b"POST /theme", b"Origin: \xff\r\nContent-Length: 0\r\n"),
    "bytes in the kind of body": (
        b"POST /webhooks/stripe",
        b"Content-Type: \xff\r\nStripe-Signature: \xff\r\nContent-Length: 0\r\n",
    ),
    "an absolute address": (b"GET http://evil.example/events", b""),
    "a star": (b"OPTIONS *", b""),
}


@pytest.mark.asvs("V4.2.1")
async def test_bytes_that_are_no_text_are_no_error_of_the_server(shop: Any, small_town: Town) -> None:
    """Over a real connection, because the test client sends only what is proper."""
    port = free_port()
    found = {}
    async with serving(shop, port):
        for name, (line, headers) in REQUESTS.items():
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(line + b" HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n" + headers + b"\r\n")
            answer = await reader.read()
            writer.close()
            found[name] = answer.split(b"\r\n", 1)[0]
            assert b"evil.example" not in answer, name
    assert {name: line for name, line in found.items() if not re.match(rb"HTTP/1\.1 [234]", line)} == {}


@pytest.mark.asvs("V4.2.1")
async def test_what_cannot_be_printed_is_in_no_address(database: Database) -> None:
    """PostgreSQL takes no NUL, and a line break in a header would end it."""
    transport = httpx.ASGITransport(app=whole_shop())
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as client:
        for path in ("/events/%00", "/cities/a%00", "/tickets/%00", "/categories/a.%0d%0aX-Evil:%201", "/fr/venues/%7f"):
            assert (await client.get(path)).status_code == 404, path
