"""Ways to a checkout: two fields, and what an event asks beside them."""

from playwright.async_api import Page

from tests.browser.people import address, choose, fill_in, go_to_pay


async def details(page: Page) -> None:
    await choose(page, "radio-silence", Standing=2)


async def questions(page: Page) -> None:
    await choose(page, "found-footage-weddings-19741989", Seat=2)


async def wrong_answers(page: Page) -> None:
    await questions(page)
    await fill_in(page, address("bob"), "Bob Bauer")
    await page.get_by_role("button", name="Pay").click()
    await page.get_by_role("alert").wait_for()


async def answers(page: Page) -> None:
    await questions(page)
    await fill_in(page, address("bob"), "Bob Bauer")
    await page.get_by_text("Yes", exact=True).click()
    await go_to_pay(page)
    await page.get_by_role("link", name="Cancel and go back").click()
    await page.get_by_role("link", name="Your answers").click()
    await page.get_by_role("heading", name="Your answers").wait_for()


async def wrong_details(page: Page) -> None:
    await details(page)
    await fill_in(page, "bob at example", "")
    await page.get_by_role("button", name="Pay").click()
    await page.get_by_role("alert").wait_for()
