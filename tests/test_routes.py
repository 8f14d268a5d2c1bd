"""Every route and everybody: what a client, a user, a manager and an admin get when they knock."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import time_machine
from litestar import Litestar
from litestar.routes import HTTPRoute
from sqlmodel import col, update

import app.admin.pages.overview
import app.bookings.pages.checkout
from app.accounts.models import User
from app.core import clock
from app.core.db import Database, writing
from app.web import security
from main import create_app, litestar_app
from tests import town
from tests.town import VISITORS, Town

ALLOWED, LOGIN, FORBIDDEN, UNKNOWN = "allowed", "to the login", "403", "404"

# What each group means for: client, Bob, Carol (another user), Mallory (another manager), Alice (the manager), Dora (admin).
EVERYBODY = (ALLOWED,) * 6
NOBODY = (UNKNOWN,) * 6
SIGNED_IN = (LOGIN, *(ALLOWED,) * 5)
BOB_ALONE = (LOGIN, ALLOWED, *(UNKNOWN,) * 4)
BOB_OR_ADMIN = (LOGIN, ALLOWED, UNKNOWN, UNKNOWN, UNKNOWN, ALLOWED)
MANAGERS = (LOGIN, FORBIDDEN, FORBIDDEN, ALLOWED, ALLOWED, ALLOWED)
ITS_MANAGER = (LOGIN, FORBIDDEN, FORBIDDEN, UNKNOWN, ALLOWED, ALLOWED)
ADMIN = (LOGIN, *(FORBIDDEN,) * 4, ALLOWED)


@dataclass(frozen=True)
class Rule:
    """Who gets what at a route. `things` name what stands for each parameter of the address."""

    method: str
    route: str
    group: tuple[str, ...]
    things: dict[str, str] = field(default_factory=dict)

    def path(self, town: Town, visitor: str) -> str:
        return re.sub(r"\{(\w+):\w+\}", lambda found: town.thing(self.things[found[1]], visitor), self.route)

    def __str__(self) -> str:
        return " ".join([self.method, self.route, *self.things.values()])


def both(route: str, group: tuple[str, ...], **things: str) -> list[Rule]:
    """A page with a form that is sent to the page's own address."""
    return [Rule("GET", route, group, things), Rule("POST", route, group, things)]


def get(route: str, group: tuple[str, ...], **things: str) -> Rule:
    return Rule("GET", route, group, things)


def post(route: str, group: tuple[str, ...], **things: str) -> Rule:
    return Rule("POST", route, group, things)


RULES = [
    # Looking around.
    get("/", EVERYBODY),
    get("/events", EVERYBODY),
    get("/events/{slug:str}", EVERYBODY, slug="event"),
    get("/events/{slug:str}", NOBODY, slug="draft"),
    get("/events/{slug:str}", NOBODY, slug="submitted"),
    get("/events/{slug:str}/availability", EVERYBODY, slug="event"),
    get("/events/{slug:str}/availability", NOBODY, slug="draft"),
    get("/events/{slug:str}/calendar.ics", EVERYBODY, slug="event"),
    get("/events/{slug:str}/calendar.ics", NOBODY, slug="draft"),
    post("/events/{slug:str}/quote", EVERYBODY, slug="event"),
    post("/events/{slug:str}/quote", NOBODY, slug="draft"),
    post("/events/{slug:str}/unlock", EVERYBODY, slug="event"),
    post("/events/{slug:str}/unlock", NOBODY, slug="draft"),
    post("/events/{slug:str}/hold", EVERYBODY, slug="event"),
    post("/events/{slug:str}/hold", NOBODY, slug="draft"),
    post("/events/{slug:str}/favourite", EVERYBODY, slug="event"),
    post("/events/{slug:str}/favourite", NOBODY, slug="draft"),
    post("/categories/{slug:str}/favourite", EVERYBODY, slug="category"),
    get("/pictures/{name:str}", EVERYBODY, name="picture"),
    get("/imprint", EVERYBODY),
    get("/terms", EVERYBODY),
    get("/accessibility", EVERYBODY),
    get("/healthz", EVERYBODY),
    get("/static/{file_path:path}", EVERYBODY, file_path="file"),
    post("/theme", EVERYBODY),
    # A booking of an account is its owner's; a guest's opens for whoever has its link; a ticket too.
    get("/bookings/{code:str}", BOB_OR_ADMIN, code="bob's booking"),
    get("/bookings/{code:str}", EVERYBODY, code="guest's booking"),
    post("/bookings/{code:str}/checkout", BOB_OR_ADMIN, code="bob's booking"),
    post("/bookings/{code:str}/checkout", EVERYBODY, code="guest's booking"),
    post("/bookings/{code:str}/extend", BOB_OR_ADMIN, code="bob's booking"),
    post("/bookings/{code:str}/extend", EVERYBODY, code="guest's booking"),
    post("/bookings/{code:str}/release", BOB_OR_ADMIN, code="bob's booking"),
    post("/bookings/{code:str}/release", EVERYBODY, code="guest's booking"),
    get("/bookings/{code:str}/tickets", EVERYBODY, code="paid booking"),
    get("/bookings/{code:str}/tickets.pdf", EVERYBODY, code="paid booking"),
    get("/bookings/{code:str}/deadline.ics", BOB_OR_ADMIN, code="bob's booking"),
    get("/bookings/{code:str}/deadline.ics", EVERYBODY, code="guest's booking"),
    get("/bookings/{code:str}/return", EVERYBODY, code="paid booking"),
    get("/tickets/{code:str}", EVERYBODY, code="ticket"),
    post("/webhooks/stripe", EVERYBODY),
    # Giving back, and receipts.
    *both("/bookings/{code:str}/refund", BOB_OR_ADMIN, code="bob's booking"),
    *both("/bookings/{code:str}/refund", EVERYBODY, code="guest's booking"),
    post("/bookings/{code:str}/refund/code", BOB_OR_ADMIN, code="bob's booking"),
    post("/bookings/{code:str}/refund/code", EVERYBODY, code="guest's booking"),
    get("/bookings/{code:str}/receipts", BOB_OR_ADMIN, code="bob's booking"),
    get("/bookings/{code:str}/receipts", EVERYBODY, code="paid booking"),
    get("/bookings/{code:str}/receipts/{number:str}", EVERYBODY, code="paid booking", number="receipt"),
    # Accounts.
    *both("/register", EVERYBODY),
    *both("/login", EVERYBODY),
    post("/logout", EVERYBODY),
    *both("/password/forgot", EVERYBODY),
    *both("/password/reset/{token:str}", EVERYBODY, token="reset token"),
    *both("/verify/{token:str}", EVERYBODY, token="register token"),
    *both("/invitations/{token:str}", EVERYBODY, token="invitation token"),
    *both("/unsubscribe/{token:str}", EVERYBODY, token="unsubscribe token"),
    *both("/unsubscribe/{token:str}", NOBODY, token="register token"),
    get("/me", SIGNED_IN),
    get("/me/tickets", SIGNED_IN),
    get("/me/presales", SIGNED_IN),
    get("/me/payments", SIGNED_IN),
    *both("/me/favourites", SIGNED_IN),
    *both("/me/name", SIGNED_IN),
    *both("/me/email", SIGNED_IN),
    *both("/me/password", SIGNED_IN),
    get("/me/security", SIGNED_IN),
    post("/me/security/{session:str}/end", BOB_ALONE, session="bob's other browser"),
    post("/me/security/end-others", SIGNED_IN),
    get("/me/notifications", SIGNED_IN),
    get("/me/notifications/unread", SIGNED_IN),
    post("/me/notifications/{code:str}/read", BOB_ALONE, code="bob's notification"),
    post("/me/notifications/read-all", SIGNED_IN),
    *both("/me/notifications/preferences", SIGNED_IN),
    # The manager's desk.
    get("/manager", MANAGERS),
    get("/manager/events", MANAGERS),
    *both("/manager/events/new", MANAGERS),
    post("/manager/events/poster", MANAGERS),
    get("/manager/events/{slug:str}", ITS_MANAGER, slug="event"),
    get("/manager/events/{slug:str}", ITS_MANAGER, slug="draft"),
    *both("/manager/events/{slug:str}/edit", ITS_MANAGER, slug="draft"),
    post("/manager/events/{slug:str}/submit", ITS_MANAGER, slug="draft"),
    post("/manager/events/{slug:str}/delete", ITS_MANAGER, slug="old draft"),
    *both("/manager/events/{slug:str}/call-off", ITS_MANAGER, slug="event"),
    get("/manager/events/{slug:str}/sales", ITS_MANAGER, slug="early"),
    post("/manager/events/{slug:str}/sales/{code:str}/share", ITS_MANAGER, slug="early", code="early type"),
    *both("/manager/events/{slug:str}/sales/{code:str}/codes", ITS_MANAGER, slug="early", code="early type"),
    get("/manager/events/{slug:str}/sales/{code:str}/codes.csv", ITS_MANAGER, slug="early", code="early type"),
    post("/manager/events/{slug:str}/sales/{code:str}/withdraw", ITS_MANAGER, slug="early", code="early type"),
    post("/manager/events/{slug:str}/sales/{code:str}/move", ITS_MANAGER, slug="early", code="early type"),
    post("/manager/events/{slug:str}/sales/{code:str}/open", ITS_MANAGER, slug="early", code="early type"),
    get("/manager/events/{slug:str}/payments", ITS_MANAGER, slug="event"),
    get("/manager/events/{slug:str}/refunds", ITS_MANAGER, slug="event"),
    *both("/manager/events/{slug:str}/bookings/{reference:str}/refund", ITS_MANAGER, slug="big house", reference="reference"),
    post(
        "/manager/events/{slug:str}/bookings/{reference:str}/refund/amount", ITS_MANAGER, slug="big house", reference="reference"
    ),
    post("/manager/events/{slug:str}/refunds/{refund:str}/handed-back", ITS_MANAGER, slug="big house", refund="cash refund"),
    # The operator's desk.
    get("/admin/payments", ADMIN),
    get("/admin", ADMIN),
    *both("/admin/managers", ADMIN),
    post("/admin/managers/{code:str}/suspend", ADMIN, code="manager's code"),
    post("/admin/managers/{code:str}/reinstate", ADMIN, code="manager's code"),
    get("/admin/events", ADMIN),
    get("/admin/events/{slug:str}", ADMIN, slug="submitted"),
    post("/admin/events/{slug:str}/approve", ADMIN, slug="submitted"),
    post("/admin/events/{slug:str}/return", ADMIN, slug="submitted"),
    post("/admin/events/{slug:str}/call-off", ADMIN, slug="event"),
    get("/admin/invariants", ADMIN),
    post("/admin/invariants/check", ADMIN),
    post("/admin/alarms/{number:int}/settle", ADMIN, number="alarm"),
    get("/admin/texts", ADMIN),
    *both("/admin/texts/{name:str}", ADMIN, name="text"),
]

# They prove themselves by a signature or by a token of their own, so they may come from anywhere.
FROM_ANYWHERE = {"POST /webhooks/stripe", "POST /unsubscribe/{token:str}"}

# Pages that send some visitors on by design; everything else that may be opened answers 200.
SENT_ON = {"GET /login", "GET /bookings/{code:str}/return"}


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


def test_every_route_has_a_rule_and_every_rule_a_route() -> None:
    assert undeclared(litestar_app()) == set()


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
    monkeypatch.setattr(app.bookings.pages.checkout, "_may_see", lambda _booking, _visitor: True)
    rule = next(rule for rule in RULES if rule.group is BOB_OR_ADMIN)
    assert (await answers(shop, small_town, rule))["carol"] == ALLOWED


async def test_a_code_that_nobody_has_is_unknown_to_everybody(shop: Any, small_town: Town) -> None:
    nowhere = "x" * 22
    found = {}
    for rule in RULES:
        if rule.things and "/static" not in rule.route:
            path = re.sub(r"\{\w+:(\w+)\}", lambda kind: "999999999" if kind[1] == "int" else nowhere, rule.route)
            async with small_town.browser(shop, "dora") as browser:
                answer = await browser.request(rule.method, path, data={"reason": "none"} if rule.method == "POST" else None)
            found[str(rule)] = answer.status_code
            assert answer.headers["content-type"].startswith("text/html")
    assert set(found.values()) == {404}, found


# ---------- rights are read from the database ----------


async def test_a_right_that_was_taken_away_is_gone_at_the_next_click(shop: Any, small_town: Town) -> None:
    async with small_town.browser(shop, "dora") as doras:
        assert (await doras.get("/admin")).status_code == 200
        await changed("dora@example.com", role="user")
        assert (await doras.get("/admin")).status_code == 403
        await changed("dora@example.com", role="admin")
        assert (await doras.get("/admin")).status_code == 200


async def test_a_suspended_account_is_signed_out_at_the_next_click(shop: Any, small_town: Town) -> None:
    async with small_town.browser(shop, "alice") as alices:
        assert (await alices.get("/manager")).status_code == 200
        await changed("alice@example.com", disabled_at=clock.now())
        assert (await alices.get("/manager")).headers["location"].startswith("/login")


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


# ---------- other sites ----------


FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=lambda headers: " ".join(*headers.items()))
async def test_other_sites_change_nothing(shop: Any, small_town: Town, headers: dict[str, str]) -> None:
    """Asked as an admin, who may do everything: only the declared routes let a request from another site in."""
    let_in = set()
    for rule in RULES:
        if rule.method == "POST":
            async with small_town.browser(shop, "dora", **headers) as doras:
                answer = await doras.post(rule.path(small_town, "dora"))
            if answer.status_code != 403:
                let_in.add(f"POST {rule.route}")
    assert let_in == FROM_ANYWHERE


async def test_without_the_look_at_the_origin_another_site_gets_in(small_town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""
    monkeypatch.setattr(security, "same_origin", lambda _connection, _handler: None)
    async with small_town.browser(create_app(), "dora", **{"Sec-Fetch-Site": "cross-site"}) as doras:
        assert (await doras.post("/me/name", data={"name": "Changed"})).status_code == 303


async def test_a_request_that_does_not_say_where_it_comes_from_changes_nothing(shop: Any, small_town: Town) -> None:
    async with small_town.browser(shop, "dora") as doras:
        del doras.headers["Origin"]
        assert (await doras.post("/me/name", data={"name": "Changed"})).status_code == 403


async def test_what_the_browser_says_wins_over_the_origin(shop: Any, small_town: Town) -> None:
    async with small_town.browser(shop, "dora", **{"Sec-Fetch-Site": "same-origin", "Origin": "https://proxy.example"}) as doras:
        assert (await doras.post("/me/name", data={"name": "Dora D."})).status_code == 303
