"""Takes the pictures of the README from a demo that is running: `python -m tests.browser.screenshots http://127.0.0.1:8000`."""

import asyncio
import io
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from PIL import Image
from playwright.async_api import Page

from tests.browser.conftest import open_window
from tests.browser.pages import ticket
from tests.browser.people import People

FOLDER = Path(__file__).parents[2] / "docs" / "screenshots"
COLOURS = 128


async def take(page: Page, name: str) -> None:
    """A PNG of what the window shows, with few enough colours to be small."""
    picture = Image.open(io.BytesIO(await page.screenshot())).convert("RGB")
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(FOLDER / f"{name}.png", optimize=True)


async def main(shop: str) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as open_ones:
        people = People(shop, await open_ones.enter_async_context(open_window()), javascript=True, open_ones=open_ones)
        wide = await people.open(width=1280, height=900)
        await wide.goto("/")
        await take(wide, "home")
        dark = await people.open(width=390, height=844, dark=True)
        await ticket(dark)
        await take(dark, "ticket")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
