"""The door in a real browser: by hand scanner, by the phone's own camera, by ours, and without a network."""

import asyncio
import json
import os
import re
import shutil
import time
from base64 import b64encode
from io import BytesIO
from pathlib import Path
from urllib.parse import parse_qs

from PIL import Image
from playwright.async_api import Page, Route, async_playwright, expect

from tests.browser.conftest import CHROMIUMS
from tests.browser.people import MARTINA, PATIENCE_SECONDS, SOFIA, People, only_js, sign_in

DOOR = "/manager/events/shorts-on-the-roof/checkin"
SOFIAS = "/manager/events/how-bread-rises/checkin"


async def outside(page: Page) -> list[str]:
    """Short codes of those who have not come yet."""
    answer = await page.request.get(f"{DOOR}/list")
    return [ticket[1] for ticket in json.loads((await answer.json())["body"])["tickets"] if not ticket[4]]


async def at_the_door(people: People) -> tuple[Page, list[str]]:
    page = await people.signed_in(MARTINA, width=390, height=844)
    codes = await outside(page)
    await page.goto(DOOR)
    return page, codes


async def go_offline(page: Page) -> None:
    """Waits until the page knows it: a scan a moment earlier would still ask the shop, and hear nothing."""
    await page.context.set_offline(True)
    await eventually(page, "!navigator.onLine")


async def scan(page: Page, code: str, verb: str) -> None:
    """A hand scanner types into whatever is focused and presses Enter."""
    await expect(page.get_by_label("Scan or type a code")).to_be_focused()
    await page.keyboard.type(code)
    await page.keyboard.press("Enter")
    await expect(page.locator("#verdict").get_by_role("heading", name=verb, exact=True)).to_be_visible()


async def test_a_hand_scanner_admits_and_the_next_scan_needs_no_click(people: People) -> None:
    page, codes = await at_the_door(people)
    await scan(page, codes[0], "Admit")
    await scan(page, codes[0], "Already in")
    await scan(page, "hello", "Unknown")
    await scan(page, codes[1], "Admit")
    await page.locator("#verdict").get_by_role("button", name="Undo").click()
    await expect(page.get_by_role("heading", name="Undone")).to_be_visible()


async def test_somebody_without_a_code_is_found_by_name(people: People) -> None:
    page, _codes = await at_the_door(people)
    await page.get_by_label("Name or booking reference").fill("a")
    await page.get_by_role("button", name="Find", exact=True).click()
    await page.get_by_role("button", name=re.compile("^Check in ")).first.click()
    await expect(page.locator("#verdict").get_by_role("heading")).to_be_visible()


async def test_the_phones_own_camera_opens_a_ticket_and_one_button_checks_it_in(people: People) -> None:
    """What a QR code says is the ticket's address; looking at it changes nothing, and strangers see no button."""
    guest = await people.signed_in(SOFIA)
    await guest.goto("/me/tickets")
    await guest.get_by_role("link", name=re.compile("^Show QR")).last.click()
    await expect(guest.get_by_role("img", name=re.compile("^QR code"))).to_be_visible()
    await expect(guest.get_by_role("button", name="Check in")).to_have_count(0)
    page = await people.signed_in(MARTINA, width=390, height=844)
    await page.goto(guest.url)
    await page.get_by_role("button", name="Check in").click()
    await expect(page.locator("#verdict").get_by_role("heading")).to_have_text(re.compile("Admit|Already in"))


@only_js
async def test_without_network_the_door_goes_on_and_what_happened_is_sent_later(people: People) -> None:
    people.goes_offline = True
    page, codes = await at_the_door(people)
    await expect(page.get_by_text("Ready for a time without network")).to_be_visible()
    await eventually(page, "caches.open('door').then(kept => kept.match(location.pathname)).then(Boolean)")
    await go_offline(page)
    await scan(page, codes[0], "Admit")
    await scan(page, codes[0], "Already in")
    # The page itself comes without network too, and remembers.
    await page.reload()
    await expect(page.get_by_text("sent later: 1.")).to_be_visible()
    await eventually(page, "!navigator.onLine")
    # Two codes in one breath: the second begins before the first is decided.
    for code in codes[:2]:
        await page.keyboard.type(code)
        await page.keyboard.press("Enter")
    await expect(page.get_by_text("sent later: 2.")).to_be_visible()
    await page.context.set_offline(False)
    await expect(page.get_by_text("Ready for a time without network")).to_be_visible()
    assert not {codes[0], codes[1]} & set(await outside(page))


async def slow_shop(page: Page, *, status: int = 200) -> tuple[list[str], asyncio.Event]:
    """The shop answers no scan before the event is set, with another `status` never; the list gathers the codes that reach it."""
    arrived: list[str] = []
    may_answer = asyncio.Event()

    async def hold(route: Route) -> None:
        if route.request.method != "POST":
            await route.continue_()
            return
        arrived.append(parse_qs(route.request.post_data or "")["code"][0])
        await may_answer.wait()
        await (route.continue_() if status == 200 else route.fulfill(status=status))

    await page.route(f"**{DOOR}", hold)
    return arrived, may_answer


async def scan_fast(page: Page, *codes: str) -> None:
    await expect(page.get_by_label("Scan or type a code")).to_be_focused()
    for code in codes:
        await page.keyboard.type(code)
        await page.keyboard.press("Enter")


@only_js
async def test_tickets_scanned_while_the_shop_thinks_are_judged_one_after_the_other(people: People) -> None:
    page, [first, second, third, *_others] = await at_the_door(people)
    arrived, may_answer = await slow_shop(page)
    # One of them twice, and an Enter that is none: neither is a scan of its own, nor an "already in".
    await scan_fast(page, first, second, second, third, "")
    await expect(page.get_by_label("Scan or type a code")).to_have_value("")
    assert arrived == [first]
    may_answer.set()
    await expect(page.locator("#verdict")).to_contain_text(third)
    await expect(page.locator("#verdict").get_by_role("heading")).to_have_text("Admit")
    assert arrived == [first, second, third]
    assert not {first, second, third} & set(await outside(page))


@only_js
async def test_what_the_shop_cannot_judge_is_judged_here_and_sent_later(people: People) -> None:
    people.allow(503)
    page, [first, second, *_others] = await at_the_door(people)
    await expect(page.get_by_text("Ready for a time without network")).to_be_visible()
    arrived, may_answer = await slow_shop(page, status=503)
    await scan_fast(page, first, second)
    may_answer.set()
    await expect(page.get_by_text("sent later: 2.")).to_be_visible()
    assert arrived == [first, second]
    await page.unroute_all()
    await page.evaluate("dispatchEvent(new Event('online'))")
    await expect(page.get_by_text("Ready for a time without network")).to_be_visible()
    assert not {first, second} & set(await outside(page))


@only_js
async def test_a_ticket_sold_after_the_list_was_taken_is_known_by_its_signature(people: People) -> None:
    people.goes_offline = True
    page = await people.signed_in(MARTINA, width=390, height=844)
    await page.goto(SOFIAS)
    await expect(page.get_by_text("Ready for a time without network")).to_be_visible()
    ticket = await read_code(page, await photo(people, which=0))
    assert re.fullmatch(r"http://[^#]+/tickets/[\w-]{22}#[\w-]{86}", ticket)
    await forget_list(page)
    await go_offline(page)
    # The negative control: a signature that is not ours.
    await scan(page, re.sub("#.", "#A" if "#A" not in ticket else "#B", ticket), "Unknown")
    await scan(page, ticket, "Admit")
    await page.context.set_offline(False)
    await expect(page.get_by_text("Ready for a time without network")).to_be_visible()


@only_js
async def test_another_event_and_the_rest_of_the_shop_know_nothing_of_the_worker(people: People) -> None:
    page, _codes = await at_the_door(people)
    await eventually(page, "navigator.serviceWorker.controller !== null")
    await page.goto("/manager")
    assert await page.evaluate("navigator.serviceWorker.controller") is None
    await page.goto("/me")
    await page.get_by_role("main").get_by_role("button", name="Log out").click()
    await expect(page.get_by_text("You are signed out.")).to_be_visible()
    assert await page.evaluate("navigator.serviceWorker.getRegistrations().then(all => all.length)") == 0


@only_js
async def test_the_camera_reads_a_ticket(people: People, tmp_path: Path) -> None:
    """Chromium shows a film to whoever asks for the camera: the code of Sofia's ticket, held a little askew."""
    film(await photo(people, which=1), tmp_path / "ticket.y4m")
    path = next(found for name in CHROMIUMS if (found := shutil.which(name)))
    arguments = [
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={tmp_path / 'ticket.y4m'}",
        *(["--no-sandbox"] if os.geteuid() == 0 else []),
    ]
    async with async_playwright() as playwright:
        window = await playwright.chromium.launch(executable_path=path, args=arguments)
        page = await window.new_page(base_url=people.shop, extra_http_headers={"X-Forwarded-For": "10.9.9.9"})
        await sign_in(page, MARTINA[1], MARTINA[2])
        await page.goto(SOFIAS)
        await page.get_by_role("button", name="Use this phone’s camera").click()
        await expect(page.locator("#verdict").get_by_role("heading", name="Admit")).to_be_visible()
        await window.close()


async def photo(people: People, *, which: int) -> bytes:
    """Sofia's phone, held to the door: the code of one of her two tickets."""
    page = await people.signed_in(SOFIA, width=390, height=844)
    await page.goto("/me/tickets")
    await page.get_by_role("region", name="How Bread Rises").get_by_role("link", name=re.compile("^Show QR")).nth(which).click()
    return await page.get_by_role("img", name=re.compile("^QR code")).screenshot()


async def read_code(page: Page, picture: bytes) -> str:
    """What a picture of a code says, by the decoder of the door's own page."""
    await page.add_script_tag(url=await page.locator("#camera").get_attribute("data-ponyfill"))
    said: str = await page.evaluate(
        """async ([letters, wasm]) => {
          BarcodeDetectionAPI.prepareZXingModule({ overrides: { locateFile: () => wasm } });
          const picture = await createImageBitmap(new Blob([Uint8Array.from(atob(letters), (one) => one.charCodeAt())]));
          const [seen] = await new BarcodeDetectionAPI.BarcodeDetector({ formats: ["qr_code"] }).detect(picture);
          return seen.rawValue;
        }""",
        [b64encode(picture).decode(), await page.locator("#camera").get_attribute("data-wasm")],
    )
    return said


async def eventually(page: Page, truth: str) -> None:
    """The page's policy lets nobody evaluate anything, so this asks again and again from outside."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not await page.evaluate(truth):
        assert time.monotonic() < end, truth
        await page.wait_for_timeout(100)


async def forget_list(page: Page) -> None:
    """As a device that took its list before anybody had bought."""
    await page.evaluate(
        """async () => {
          const { name } = (await indexedDB.databases()).find((one) => one.name.startsWith("door-"));
          const opening = indexedDB.open(name);
          await new Promise((done) => (opening.onsuccess = done));
          const kept = opening.result.transaction("kept", "readwrite").objectStore("kept");
          await new Promise((done) => (kept.put({ tickets: [] }, "list").onsuccess = done));
        }"""
    )


def film(photo: bytes, path: Path) -> None:
    """A picture on grey, as a video without compression."""
    code = Image.open(BytesIO(photo)).convert("L").rotate(12, expand=True, fillcolor=200).resize((440, 440))
    wall = Image.new("L", (640, 480), 200)
    wall.paste(code, (90, 20))
    with path.open("wb") as video:
        video.write(b"YUV4MPEG2 W640 H480 F10:1 Ip A1:1 C420jpeg\n")
        for _picture in range(10):
            video.write(b"FRAME\n" + wall.tobytes() + bytes([128]) * (640 * 480 // 2))
