"""A guest changes their mind: chooses a ticket, proves the address by the mailed code, and gives it back."""

import re

from playwright.async_api import Page, expect

from tests.browser.pages import give_back
from tests.browser.people import People, code_for


async def test_a_guest_gives_one_of_two_tickets_back(people: People) -> None:
    page = await people.open(width=390, height=844)
    await give_back(page)
    booking = page.url
    email = await address_of(page)
    await page.get_by_role("button", name="Send me the code").click()
    await expect(page.get_by_text("The code is on its way.")).to_be_visible()
    digits = await code_for(await people.open(), email)
    await page.get_by_role("checkbox").first.uncheck()
    if people.javascript:
        await expect(page.get_by_text("1 ticket:")).to_be_visible()
    await page.get_by_label("Code from the mail").fill(digits)
    await page.get_by_label("Code from the mail").press("Enter")
    await expect(page.get_by_text("The ticket is void and its place is free again.")).to_be_visible()
    await expect(page.get_by_text("Void", exact=True)).to_have_count(1)
    await page.goto(booking)
    await expect(page.get_by_role("checkbox")).to_have_count(1)


async def address_of(page: Page) -> str:
    """The booking's own page names the address in full."""
    await page.get_by_role("link", name=re.compile("^Booking ")).first.click()
    email = await page.locator("header strong").first.inner_text()
    await page.get_by_role("link", name="Give tickets back").click()
    return email
