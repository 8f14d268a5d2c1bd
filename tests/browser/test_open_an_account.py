"""Opening an account by a mailed link, signing in and out, and a new password for whoever forgot the old one."""

import re
from contextlib import suppress

import pytest
from playwright.async_api import Page, TimeoutError, expect

from tests.browser.people import MARTINA, PASSWORD, SOFIA, People, address, buy, follow, log_out, open_mail, register, sign_in

NEW_PASSWORD = "an umbrella for every cello"


async def test_a_guests_booking_joins_the_account_of_the_same_address(people: People, page: Page):
    email = address("bob")
    await buy(page, "radio-silence", email=email, name="Bob Bauer", Standing=2)
    # Another browser, so that only the proven address connects the two.
    at_home = await people.open()
    await register(at_home, email)
    await at_home.goto("/me/tickets")
    tickets = at_home.get_by_role("region", name="Radio Silence").get_by_role("listitem")
    await expect(tickets).to_have_count(2)
    await at_home.goto("/me/payments")
    await expect(at_home.get_by_role("row").filter(has_text="Radio Silence")).to_contain_text("€38.00")


async def test_the_mailed_button_is_a_link_that_works(page: Page, javascript: bool):
    email = address("carol")
    await page.goto("/register")
    await page.get_by_label("Email").fill(email)
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Create account").click()
    await page.get_by_role("link", name="Open the test mailbox").click()
    await open_mail(page, email)
    # The mail stands in a frame of its own, and its links leave it. Chromium gives the frame a process of its own too, and
    # loses a click that comes before that has painted; a person would press again, unless the page comes after all.
    for _press in range(3):
        with suppress(TimeoutError):
            await page.frame_locator("iframe").get_by_role("link", name="Open my account").click()
            await page.wait_for_url("**/verify/**", timeout=5_000)
            break
    await expect(page).to_have_url(re.compile("/verify/"))
    await page.get_by_role("button", name="Open my account").click()
    await expect(page.get_by_role("heading", level=1, name=re.compile("^Hello"))).to_be_visible()


async def test_a_link_opens_an_account_once(people: People):
    people.allow(410)
    page, email = await people.user("carol")
    await log_out(page)
    await open_mail(page, email)
    await follow(page, "/verify/")
    await expect(page.get_by_role("heading", name="This link does not work any more")).to_be_visible()


async def test_registering_a_known_address_tells_nobody_but_its_owner(people: People, javascript: bool):
    # An address is mailed about this once in two minutes.
    email = (SOFIA if javascript else MARTINA)[1]
    mallorys = await people.open()
    await mallorys.goto("/register")
    await mallorys.get_by_label("Email").fill(email)
    await mallorys.get_by_label("Password", exact=True).fill(PASSWORD)
    await mallorys.get_by_role("button", name="Create account").click()
    await expect(mallorys.get_by_role("heading", name="Look into your mail")).to_be_visible()
    await open_mail(mallorys, email, "You already have an account")


async def test_a_forgotten_password_is_replaced_by_a_mailed_link(people: People):
    people.allow(401, 410, 422)
    page, email = await people.user("carol")
    await log_out(page)
    await page.goto("/login")
    await page.get_by_role("link", name="I forgot my password").click()
    await page.get_by_label("Email").fill(email)
    await page.get_by_role("button", name="Send the link").click()
    await expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
    await open_mail(page, email, "Set a new password")
    await follow(page, "/password/reset/")
    link = page.url
    await page.get_by_label("New password").fill("short")
    await page.get_by_role("button", name="Save the password").click()
    await expect(page.get_by_role("alert")).to_be_focused()
    await page.get_by_label("New password").fill(NEW_PASSWORD)
    await page.get_by_role("button", name="Save the password").click()
    await expect(page.get_by_text("Your password is changed. Sign in with the new one.")).to_be_visible()

    await page.get_by_label("Email").fill(email)
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("main").get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_be_visible()
    await sign_in(page, email, NEW_PASSWORD)
    await page.goto(link)
    await expect(page.get_by_role("heading", name="This link does not work any more")).to_be_visible()
    await open_mail(page, email, "Your password was changed")


@pytest.mark.asvs("V14.3.1")
async def test_after_logging_out_nothing_private_is_left(people: People):
    page = await people.signed_in(SOFIA)
    await page.goto("/me/payments")
    await expect(page.get_by_role("heading", name="Payments")).to_be_visible()
    await log_out(page)
    await page.go_back()
    await expect(page).to_have_url(re.compile("/login"))
    await page.goto("/me/payments")
    await expect(page).to_have_url(re.compile("/login\\?next=/me/payments"))
    # Signing in leads to where the visitor wanted to go.
    await page.get_by_label("Email").fill(SOFIA[1])
    await page.get_by_label("Password", exact=True).fill(SOFIA[2])
    await page.get_by_role("main").get_by_role("button", name="Sign in").click()
    await expect(page).to_have_url(re.compile("/me/payments$"))


@pytest.mark.asvs("V7.5.2")
async def test_another_browser_can_be_signed_out(people: People):
    at_work, email = await people.user("carol")
    at_home = await people.open()
    await sign_in(at_home, email, PASSWORD)
    await at_home.goto("/me/security")
    await at_home.get_by_role("button", name="Sign out every other browser").click()
    await expect(at_home.get_by_text("Every other browser is signed out.")).to_be_visible()
    await at_work.goto("/me")
    await expect(at_work).to_have_url(re.compile("/login"))


async def test_a_theme_is_kept(page: Page, javascript: bool):
    await page.goto("/events")
    await page.get_by_label("Theme").select_option("dark")
    await page.get_by_role("button", name="Save the theme").click()
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    await page.goto("/login")
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
