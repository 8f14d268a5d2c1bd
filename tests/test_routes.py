"""Every route and everybody: what a client, a user, a manager and an admin get when they knock."""

import re
from pathlib import Path
from typing import Any

import pytest
import time_machine
from litestar import Litestar
from litestar.routes import HTTPRoute
from sqlmodel import col, update

import app.admin.pages.overview
import app.bookings.pages.found
from app.accounts.models import LoginSession, User
from app.core import clock
from app.core.db import Database, writing
from main import create_app, litestar_app
from tests import town
from tests.routes import ALLOWED, BOB_OR_ADMIN, EVERYBODY, LOGIN, RULES, SENT_ON, Rule
from tests.town import VISITORS, Town


@pytest.fixture(scope="module")
def kept_town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("town") / "town.db"


@pytest.fixture
async def small_town(sqlite_database: Database, moment: time_machine.Traveller, kept_town: Path) -> Town:
    return await town.opened(kept_town)


@pytest.fixture(scope="module")
def shop() -> Any:
    """One application for the whole module: it keeps nothing between requests."""
    from app.core.settings import use
    from tests.conftest import TEST_SETTINGS

    use(TEST_SETTINGS)
    return create_app()


def declared(shop: Litestar) -> set[str]:
    """Every method and route that the application answers to."""
    found = set()
    for route in shop.routes:
        assert isinstance(route, HTTPRoute), route
        found |= {f"{method} {route.path}" for method in route.methods - {"OPTIONS", "HEAD"}}
    return found


def undeclared(shop: Litestar) -> set[str]:
    """Routes without a rule, and rules without a route."""
    return declared(shop) ^ {f"{rule.method} {rule.route}" for rule in RULES}


async def answers(shop: Any, town: Town, rule: Rule) -> dict[str, str]:
    """What each visitor gets, in the words of the table. POSTs carry an empty body: they ask only whether one may."""
    found = {}
    for visitor in VISITORS:
        async with town.browser(shop, visitor) as browser:
            answer = await browser.request(rule.method, rule.path(town, visitor))
        found[visitor] = _word(rule, answer.status_code, answer.headers.get("location", ""))
    return found


def _word(rule: Rule, status: int, location: str) -> str:
    if status in (303, 302, 307) and location.startswith("/login") and rule.group is not EVERYBODY:
        return LOGIN
    if status in (401, 403, 404):
        return str(status)
    name = f"{rule.method} {rule.route}"
    fine = status < 500 if rule.method == "POST" else status == 200 or (status == 303 and name in SENT_ON)
    return ALLOWED if fine else f"{status} {location}"


@pytest.mark.asvs("V8.2.1", "V6.3.4")
def test_every_route_has_a_rule_and_every_rule_a_route() -> None:
    assert undeclared(litestar_app()) == set()


@pytest.mark.asvs("V8.2.1", "V8.2.2", "V8.3.1", "V8.4.1")
@pytest.mark.parametrize("rule", RULES, ids=str)
async def test_everybody_gets_the_stated_answer(shop: Any, small_town: Town, rule: Rule) -> None:
    assert await answers(shop, small_town, rule) == dict(zip(VISITORS, rule.group, strict=True))


def test_a_planted_route_is_found() -> None:
    from litestar import get as litestar_get

    @litestar_get("/manager/backdoor")
    async def backdoor() -> str:
        return "hello"

    planted = litestar_app()
    planted.register(backdoor)
    assert undeclared(planted) == {"GET /manager/backdoor"}


async def test_without_the_guard_the_table_does_not_hold(small_town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control of the guards."""
    monkeypatch.setattr(app.admin.pages.overview.router, "guards", [])
    rule = next(rule for rule in RULES if rule.route == "/admin")
    assert await answers(create_app(), small_town, rule) != dict(zip(VISITORS, rule.group, strict=True))


async def test_without_asking_whose_booking_it_is_the_table_does_not_hold(
    shop: Any, small_town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control of the look through who may see it."""
    monkeypatch.setattr(app.bookings.pages.found, "_may_see", lambda _booking, _visitor: True)
    rule = next(rule for rule in RULES if rule.group is BOB_OR_ADMIN)
    assert (await answers(shop, small_town, rule))["carol"] == ALLOWED


@pytest.mark.asvs("V8.2.2")
async def test_a_code_that_nobody_has_is_unknown_to_everybody(shop: Any, small_town: Town) -> None:
    nowhere = "x" * 22
    found = {}
    for rule in RULES:
        if rule.things and "/static" not in rule.route:
            path = re.sub(r"\{\w+:(\w+)\}", lambda kind: "999999999" if kind[1] == "int" else nowhere, rule.route)
            # From another place each time: who misses often is told nothing for a while.
            async with small_town.browser(shop, "dora", address=f"10.0.0.{len(found)}") as browser:
                answer = await browser.request(rule.method, path, data={"reason": "none"} if rule.method == "POST" else None)
            found[str(rule)] = answer.status_code
            assert answer.headers["content-type"].startswith("text/html")
    assert set(found.values()) == {404}, found


# ---------- rights are read from the database ----------


@pytest.mark.asvs("V8.3.1", "V8.3.2", "V7.2.1")
async def test_a_right_that_was_taken_away_is_gone_at_the_next_click(shop: Any, small_town: Town) -> None:
    async with small_town.browser(shop, "dora") as doras:
        assert (await doras.get("/admin")).status_code == 200
        await changed("dora@example.com", role="user")
        assert (await doras.get("/admin")).status_code == 403
        await changed("dora@example.com", role="admin")
        assert (await doras.get("/admin")).status_code == 200


@pytest.mark.asvs("V7.4.2")
async def test_a_suspended_account_is_signed_out_at_the_next_click(shop: Any, small_town: Town) -> None:
    async with small_town.browser(shop, "alice") as alices:
        assert (await alices.get("/manager")).status_code == 200
        await changed("alice@example.com", disabled_at=clock.now())
        assert (await alices.get("/manager")).headers["location"].startswith("/login")


async def unlike_a_client(shop: Any, town: Town) -> dict[str, str]:
    """Where an admin's cookie gets something else than no cookie at all."""
    found = {}
    for number, rule in enumerate(RULES):
        async with town.browser(shop, "dora", address=f"10.1.{number // 250}.{number % 250}") as doras:
            answer = await doras.request(rule.method, rule.path(town, "client"))
        word = _word(rule, answer.status_code, answer.headers.get("location", ""))
        if word != rule.group[0]:
            found[str(rule)] = word
    return found


@pytest.mark.asvs("V7.4.1", "V7.4.2", "V8.2.1")
@pytest.mark.parametrize("how", ["suspended", "signed out everywhere"])
async def test_whoever_is_out_gets_on_every_route_what_a_client_gets(shop: Any, small_town: Town, how: str) -> None:
    if how == "suspended":
        await changed("dora@example.com", disabled_at=clock.now())
    else:
        async with writing() as tx:
            await tx.exec(update(LoginSession).values(ended_at=clock.now()))
    assert await unlike_a_client(shop, small_town) == {}


async def test_whoever_is_in_does_not(shop: Any, small_town: Town) -> None:
    """The negative control."""
    assert await unlike_a_client(shop, small_town) != {}


@pytest.mark.asvs("V8.3.1", "V7.2.1")
async def test_the_role_in_a_cookie_is_worth_nothing(shop: Any, small_town: Town) -> None:
    from app.web.cookies import read_signed
    from app.web.visitor import login_cookie

    claim = read_signed({"login": small_town.cookies["bob"]}, "login")
    async with small_town.browser(shop, "client") as bobs:
        bobs.cookies.set("login", login_cookie(claim["id"], "admin").value or "", domain="testserver.local", path="/")
        assert (await bobs.get("/admin")).status_code == 403


async def changed(email: str, **columns: object) -> None:
    async with writing() as tx:
        await tx.exec(update(User).where(col(User.email) == email).values(**columns))
