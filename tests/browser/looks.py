"""A kind of page and how to get there."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from playwright.async_api import Page, expect

from tests.browser.people import People

Login = tuple[str, str, str]
Way = Callable[[Page], Awaitable[object]]


@dataclass(frozen=True)
class Look:
    """A page: an address, or a way that somebody takes to it. `status` is what the last answer on the way is."""

    name: str
    way: str | Way
    login: Login | None = None
    status: int = 200

    async def show(self, people: People) -> Page:
        """A browser that shows the page."""
        if self.status >= 400:
            people.allow(self.status)
        page = await people.come_back(self.login) if self.login else await people.open()
        await (page.goto(self.way) if isinstance(self.way, str) else self.way(page))
        return page


async def sent(page: Page, url: str, button: str, **values: str) -> None:
    """The page after a form was sent with these values."""
    await page.goto(url)
    main = page.get_by_role("main")
    for label, value in values.items():
        await main.get_by_label(label.replace("_", " "), exact=True).fill(value)
    async with page.expect_response(lambda answer: answer.request.method == "POST"):
        await main.get_by_role("button", name=button).last.click()
    await page.wait_for_load_state()
    # What is swapped in comes after its answer.
    await expect(page.locator("[aria-busy=true]")).to_have_count(0)
