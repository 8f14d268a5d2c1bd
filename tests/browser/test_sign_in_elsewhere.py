"""An account at an OpenID provider, in a real browser: it opens an account here, and joins one that is there already."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.accounts.provider import CLIENT, SECRET, AtProvider, hushed, open_provider
from tests.browser.conftest import open_shop
from tests.browser.eyes import faults_of
from tests.browser.people import People, address, log_out, only_js, register, send_password

pytestmark = hushed


@pytest.fixture(scope="module")
def provider() -> Iterator[AtProvider]:
    with open_provider() as opened:
        yield opened


@pytest.fixture(scope="module")
def connected_shop(tmp_path_factory: pytest.TempPathFactory, provider: AtProvider) -> Iterator[str]:
    about = {"OIDC_ISSUER": provider.issuer, "OIDC_CLIENT_ID": CLIENT, "OIDC_CLIENT_SECRET": SECRET, "OIDC_NAME": "Example ID"}
    with open_shop(tmp_path_factory.mktemp("connected"), **about) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def people(connected_shop: str, window: Browser, javascript: bool) -> AsyncIterator[People]:
    async with AsyncExitStack() as open_ones:
        everybody = People(connected_shop, window, javascript, open_ones)
        yield everybody
    # What the provider's own page lacks is not our affair.
    assert [one for one in everybody.complaints if one.startswith(connected_shop)] == []


async def sign_in_there(page: Page, provider: AtProvider, email: str) -> None:
    """From our login to the provider's page, and back."""
    await provider.has(email, email=email)
    # Its page wants a style sheet from the network.
    await page.route("https://**", lambda route: route.abort())
    await page.goto("/login")
    await page.get_by_role("button", name="Sign in with Example ID").click()
    await expect(page).to_have_url(re.compile(re.escape(provider.issuer)))
    await page.locator("input[name=sub]").first.fill(email)
    await page.locator("input[name=sub]").first.press("Enter")


async def test_whoever_is_new_has_an_account_at_once(people: People, provider: AtProvider) -> None:
    page = await people.open()
    await sign_in_there(page, provider, address("bob"))
    await expect(page.get_by_text("Your account is open.")).to_be_visible()
    await expect(page).to_have_url(re.compile("/me$"))


@only_js
async def test_an_account_that_is_there_joins_after_proof_of_both(people: People, provider: AtProvider) -> None:
    page, email = await people.open(), address("carol")
    await register(page, email)
    await log_out(page)
    await sign_in_there(page, provider, email)
    await expect(page.get_by_text("has an account here already")).to_be_visible()
    faults = await faults_of(page)
    await page.get_by_role("main").get_by_role("link", name="Sign in").click()
    await send_password(page, email)
    await expect(page.get_by_role("button", name="Connect the two")).to_be_visible()
    faults += await faults_of(page)
    await page.get_by_role("button", name="Connect the two").click()
    await page.goto("/me/security/identities")
    await expect(page.get_by_role("main")).to_contain_text("Example ID")
    faults += await faults_of(page)
    await page.get_by_role("link", name="Remove").click()
    faults += await faults_of(page)
    await log_out(page)
    await sign_in_there(page, provider, email)
    await expect(page).to_have_url(re.compile("/me$"))
    assert not faults, "\n".join(faults)
