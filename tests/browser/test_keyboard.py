"""Without a mouse: everything can be reached, in a sensible order, and the focus is always somewhere."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.browser.pages import PAGES
from tests.browser.people import People, only_js


async def test_tickets_are_chosen_by_keys_alone(page: Page, javascript: bool):
    await page.goto("/events/radio-silence")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to main content")).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to tickets")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#tickets")).to_be_focused()
    await page.keyboard.press("Tab")
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("ArrowRight")
    await expect(page.get_by_role("radio", name="2", exact=True)).to_be_checked()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("button", name="Continue")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile("/bookings/"))
    await expect(page.get_by_text("2 tickets held for you")).to_be_visible()


async def test_enter_in_the_search_field_searches(page: Page, javascript: bool):
    await page.goto("/")
    await page.get_by_role("searchbox").focus()
    await page.keyboard.type("piano")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile(r"q=piano"))
    await expect(page.get_by_role("link", name="Nine Pianos")).to_be_visible()


@only_js
async def test_escape_closes_a_menu_and_gives_the_focus_back(page: Page):
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.goto("/")
    menu = page.locator("summary[aria-label=Menu]")
    await menu.focus()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await expect(page.locator("details.menu[open] a").first).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(menu).to_be_focused()
    await expect(page.locator("details.menu[open]")).to_have_count(0)


WALKED = ("event", "event of a manager", "the section basics", "a question", "door", "desk of an admin")


@pytest.mark.parametrize("name", WALKED)
async def test_the_focus_can_be_seen_wherever_it_goes(people: People, name: str):
    page = await next(look for look in PAGES if look.name == name).show(people)
    # The field that a page begins with would leave out what stands before it.
    await page.evaluate("document.activeElement.blur()")
    reached = set()
    for _step in range(40):
        await page.keyboard.press("Tab")
        # A radio shows it on what stands for it, and a card's link on the whole card.
        seen = await page.evaluate(
            """() => { const at = document.activeElement, box = at.getBoundingClientRect();
                       const places = [at, at.nextElementSibling, at.closest('.card')].filter(Boolean);
                       const shown = places.some(place => getComputedStyle(place).outlineStyle !== 'none');
                       return at === document.body || (shown && box.bottom > 0 && box.top < innerHeight) }"""
        )
        assert seen, await page.evaluate("document.activeElement.outerHTML")
        reached.add(await page.evaluate("document.activeElement.outerHTML"))
    assert len(reached) >= 10
