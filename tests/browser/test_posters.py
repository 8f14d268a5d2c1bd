"""What belongs to an event looks like it everywhere: its ink, and a code that any scanner reads, in the dark and on paper."""

import base64
import io
import re

import pypdfium2
from PIL import Image, ImageEnhance
from playwright.async_api import Page, expect

from app.core import static
from tests.browser.people import ADA, People, address, buy, choose, only_js

# Reads the codes of a picture with the decoder that the door brings along.
DECODE = """async ([picture, wasm]) => {
  BarcodeDetectionAPI.prepareZXingModule({ overrides: { locateFile: () => wasm } });
  const shown = await createImageBitmap(await (await fetch(picture)).blob());
  const found = await new BarcodeDetectionAPI.BarcodeDetector({ formats: ["qr_code"] }).detect(shown);
  return found.map(one => one.rawValue) }"""

GROUND = "() => getComputedStyle(document.querySelector('.qr')).backgroundColor"

INK = "() => getComputedStyle(document.querySelector('[class*=hue-]')).getPropertyValue('--h').trim()"


async def codes_in(page: Page, picture: bytes) -> list[str]:
    """What a scanner reads in a picture."""
    browser = page.context.browser
    assert browser
    context = await browser.new_context(bypass_csp=True)
    desk = await context.new_page()
    await desk.goto(re.sub(r"(://[^/]+).*", r"\1/imprint", page.url))
    await desk.add_script_tag(url=static.address("barcode-detector-3.2.2.js"))
    url = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
    found: list[str] = await desk.evaluate(DECODE, [url, static.address("zxing-reader-3.1.3.wasm")])
    await context.close()
    return found


def at_brightness(screen: bytes, part: float) -> bytes:
    written = io.BytesIO()
    with Image.open(io.BytesIO(screen)) as picture:
        ImageEnhance.Brightness(picture.convert("RGB")).enhance(part).save(written, "PNG")
    return written.getvalue()


@only_js
async def test_a_code_is_read_from_a_dark_screen_and_from_paper(page: Page):
    await buy(page, "radio-silence", email=address("bob"), name="Bob Bauer", Standing=1)
    await page.get_by_role("link", name=re.compile("^Show my ticket")).first.click()
    await expect(page.locator(".qr").first).to_be_visible()
    await page.emulate_media(color_scheme="dark")
    assert await page.evaluate(GROUND) in ("rgb(255, 255, 255)", "oklch(1 0 0)")
    screen = await page.locator(".ticket").first.screenshot()
    (shown,) = await codes_in(page, screen)
    assert "/tickets/" in shown
    # A phone that saves its battery; and the negative control, a screen that is off.
    assert [await codes_in(page, at_brightness(screen, part)) for part in (0.5, 0)] == [[shown], []]
    paper = await page.request.get(f"{page.url.split('#')[0].removesuffix('/tickets')}/tickets.pdf")
    with pypdfium2.PdfDocument(await paper.body()) as document:
        written = io.BytesIO()
        document[0].render(scale=2).to_pil().save(written, "PNG")
    assert await codes_in(page, written.getvalue()) == [shown]


@only_js
async def test_the_ink_of_an_event_follows_it(people: People, page: Page):
    await page.goto("/events/radio-silence")
    inks = [await page.evaluate(INK)]
    await choose(page, "radio-silence", Standing=1)
    inks.append(await page.evaluate(INK))
    await buy(page, "radio-silence", email=address("carol"), name="Carol Conti", Standing=1)
    inks.append(await page.evaluate(INK))
    await page.get_by_role("link", name=re.compile("^Show my ticket")).first.click()
    await expect(page.locator(".qr").first).to_be_visible()
    inks.append(await page.evaluate(INK))
    desk = await people.signed_in(ADA)
    for where in ("/manager/events/radio-silence", "/manager/events/radio-silence/checkin"):
        await desk.goto(where)
        inks.append(await desk.evaluate(INK))
    assert len(set(inks)) == 1, inks
