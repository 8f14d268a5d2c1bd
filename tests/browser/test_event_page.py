"""An event's page in a browser: what fits into the first screen, and numbers that change under somebody's eyes."""

import re
from functools import partial

from playwright.async_api import Page, expect

from tests.browser.people import People, choose, only_js, take
from tests.stage import eventually

PHONE = {"width": 390, "height": 844}
EVENT = "/events/the-fog-machine-orchestra"

# What moved although nobody touched the page, and how far.
WATCH = """() => { window.moved = 0
  const note = list => list.getEntries().forEach(one => { window.moved += one.hadRecentInput ? 0 : one.value })
  new PerformanceObserver(note).observe({ type: 'layout-shift', buffered: true }) }"""

# What a person sees of a page without moving it: boxes that begin and end inside the window.
SEEN = """texts => texts.filter(text => {
  const words = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
  for (let node; node = words.nextNode();) {
    if (!node.data.includes(text)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const box = range.getBoundingClientRect();
    if (box.height && box.top >= 0 && box.bottom <= innerHeight && box.right <= innerWidth) return false;
  }
  return true;
})"""

STUBS = """() => [...document.querySelectorAll('.btn--ticket')].filter(one => one.checkVisibility()).length"""


async def test_the_first_screen_of_a_phone_says_all_that_one_decides_by(page: Page):
    await page.set_viewport_size(PHONE)
    await page.goto(EVENT)
    facts = page.locator(".facts")
    words = re.sub(r"\s+", " ", await facts.inner_text())
    day = re.search(r"\w+ \d+ \w+ \d{4}", words)
    assert day and "Doors" in words and "ends about" in words
    venue = await facts.locator("dd strong").nth(1).inner_text()
    access = (await facts.locator("dd").last.inner_text())[:20]
    needed = [day[0], "Doors", "ends about", venue, access, "From €", "Choose tickets", "The Fog Machine Orchestra"]
    assert await page.evaluate(SEEN, needed) == []


async def test_the_first_screen_of_the_home_page_has_a_search_filters_and_a_whole_event(page: Page):
    await page.set_viewport_size(PHONE)
    await page.goto("/")
    assert await page.evaluate(SEEN, ["More filters", "Tonight", "From €", "Get tickets"]) == []
    button = await page.locator(".feature .btn--ticket").bounding_box()
    field = await page.get_by_role("searchbox").bounding_box()
    assert button and field and field["y"] > 0 and button["y"] + button["height"] <= PHONE["height"]
    await page.locator("#feature-title").evaluate("title => { title.textContent = 'Midnight Cartoons for Tired Parents' }")
    assert await page.evaluate(SEEN, ["Tonight", "From €", "Get tickets"]) == []


async def test_skipping_to_the_tickets_is_the_second_stop_of_the_keyboard(page: Page):
    await page.goto(EVENT)
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to tickets")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#tickets")).to_be_focused()


async def test_one_button_is_shaped_like_a_ticket(page: Page):
    await page.goto(EVENT)
    assert await page.evaluate(STUBS) == 1
    await choose(page, "the-fog-machine-orchestra", Hall=1)
    assert await page.evaluate(STUBS) == 1


@only_js
async def test_places_go_under_somebodys_eyes_and_nothing_moves(people: People, page: Page):
    await page.set_viewport_size(PHONE)
    await page.goto("/events/nobody-waters-the-plants")
    await page.evaluate(WATCH)
    left = page.locator(".left")
    await expect(left).to_have_text("6 left")
    carols = await people.open()
    await choose(carols, "nobody-waters-the-plants", Seat=5)
    await expect(left).to_have_text("1 left")
    await expect(page.locator("#toasts")).to_be_empty()
    await take(page, "Seat", 2)
    daves = await people.open()
    await choose(daves, "nobody-waters-the-plants", Seat=1)
    await expect(left).to_have_text("All held, look again in 15 minutes")
    await expect(page.locator("input[type=radio]:checked")).to_have_value("2")
    for browser in (carols, daves):
        await browser.get_by_role("button", name="Release tickets").click()
    await expect(left).to_have_text("6 left")
    assert await page.evaluate("window.moved") < 0.001


@only_js
async def test_what_a_stream_tells_reaches_every_ticket_type_until_a_code_offers_something_else(page: Page):
    await page.add_init_script("window.EventSource = class { constructor() { window.stream = this } close() {} }")
    tell = """word => window.stream.onmessage({ data: [...document.querySelectorAll('.left')].map(
        one => `<p class="left" id="${one.id}">${word}</p>`).join('') })"""
    await page.goto("/events/nine-pianos")
    left = page.locator(".left")
    await page.evaluate(tell, "7 left")
    await expect(left).to_have_text(["7 left"] * 2)
    await page.get_by_label("Code").fill("NINEPIANOS")
    await page.get_by_role("button", name="Use the code").click()
    await expect(left.first).to_contain_text("until")
    before = await left.all_inner_texts()
    await page.evaluate(tell, "Pre-sale, needs a code")
    assert await left.all_inner_texts() == before


@only_js
async def test_a_page_that_nobody_looks_at_follows_nothing(page: Page):
    await page.add_init_script(
        """window.streams = []; const Real = window.EventSource;
        window.EventSource = class extends Real { constructor(url) { super(url); window.streams.push(this) } };
        window.hides = false; Object.defineProperty(document, 'hidden', { get: () => window.hides })"""
    )
    await page.goto(EVENT)

    async def states(wanted: list[int]) -> bool:
        return bool(await page.evaluate("window.streams.map(one => one.readyState)") == wanted)

    await eventually(lambda: states([1]))
    for hidden, wanted in ((True, [2]), (False, [2, 1])):
        await page.evaluate(f"window.hides = {str(hidden).lower()}; document.dispatchEvent(new Event('visibilitychange'))")
        await eventually(partial(states, wanted))
