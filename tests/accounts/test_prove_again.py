"""What matters is done by someone who proved lately who they are: asked on the page with the form and on what it is sent to."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import time_machine
from litestar.routes import HTTPRoute
from sqlmodel import col, update

from app.accounts.models import User, Visitor
from app.core import clock, db
from app.core.settings import use
from app.web.visitor import proved_lately
from main import create_app, litestar_app
from tests import town, world
from tests.accounts.second_steps import code_of, is_in, made, rows_of, use_cookie, with_app
from tests.conftest import TEST_SETTINGS
from tests.routes import RULES, Rule
from tests.town import Town

LATE = timedelta(minutes=10, seconds=1)
SignIn = Callable[[httpx.AsyncClient, User], Awaitable[None]]
OpenBrowser = Callable[[], Awaitable[httpx.AsyncClient]]

# Every route that asks, and the page to which somebody comes back who was asked; empty for the page itself.
ASKED = {
    "GET /bookings/{code:str}/refund": "",
    "POST /bookings/{code:str}/refund": "",
    "POST /bookings/{code:str}/refund/code": "/bookings/{code:str}/refund",
    "GET /manager/events/{slug:str}/bookings/{reference:str}/refund": "",
    "POST /manager/events/{slug:str}/bookings/{reference:str}/refund": "",
    "POST /manager/events/{slug:str}/bookings/{reference:str}/refund/amount": (
        "/manager/events/{slug:str}/bookings/{reference:str}/refund"
    ),
    "POST /manager/events/{slug:str}/refunds/{refund:str}/handed-back": "/manager/events/{slug:str}/refunds",
    "GET /admin/managers": "",
    "POST /admin/managers": "",
    "POST /admin/managers/{code:str}/suspend": "/admin/managers/{code:str}",
    "POST /admin/managers/{code:str}/reinstate": "/admin/managers/{code:str}",
    "POST /admin/guests/{reference:str}/export": "/admin/guests/{reference:str}",
    "POST /admin/guests/{reference:str}/erase": "/admin/guests/{reference:str}",
    "GET /me/email": "",
    "POST /me/email": "",
    "GET /me/password": "",
    "POST /me/password": "",
    "POST /me/security/{session:str}/end": "/me/security",
    "POST /me/security/end-others": "/me/security",
    "GET /me/security/second-factor": "",
    "POST /me/security/second-factor": "",
    "GET /me/security/second-factor.svg": "",
    "POST /me/security/second-factor/confirm": "/me/security/second-factor",
    "POST /me/security/second-factor/codes": "/me/security/second-factor",
    "POST /me/security/second-factor/codes.txt": "/me/security/second-factor",
    "POST /me/security/second-factor/off": "/me/security/second-factor",
}

# Where Bob's own things are asked for it is Bob who asks, and Dora everywhere else.
WHO = {"/bookings/{code:str}/refund": "bob", "/bookings/{code:str}/refund/code": "bob", "/me/security/{session:str}/end": "bob"}


def guarded() -> set[str]:
    """Every method and route that the guard stands on."""
    found = set()
    for route in litestar_app().routes:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                if proved_lately in handler.resolve_guards():
                    found |= {f"{method} {route.path}" for method in handler.http_methods if method not in ("OPTIONS", "HEAD")}
    return found


def rules() -> list[Rule]:
    """The rules of those routes: which things of the town stand in their addresses."""
    found: dict[str, Rule] = {}
    for rule in RULES:
        found.setdefault(f"{rule.method} {rule.route}", rule)
    return [found[name] for name in sorted(guarded())]


@pytest.fixture(scope="module")
def kept_town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("town") / "town.db"


@pytest.fixture
async def small_town(sqlite_database: db.Database, moment: time_machine.Traveller, kept_town: Path) -> Town:
    return await town.opened(kept_town)


@pytest.fixture(scope="module")
def shop() -> Any:
    """One application for the whole module: it keeps nothing between requests."""
    use(TEST_SETTINGS)
    return create_app()


def test_the_guard_stands_on_every_route_of_the_list() -> None:
    assert set(ASKED) - guarded() == set()


async def asked(shop: Any, small_town: Town, rule: Rule) -> httpx.Response:
    who = WHO.get(rule.route, "dora")
    async with small_town.browser(shop, who) as browser:
        return await browser.request(rule.method, rule.path(small_town, who))


@pytest.mark.asvs("V7.5.3", "V7.5.1", "V7.5.2")
async def test_a_login_that_is_older_is_asked_first(shop: Any, small_town: Town, moment: time_machine.Traveller) -> None:
    """On the page and on what the page sends, for nobody needs the page to send it."""
    moment.shift(LATE)
    wrong = {}
    for rule in rules():
        name, answer = f"{rule.method} {rule.route}", await asked(shop, small_town, rule)
        page = rule.path(small_town, WHO.get(rule.route, "dora"))
        back = Rule("GET", ASKED.get(name) or rule.route, rule.group, rule.things).path(small_town, WHO.get(rule.route, "dora"))
        expected = (303, f"/login/again?next={back if name in ASKED else page}")
        if name in ASKED and (answer.status_code, answer.headers.get("location")) != expected:
            wrong[name] = (answer.status_code, answer.headers.get("location"))
        if not answer.headers.get("location", "").startswith("/login/again?next=/"):
            wrong[name] = (answer.status_code, answer.headers.get("location"))
    assert wrong == {}


async def test_a_fresh_login_is_not_asked(shop: Any, small_town: Town, kept_town: Path, moment: time_machine.Traveller) -> None:
    moment.shift(timedelta(minutes=10))
    for rule in rules():
        # Some of these sign people out, so each is asked in a town of its own.
        answer = await asked(shop, await town.opened(kept_town), rule)
        assert "/login" not in answer.headers.get("location", ""), str(rule)


async def test_without_the_look_at_the_time_nobody_is_asked(
    shop: Any, small_town: Town, moment: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control."""
    monkeypatch.setattr(Visitor, "proved_lately", lambda _visitor, _now: True)
    moment.shift(LATE)
    for rule in rules():
        assert "/login/again" not in (await asked(shop, small_town, rule)).headers.get("location", ""), str(rule)


async def test_a_guest_is_not_asked_who_has_the_mailed_code(shop: Any, small_town: Town, moment: time_machine.Traveller) -> None:
    moment.shift(LATE)
    async with small_town.browser(shop, "client") as guest:
        answer = await guest.get(f"/bookings/{small_town.things['paid booking']}/refund")
    assert answer.status_code == 200


# ---------- the question ----------


@pytest.fixture
async def bob(client: httpx.AsyncClient, sign_in: SignIn, moment: time_machine.Traveller) -> User:
    """Bob, signed in eleven minutes ago."""
    user = await made("bob")
    await sign_in(client, user)
    moment.shift(timedelta(minutes=11))
    return user


@pytest.mark.asvs("V7.5.1", "V7.2.4")
async def test_the_password_leads_on_to_the_page_that_was_wanted(client: httpx.AsyncClient, bob: User) -> None:
    asked = await client.get("/me/email")
    assert asked.headers["location"] == "/login/again?next=/me/email"
    shown = await client.get(asked.headers["location"])
    assert 'name="next" value="/me/email"' in shown.text
    before = client.cookies["login"]
    answer = await client.post("/login/again", data={"password": world.PASSWORD, "next": "/me/email"})
    assert answer.headers["location"] == "/me/email"
    assert client.cookies["login"] != before
    assert (await client.get("/me/email")).status_code == 200


async def test_what_stands_behind_the_address_is_kept(client: httpx.AsyncClient, bob: User) -> None:
    asked = await client.get("/me/email?from=mail&x=1")
    assert asked.headers["location"] == "/login/again?next=/me/email%3Ffrom%3Dmail%26x%3D1"
    shown = await client.get(asked.headers["location"])
    assert 'value="/me/email?from=mail&amp;x=1"' in shown.text


@pytest.mark.asvs("V7.2.4")
async def test_the_copy_of_the_cookie_gains_nothing(client: httpx.AsyncClient, bob: User, open_browser: OpenBrowser) -> None:
    thief = await open_browser()
    use_cookie(thief, client.cookies["login"])
    await client.post("/login/again", data={"password": world.PASSWORD})
    assert not await is_in(thief)
    assert (await thief.get("/me/email")).headers["location"].startswith("/login?")


@pytest.mark.parametrize("typed", ["", "ten accordions in the sun"])
async def test_a_wrong_password_proves_nothing(client: httpx.AsyncClient, bob: User, typed: str) -> None:
    answer = await client.post("/login/again", data={"password": typed, "next": "/me/email"})
    assert answer.status_code == 422
    assert 'name="next" value="/me/email"' in answer.text
    assert typed not in answer.text or not typed
    assert (await client.get("/me/email")).status_code == 303


async def test_a_right_password_may_be_given_all_day(client: httpx.AsyncClient, bob: User) -> None:
    """Tries are counted; the ones that succeed are forgotten."""
    for _ in range(25):
        assert (await client.post("/login/again", data={"password": world.PASSWORD})).status_code == 303


async def test_a_code_of_the_app_proves_it_too_once(client: httpx.AsyncClient, bob: User) -> None:
    await with_app(bob)
    assert "Code from your app" in (await client.get("/login/again")).text
    code = await code_of(bob)
    answer = await client.post("/login/again", data={"code": code, "next": "/me/email"})
    assert answer.headers["location"] == "/me/email"
    assert [row.has_second for row in await rows_of(bob) if not row.ended_at] == [True]
    assert (await client.post("/login/again", data={"code": code})).status_code == 422


async def test_a_recovery_code_is_not_for_this(client: httpx.AsyncClient, bob: User) -> None:
    codes = await with_app(bob, codes=1)
    assert (await client.post("/login/again", data={"code": codes[0]})).status_code == 422


async def test_without_an_app_a_code_proves_nothing(client: httpx.AsyncClient, bob: User) -> None:
    assert (await client.post("/login/again", data={"code": "123456"})).status_code == 422
    assert "Code from your app" not in (await client.get("/login/again")).text


@pytest.mark.asvs("V6.3.1")
async def test_codes_cannot_be_tried_for_ever(client: httpx.AsyncClient, bob: User) -> None:
    await with_app(bob)
    tries = [(await client.post("/login/again", data={"code": "000000"})).status_code for _ in range(6)]
    assert tries == [422] * 5 + [429]


async def test_it_leads_to_our_own_pages_only(client: httpx.AsyncClient, bob: User) -> None:
    answer = await client.post("/login/again", data={"password": world.PASSWORD, "next": "https://evil.example"})
    assert answer.headers["location"] == "/me"
    assert "evil" not in (await client.get("/login/again?next=https://evil.example")).text


async def test_clients_sign_in_first(client: httpx.AsyncClient) -> None:
    assert (await client.get("/login/again")).headers["location"].startswith("/login?")
    assert (await client.post("/login/again", data={"password": world.PASSWORD})).headers["location"] == "/login"


@pytest.mark.asvs("V6.2.3")
async def test_a_new_password_needs_the_present_one_although_it_was_proved_by_a_code(
    client: httpx.AsyncClient, bob: User
) -> None:
    await with_app(bob)
    await client.post("/login/again", data={"code": await code_of(bob)})
    answer = await client.post("/me/password", data={"password": "ten accordions in the sun"})
    assert answer.status_code == 422
    assert "Enter your present password" in answer.text


async def test_an_account_without_a_password_sets_its_first_one(
    client: httpx.AsyncClient, sign_in: SignIn, open_browser: OpenBrowser
) -> None:
    carol = await made("carol")
    async with db.writing() as tx:
        await tx.exec(update(User).where(col(User.id) == carol.id).values(password_hash=""))
    carol.password_hash = ""
    await sign_in(client, carol)
    assert "Present password" not in (await client.get("/me/password")).text
    answer = await client.post("/me/password", data={"password": "ten accordions in the sun"})
    assert answer.headers["location"] == "/me"
    other = await open_browser()
    again = await other.post("/login", data={"email": carol.email, "password": "ten accordions in the sun"})
    assert again.headers["location"] == "/me"


async def test_htmx_is_told_to_leave_the_page(client: httpx.AsyncClient, bob: User) -> None:
    answer = await client.post("/me/email", headers={"HX-Request": "true"})
    assert answer.headers["hx-redirect"] == "/login/again?next=/me/email"


async def test_the_ten_minutes_are_counted_from_the_last_proof(
    client: httpx.AsyncClient, bob: User, moment: time_machine.Traveller
) -> None:
    await client.post("/login/again", data={"password": world.PASSWORD})
    moment.shift(timedelta(minutes=10))
    assert (await client.get("/me/email")).status_code == 200
    moment.shift(timedelta(seconds=1))
    assert (await client.get("/me/email")).status_code == 303
    assert clock.now() - (await rows_of(bob))[-1].created_at > timedelta(minutes=20)
