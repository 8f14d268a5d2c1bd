"""Settings that people make on their devices: nothing moves, colours are theirs, there are no colours, text is large."""

from playwright.async_api import Page, expect

from tests.browser.eyes import WIDER
from tests.browser.people import choose, only_js

pytestmark = only_js
PATHS = ("/", "/events?q=radio", "/events/the-fog-machine-orchestra", "/login", "/favourites")

# What an element would do by itself or when something about it changes; colours that fade are named, too.
MOVING = """() => [...document.querySelectorAll('*')].flatMap(one => [null, '::before', '::after'].map(part => [one, part]))
  .map(([one, part]) => [one, part, getComputedStyle(one, part)])
  .filter(([_one, _part, style]) => style.animationName !== 'none' ||
    (style.transitionDuration.split(', ').some(time => parseFloat(time) > 0) && style.transitionProperty !== 'none'))
  .map(([one, part, style]) => `${one.className.baseVal ?? one.className} ${part ?? ''} ${style.transitionProperty}`)"""


async def moving(page: Page) -> set[str]:
    return set(await page.evaluate(MOVING))


async def test_with_reduced_motion_nothing_moves(page: Page):
    for path in PATHS:
        await page.goto(path)
        assert await moving(page) == set()
    await choose(page, "radio-silence", Standing=1)
    assert await moving(page) == set()
    # The time that runs is what may go on.
    clock = page.locator(".hold__clock")
    shown = await clock.inner_text()
    await expect(clock).not_to_have_text(shown)


async def test_without_it_buttons_fade_and_nothing_else(page: Page):
    await page.emulate_media(reduced_motion="no-preference")
    for path in PATHS:
        await page.goto(path)
        found = await moving(page)
        # Buttons change their colour, and the mark of a fold turns when it is opened.
        strange = {one for one in found if not one.startswith(("btn", "htmx")) and one != " ::after rotate"}
        assert found, "the look for it is blind"
        assert strange == set()


async def test_the_keyboard_and_choices_are_seen_in_forced_colours(page: Page):
    await page.emulate_media(forced_colors="active")
    await page.goto("/events/the-fog-machine-orchestra")
    radio = page.get_by_role("radiogroup").first.get_by_role("radio").nth(1)
    await radio.focus()
    await page.keyboard.press("Space")
    chosen = await radio.evaluate("one => getComputedStyle(one.nextElementSibling).outlineStyle")
    assert chosen == "solid"
    button = page.get_by_role("button", name="Continue")
    await button.focus()
    await page.keyboard.press("Shift+Tab")
    await page.keyboard.press("Tab")
    style = await button.evaluate("one => [getComputedStyle(one).outlineStyle, getComputedStyle(one).borderStyle]")
    assert style == ["solid", "solid"]
    poster = page.locator(".poster").first
    assert await poster.evaluate("one => getComputedStyle(one).forcedColorAdjust") == "none"


async def test_text_twice_as_large_and_a_window_four_times_as_near_scroll_one_way_only(page: Page):
    for path in PATHS:
        await page.goto(path)
        await page.set_viewport_size({"width": 640, "height": 900})
        await page.evaluate("document.documentElement.style.fontSize = '200%'")
        assert await page.evaluate(WIDER) == [], path
        # A window of 1,280 pixels at 400 %.
        await page.evaluate("document.documentElement.style.fontSize = ''")
        await page.set_viewport_size({"width": 320, "height": 256})
        assert await page.evaluate(WIDER) == [], path
