"""Our files come under names that change with their content, packed, and stay in the browser for a year."""

import gzip
import re
from pathlib import Path

import brotli  # type: ignore[import-untyped]
import httpx
import pytest

from app.core import static

FOR_EVER = "public, max-age=31536000, immutable"
EARLIER = "/static/app.0123456789.css"


async def test_a_name_with_its_mark_is_kept_for_a_year(client: httpx.AsyncClient) -> None:
    for name, file in static.files().items():
        answer = await client.get(static.address(name))
        assert (answer.status_code, answer.headers["cache-control"]) == (200, FOR_EVER), name
        assert answer.content == file.body, name


def test_the_mark_follows_the_content() -> None:
    """The style sheet's mark changes with the fonts it links to, too."""
    one, other = static.StaticFile("app.css", b"a"), static.StaticFile("app.css", b"b")
    assert one.address != other.address
    linked = re.findall(rb'url\("([^"]+)"\)', static.files()["app.css"].body)
    fonts = [static.address("fonts/display.woff2"), static.address("fonts/text.woff2")]
    assert sorted(link.decode() for link in linked) == fonts


async def test_an_earlier_name_finds_the_present_file_and_is_not_kept(client: httpx.AsyncClient) -> None:
    """A page that was open while the shop was updated keeps its style."""
    answer = await client.get(EARLIER)
    assert answer.content == static.files()["app.css"].body
    assert answer.headers["cache-control"] == "no-cache"
    again = await client.get(EARLIER, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = await client.get(EARLIER, headers={"If-None-Match": 'W/"0123456789"'})
    assert other.status_code == 200


@pytest.mark.parametrize("path", ["nothing.css", "app.0123456789.js.css", "fonts", "LICENSES.0123456789", "a" * 400, "%00"])
async def test_there_is_nothing_else(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(f"/static/{path}")).status_code == 404


@pytest.mark.parametrize(
    ("takes", "encoding"),
    [("gzip, deflate, br, zstd", "br"), ("gzip", "gzip"), ("br;q=0, gzip;q=0.5", "gzip"), ("identity", ""), ("", "")],
)
async def test_a_file_comes_as_the_browser_takes_it(client: httpx.AsyncClient, takes: str, encoding: str) -> None:
    async with client.stream("GET", static.address("app.css"), headers={"Accept-Encoding": takes}) as answer:
        sent = b"".join([part async for part in answer.aiter_raw()])
    unpack = {"br": brotli.decompress, "gzip": gzip.decompress, "": bytes}[encoding]
    assert unpack(sent) == static.files()["app.css"].body
    assert answer.headers.get("content-encoding", "") == encoding
    assert answer.headers["vary"] == "Accept-Encoding"
    assert int(answer.headers["content-length"]) == len(sent)


async def test_what_is_packed_already_stays_as_it_is(client: httpx.AsyncClient) -> None:
    answer = await client.get(static.address("fonts/text.woff2"), headers={"Accept-Encoding": "br, gzip"})
    assert "content-encoding" not in answer.headers and "vary" not in answer.headers
    assert answer.headers["content-type"] == "font/woff2"


async def test_pages_name_no_file_without_its_mark(client: httpx.AsyncClient) -> None:
    marked = set(re.findall(r"/static/[^\"#]+", (await client.get("/")).text))
    assert len(marked) > 5
    assert marked <= {static.address(name) for name in static.files()}


def test_every_file_that_templates_name_is_there() -> None:
    named = set()
    for path in Path("templates").rglob("*.html"):
        named |= set(re.findall(r"static\('([^']+)'\)", path.read_text()))
    assert named and named <= static.files().keys()
