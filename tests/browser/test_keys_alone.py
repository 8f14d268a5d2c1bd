"""Every task by the keyboard alone: buy, give back, wait, be reminded, register, propose, approve, admit."""

import re

from playwright.async_api import Page, expect

from tests.browser.keys import press, reach, write
from tests.browser.people import ADA, MARTINA, SOFIA, People, address, code_for, follow, only_js, open_mail, sign_in

pytestmark = only_js


async def choose_one(page: Page, name: str) -> None:
    """One place of a ticket type: the arrow goes from none to the first."""
    await reach(page, page.get_by_role("radiogroup", name=name).get_by_role("radio"))
    await page.keyboard.press("ArrowRight")
    await press(page, "Continue")
    await expect(page).to_have_url(re.compile("/bookings/"))


async def test_tickets_are_bought_and_given_back(people: People, page: Page):
    email = address("bob")
    await page.goto("/events/the-choir-that-cannot-read-music")
    await choose_one(page, "Chair")
    await write(page, "Email", email)
    await write(page, "Full name", "Bob Bauer")
    await press(page, "Get tickets")
    await expect(page.get_by_role("heading", name="You’re going")).to_be_visible()
    await press(page, "Give tickets back", role="link")
    await press(page, "Send me the code")
    await expect(page.get_by_label("Code from the mail")).to_be_visible()
    await write(page, "Code from the mail", await code_for(await people.open(), email))
    await press(page, "Give the chosen tickets back")
    await expect(page.get_by_text("The ticket is void and its place is free again.")).to_be_visible()


async def test_places_of_a_presale_are_booked(people: People):
    page, _email = await people.user("carol")
    await page.goto("/events/nine-pianos")
    await write(page, "Code", "NINEPIANOS")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("radiogroup")).not_to_have_count(0)
    group = page.get_by_role("radiogroup").first
    await reach(page, group.get_by_role("radio"))
    await page.keyboard.press("ArrowRight")
    await press(page, "Continue")
    await expect(page.get_by_text("1 ticket held for you")).to_be_visible()


async def test_a_place_in_line_is_taken(page: Page):
    await page.goto("/events/print-your-own-poster")
    await write(page, "Email", address("carol"))
    await press(page, "Join waiting list")
    await expect(page.get_by_text("You are in line").first).to_be_visible()


async def test_a_sale_is_waited_for(page: Page):
    await page.goto("/events/alpine-echo")
    await write(page, "Email", address("carol"))
    await press(page, "Remind me when it opens")
    await expect(page.get_by_text("Look into your mail")).to_be_visible()


async def test_an_account_is_opened(page: Page):
    email = address("carol")
    await page.goto("/register")
    await write(page, "Email", email)
    await write(page, "Password", "seven umbrellas and a cello")
    await press(page, "Create account")
    await expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
    await open_mail(page, email)
    await follow(page, "/verify/")
    await press(page, "Open my account")
    await expect(page.get_by_text("Your account is open.")).to_be_visible()


async def test_an_event_is_proposed_and_approved(people: People):
    page = await people.signed_in(MARTINA)
    await page.goto("/manager/events/alpine-echo")
    await press(page, "Copy to a new draft")
    await expect(page).to_have_url(re.compile("/edit"))
    slug = page.url.split("/manager/events/")[1].split("/")[0]
    await page.goto(f"/manager/events/{slug}/edit/basics")
    await press(page, "Save")
    await expect(page.get_by_text("Saved.")).to_be_visible()
    await page.goto(f"/manager/events/{slug}")
    await press(page, "Send for approval")
    await expect(page.get_by_text("An admin looks at this event.").first).to_be_visible()
    adas = await people.signed_in(ADA)
    await adas.goto(f"/admin/events/{slug}")
    await press(adas, "Approve")
    await expect(adas.get_by_text("is published.").first).to_be_visible()


async def test_a_guest_is_admitted(people: People):
    page = await people.signed_in(MARTINA)
    await page.goto("/manager/events/shorts-on-the-roof/checkin?q=a")
    before = await page.locator("#verdict").inner_text()
    await reach(page, page.get_by_role("button", name=re.compile("^Check in")))
    await page.keyboard.press("Enter")
    await expect(page.locator("#verdict")).not_to_have_text(before)
    await expect(page.locator("body :focus")).to_have_count(1)


async def test_a_category_is_followed(people: People):
    page = await people.open()
    await sign_in(page, SOFIA[1], SOFIA[2])
    await page.goto("/me/favourites")
    box = page.get_by_role("checkbox", name="Film")
    was = await box.is_checked()
    await reach(page, box)
    await page.keyboard.press("Space")
    await press(page, "Save categories")
    await expect(page.get_by_text("Saved. We tell you about new events")).to_be_visible()
    await expect(page.get_by_role("checkbox", name="Film")).to_be_checked(checked=not was)
