"""The pages of what somebody saved."""

from playwright.async_api import Page

from tests.browser.looks import Look, sent
from tests.browser.people import address, follow, open_mail

REMIND = "Remind me when it opens"


async def favourites(page: Page) -> None:
    for event in ("lost-property-office", "shadow-play-for-grown-ups", "songs-for-a-broken-lift"):
        await page.goto(f"/events/{event}")
        await page.get_by_role("button", name="Save", exact=True).click()
        await page.get_by_role("button", name="Saved", exact=True).wait_for()
    await page.goto("/events?category=music")
    await page.get_by_role("button", name="Favourite Music").click()
    await page.get_by_role("button", name="Favourite Music", pressed=True).wait_for()
    await page.goto("/favourites")


async def reminder(page: Page) -> None:
    email = address("bob")
    await sent(page, "/events/alpine-echo", REMIND, Email=email)
    await open_mail(page, email)
    await follow(page, "/reminders/")


async def confirmed(page: Page) -> None:
    await reminder(page)
    await page.get_by_role("button", name="Remind me").click()
    await page.get_by_role("heading", name="We remind you of the sale").wait_for()


SAVED = (
    Look("reminder, wrong address", lambda page: sent(page, "/events/alpine-echo", REMIND, Email="bob"), status=422),
    Look("reminder to confirm", reminder),
    Look("reminder", confirmed),
    Look("favourites of a browser", favourites),
    Look("favourites of a browser, none", "/favourites"),
)
