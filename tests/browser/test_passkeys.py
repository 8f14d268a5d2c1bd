"""Passkeys in a real browser, with an authenticator that Chromium plays itself: added, signed in with, the second factor."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from playwright.async_api import Browser, CDPSession, Page, Route, expect

from tests.browser.conftest import open_shop
from tests.browser.eyes import faults_of
from tests.browser.people import People, log_out, only_js, send_password

ASKED = "**/passkey/options"


@pytest.fixture(scope="module")
def named_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A shop with a name for an address: browsers make no passkeys for a number."""
    with open_shop(tmp_path_factory.mktemp("named"), host="localhost") as address:
        yield address


@pytest_asyncio.fixture(loop_scope="session")
async def people(named_shop: str, window: Browser, javascript: bool) -> AsyncIterator[People]:
    async with AsyncExitStack() as open_ones:
        everybody = People(named_shop, window, javascript, open_ones)
        yield everybody
    assert everybody.complaints == []


class Authenticator:
    """A device of this browser with a passkey or two. Its person touches it at once, unless they look away."""

    def __init__(self, devtools: CDPSession, id: str) -> None:
        self.devtools, self.id = devtools, id

    async def touches(self, enabled: bool) -> None:
        """While nobody touches it, the address field of the login page waits too."""
        given = {"authenticatorId": self.id, "enabled": enabled}
        await self.devtools.send("WebAuthn.setAutomaticPresenceSimulation", given)

    async def verifies(self, verified: bool) -> None:
        """Whether it knows the person by a finger or a PIN."""
        await self.devtools.send("WebAuthn.setUserVerified", {"authenticatorId": self.id, "isUserVerified": verified})


async def plug_in(page: Page) -> Authenticator:
    devtools = await page.context.new_cdp_session(page)
    await devtools.send("WebAuthn.enable")
    kind = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    made = await devtools.send("WebAuthn.addVirtualAuthenticator", {"options": kind})
    return Authenticator(devtools, made["authenticatorId"])


async def add_passkey(page: Page, name: str) -> None:
    await page.goto("/me/security")
    await page.get_by_role("link", name="Passkeys").click()
    await page.get_by_role("link", name="Add a passkey").click()
    await page.get_by_label("Name").fill(name)
    await page.get_by_role("button", name="Add this device").click()
    await expect(page.get_by_text("Your passkey is saved.")).to_be_visible()


async def press_and_touch(page: Page, device: Authenticator, button: str) -> None:
    """The device is touched when the button's own question goes out: a moment earlier the address field's would be answered."""

    async def touch_it(route: Route) -> None:
        await device.touches(True)
        await route.continue_()

    await page.route(ASKED, touch_it)
    await page.get_by_role("button", name=button).click()


@only_js
async def test_a_passkey_is_added_and_signs_in(people: People) -> None:
    page, _email = await people.user("bob")
    device = await plug_in(page)
    await add_passkey(page, "My laptop")
    await page.goto("/me/security/passkeys")
    await expect(page.get_by_role("region", name="Your passkeys")).to_contain_text("My laptop")
    await log_out(page)
    await device.touches(False)
    async with page.expect_request(ASKED):
        await page.goto("/me/tickets")
    await expect(page).to_have_url(re.compile("/login"))
    await press_and_touch(page, device, "Sign in with a passkey")
    await expect(page).to_have_url(re.compile("/me/tickets$"))


@only_js
async def test_the_pages_about_passkeys_are_accessible_and_fit(people: People) -> None:
    page, email = await people.user("bob")
    device = await plug_in(page)
    await page.goto("/me/security/passkeys/new")
    faults = await faults_of(page)
    await add_passkey(page, "My laptop")
    faults += await faults_of(page)
    await page.goto("/me/security/passkeys")
    faults += await faults_of(page)
    for way in ("Rename", "Remove"):
        await page.goto("/me/security/passkeys")
        await page.get_by_role("link", name=way).click()
        faults += await faults_of(page)
    await log_out(page)
    await device.touches(False)
    await page.goto("/login")
    await send_password(page, email)
    await expect(page).to_have_url(re.compile("/login/second"))
    faults += await faults_of(page)
    assert not faults, "\n".join(faults)


@only_js
async def test_the_address_field_offers_the_passkey(people: People) -> None:
    page, _email = await people.user("bob")
    await plug_in(page)
    await add_passkey(page, "My laptop")
    await log_out(page)
    await page.goto("/login?next=/me/tickets")
    # Nothing is pressed: the device answers what the browser offers while the field waits.
    await expect(page).to_have_url(re.compile("/me/tickets$"))


@only_js
async def test_after_the_password_the_passkey_is_asked_for(people: People) -> None:
    page, email = await people.user("carol")
    device = await plug_in(page)
    await add_passkey(page, "My phone")
    await log_out(page)
    await device.touches(False)
    await page.goto("/login?next=/me/payments")
    await send_password(page, email)
    await expect(page).to_have_url(re.compile("/login/second"))
    second_step = page.url
    await page.goto("/me")
    await expect(page).to_have_url(re.compile("/login"))
    await page.goto(second_step)
    await device.touches(True)
    await page.get_by_role("button", name="Use a passkey").click()
    await expect(page).to_have_url(re.compile("/me/payments$"))


async def expect_error(page: Page, sentence: str) -> None:
    """An error has its icon, as everywhere: nobody needs to see that it is red."""
    await expect(page.get_by_role("main").get_by_role("alert")).to_have_text(sentence)
    await expect(page.locator("[data-passkey] .error svg")).to_be_visible()


@only_js
async def test_a_device_that_does_not_know_its_person_signs_nobody_in(people: People) -> None:
    page, _email = await people.user("carol")
    device = await plug_in(page)
    await add_passkey(page, "My phone")
    await log_out(page)
    await device.verifies(False)
    await page.goto("/login")
    await expect(page.locator("[data-passkey] .error svg")).to_be_hidden()
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await expect_error(page, "No passkey was used. Try again, or use another way.")
    await expect(page).to_have_url(re.compile("/login$"))


@only_js
async def test_one_device_makes_one_passkey(people: People) -> None:
    page, _email = await people.user("carol")
    await plug_in(page)
    await add_passkey(page, "My phone")
    await page.goto("/me/security/passkeys/new")
    await page.get_by_role("button", name="Add this device").click()
    await expect_error(page, "This device has a passkey for your account already.")


@pytest.mark.parametrize("javascript", [False], ids=["no-js"])
async def test_without_javascript_the_pages_say_that_passkeys_need_it(people: People) -> None:
    page = await people.open()
    await page.goto("/login")
    await expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_hidden()
    await expect(page.get_by_text("Passkeys need JavaScript")).to_be_visible()
    await expect(page.get_by_role("link", name="Send me a link by e-mail")).to_be_visible()
