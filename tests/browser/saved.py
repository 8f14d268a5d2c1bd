"""The pages of what somebody saved."""

from playwright.async_api import Page

from tests.browser.looks import Look


async def favourites(page: Page) -> None:
    for event in ("lost-property-office", "shadow-play-for-grown-ups", "songs-for-a-broken-lift"):
        await page.goto(f"/events/{event}")
        await page.get_by_role("button", name="Save", exact=True).click()
        await page.get_by_role("button", name="Saved", exact=True).wait_for()
    await page.goto("/events?category=music")
    await page.get_by_role("button", name="Favourite Music").click()
    await page.wait_for_timeout(500)
    await page.goto("/favourites")


SAVED = (
    Look("favourites of a browser", favourites),
    Look("favourites of a browser, none", "/favourites"),
)
