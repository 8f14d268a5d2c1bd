"""What the shop promises a buyer, seen from the outside: one price, a right clock, one last ticket, nothing bought twice."""

import asyncio
import io
import re

from PIL import Image
from playwright.async_api import Page, Route, expect

from tests.browser.people import People, address, buy, choose, fill_in, go_to_pay, mails, only_js, open_mail, pay, take

pytestmark = only_js
SOURDOUGH = "/events/sourdough-for-beginners"
MOST_OF_ONE = 2

# Seconds. What the clock says and what is left are read in one moment: on a busy machine a question from outside takes its time.
WRONG_BY = """() => { const hold = document.querySelector('.hold');
  const [minutes, seconds] = hold.querySelector('.hold__clock').textContent.split(':').map(Number);
  return Math.abs((Date.parse(hold.dataset.until) - Date.now()) / 1000 - 60 * minutes - seconds) }"""


async def test_the_price_of_the_card_is_the_price_everywhere(page: Page):
    email = address("bob")
    await page.goto("/events?q=fog")
    await expect(page.get_by_role("article").filter(has_text="The Fog Machine Orchestra")).to_contain_text("From €12")
    await page.goto("/events/the-fog-machine-orchestra")
    await expect(page.locator(".tt").filter(has_text="Under 26")).to_contain_text("€12")
    await choose(page, "the-fog-machine-orchestra", Under_26=1)
    await expect(page.get_by_role("main")).to_contain_text("€12.00")
    await expect(page.get_by_role("button", name="Pay €12.00")).to_be_visible()
    await fill_in(page, email, "Bob Bauer")
    await go_to_pay(page)
    await expect(page.get_by_role("button", name="Pay €12.00")).to_be_visible()
    await pay(page)
    await page.get_by_role("link", name=re.compile("receipt", re.IGNORECASE)).first.click()
    await expect(page.get_by_role("main")).to_contain_text("€12.00")
    await open_mail(page, email)
    await expect(page.locator("pre")).to_contain_text("€12.00")


async def test_a_confirmation_that_is_opened_again_buys_nothing_more(page: Page):
    email = address("carol")
    booking = await buy(page, "radio-silence", email=email, name="Carol Conti", Standing=1)
    await open_mail(page, email)
    for _ in range(2):
        await page.goto(booking)
        await page.reload()
        await expect(page.get_by_role("link", name=re.compile("^Show my ticket"))).to_have_count(1)
    assert await mails(page, email) == 1


async def test_the_clock_of_a_hold_is_right_after_a_reload_and_after_going_back(page: Page):
    await choose(page, "radio-silence", Standing=1)

    async def wrong_by() -> float:
        return float(await page.evaluate(WRONG_BY))

    assert await wrong_by() <= 2
    await page.reload()
    assert await wrong_by() <= 2
    await page.goto("/terms")
    await page.wait_for_timeout(2500)
    await page.go_back()
    await page.wait_for_load_state()
    assert await wrong_by() <= 2


async def test_of_two_who_want_the_last_ticket_one_gets_it_and_the_other_reads_what_is_left(people: People, page: Page):
    people.allow(409)
    await page.goto(SOURDOUGH)
    places = page.locator(".tt").filter(has_text="left")
    left = int(re.findall(r"(\d+) left", await places.inner_text())[0])
    name = await places.get_by_role("heading").inner_text()
    others = [await people.open() for _ in range(0, left - 1, MOST_OF_ONE)]
    for number, other in enumerate(others):
        await choose(other, "sourdough-for-beginners", **{name: min(MOST_OF_ONE, left - 1 - number * MOST_OF_ONE)})
    two = [await people.open(), await people.open()]
    for one in two:
        await one.goto(SOURDOUGH)
        await take(one, name, 1)
    await asyncio.gather(*(one.get_by_role("button", name="Continue").click() for one in two))
    for one in two:
        await expect(one.get_by_text("held for you").or_(one.get_by_role("alert")).first).to_be_visible()
    loser, winner = sorted(two, key=lambda one: "/bookings/" in one.url)
    assert "/bookings/" in winner.url
    assert "/bookings/" not in loser.url
    await expect(loser.get_by_role("alert")).to_contain_text(name)
    for one in (winner, *others):
        await one.get_by_role("button", name="Release tickets").click()
        await expect(one.get_by_role("heading", name="You released these tickets")).to_be_visible()


async def test_a_dark_page_is_dark_before_its_style_arrives(people: People, page: Page):
    async def nothing_yet(route: Route) -> None:
        await route.fulfill(body="", content_type="text/css")

    await page.route("**/*.css", nothing_yet)
    for scheme, least, most in (("dark", 0, 60), ("light", 200, 255)):
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        await page.goto("/login")
        with Image.open(io.BytesIO(await page.screenshot())) as picture:
            ground = picture.convert("L").getpixel((1270, 890))
        assert least <= ground <= most, scheme  # type: ignore[operator]
    # Without its style a page has no use for its fonts, and Chromium says so to whoever stays for some seconds.
    people.complaints = [one for one in people.complaints if "preload" not in one]
