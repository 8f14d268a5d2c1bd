"""The pages on which events are found."""

from playwright.async_api import Page

from tests.browser.looks import Look


async def a_venue(page: Page) -> None:
    """Its address ends in letters that are drawn anew with every demo."""
    await page.goto("/events/nine-pianos")
    await page.get_by_role("link", name="Officine Dora").click()
    await page.get_by_role("heading", name="Officine Dora").wait_for()


FINDING: tuple[Look, ...] = (
    Look("home", "/"),
    Look("home of a city", "/?city=Turin"),
    Look("events", "/events"),
    Look("events, filtered", "/events?q=the&city=Turin&since=2026-01-01&price=50&places=1"),
    Look("events, the second page", "/events?page=2"),
    Look("events, nothing found", "/events?q=unicorns&category=music"),
    Look("events of a month", "/events?view=month"),
    Look("events near a city", "/events?near=Lyon"),
    Look("past events", "/events?when=past"),
    Look("category", "/categories/music"),
    Look("venue", a_venue),
)
