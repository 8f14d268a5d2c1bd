"""A user books places of a pre-sale with an access code, and pays them later."""

import re

from playwright.async_api import Page, expect

from tests.browser.people import People, open_mail, pay, take


async def unlock(page: Page, code: str) -> None:
    await page.goto("/events/nine-pianos")
    await page.get_by_label("Code", exact=True).fill(code)
    await page.get_by_role("button", name="Use the code").click()


async def test_a_user_books_with_the_code_and_pays_later(people: People):
    page, email = await people.user("carol")
    await unlock(page, "ninepianos")
    await take(page, "Balcony", 2)
    await page.get_by_role("button", name="Continue").click()
    await expect(page.get_by_text("2 tickets held for you")).to_be_visible()
    await open_mail(page, email, "Your 2 places are kept until")

    await page.goto("/me/presales")
    booking = page.get_by_role("listitem").filter(has_text="Nine Pianos")
    await expect(booking).to_contain_text(re.compile(r"Kept until .*\d\d:\d\d"))
    await expect(booking.get_by_role("link", name="Add to calendar")).to_be_visible()
    await booking.get_by_role("link", name="Pay €52.00").click()
    await page.get_by_label("Full name").fill("Carol Conti")
    await page.get_by_role("button", name="Pay €52.00").click()
    await pay(page)

    await page.goto("/me/tickets")
    await expect(page.get_by_role("region", name="Nine Pianos").get_by_role("listitem")).to_have_count(2)
    await page.goto("/me/payments")
    await expect(page.get_by_role("row").filter(has_text="Nine Pianos")).to_contain_text("€52.00")
    await page.goto("/me/presales")
    await expect(page.get_by_role("heading", name="No pre-sales yet")).to_be_visible()


async def test_a_presale_can_be_released(people: People):
    page, _email = await people.user("carol")
    await unlock(page, "NINEPIANOS")
    await take(page, "Inner circle", 1)
    await page.get_by_role("button", name="Continue").click()
    await page.goto("/me/presales")
    await page.get_by_role("button", name="Release tickets Nine Pianos").click()
    await expect(page.get_by_role("heading", name="You released these tickets")).to_be_visible()


async def test_a_wrong_code_opens_nothing(people: People, page: Page):
    people.allow(422)
    await unlock(page, "TENPIANOS")
    await expect(page.get_by_text("No ticket type of this event opens with that code.").first).to_be_visible()
    await expect(page.get_by_role("radiogroup")).to_have_count(0)


async def test_a_client_is_led_to_the_login_and_back(page: Page, javascript: bool):
    await unlock(page, "NINEPIANOS")
    await page.get_by_role("link", name="Sign in first").click()
    await expect(page).to_have_url(re.compile(r"/login\?next=/events/nine-pianos"))
