"""A guest buys: from the search to the tickets and their mail, and every way that does not end with a payment."""

import re

from playwright.async_api import Page, expect

from tests.browser.people import People, address, buy, choose, fill_in, follow, go_to_pay, mails, only_js, open_mail, pay, take


async def test_a_guest_finds_an_event_and_pays_for_two_tickets(page: Page, javascript: bool):
    email = address("bob")
    await page.goto("/")
    await page.get_by_role("searchbox").fill("fog orchestra")
    await page.get_by_role("button", name="Search").click()
    await expect(page).to_have_url(re.compile(r"/events\?q=fog"))
    await page.get_by_role("link", name="The Fog Machine Orchestra").click()
    await take(page, "Hall", 2)
    await page.get_by_role("button", name="Continue").click()
    await expect(page.get_by_text("2 tickets held for you")).to_be_visible()
    await fill_in(page, email, "Bob Bauer")
    await page.get_by_role("button", name="Pay €58.00").click()
    await expect(page.get_by_text("Test mode: no real card is charged.").first).to_be_visible()
    await pay(page)

    booking = page.url
    codes = page.get_by_role("region", name="Your tickets").get_by_role("listitem")
    await expect(codes).to_have_count(2)
    await page.get_by_role("link", name="Show my tickets").click()
    await expect(page.get_by_role("img", name=re.compile("^QR code of ticket"))).to_have_count(2)
    await expect(page.get_by_text("Bob Bauer")).to_have_count(2)
    await page.goto(booking)
    await codes.nth(1).get_by_role("link", name=re.compile("^Show")).click()
    await expect(page.get_by_role("img", name=re.compile("^QR code of ticket"))).to_be_visible()

    await open_mail(page, email)
    files = page.get_by_role("region", name="Attachments").get_by_role("link")
    for ending in (".pdf", ".ics"):
        await expect(files.filter(has_text=ending)).not_to_have_count(0)
    await follow(page, "/bookings/")
    await expect(page.get_by_role("heading", name="You’re going")).to_be_visible()
    assert page.url == booking


async def test_free_tickets_need_no_payment(page: Page, javascript: bool):
    await choose(page, "the-choir-that-cannot-read-music", Chair=2)
    await fill_in(page, address("carol"), "Carol Conti")
    await page.get_by_role("button", name="Get tickets").click()
    await expect(page.get_by_role("heading", name="You’re going")).to_be_visible()


async def test_mistakes_are_named_and_what_was_typed_stays(people: People, page: Page):
    people.allow(422)
    await choose(page, "radio-silence", Standing=1)
    await fill_in(page, "bob at example", "Bob Bauer")
    await page.get_by_role("button", name=re.compile("^Pay ")).click()
    summary = page.get_by_role("alert")
    await expect(summary).to_be_focused()
    await expect(summary.get_by_role("link", name="Enter an email address in the format name@example.com")).to_be_visible()
    await expect(page.get_by_label("Email")).to_have_value("bob at example")
    await expect(page.get_by_label("Full name")).to_have_value("Bob Bauer")


async def test_a_declined_card_keeps_the_tickets(people: People, page: Page):
    people.allow(402)
    await choose(page, "radio-silence", Standing=1)
    await fill_in(page, address("bob"), "Bob Bauer")
    booking = page.url
    await go_to_pay(page)
    await page.get_by_role("button", name="Decline the card").click()
    await expect(page.get_by_role("alert")).to_contain_text("The card was declined and nothing was charged.")
    await page.get_by_role("link", name="Cancel and go back").click()
    await expect(page).to_have_url(booking)
    await expect(page.get_by_role("heading", name="Your tickets are locked while you pay")).to_be_visible()
    await go_to_pay(page)
    await pay(page)


async def test_whoever_comes_back_unpaid_has_lost_nothing(page: Page, javascript: bool):
    email = address("bob")
    await choose(page, "radio-silence", Standing=2)
    await fill_in(page, email, "Bob Bauer")
    await go_to_pay(page)
    session = page.url
    await page.get_by_role("link", name="Cancel and go back").click()
    await expect(page.get_by_text("to pay. Nothing was taken so far.")).to_be_visible()
    await go_to_pay(page)
    # The same open payment, not a second one, and it knows who pays.
    assert page.url == session
    await expect(page.get_by_text(email)).to_be_visible()
    await pay(page)


async def test_released_tickets_can_be_held_again(page: Page, javascript: bool):
    await choose(page, "radio-silence", Standing=3)
    await page.get_by_role("button", name="Release tickets").click()
    await expect(page.get_by_role("heading", name="You released these tickets")).to_be_visible()
    await page.get_by_role("button", name="Hold them again").click()
    await expect(page.get_by_text("3 tickets held for you")).to_be_visible()


async def test_tickets_that_are_being_paid_can_be_released(people: People, page: Page):
    people.allow(410)
    await choose(page, "radio-silence", Standing=1)
    await fill_in(page, address("bob"), "Bob Bauer")
    booking = page.url
    await go_to_pay(page)
    payment = page.url
    await page.goto(booking)
    await page.get_by_role("button", name="Release tickets").click()
    await expect(page.get_by_role("heading", name="You released these tickets")).to_be_visible()
    await page.goto(payment)
    await expect(page.get_by_role("heading", name="This payment is closed")).to_be_visible()


async def test_there_is_more_time_for_whoever_asks(page: Page, javascript: bool):
    await choose(page, "radio-silence", Standing=1)
    until = page.locator("#hold time")
    before = await until.get_attribute("datetime") or ""
    await page.get_by_role("button", name="I need more time").click()
    await expect(until).not_to_have_attribute("datetime", before)
    assert (await until.get_attribute("datetime") or "") > before


async def test_a_late_bank_confirms_by_itself(page: Page, javascript: bool):
    email = address("carol")
    await choose(page, "radio-silence", Standing=1)
    await fill_in(page, email, "Carol Conti")
    booking = page.url
    await go_to_pay(page)
    await page.get_by_text("Other test outcomes").click()
    await page.get_by_role("button", name=re.compile("bank confirms")).click()
    await expect(page).to_have_url(booking)
    await expect(page.get_by_role("heading", name="Your bank is confirming")).to_be_visible()
    # With scripts the page asks by itself, without them it loads itself again.
    await expect(page.get_by_role("heading", name="You’re going")).to_be_visible(timeout=60_000)


@only_js
async def test_pay_pressed_twice_makes_one_payment(page: Page):
    email = address("bob")
    await choose(page, "radio-silence", Standing=1)
    await fill_in(page, email, "Bob Bauer")
    await page.get_by_role("button", name=re.compile("^Pay ")).dblclick()
    await expect(page.get_by_role("button", name="Decline the card")).to_be_visible()
    await page.get_by_role("button", name=re.compile("^Pay [^l]")).dblclick()
    await expect(page.get_by_role("heading", name="You’re going")).to_be_visible()
    await open_mail(page, email)
    await page.wait_for_timeout(1000)
    assert await mails(page, email) == 1


async def test_a_link_of_a_payment_that_was_made_says_so(people: People, page: Page):
    people.allow(410)
    await choose(page, "radio-silence", Standing=1)
    await fill_in(page, address("bob"), "Bob Bauer")
    await go_to_pay(page)
    payment = page.url
    await pay(page)
    await page.goto(payment)
    await expect(page.get_by_role("heading", name="Already paid")).to_be_visible()
    await page.get_by_role("link", name="Back to the shop").click()
    await expect(page.get_by_role("heading", name="You’re going")).to_be_visible()


async def test_mallory_finds_nothing_at_a_guessed_address(people: People, page: Page):
    people.allow(404)
    booking = await buy(page, "radio-silence", email=address("bob"), name="Bob Bauer", Standing=1)
    mallorys = await people.open()
    await mallorys.goto(booking[:-3] + "abc")
    await expect(mallorys.get_by_role("heading", name="This page does not exist")).to_be_visible()
