"""People in front of their browsers, and what they do again and again."""

import itertools
import math
import re
import time
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import quote

import pytest
from playwright.async_api import Browser, ConsoleMessage, Locator, Page, Response, expect

from app.seed import DEMO_LOGINS

SOFIA, MARTINA, JONAS, ADA = DEMO_LOGINS
PASSWORD = "seven umbrellas and a cello"

# The worker's sweeps come every 15 seconds, and one may need the other.
PATIENCE_SECONDS = 180
STILL_SIGNED_IN_SECONDS = 300

# Marks a test of what only JavaScript does.
only_js = pytest.mark.parametrize("javascript", [True], ids=["js"])

# Far more than it takes: the tests run beside each other, and a machine may be busy with something else.
expect.set_options(timeout=30_000)

# Chromium reports every answer above 399 on the console; a person who does something wrong wants to see such a page.
_STATUS = re.compile(r"the server responded with a status of (\d+)")
_numbers = itertools.count(1)

# Somebody in a shop -> when they signed in, and the cookies that they got.
_signed_in: dict[tuple[str, str], tuple[float, list[Any]]] = {}


class People:
    """The browsers of one test. What a page complains about on its console is noted, and fails the test."""

    def __init__(self, shop: str, window: Browser, javascript: bool, open_ones: AsyncExitStack) -> None:
        self.shop, self.window, self.javascript, self.open_ones = shop, window, javascript, open_ones
        self.complaints: list[str] = []
        self.allowed: set[int] = set()
        self.goes_offline = False

    def allow(self, *statuses: int) -> None:
        """Answers with these statuses are what this test is about."""
        self.allowed.update(statuses)

    async def open(self, *, width: int = 1280, height: int = 900, dark: bool = False) -> Page:
        """Another browser, with cookies and a network address of its own."""
        number = next(_numbers)
        context = await self.window.new_context(
            base_url=self.shop,
            java_script_enabled=self.javascript,
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            # Pages are judged as they come to rest.
            reduced_motion="reduce",
            extra_http_headers={"X-Forwarded-For": f"10.0.{number // 250}.{number % 250 + 1}"},
        )
        self.open_ones.push_async_callback(context.close)
        context.set_default_timeout(30_000)
        page = await context.new_page()
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))
        return page

    async def signed_in(self, login: tuple[str, str, str], **look: object) -> Page:
        """The browser of somebody of the demo world who has just signed in."""
        _role, email, password = login
        page = await self.open(**look)  # type: ignore[arg-type]
        await sign_in(page, email, password)
        return page

    async def come_back(self, login: tuple[str, str, str]) -> Page:
        """A browser where somebody is still signed in, so shortly after the sign-in that they need not prove it again."""
        _role, email, _password = login
        signed_in_at, cookies = _signed_in.get((self.shop, email), (-math.inf, []))
        if time.monotonic() - signed_in_at > STILL_SIGNED_IN_SECONDS:
            page = await self.signed_in(login)
            _signed_in[self.shop, email] = time.monotonic(), await page.context.cookies()
            return page
        page = await self.open()
        await page.context.add_cookies(cookies)
        return page

    async def user(self, name: str) -> tuple[Page, str]:
        """The browser and the address of somebody who has just opened an account."""
        page, email = await self.open(), address(name)
        await register(page, email)
        return page, email

    def _note(self, message: ConsoleMessage) -> None:
        if self.goes_offline and "ERR_INTERNET_DISCONNECTED" in message.text:
            return
        status = _STATUS.search(message.text)
        if message.type in ("error", "warning") and not (status and int(status[1]) in self.allowed):
            self.complaints.append(f"{message.location.get('url', '')}: {message.text}")


def address(name: str) -> str:
    """An e-mail address that no other test uses."""
    return f"{name.lower()}-{next(_numbers)}@example.com"


async def sign_in(page: Page, email: str, password: str) -> None:
    await page.goto("/login")
    await send_password(page, email, password)
    await expect(page).not_to_have_url(re.compile("/login"))


async def send_password(page: Page, email: str, password: str = PASSWORD) -> None:
    """Fills in the login page; where that leads depends on whom it is about."""
    await page.get_by_label("Email").fill(email)
    await page.get_by_label("Password", exact=True).fill(password)
    await page.get_by_role("main").get_by_role("button", name="Sign in", exact=True).click()


async def log_out(page: Page) -> None:
    await page.goto("/me")
    await page.get_by_role("main").get_by_role("button", name="Log out").click()
    await expect(page.get_by_text("You are signed out.")).to_be_visible()


async def register(page: Page, email: str, password: str = PASSWORD) -> None:
    """Opens an account by its mailed link."""
    await page.goto("/register")
    await page.get_by_label("Email").fill(email)
    await page.get_by_label("Password", exact=True).fill(password)
    await page.get_by_role("button", name="Create account").click()
    await expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
    await open_mail(page, email, "Open your account")
    await follow(page, "/verify/")
    await page.get_by_role("button", name="Open my account").click()
    await expect(page.get_by_text("Your account is open.")).to_be_visible()


async def choose(page: Page, event: str, **amounts: int) -> None:
    """Takes so many places of each ticket type and continues; a blank in a type's name is written as an underscore."""
    await page.goto(f"/events/{event}")
    for name, amount in amounts.items():
        await take(page, name.replace("_", " "), amount)
    await page.get_by_role("button", name="Continue").click()
    await expect(page).to_have_url(re.compile("/bookings/"))
    # Whoever is faster than the scripts of a page is served as without them; what is asked here is what they do.
    await page.wait_for_load_state()


async def looked_after(part: Locator) -> None:
    """Waits until htmx looks after a part that has just come: pressed a moment earlier, it is sent as without scripts."""
    await expect(part).to_have_attribute("data-htmx-powered", "true")


async def take(page: Page, ticket_type: str, amount: int) -> None:
    """Chooses a number of places: "Add" is one, and then the other numbers show. The radios lie behind what people press."""
    numbers = page.get_by_role("radiogroup", name=ticket_type).locator("label")
    for number in (1, amount)[: max(1, amount)]:
        await numbers.nth(number).click()


async def fill_in(page: Page, email: str, name: str) -> None:
    await page.get_by_label("Email").fill(email)
    await page.get_by_label("Full name").fill(name)


async def go_to_pay(page: Page) -> None:
    """Presses the button of the booking and arrives at the payment page."""
    await page.get_by_role("button", name=re.compile("^Pay ")).click()
    await expect(page).to_have_url(re.compile("/sandbox/pay/"))


async def pay(page: Page) -> None:
    """Pays on the payment page and comes back."""
    await page.get_by_role("button", name=re.compile("^Pay [^l]")).click()
    await expect(page.get_by_role("heading", name="You’re going")).to_be_visible()
    await page.wait_for_load_state()


async def buy(page: Page, event: str, *, email: str, name: str, **amounts: int) -> str:
    """From the event to the tickets, as a guest; gives the booking's address."""
    await choose(page, event, **amounts)
    await fill_in(page, email, name)
    await go_to_pay(page)
    await pay(page)
    return page.url


async def mails(page: Page, email: str, subject: str = "") -> int:
    """How many mails have come to an address by now."""
    await page.goto(f"/sandbox/mail?to={quote(email)}")
    return await page.get_by_role("rowheader").filter(has_text=subject).count()


async def open_mail(page: Page, email: str, subject: str = "") -> None:
    """Opens the newest mail to an address, waiting until one has come."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not await mails(page, email, subject) and time.monotonic() < end:
        await page.wait_for_timeout(300)
    await page.get_by_role("rowheader").filter(has_text=subject).get_by_role("link").first.click()
    await expect(page.get_by_role("heading", name="As plain text")).to_be_visible()


async def code_for(mailbox: Page, email: str) -> str:
    """The mailed code that proves a guest's address."""
    await open_mail(mailbox, email, "Your code")
    text = await mailbox.locator("pre").first.inner_text()
    assert await mails(mailbox, email, "Your code") == 1
    return str(re.findall(r"^\d{4} \d{4}$", text, re.MULTILINE)[0])


async def follow(page: Page, path: str) -> Response | None:
    """Opens the link of the mail that is shown which leads to such a path."""
    text = await page.locator("pre").inner_text()
    found = re.search(rf"https?://\S*{re.escape(path)}\S*", text)
    assert found, f"No link to {path} in the mail:\n{text}"
    return await page.goto(found[0])


async def eventually(page: Page, url: str, text: str) -> None:
    """Loads a page again until it says something: for what a worker does a moment later."""
    end = time.monotonic() + PATIENCE_SECONDS
    await page.goto(url)
    while not await page.get_by_text(text).count() and time.monotonic() < end:
        await page.wait_for_timeout(300)
        await page.goto(url)
    await expect(page.get_by_text(text).first).to_be_visible()
