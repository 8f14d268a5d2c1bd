"""From a manager's idea to the mail: propose, return, change, approve, and tell whoever follows the category."""

import itertools
import re
from datetime import UTC, datetime, timedelta

from playwright.async_api import Page, expect

from tests.browser.people import ADA, MARTINA, People, eventually, mails, open_mail

numbers = itertools.count(1)


def typed(days: int) -> str:
    """A date and time so many days from now, as the form wants it."""
    return (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%dT20:30")


async def propose(page: Page, title: str) -> None:
    """Writes a whole draft, section by section, with a second ticket type that has a pre-sale."""
    await page.goto("/manager/events/new")
    await page.get_by_label("Title").fill(title)
    await page.get_by_role("button", name="Save and go on").click()
    await expect(page.get_by_text("Draft saved.")).to_be_visible()
    await write_basics(page)
    await write_page_and_access(page)
    await write_tickets(page)
    await page.get_by_role("link", name=title).first.click()
    await expect(page.get_by_text("Done", exact=True)).to_have_count(4)
    await page.get_by_role("link", name="Check and send").first.click()


async def save(page: Page) -> None:
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.get_by_text("Saved.")).to_be_visible()


async def write_basics(page: Page) -> None:
    await page.get_by_role("link", name="Basics").click()
    await page.get_by_label("Summary").fill("Forty films, none longer than a minute.")
    await page.get_by_label("Category").select_option("Film")
    await page.get_by_label("Time zone").select_option("Europe/Rome")
    await page.get_by_label("Starts").fill(typed(40))
    await page.get_by_label("Ends").fill(typed(40).replace("20:30", "23:00"))
    await page.get_by_label("Doors").fill(typed(40).replace("20:30", "19:30"))
    await page.get_by_label("Venue").fill("Cinema Lumen")
    await page.get_by_label("City").fill("Turin")
    await page.get_by_label("Address").fill("Corso San Maurizio 37")
    await save(page)


async def write_page_and_access(page: Page) -> None:
    await page.get_by_role("link", name="Page", exact=True).click()
    await page.get_by_label("Description").fill("Bring a **blanket**.\n\n- The roof is open\n- So is the bar")
    await page.locator("label", has_text="Moss").click()
    await page.locator("label", has_text="Night").click()
    await page.locator("label", has_text="Stars").click()
    await save(page)
    await page.get_by_role("link", name="Access", exact=True).click()
    await page.get_by_label(re.compile("^Access \\(")).fill("A lift to the roof.")
    await save(page)


async def write_tickets(page: Page) -> None:
    await page.get_by_role("link", name="Tickets", exact=True).click()
    await page.get_by_role("spinbutton", name="Most tickets per buyer (").fill("4")
    await save(page)
    await page.get_by_role("link", name="Tickets", exact=True).click()
    await page.get_by_role("link", name="Add a ticket type").click()
    await page.get_by_label("Name").fill("Chair")
    await page.get_by_label("Price").fill("12.50")
    await page.get_by_label("Places", exact=True).fill("60")
    await page.get_by_role("button", name="Save", exact=True).click()
    await page.get_by_role("link", name="Add a ticket type").click()
    await page.get_by_label("Name").fill("Deckchair")
    await page.get_by_label("Note").fill("For two")
    await page.get_by_label("Price").fill("20")
    await page.get_by_label("Places", exact=True).fill("20")
    await page.get_by_label("General sale from").fill(typed(10))
    await page.get_by_text("Pre-sale", exact=True).click()
    await page.get_by_label("Pre-sale from").fill(typed(2))
    await page.get_by_label("Places in the pre-sale").fill("10")
    await page.get_by_role("textbox", name="Access code").fill("MOONLIGHT")
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.get_by_text("Deckchair is added.")).to_be_visible()


async def test_an_event_is_proposed_returned_changed_approved_and_told(people: People):
    title = f"One Minute Films {next(numbers)}"
    carols, email = await people.user("carol")
    await carols.goto("/me/favourites")
    await carols.get_by_label("Film").check()
    await carols.get_by_role("button", name="Save categories").click()
    await expect(carols.get_by_label("Film")).to_be_checked()

    martinas = await people.signed_in(MARTINA)
    await propose(martinas, title)
    for words in ("MOONLIGHT", "€12.50", "Deckchair", "Film", "Cinema Lumen"):
        await expect(martinas.get_by_role("main")).to_contain_text(words)
    draft = martinas.url
    await martinas.get_by_role("button", name="Send for approval").click()
    await expect(martinas.get_by_text("An admin looks at this event.")).to_be_visible()

    adas = await people.signed_in(ADA)
    await review(adas, title)
    await adas.get_by_label("What should change").fill("Say how long the films are in the title.")
    await adas.get_by_role("button", name="Ask for changes").click()
    await expect(adas.get_by_text(f"{title} went back to its manager.")).to_be_visible()

    await martinas.goto(draft)
    await expect(martinas.get_by_text("Say how long the films are in the title.")).to_be_visible()
    await open_mail(martinas, MARTINA[1], f"Changes wanted: {title}")
    await martinas.goto(f"{draft}/edit/basics")
    await martinas.get_by_label("Title").fill(f"{title}: Forty of Them")
    await save(martinas)
    await martinas.goto(draft)
    await martinas.get_by_role("button", name="Send for approval").click()
    await expect(martinas.get_by_text("An admin looks at this event.")).to_be_visible()

    await review(adas, f"{title}: Forty of Them")
    await adas.get_by_role("button", name="Approve").click()
    await expect(adas.get_by_text("is published.")).to_be_visible()

    await open_mail(carols, email, f"New: {title}")
    await eventually(carols, "/me/notifications", f"New in Film: {title}")
    line = carols.get_by_role("listitem").filter(has_text=title)
    await expect(line).to_have_count(1)
    await line.get_by_role("button", name=re.compile("^Mark as read")).click()
    await expect(line.get_by_text("Unread")).to_have_count(0)
    await line.get_by_role("link").click()
    await expect(carols.get_by_role("heading", level=1)).to_have_text(f"{title}: Forty of Them")
    await expect(carols.get_by_role("radiogroup", name="Chair")).to_be_visible()
    assert await mails(carols, email, f"New: {title}") == 1


async def review(page: Page, title: str) -> None:
    await page.goto("/admin/events")
    await page.get_by_role("link", name=f"Review {title}").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(title)


async def test_a_draft_says_what_is_missing_and_can_be_deleted(people: People):
    page = await people.signed_in(MARTINA)
    title = f"Untold {next(numbers)}"
    await page.goto("/manager/events/new")
    await page.get_by_label("Title").fill(title)
    await page.get_by_role("button", name="Save and go on").click()
    await expect(page.get_by_text("Not started")).to_have_count(4)
    await expect(page.get_by_text("Before you can send it:")).to_be_visible()
    await page.get_by_role("link", name="Check and send").click()
    await page.get_by_role("button", name="Delete this draft").click()
    await expect(page.get_by_text("The draft is gone.")).to_be_visible()
    await expect(page.get_by_role("link", name=title)).to_have_count(0)


async def test_mistakes_in_a_proposal_lose_nothing(people: People):
    people.allow(422)
    page = await people.signed_in(MARTINA)
    await page.goto("/manager/events/untitled-evening-with-cello/edit/basics")
    await page.get_by_label("Title").fill("")
    await page.get_by_label("Summary").fill("A summary that stays")
    await page.get_by_label("Starts").fill(typed(-3))
    await page.get_by_role("button", name="Save", exact=True).click()
    summary = page.get_by_role("alert")
    await expect(summary).to_be_focused()
    for sentence in ("Enter the event’s title", "Starts must be in the future"):
        await expect(summary.get_by_role("link", name=sentence)).to_be_visible()
    await summary.get_by_role("link", name="Enter the event’s title").click()
    await expect(page.get_by_label("Title")).to_be_focused()
    await expect(page.get_by_label("Summary")).to_have_value("A summary that stays")
    await page.goto("/manager/events/untitled-evening-with-cello/types/new")
    await page.get_by_label("Price").fill("a lot")
    await page.get_by_role("button", name="Save", exact=True).click()
    await page.get_by_role("alert").get_by_role("link", name="Enter a price such as 18.50 or 0").click()
    await expect(page.get_by_label("Price")).to_be_focused()
    await expect(page.get_by_label("Price")).to_have_value("a lot")
