"""What comes over the wire when somebody opens a page for the first time, and when they come back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page

from tests.browser.looks import Way
from tests.browser.pages import all_tickets, ticket
from tests.browser.people import ADA, MARTINA, People, only_js

MOST_REQUESTS, MOST_BYTES, MOST_AGAIN = 8, 100_000, 10_000
PAGE_BYTES, SCRIPT_BYTES, STYLE_BYTES = 8_000, 15_000, 14_000
HEADERS = 1_000
TICKET_BYTES = 20_000
DOOR = "/manager/events/shorts-on-the-roof/checkin"
EVENT = "/events/the-fog-machine-orchestra"
PAGES = {"/": None, EVENT: None, f"/manager{EVENT}": MARTINA, "/admin": ADA}


@dataclass
class Wire:
    """What Chromium's own network panel says: bytes by address, head and body as they were sent. Zero: it was in the browser."""

    bytes: dict[str, int] = field(default_factory=dict)
    twice: list[str] = field(default_factory=list)

    @property
    def fetched(self) -> dict[str, int]:
        return {url: size for url, size in self.bytes.items() if size}

    def ending(self, end: str) -> int:
        return sum(size for url, size in self.bytes.items() if urlsplit(url).path.endswith(end))


@asynccontextmanager
async def watched(page: Page, *, stores: bool = True) -> AsyncIterator[Wire]:
    """The wire of a page from now on; with `stores` off the browser keeps nothing."""
    wire, addresses = Wire(), {}
    panel = await page.context.new_cdp_session(page)
    await panel.send("Network.enable")
    await panel.send("Network.setCacheDisabled", {"cacheDisabled": not stores})

    def begun(said: dict[str, Any]) -> None:
        url = addresses[said["requestId"]] = said["request"]["url"]
        if url.startswith("http"):
            wire.bytes.setdefault(url, 0)

    def ended(said: dict[str, Any]) -> None:
        if (url := addresses.get(said["requestId"], "")) in wire.bytes:
            wire.twice += [url] if wire.bytes[url] and said["encodedDataLength"] else []
            wire.bytes[url] += said["encodedDataLength"]

    panel.on("Network.requestWillBeSent", begun)
    panel.on("Network.loadingFinished", ended)
    yield wire
    await panel.detach()


async def visit(page: Page, path: str, *, stores: bool = True) -> Wire:
    async with watched(page, stores=stores) as wire:
        await page.goto(path, wait_until="load")
        await page.evaluate("document.fonts.ready.then(() => null)")
        # A page that watches its numbers never comes to rest.
        await page.wait_for_timeout(700)
    return wire


async def first_browser(people: People, login: tuple[str, str, str] | None) -> Page:
    """A browser that has seen nothing of the shop, signed in without having opened a page."""
    page = await people.open(width=390, height=844)
    if login:
        # Somebody who has signed in elsewhere brings the cookie along and nothing else.
        elsewhere = await people.signed_in(login)
        await page.context.add_cookies([*await elsewhere.context.cookies()])  # type: ignore[list-item]
    return page


@only_js
@pytest.mark.parametrize("path", PAGES)
async def test_a_first_visit_is_light_and_a_second_one_only_the_page(people: People, path: str) -> None:
    page = await first_browser(people, PAGES[path])
    first = await visit(page, path)
    assert len(first.fetched) <= MOST_REQUESTS, first.bytes
    assert sum(first.bytes.values()) <= MOST_BYTES, first.bytes
    assert first.bytes[people.shop + path] <= PAGE_BYTES + HEADERS
    assert first.twice == []
    assert 0 < first.ending(".js") <= SCRIPT_BYTES + HEADERS
    assert 0 < first.ending(".css") <= STYLE_BYTES + HEADERS
    assert {urlsplit(url).netloc for url in first.bytes} == {urlsplit(people.shop).netloc}
    second = await visit(page, path)
    assert sum(second.bytes.values()) <= MOST_AGAIN, second.bytes


@only_js
@pytest.mark.parametrize("shows", [ticket, all_tickets], ids=["one", "all"])
async def test_a_ticket_opens_in_a_hall_with_a_bad_network(people: People, page: Page, shows: Way) -> None:
    await shows(page)
    wire = await visit(await first_browser(people, None), urlsplit(page.url).path)
    assert wire.ending(".woff2") > 0
    assert sum(wire.bytes.values()) - wire.ending(".woff2") <= TICKET_BYTES, wire.bytes


@only_js
async def test_a_browser_that_keeps_nothing_fetches_it_all_again(people: People) -> None:
    """The negative control."""
    page = await people.open()
    await visit(page, "/")
    assert sum((await visit(page, "/", stores=False)).bytes.values()) > 5 * MOST_AGAIN


@only_js
async def test_the_door_comes_first_and_what_helps_without_a_network_later(people: People) -> None:
    page = await first_browser(people, MARTINA)
    async with watched(page) as wire:
        await page.goto(DOOR, wait_until="load")
        first = dict(wire.bytes)
        await page.wait_for_function("caches.open('door').then(kept => kept.match(location.pathname)).then(Boolean)")
    assert len(first) <= MOST_REQUESTS, first
    fetched = {url: size for url, size in wire.fetched.items() if "barcode" not in url and "zxing" not in url}
    assert sum(fetched.values()) <= MOST_BYTES, fetched
    # Only the page itself comes twice: its first answer was not a script's to keep.
    assert set(wire.twice) <= {people.shop + DOOR}
