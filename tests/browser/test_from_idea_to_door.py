"""The whole way, once: an empty account becomes a manager, an event is proposed, approved, told, sold, and its buyer let in."""

import asyncio
import re

from playwright.async_api import Page, expect

from tests.browser.people import ADA, PASSWORD, People, follow, go_to_pay, open_mail, pay, sign_in, take
from tests.browser.test_propose_an_event import numbers, review, save

# What somebody must answer at least between an empty account and the admin.
MOST_ANSWERS = 9


async def test_an_idea_becomes_an_event_and_its_buyer_walks_in(people: People):
    title = f"Snow for Beginners {next(numbers)}"
    adas, (alices, hers), (carols, carol) = await asyncio.gather(
        people.signed_in(ADA), people.user("alice"), people.user("carol")
    )
    await becomes_a_manager(alices, hers, adas)
    await carols.goto("/me/favourites")
    await carols.get_by_label("Theatre").check()
    await carols.get_by_role("button", name="Save categories").click()
    await expect(carols.get_by_text("Saved. We tell you about new events")).to_be_visible()

    assert await proposes(alices, title) <= MOST_ANSWERS
    await review(adas, title)
    await adas.get_by_role("button", name="Approve").click()
    await expect(adas.get_by_text("is published.")).to_be_visible()

    await open_mail(carols, carol, f"New: {title}")
    await follow(carols, "/events/")
    await expect(carols.get_by_role("heading", level=1)).to_have_text(title)
    await is_let_in(alices, title, await buys(carols))


async def becomes_a_manager(page: Page, email: str, admins: Page) -> None:
    house = f"The Paper Theatre {next(numbers)}"
    await page.goto("/me/manager")
    await page.get_by_label("Who").fill(house)
    await page.get_by_label("What you want to show").fill("Plays made of paper and light.")
    await page.get_by_role("button", name="Apply").click()
    await expect(page.get_by_text("Your application is with the people who run this shop.")).to_be_visible()
    await admins.goto("/admin/managers")
    await admins.get_by_role("link", name=re.compile(house)).click()
    await admins.get_by_role("button", name="Make them a manager").click()
    await open_mail(page, email, "You can now manage events")
    # A new role ends every login session.
    await sign_in(page, email, PASSWORD)


async def proposes(page: Page, title: str) -> int:
    """Answers as little as the form allows; gives how many answers that were."""
    answers = 0

    async def answer(label: str, words: str) -> None:
        nonlocal answers
        answers += 1
        await page.get_by_label(label, exact=label == "Places").fill(words)

    await page.goto("/manager/events/new")
    await answer("Title", title)
    await page.get_by_role("button", name="Save and go on").click()
    await page.get_by_role("link", name="Basics").click()
    await answer("Summary", "It is easier than it looks.")
    answers += 1
    await page.get_by_label("Category").select_option("Theatre")
    await answer("Venue", "Teatro Baretti")
    await answer("City", "Turin")
    await save(page)
    await page.get_by_role("link", name="Page", exact=True).click()
    await answer("Description", "Bring gloves.")
    await save(page)
    await page.get_by_role("link", name="Access", exact=True).click()
    await save(page)
    await page.get_by_role("link", name="Tickets", exact=True).click()
    await save(page)
    await page.get_by_role("link", name="Tickets", exact=True).click()
    await page.get_by_role("link", name="Add a ticket type").click()
    await answer("Name", "Seat")
    await answer("Price", "14")
    await answer("Places", "30")
    await page.get_by_role("button", name="Save", exact=True).click()
    await page.get_by_role("link", name=title).first.click()
    await page.get_by_role("link", name="Check and send").first.click()
    await page.get_by_role("button", name="Send for approval").click()
    await expect(page.get_by_text("An admin looks at this event.")).to_be_visible()
    return answers


async def buys(page: Page) -> str:
    """Two tickets; gives the short code of the first."""
    await take(page, "Seat", 2)
    await page.get_by_role("button", name="Continue").click()
    await page.get_by_label("Full name").fill("Carol Conti")
    await go_to_pay(page)
    await pay(page)
    codes = page.get_by_role("region", name="Your tickets").get_by_role("listitem")
    await expect(codes).to_have_count(2)
    found = re.search(r"\b[A-Z2-9]{4}-[A-Z2-9]{4}\b", await codes.first.inner_text())
    assert found
    return found[0]


async def is_let_in(page: Page, title: str, code: str) -> None:
    """The manager's own phone at the door, opened from the desk of the event."""
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.goto("/manager")
    await page.get_by_role("link", name=title).first.click()
    await page.get_by_role("link", name="Door", exact=True).click()
    await page.get_by_label("Scan or type a code").fill(code)
    await page.get_by_role("button", name="Check", exact=True).click()
    await expect(page.locator("#verdict").get_by_role("heading", name="Admit", exact=True)).to_be_visible()
    await page.get_by_label("Scan or type a code").fill(code)
    await page.get_by_role("button", name="Check", exact=True).click()
    await expect(page.locator("#verdict").get_by_role("heading", name="Already in", exact=True)).to_be_visible()
