"""Nothing on a page moves while it arrives, on a phone whose network is slow: fonts, pictures and scripts come late."""

import pytest
from playwright.async_api import Page

from tests.browser.lab import MOVED, arrive, looks, seen
from tests.browser.looks import Look
from tests.browser.people import People, only_js

pytestmark = only_js


@pytest.mark.parametrize("look", looks(), ids=lambda look: look.name)
async def test_nothing_moves_while_a_page_arrives(people: People, look: Look):
    page, _panel, address = await arrive(people, look)
    await page.goto(address, wait_until="load")
    # What scripts add comes right after that.
    await page.wait_for_timeout(500)
    found = await seen(page)
    assert found["lcp"] > 0, "nothing was watched"
    # 0.00: when the first drawing falls into the middle of the header, the links of the navigation make room for the menu.
    assert found["cls"] < MOVED, found["moved"]


async def test_something_that_comes_late_and_moves_the_rest_is_seen(people: People, page: Page):
    """The negative control."""
    page, _panel, address = await arrive(people, looks()[0])
    await page.goto(address, wait_until="load")
    late = "const late = document.createElement('p'); late.textContent = 'Cookies?'; document.body.prepend(late)"
    await page.evaluate(f"() => {{ {late} }}")
    await page.wait_for_timeout(300)
    found = await seen(page)
    assert found["cls"] > MOVED and found["moved"]
