"""The pages of the operator's desk."""

from playwright.async_api import Page

from tests.browser.looks import Look, sent
from tests.browser.people import ADA


async def opened(page: Page, list_of: str) -> None:
    """The first thing on a list."""
    await page.goto(list_of)
    await page.get_by_role("main").get_by_role("link", name="Open ").first.click()
    await page.wait_for_load_state()


async def application(page: Page) -> None:
    await page.goto("/admin/managers")
    await page.get_by_role("main").get_by_role("link", name="Read ").first.click()
    await page.get_by_role("button", name="Make them a manager").wait_for()


async def guest(page: Page) -> None:
    await page.goto("/admin/users?q=culture%40example.com")
    await page.get_by_role("link", name="Copy or erase ").first.click()
    await page.wait_for_load_state()


async def return_without_reasons(page: Page) -> None:
    await sent(page, "/admin/events/a-concert-for-one-hundred-bicycles", "Ask for changes")


TIMES = "How many times more (optional)"
REPEAT = "/manager/events/nine-pianos/repeat"
DESK = (
    Look("desk of an admin", "/admin", ADA),
    Look("mails", "/admin/mails", ADA),
    Look("managers", "/admin/managers", ADA),
    Look("managers, wrong", lambda page: sent(page, "/admin/managers", "Add manager", Email="x"), ADA, 422),
    Look("manager", lambda page: opened(page, "/admin/managers"), ADA),
    Look("users", "/admin/users", ADA),
    Look("users, found", "/admin/users?q=jonas", ADA),
    Look("user", lambda page: opened(page, "/admin/users?q=sofia"), ADA),
    Look("guest", guest, ADA),
    Look("application", application, ADA),
    Look("events of everybody", "/admin/events", ADA),
    Look("everybody's events of a manager's desk", "/manager/events?all=1", ADA),
    Look("repeat", REPEAT, ADA),
    Look("repeat, looked at", lambda page: sent(page, REPEAT, "Look at the dates", **{TIMES: "3"}), ADA),
    Look("repeat, wrong", lambda page: sent(page, REPEAT, "Look at the dates", **{TIMES: "99"}), ADA, 422),
    Look("review", "/admin/events/a-concert-for-one-hundred-bicycles", ADA),
    Look("review, without reasons", return_without_reasons, ADA, 422),
    Look("payments of everybody", "/admin/payments", ADA),
    Look("reports from browsers", "/admin/reports", ADA),
    Look("activity", "/admin/activity", ADA),
    Look("activity, one row", "/admin/activity/1", ADA),
    Look("activity, nothing found", "/admin/activity?who=nobody@example.com", ADA),
    Look("invariants", "/admin/invariants", ADA),
    Look("categories", "/admin/categories", ADA),
    Look("categories, wrong", lambda page: sent(page, "/admin/categories", "Add the category", Name=""), ADA, 422),
    Look("category, to merge", "/admin/categories/talks?into=workshops", ADA),
    Look("venues", "/admin/venues", ADA),
    Look("venues, wrong", lambda page: sent(page, "/admin/venues", "Add the venue", Name=""), ADA, 422),
    Look("venue on the desk", lambda page: opened(page, "/admin/venues"), ADA),
    Look("venue, to merge", "/admin/venues/1?near=lyon&into=7", ADA),
    Look("settings", "/admin/settings", ADA),
    Look("settings, wrong", lambda page: sent(page, "/admin/settings", "Save", Name_of_the_shop=""), ADA, 422),
    Look("stripe, checked", lambda page: sent(page, "/admin/settings", "Check Stripe"), ADA),
    Look("texts", "/admin/texts", ADA),
    Look("text", "/admin/texts/terms", ADA),
)
