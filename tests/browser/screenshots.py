"""Pictures of every page: narrow and wide, light and dark, on contact sheets. `make screenshots ARGS="favourites series"` takes
only the pages whose names hold one of the words; `grey` among the words shows them to somebody who sees no colours; `ARGS=readme`
draws the README's two pictures instead."""

import asyncio
import html
import io
import re
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from playwright.async_api import Browser, Error, Page

from tests.browser.conftest import open_shop, open_window
from tests.browser.looks import Look
from tests.browser.pages import PAGES, ticket
from tests.browser.people import People

ROOT = Path(__file__).parents[2]
README, SHEETS = ROOT / "docs" / "screenshots", ROOT / "screens"
COLOURS = 128

# So many pages at a time; the shop and the browser share the machine.
LANES = 3
SIZES = {390: 844, 1280: 900}
SCHEMES = ("light", "dark")
# Of a sheet: columns, rows, and the width and height of one picture on it.
GRIDS = {390: (6, 2, 300, 860), 1280: (3, 3, 640, 620)}
LABEL = 22


def say(text: str = "", *, end: str = "\n") -> None:
    sys.stdout.write(text + end)
    sys.stdout.flush()


def file_of(look: Look, width: int, scheme: str) -> str:
    return f"{re.sub('[^a-z0-9]+', '-', look.name.lower())}-{width}-{scheme}.jpg"


async def portray(look: Look, shop: str, window: Browser, *, in_grey: bool) -> None:
    """The four pictures of a page, as long as it is."""
    async with AsyncExitStack() as open_ones:
        page = await look.show(People(shop, window, javascript=True, open_ones=open_ones))
        for width, height in SIZES.items():
            await page.set_viewport_size({"width": width, "height": height})
            for scheme in SCHEMES:
                await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                await page.evaluate("document.getAnimations().forEach(animation => animation.finish())")
                path = SHEETS / file_of(look, width, scheme)
                await page.screenshot(path=path, full_page=True, type="jpeg", quality=82)
                if in_grey:
                    with Image.open(path) as picture:
                        picture.convert("L").save(path)


async def portray_all(looks: list[Look], *, in_grey: bool) -> dict[str, str]:
    """Takes all pictures, saying how far it is; gives what went wrong, by the name of the page."""
    failed: dict[str, str] = {}
    began, done, lanes = time.monotonic(), 0, asyncio.Semaphore(LANES)
    with (
        tempfile.TemporaryDirectory() as data,
        open_shop(Path(data), LOOKS_PER_MINUTE="100000", HOLDS_PER_MINUTE="100000") as shop,
    ):
        async with open_window() as window:

            async def one(look: Look) -> None:
                nonlocal done
                async with lanes:
                    try:
                        await portray(look, shop, window, in_grey=in_grey)
                    except (Error, AssertionError) as error:
                        failed[look.name] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
                done += 1
                say(f"\r{done} of {len(looks)} pages, {time.monotonic() - began:.0f} s  ", end="")

            await asyncio.gather(*(one(look) for look in looks))
    say()
    return failed


def draw_sheets(looks: list[Look], width: int, scheme: str) -> list[str]:
    """The pictures side by side, cut off where they are longer than their place; gives the files."""
    columns, rows, wide, high = GRIDS[width]
    font, made = ImageFont.load_default(14), []
    for start in range(0, len(looks), columns * rows):
        sheet = Image.new("RGB", (columns * (wide + 8), rows * (high + LABEL + 8)), "#8a8f98")
        pen = ImageDraw.Draw(sheet)
        for place, look in enumerate(looks[start : start + columns * rows]):
            left, top = place % columns * (wide + 8) + 4, place // columns * (high + LABEL + 8) + 4
            pen.text((left, top), look.name, fill="black", font=font)
            with Image.open(SHEETS / file_of(look, width, scheme)) as picture:
                small = picture.resize((wide, picture.height * wide // picture.width)).crop((0, 0, wide, high))
                part = min(high, picture.height * wide // picture.width)
            sheet.paste(small.crop((0, 0, wide, part)), (left, top + LABEL))
        name = f"sheet-{width}-{scheme}-{start // (columns * rows) + 1:02}.png"
        sheet.quantize(COLOURS, dither=Image.Dither.NONE).save(SHEETS / name)
        made.append(name)
    return made


def write_index(looks: list[Look], sheets: list[str], failed: dict[str, str]) -> None:
    """One page with all pictures, each leading to itself in full."""
    rows = []
    for look in looks:
        shots = [file_of(look, width, scheme) for width in SIZES for scheme in SCHEMES]
        pictures = "".join(f'<a href="{shot}"><img loading="lazy" src="{shot}" alt="{shot}"></a>' for shot in shots)
        rows.append(f'<section><h2 id="{shots[0]}">{html.escape(look.name)}</h2><p>{pictures}</p></section>')
    broken = "".join(f"<li>{html.escape(name)}: {html.escape(why)}</li>" for name, why in failed.items())
    links = " ".join(f'<a href="{sheet}">{sheet}</a>' for sheet in sheets)
    style = "img{height:20rem;max-width:30rem;object-fit:cover;object-position:top;margin:.25rem}"
    page = f'<!doctype html><meta charset="utf-8"><title>Every page</title><style>{style}</style><h1>Every page</h1>'
    (SHEETS / "index.html").write_text(f"{page}<ul>{broken}</ul><p>{links}</p>{''.join(rows)}")


async def contact_sheets(words: list[str]) -> int:
    in_grey, words = "grey" in words, [word for word in words if word != "grey"]
    looks = [look for look in PAGES if not words or any(word in look.name for word in words)]
    SHEETS.mkdir(exist_ok=True)
    for old in SHEETS.iterdir():
        old.unlink()
    failed = await portray_all(looks, in_grey=in_grey)
    taken = [look for look in looks if look.name not in failed]
    sheets = [name for width in SIZES for scheme in SCHEMES for name in draw_sheets(taken, width, scheme)]
    write_index(taken, sheets, failed)
    say(f"{4 * len(taken)} pictures and {len(sheets)} sheets in {SHEETS}/index.html")
    for name, why in failed.items():
        say(f"not taken: {name}: {why}")
    return 1 if failed else 0


async def take(page: Page, name: str) -> None:
    """A PNG of what the window shows, with few enough colours to be small."""
    picture = Image.open(io.BytesIO(await page.screenshot())).convert("RGB")
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(README / f"{name}.png", optimize=True)


async def of_readme() -> int:
    README.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data, open_shop(Path(data)) as shop:
        async with open_window() as window, AsyncExitStack() as open_ones:
            people = People(shop, window, javascript=True, open_ones=open_ones)
            wide = await people.open(width=1280, height=900)
            await wide.goto("/")
            await take(wide, "home")
            dark = await people.open(width=390, height=844, dark=True)
            await ticket(dark)
            await take(dark, "ticket")
    return 0


if __name__ == "__main__":
    chosen = sys.argv[1:]
    sys.exit(asyncio.run(of_readme() if chosen == ["readme"] else contact_sheets(chosen)))
