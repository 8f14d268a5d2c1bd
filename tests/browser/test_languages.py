"""Words are longer in other languages than in English, and phones and tablets are no wider."""

import pytest
from playwright.async_api import Page, expect

from app.core.i18n import LANGUAGES, address_in
from tests.browser.people import ADA, MARTINA, SOFIA, People, only_js

TABLETS = 600, 768, 834, 1024

BELOW = """() => { const top = css => document.querySelector(css).getBoundingClientRect().top;
  return top('.site-nav') - top('.brand') }"""


async def below(people: People, page: Page, address: str, *widths: int) -> dict[tuple[str, int], float]:
    """How far the navigation stands below the name of the shop, by language and width; (0, 8) is beside it."""
    found = {}
    for language in LANGUAGES:
        await page.context.add_cookies([{"name": "language", "value": language, "url": people.shop}])
        await page.goto(address_in(language, address))
        for width in widths:
            await page.set_viewport_size({"width": width, "height": 844})
            found[language, width] = await page.evaluate(BELOW)
    return {where: pixels for where, pixels in found.items() if pixels > 8}


@only_js
async def test_the_way_to_ones_tickets_stands_beside_the_name_of_the_shop(people: People) -> None:
    assert await below(people, await people.come_back(SOFIA), "/me/tickets", 360, 390, *TABLETS) == {}


@only_js
async def test_the_header_of_a_tablet_is_one_line(people: People) -> None:
    assert await below(people, await people.open(), "/events", *TABLETS) == {}
    for login in (MARTINA, ADA):
        assert await below(people, await people.come_back(login), "/me/presales", *TABLETS) == {}, login


@pytest.mark.parametrize("javascript", [False], ids=["no-js"])
async def test_an_admin_with_a_tablet_reaches_the_desks_by_keyboard(people: People) -> None:
    page = await people.come_back(ADA)
    await page.set_viewport_size({"width": 834, "height": 1112})
    await page.goto("/events")
    header = page.get_by_role("navigation", name="Main")
    await header.locator("summary:visible").focus()
    await page.keyboard.press("Enter")
    for desk in ("Events", "Manage", "Admin"):
        await page.keyboard.press("Tab")
        await expect(header.get_by_role("link", name=desk)).to_be_focused()
