"""How little it takes to buy: few taps, two fields that the browser can fill in; and what the shop says afterwards."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.browser.people import People, address, buy, fill_in, only_js, take

pytestmark = only_js
EVENT = "/events/the-fog-machine-orchestra"

# Counts what a hand does, across pages: presses on anything but a field to write into, and the fields that were written into.
COUNT = """const kept = sessionStorage;
  addEventListener('pointerdown', ({ target }) => {
    if (!target.matches('input:not([type=radio], [type=checkbox])')) kept.taps = 1 + Number(kept.taps || 0) });
  addEventListener('input', ({ target }) => { if (target.type !== 'radio')
    kept.fields = [...new Set([...(kept.fields || '').split(' '), target.autocomplete])].join(' ').trim() })"""

FIELDS = """() => [...document.querySelectorAll('#state input')]
  .filter(one => one.checkVisibility()).map(one => one.autocomplete)"""


async def counting(people: People, width: int) -> Page:
    page = await people.open(width=width, height=844 if width == 390 else 900)
    await page.add_init_script(COUNT)
    return page


async def taps(page: Page) -> int:
    return int(await page.evaluate("sessionStorage.taps || 0"))


@pytest.mark.parametrize(("width", "most"), [(390, 5), (1280, 4)], ids=["phone", "desk"])
async def test_two_tickets_are_a_few_taps_and_two_fields_from_their_payment(people: People, width: int, most: int):
    page = await counting(people, width)
    await page.goto(EVENT)
    if width == 390:
        await page.get_by_role("link", name="Choose tickets").click()
    await expect(page.locator("#tickets")).to_be_in_viewport(ratio=0.4)
    await take(page, "Hall", 2)
    await page.get_by_role("button", name="Continue").click()
    await expect(page.get_by_text("2 tickets held for you")).to_be_visible()
    await page.wait_for_load_state()
    assert await page.evaluate(FIELDS) == ["email", "name"]
    await fill_in(page, address("bob"), "Bob Bauer")
    await page.get_by_role("button", name=re.compile("^Pay ")).click()
    await expect(page).to_have_url(re.compile("/sandbox/pay/"))
    assert 3 <= await taps(page) <= most
    assert await page.evaluate("sessionStorage.fields") == "email name"


async def test_a_detour_is_counted(people: People):
    """The negative control."""
    page = await counting(people, 1280)
    await page.goto(EVENT)
    await page.get_by_role("button", name="Save", exact=True).click()
    await page.get_by_text("I have a code").click()
    await page.get_by_label("Code", exact=True).fill("SPRING")
    await take(page, "Hall", 2)
    assert await taps(page) == 4
    assert await page.evaluate("sessionStorage.fields") == "off"


async def test_the_confirmation_answers_what_a_buyer_asks_next(page: Page):
    email = address("bob")
    await buy(page, "radio-silence", email=email, name="Bob Bauer", Standing=1)
    main = page.get_by_role("main")
    reference = await main.locator("header .mono").inner_text()
    assert re.fullmatch(r"\w{4}-\w{4}", reference)
    await expect(main.get_by_text(f"We are sending the tickets to {email}.")).to_be_visible()
    for name in ("Show my ticket", "PDF", "Calendar"):
        await expect(main.get_by_role("link", name=name, exact=True)).to_be_visible()
    next_steps = await main.get_by_role("region", name="What happens next").get_by_role("listitem").all_inner_texts()
    assert [bool(re.search(r"^\w{3,} \d+ \w{3,}.*, \d\d:\d\d$", step, re.MULTILINE)) for step in next_steps] == [True, True]
    assert "a reminder" in next_steps[0] and "Beginning" in next_steps[1]
    contact = main.get_by_role("link", name=re.compile("@"))
    await expect(contact).to_have_attribute("href", f"mailto:{await contact.inner_text()}?subject=Booking%20{reference}")
    await expect(main.get_by_role("link", name="Tell us how buying went.")).to_have_attribute("href", re.compile("^mailto:"))
    account = main.get_by_role("region", name="Keep your tickets in one place")
    assert await account.locator("input:visible").evaluate_all("all => all.map(one => one.autocomplete)") == ["new-password"]
    await account.get_by_label("Password", exact=True).fill("seven umbrellas and a cello")
    await account.get_by_role("button", name="Create account").click()
    await expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
    await expect(page.get_by_text(email)).to_be_visible()
