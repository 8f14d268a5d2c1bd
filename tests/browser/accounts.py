"""The ways into an account, and its second factor."""

from playwright.async_api import Page
from pyotp import TOTP

from tests.browser.looks import Look, sent
from tests.browser.people import SOFIA, address, follow, open_mail


async def registered(page: Page) -> None:
    await sent(page, "/register", "Create account", Email=address("bob"), Password="seven umbrellas and a cello")


async def verify(page: Page) -> None:
    email = address("bob")
    await sent(page, "/register", "Create account", Email=email, Password="seven umbrellas and a cello")
    await open_mail(page, email)
    await follow(page, "/verify/")


async def used_link(page: Page) -> None:
    await verify(page)
    link = page.url
    await page.get_by_role("button", name="Open my account").click()
    await page.get_by_role("heading", name="Hello").wait_for()
    await page.goto(link)


async def new_user(page: Page, path: str) -> None:
    await verify(page)
    await page.get_by_role("button", name="Open my account").click()
    await page.get_by_role("heading", name="Hello").wait_for()
    await page.goto(path)


async def app_to_set_up(page: Page) -> None:
    await new_user(page, "/me/security/second-factor")
    await page.get_by_role("button", name="Set up an app").click()
    await page.get_by_role("img", name="The code for your app").wait_for()


async def recovery_codes(page: Page) -> None:
    await app_to_set_up(page)
    secret = "".join((await page.locator("main .mono").inner_text()).split())
    await page.get_by_label("Code from the app").fill(TOTP(secret).now())
    await page.get_by_role("button", name="Turn it on").click()
    await page.get_by_role("heading", name="Your recovery codes").wait_for()


async def app_set_up(page: Page, path: str = "/me/security/second-factor") -> None:
    await recovery_codes(page)
    await page.goto(path)


async def reset(page: Page) -> None:
    await page.goto("/password/forgot")
    await page.get_by_label("Email").fill(SOFIA[1])
    await page.get_by_role("button", name="Send the link").click()
    await open_mail(page, SOFIA[1], "Set a new password")
    await follow(page, "/password/reset/")


async def sign_in_link(page: Page) -> None:
    await sent(page, "/login/link", "Send the link", Email=SOFIA[1])
    await open_mail(page, SOFIA[1], "Sign in to")
    await follow(page, "/login/link/")


WAYS_IN = (
    Look("sign in", "/login"),
    Look("sign in, wrong", lambda page: sent(page, "/login", "Sign in", Email="bob", Password="x"), status=422),
    Look("register", "/register"),
    Look("register, wrong", lambda page: sent(page, "/register", "Create account", Email="bob", Password="x"), status=422),
    Look("register, sent", registered),
    Look("verify", verify),
    Look("used link", used_link, status=410),
    Look("forgot", "/password/forgot"),
    Look("forgot, sent", lambda page: sent(page, "/password/forgot", "Send the link", Email="nobody@example.com")),
    Look("reset", reset),
    Look("sign-in link", "/login/link"),
    Look("sign-in link, wrong", lambda page: sent(page, "/login/link", "Send the link", Email="bob"), status=422),
    Look("sign-in link, sent", lambda page: sent(page, "/login/link", "Send the link", Email="nobody@example.com")),
    Look("sign-in link, to use", sign_in_link),
)
SECOND = (
    Look("second factor", "/me/security/second-factor", SOFIA),
    Look("app to set up", app_to_set_up),
    Look("recovery codes", recovery_codes),
    Look("app set up", app_set_up),
)
