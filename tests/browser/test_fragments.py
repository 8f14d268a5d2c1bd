"""What changes in place when scripts run: the address follows, the focus stays, and nothing else moves."""

import re

from playwright.async_api import Page, expect

from tests.browser.people import MARTINA, SOFIA, People, address, choose, fill_in, go_to_pay, looked_after, only_js, pay, take

pytestmark = only_js


async def stay(page: Page) -> None:
    """Leaves a mark on the page that a new page would not have."""
    await page.evaluate("document.body.dataset.stayed = 'yes'")


async def has_stayed(page: Page) -> bool:
    return bool(await page.evaluate("document.body.dataset.stayed === 'yes'"))


async def test_the_search_follows_the_typing(page: Page):
    await page.goto("/events")
    await stay(page)
    field = page.get_by_role("searchbox")
    await field.press_sequentially("fog machine", delay=20)
    await expect(page.locator("#found")).to_have_text("1 event found")
    await expect(page).to_have_url(re.compile(r"/events\?q=fog"))
    await expect(field).to_be_focused()
    await expect(field).to_have_value("fog machine")
    await expect(page.locator("#results article")).to_have_count(1)
    assert await has_stayed(page)
    # Whoever types slowly has asked more than once, and goes back as often.
    while "q=" in page.url:
        await page.go_back()
    await expect(page.locator("#results article")).not_to_have_count(1)


async def test_a_filter_shows_in_the_address_and_among_the_chips(page: Page):
    await page.goto("/events")
    await page.get_by_text("More filters").click()
    await page.get_by_label("Category").select_option("comedy")
    await expect(page).to_have_url(re.compile("category=comedy"))
    await expect(page.locator("#quick").get_by_role("link", name="Comedy")).to_have_attribute("aria-current", "true")
    await page.get_by_label("Category").select_option("")
    await expect(page).not_to_have_url(re.compile("category=comedy"))


async def test_the_search_of_the_home_page_becomes_the_list(page: Page):
    await page.goto("/")
    await page.get_by_role("searchbox").press_sequentially("hamlet", delay=20)
    await expect(page).to_have_url(re.compile(r"/events\?q=hamlet"))
    await expect(page.locator("#results article")).to_have_count(1)


async def test_show_more_adds_to_the_list_and_leads_there(page: Page):
    await page.goto("/events")
    cards = page.locator("#results article")
    before = await cards.count()
    await page.get_by_role("link", name=re.compile("^Show .* more")).click()
    await expect(page.get_by_role("heading", name=re.compile(f"^Events {before + 1} to"))).to_be_focused()
    assert await cards.count() > before
    await expect(page).to_have_url(re.compile("/events$"))


async def test_a_heart_is_pressed_in_place(people: People, page: Page):
    for browser in (page, await people.signed_in(SOFIA)):
        await browser.goto("/events?q=radio")
        await stay(browser)
        heart = browser.get_by_role("button", name="Save Radio Silence")
        was = await heart.get_attribute("aria-pressed")
        await heart.click()
        await expect(heart).to_have_attribute("aria-pressed", "false" if was == "true" else "true")
        await expect(heart).to_be_focused()
        await looked_after(browser.locator("#favourite-radio-silence"))
        await browser.keyboard.press("Enter")
        await expect(heart).to_have_attribute("aria-pressed", was or "")
        assert await has_stayed(browser)


async def test_hearts_with_words_keep_the_focus_too(page: Page):
    for path, name in (("/events/radio-silence", "Saved?"), ("/events?category=music", "Favourite Music")):
        await page.goto(path)
        await stay(page)
        heart = page.get_by_role("button", name=re.compile(f"^{name}$"))
        await heart.press("Enter")
        await expect(heart).to_have_attribute("aria-pressed", "true")
        await expect(heart).to_be_focused()
        assert await has_stayed(page)


async def test_the_sum_follows_the_choice(page: Page):
    await page.goto("/events/the-fog-machine-orchestra")
    await take(page, "Hall", 2)
    await expect(page.locator("#sum")).to_contain_text("2 tickets")
    await expect(page.locator("#sum output")).to_have_text("€58.00")
    await expect(page.get_by_role("radiogroup", name="Hall").get_by_role("radio").nth(2)).to_be_focused()
    await take(page, "Under 26", 1)
    await expect(page.locator("#sum output")).to_have_text("€70.00")


async def test_a_code_unlocks_in_place(people: People, page: Page):
    people.allow(422)
    await page.goto("/events/nine-pianos")
    await stay(page)
    await page.get_by_label("Code", exact=True).fill("wrong")
    await page.get_by_role("button", name="Use the code").click()
    await expect(page.get_by_text("No ticket type of this event opens with that code.").first).to_be_visible()
    await expect(page).to_have_title(re.compile("^Error: Nine Pianos"))
    await expect(page.locator("#errors")).to_be_focused()
    await looked_after(page.locator("form[hx-post$=unlock]"))
    await page.get_by_label("Code", exact=True).fill("ninepianos")
    await page.get_by_role("button", name="Use the code").click()
    await expect(page.get_by_role("radiogroup")).to_have_count(2)
    await expect(page).to_have_title(re.compile("^Nine Pianos"))
    assert await has_stayed(page)


async def test_more_time_comes_in_place(page: Page):
    await choose(page, "radio-silence", Standing=1)
    await fill_in(page, address("bob"), "Bob Bauer")
    await stay(page)
    clock = page.locator(".hold__clock")
    await expect(clock).to_have_text(re.compile(r"^1[45]:\d\d$"))
    await page.get_by_role("button", name="I need more time").click()
    await expect(clock).to_have_text(re.compile(r"^2[45]:\d\d$"))
    await expect(page.get_by_role("button", name="I need more time")).to_be_focused()
    await expect(page.get_by_label("Full name")).to_have_value("Bob Bauer")
    assert await has_stayed(page)


async def test_a_mended_field_loses_its_error(people: People, page: Page):
    people.allow(422)
    await choose(page, "radio-silence", Standing=1)
    await fill_in(page, "bob at example", "")
    await page.get_by_role("button", name=re.compile("^Pay ")).click()
    await expect(page.locator("#field-email .error")).to_be_visible()
    await looked_after(page.get_by_label("Email"))
    await stay(page)
    await page.get_by_label("Email").fill("bob@example.com")
    await page.keyboard.press("Tab")
    await expect(page.locator("#field-email .error")).to_have_count(0)
    await expect(page.get_by_label("Email")).to_have_value("bob@example.com")
    await expect(page.get_by_label("Full name")).to_be_focused()
    await expect(page.locator("#field-name .error")).to_be_visible()
    assert await has_stayed(page)


async def test_the_page_of_a_booking_notices_the_payment(page: Page):
    await choose(page, "radio-silence", Standing=1)
    await fill_in(page, address("bob"), "Bob Bauer")
    booking = page.url
    await go_to_pay(page)
    other = await page.context.new_page()
    await other.goto(booking)
    await stay(other)
    await expect(other.get_by_role("heading", name="Your tickets are locked while you pay")).to_be_visible()
    await pay(page)
    await expect(other.get_by_role("heading", name="You’re going")).to_be_visible()
    assert await has_stayed(other)


async def test_reading_a_notification_counts_down_the_bell(people: People):
    page = await people.signed_in(SOFIA)
    await page.goto("/me/notifications")
    bell = page.locator("#unread")
    await expect(bell).to_have_text(re.compile(r"^\d"))
    count = int(re.sub(r"\D", "", await bell.inner_text()))
    await page.get_by_role("button", name=re.compile("^Mark as read")).first.click()
    await expect(bell).to_have_text(re.compile(rf"^{count - 1}\b") if count > 1 else "")
    # The button went with the swap; the line in which it stood has the focus, not the page.
    await expect(page.locator("[id^=notification-]:focus")).to_have_count(1)


async def test_a_poster_is_drawn_while_its_colours_are_chosen(people: People):
    page = await people.signed_in(MARTINA)
    await page.goto("/manager/events/untitled-evening-with-cello/edit/page")
    preview = page.locator("#poster-preview .card")
    await page.locator("label", has_text="Moss").click()
    await expect(preview).to_have_class(re.compile("hue-moss"))
    await page.locator("label", has_text="Candles").click()
    await expect(page.get_by_role("radio", name="Candles")).to_be_focused()


async def test_a_server_that_does_not_answer_is_said(people: People, page: Page):
    await page.goto("/events?q=radio")
    await page.context.set_offline(True)
    await page.get_by_role("button", name="Save Radio Silence").click()
    await expect(page.locator("#toasts")).to_contain_text("The server did not answer. Check your connection.")
    people.complaints.clear()
