"""Somebody who has a keyboard and nothing else."""

from playwright.async_api import Locator, Page

MOST_STEPS = 150


async def reach(page: Page, wanted: Locator, *, key: str = "Tab") -> None:
    """Goes on with the key until the element has the focus."""
    await wanted.first.wait_for(state="attached")
    for _step in range(MOST_STEPS):
        if await wanted.evaluate_all("all => all.includes(document.activeElement)"):
            return
        await page.keyboard.press(key)
    raise AssertionError(f"{key} never reached {wanted}; the focus is at {await focused(page)}")


async def press(page: Page, name: str, *, role: str = "button", key: str = "Enter") -> None:
    """Goes to a button or a link of the page by its name, and presses it; where that leads to a page, it has come."""
    await reach(page, page.get_by_role(role, name=name, exact=True))  # type: ignore[arg-type]
    # The bare keyboard waits for nothing, and whoever went elsewhere at once would take a form back that is on its way.
    await page.locator(":focus").press(key)


async def write(page: Page, label: str, text: str) -> None:
    """Goes to a field by its label, and types."""
    await reach(page, page.get_by_label(label, exact=True))
    await page.keyboard.press("ControlOrMeta+a")
    await page.keyboard.type(text)


async def focused(page: Page) -> str:
    return str(await page.evaluate("document.activeElement.outerHTML.slice(0, 200)"))
