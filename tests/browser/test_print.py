"""On paper: what an event, a booking, its tickets and its receipt say is printed black on white, and nothing that is pressed."""

import io
from collections.abc import Iterable, Iterator
from ctypes import c_uint

import pypdfium2
from playwright.async_api import Page
from pypdfium2 import raw

from tests.browser.people import People, address, buy, only_js
from tests.browser.test_posters import codes_in

pytestmark = only_js
EVENT = "the-fog-machine-orchestra"

# What stands on the screen and has no use on paper: the ways to other pages, buttons, and what a form asks.
PRESSED = ("Sign in", "Favourites", "Imprint", "Language", "Share", "Continue", "Show my ticket", "Create account", "Password")
# Dark enough on white: 4.5 to 1.
DARK = 0.184


async def printed(page: Page, path: str) -> pypdfium2.PdfDocument:
    """The paper that comes out when the grounds are printed, too."""
    await page.goto(path)
    return pypdfium2.PdfDocument(await page.pdf(prefer_css_page_size=True, print_background=True))


def misses(paper: pypdfium2.PdfDocument, words: Iterable[str]) -> list[str]:
    """Which of the words it does not say. Where lines and words end is lost on the way."""
    text = "".join("".join(sheet.get_textpage().get_text_range() for sheet in paper).split())
    return [word for word in words if "".join(word.split()) not in text]


def picture(paper: pypdfium2.PdfDocument, sheet: int = 0) -> bytes:
    written = io.BytesIO()
    paper[sheet].render(scale=2).to_pil().save(written, "PNG")
    return written.getvalue()


def inks(paper: pypdfium2.PdfDocument) -> Iterator[float]:
    """How light each piece of text is, from 0 to 1."""
    for sheet in paper:
        for piece in sheet.get_objects(filter=[raw.FPDF_PAGEOBJ_TEXT]):
            red, green, blue, alpha = (c_uint() for _ in range(4))
            raw.FPDFPageObj_GetFillColor(piece, red, green, blue, alpha)
            parts = [(one.value / 255 + 0.055) / 1.055 for one in (red, green, blue)]
            yield sum(share * part**2.4 for share, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True))


def grounds(paper: pypdfium2.PdfDocument) -> set[int]:
    """How light the corners and the middle of the sheets are, from 0 to 255."""
    found = set()
    for sheet in paper:
        seen = sheet.render(scale=0.5).to_pil().convert("L")
        wide, high = seen.size
        found |= {seen.getpixel(at) for at in ((1, 1), (wide - 2, 1), (wide // 2, high - 2), (wide - 2, high - 2))}
    return found


async def test_paper_is_white_and_has_nothing_to_press(people: People, page: Page):
    await page.context.add_cookies([{"name": "theme", "value": "dark", "url": people.shop}])
    await page.emulate_media(color_scheme="dark")
    booking = await buy(page, EVENT, email=address("bob"), name="Bob Bauer", Hall=2)
    await page.get_by_role("link", name="Receipts").click()
    receipt = await page.get_by_role("main").get_by_role("link", name="Show").first.get_attribute("href") or ""
    said = {
        f"/events/{EVENT}": ("The Fog Machine Orchestra", "Doors", "Gallery", "€22", "About"),
        booking: ("You’re going", "The Fog Machine Orchestra", "What happens next", "€58.00", "Questions about this booking?"),
        f"{booking}/tickets": ("Ticket 1 of 2", "Ticket 2 of 2", "Bob Bauer", "Doors"),
        receipt: ("Receipt", "€58.00", "Bob Bauer"),
    }
    for path, needed in said.items():
        with await printed(page, path) as paper:
            assert misses(paper, needed) == [], path
            assert misses(paper, PRESSED) == list(PRESSED), path
            assert max(inks(paper)) <= DARK, path
            assert grounds(paper) == {255}, path
            assert len(paper) == 1, path
            if path.endswith("/tickets"):
                codes = await codes_in(page, picture(paper))
                assert len(set(codes)) == 2 and all("/tickets/" in code for code in codes)


async def test_a_screen_on_paper_would_be_dark_and_full_of_buttons(page: Page):
    """The negative control."""
    await page.emulate_media(color_scheme="dark", media="screen")
    with await printed(page, f"/events/{EVENT}") as paper:
        assert max(inks(paper)) > DARK
        assert min(grounds(paper)) < 50
        assert misses(paper, ("Sign in", "Share", "Continue", "Imprint")) == []
