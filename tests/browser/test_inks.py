"""Whatever ink and tone an event has: no words stand on its drawing or its picture, and what has its colours can be read."""

from typing import Any

import pytest
from playwright.async_api import Page

from app.events.rules.looks import HUES, TONES
from tests.browser.grey import COLOURS
from tests.browser.pages import PAGES
from tests.browser.people import People, only_js

pytestmark = only_js

# Where an event is seen by those who look for it, buy, come and let in.
PLACES = ("home", "events", "event", "booking, details", "all tickets of a booking", "door")

# The date on a card is a tile of its own; what is only heard stands nowhere.
OVERLAPS = """() => {
  const drawn = document.querySelectorAll('main svg[preserveAspectRatio], main :is(.poster, .hero, .split) > img');
  const art = [...drawn].map(one => one.getBoundingClientRect()).filter(one => one.width);
  const touches = (one, box) => one.left < box.right - 1 && one.right > box.left + 1 && one.top < box.bottom - 1
    && one.bottom > box.top + 1;
  const words = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT), found = [];
  for (let node; node = words.nextNode();) {
    const around = node.parentElement;
    if (!node.data.trim() || !around.checkVisibility() || around.closest('.card__date, .sr, .sample')) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects())
      if (box.width > 1 && art.some(one => touches(one, box))) found.push(node.data.trim().slice(0, 40));
  }
  return found }"""

# Dresses every event of the page in each ink and tone, looks for words on drawings, and at what is written in these colours.
DRESS = (
    "([hues, tones]) => { "
    + COLOURS
    + """
  const overlaps = """
    + OVERLAPS
    + """;
  const within = '.hero__text *, .split > div *, .card__date, .card__body *, .door-head *, .hold *, .btn, .tt *';
  const dressed = [...document.querySelectorAll('[class*=hue-], [class*=tone-]')];
  const written = [...document.querySelectorAll(within)].filter((one) => one.checkVisibility() && !one.closest('.sr, s')
    && [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
  const faults = dressed.length && written.length ? [] : ['nothing has the colours of an event'];
  for (const hue of hues) for (const tone of tones) {
    for (const one of dressed)
      one.setAttribute('class', one.getAttribute('class').replace(/hue-\\w+/, `hue-${hue}`).replace(/tone-\\w+/, `tone-${tone}`));
    for (const words of overlaps()) faults.push(`${hue} ${tone}: on a drawing: ${words}`);
    for (const one of written) {
      const far = ratio(light(getComputedStyle(one).color), light(ground(one)));
      if (far < 4.5) faults.push(`${hue} ${tone}: ${far.toFixed(1)} to 1: ${one.outerHTML.slice(0, 100)}`);
    }
  }
  return faults }"""
)

# A drawing gives its place to a picture that somebody has uploaded.
PICTURES = """(address) => document.querySelectorAll('main svg[preserveAspectRatio]').forEach((drawing) => {
  const picture = document.createElement('img'); picture.src = address; drawing.replaceWith(picture) })"""


async def faults(page: Page) -> list[str]:
    found: list[Any] = await page.evaluate(DRESS, [HUES, TONES])
    return found


@pytest.mark.parametrize("name", PLACES)
async def test_in_every_ink_and_tone_words_are_beside_the_drawing_and_can_be_read(people: People, name: str):
    page = await next(look for look in PAGES if look.name == name).show(people)
    for width, scheme in ((390, "light"), (1280, "dark")):
        await page.set_viewport_size({"width": width, "height": 900})
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert await faults(page) == [], width
    await page.evaluate(PICTURES, "/static/icon.svg")
    assert await page.evaluate(OVERLAPS) == []


async def test_words_that_are_moved_onto_the_drawing_and_a_colour_too_pale_are_found(people: People):
    """The negative control."""
    page = await next(look for look in PAGES if look.name == "event").show(people)
    sheet = "document.styleSheets[0]"
    for rule, expected in ((".hero h1 { translate: 0 14rem }", "on a drawing"), (".hero h1 { color: #999 }", "to 1:")):
        await page.set_viewport_size({"width": 390, "height": 900})
        await page.evaluate(f"() => {sheet}.insertRule({rule!r}, {sheet}.cssRules.length)")
        assert any(expected in one for one in await faults(page)), rule
