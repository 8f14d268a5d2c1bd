"""Who asks too often has to wait: each limit of the table, wherever its requests come from."""

import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import time_machine
from litestar.connection import ASGIConnection
from sqlmodel import col, select, update

from app.accounts import oidc
from app.bookings.models import Booking
from app.core import db
from app.core.db import Database, reading, writing
from app.core.errors import Refused
from app.core.limits import Limit as Counter
from app.core.settings import SettingsError, settings, use
from app.core.settings import read as read_settings
from app.tickets import pdf
from app.web import limits
from app.web.limits import HOUR, LIMITS, LOOKS, MINUTE, Limit
from app.web.security import client_address
from main import create_app
from tests import town, world
from tests.conftest import BASE_URL, whole_shop
from tests.events.forms import typed
from tests.town import Town

FAR = 1_000_000
REPORT = {"content": b"[]", "headers": {"Content-Type": "application/reports+json"}}

Ask = Callable[[httpx.AsyncClient, Town, int], Awaitable[httpx.Response]]


@pytest.fixture(scope="module")
def kept_town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("town") / "town.db"


@pytest.fixture
async def small_town(sqlite_database: Database, moment: time_machine.Traveller, kept_town: Path) -> Town:
    # Nobody waits here for a Stripe that does not exist.
    use(dataclasses.replace(settings(), stripe_api_key="", holds_per_minute=4, looks_per_minute=5))
    return await town.opened(kept_town)


def posts(path: str, thing: str = "", **fields: str) -> Ask:
    """The same form again and again; {n} in a value is the number of the attempt."""

    async def ask(browser: httpx.AsyncClient, town: Town, number: int) -> httpx.Response:
        data = {name: value.format(n=number) for name, value in fields.items()}
        return await browser.post(path.format(town.things.get(thing)), data=data)

    return ask


def gets(path: str, thing: str = "") -> Ask:
    async def ask(browser: httpx.AsyncClient, town: Town, number: int) -> httpx.Response:
        return await browser.get(path.format(town.things.get(thing), n=number))

    return ask


async def holds_as_somebody_new(browser: httpx.AsyncClient, town: Town, _number: int) -> httpx.Response:
    browser.cookies.clear()
    return await browser.post(f"/events/{town.things['event']}/hold", data={"q-none": "1"})


async def uploads(browser: httpx.AsyncClient, town: Town, _number: int) -> httpx.Response:
    address = f"/manager/events/{town.things['draft']}/edit/page"
    return await browser.post(address, data=typed("page"), files={"picture": ("a.png", b"no picture")})


async def reports(browser: httpx.AsyncClient, _town: Town, _number: int) -> httpx.Response:
    return await browser.post("/csp-report", **REPORT)  # type: ignore[arg-type]


# How somebody uses each limit up, and who it is.
WAYS: dict[str, tuple[str, Ask]] = {
    "login": ("client", posts("/login", email="nobody{n}@example.com", password="ten pianos in the sun")),
    "register": ("client", posts("/register", email="new{n}@example.com", password="seven cellos in the sun")),
    "forgot": ("client", posts("/password/forgot", email="nobody{n}@example.com")),
    "link": ("client", posts("/password/reset/{}", "reset token", password="short")),
    "sign-in link": ("client", posts("/login/link", email="nobody{n}@example.com")),
    "passkey": ("client", posts("/login/passkey/options")),
    "identity provider": ("client", posts("/login/oidc")),
    "hold": ("client", holds_as_somebody_new),
    "hold by buyer": ("bob", posts("/events/{}/hold", "event", **{"q-none": "1"})),
    "pay": ("client", posts("/bookings/{}/checkout", "guest's booking", email="guest@example.com", name="Guest")),
    "pay for booking": ("client", posts("/bookings/{}/checkout", "guest's booking", email="guest@example.com", name="Guest")),
    "refund": ("client", posts("/bookings/{}/refund", "paid booking")),
    "access code": ("client", posts("/events/{}/unlock", "event", code="WRONG{n}")),
    "wrong access code": ("client", gets("/events/{}?code=WRONG{n}", "event")),
    "refund code": ("client", posts("/bookings/{}/refund", "paid booking", ticket="any", code="{n}")),
    "wrong refund code": ("client", posts("/bookings/{}/refund", "paid booking", ticket="any", code="{n}")),
    "wrong address": ("client", gets("/tickets/nobody-has-number-{n}")),
    "waiting list": ("client", posts("/events/{}/waiting-list", "full house", email="nobody{n}@example.com")),
    "reminder": ("client", posts("/events/{}/remind", "soon on sale", email="nobody{n}@example.com")),
    "apply": ("carol", posts("/me/manager")),
    "door": ("alice", posts("/manager/events/{}/checkin", "event", code="nothing", nonce="n{n}")),
    "door list": ("alice", gets("/manager/events/{}/checkin/list", "event")),
    "trial": ("dora", posts("/admin/settings/mail")),
    "desk": ("alice", posts("/manager/events/{}/submit", "event")),
    "upload": ("alice", uploads),
    "export": ("alice", gets("/manager/events/{}/codes.csv", "early sales")),
    "paper": ("client", gets("/tickets/{}.pdf", "ticket")),
    "policy report": ("client", reports),
    "list": ("client", gets("/events?q={n}")),
    "secret": ("client", gets("/tickets/{}", "ticket")),
}


@pytest.fixture
def alone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """One limit of the table, while all the others are out of reach."""
    name: str = request.param
    for table in (LIMITS, LOOKS):
        for other, limit in list(table.items()):
            if other != name:
                monkeypatch.setitem(table, other, dataclasses.replace(limit, most=FAR))
            elif isinstance(limit.most, int) and limit.most > 120:
                # Twelve hundred scans would show no more than twenty.
                monkeypatch.setitem(table, other, dataclasses.replace(limit, most=20))
    return name


def most_of(name: str) -> int:
    most = (LIMITS | LOOKS)[name].most
    return most if isinstance(most, int) else most()


async def use_up(name: str, browser: httpx.AsyncClient, a_town: Town) -> None:
    """All that the limit allows."""
    for number in range(most_of(name)):
        assert (await WAYS[name][1](browser, a_town, number)).status_code not in (403, 429), (name, number)


# ---------- each limit ----------


@pytest.mark.asvs("V2.4.1")
@pytest.mark.parametrize("alone", WAYS, indirect=True)
async def test_one_more_than_the_limit_has_to_wait(
    small_town: Town, alone: str, moment: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    await everything_is_open(monkeypatch)
    who, ask = WAYS[alone]
    async with small_town.browser(whole_shop(), who) as browser:
        await use_up(alone, browser, small_town)
        refused = await ask(browser, small_town, FAR)
        assert refused.status_code == 429
        wait = int(refused.headers["retry-after"])
        assert 0 < wait <= (LIMITS | LOOKS)[alone].seconds
        # Passkeys speak JSON, because a script asks; everybody else gets a page.
        assert ("sentence" if alone == "passkey" else "<h1") in refused.text
        moment.shift(timedelta(seconds=wait))
        assert (await ask(browser, small_town, FAR + 1)).status_code != 429


async def everything_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tickets may be given back; their paper is white, because drawing it takes time; there is a provider, but it is silent."""

    async def silent() -> None:
        raise Refused("The provider does not answer.")

    async def white(*_args: object, **_kwargs: object) -> bytes:
        return b"%PDF"

    monkeypatch.setattr(pdf, "of_views", white)
    monkeypatch.setattr(oidc, "is_set_up", lambda: True)
    monkeypatch.setattr(oidc, "provider", silent)
    async with writing() as tx:
        await tx.exec(update(Booking).where(col(Booking.state) == "paid").values(refund_hours=0))


@pytest.mark.asvs("V2.4.1")
def test_every_limit_has_a_test_and_stands_in_one_table() -> None:
    assert set(WAYS) == set(LIMITS | LOOKS)
    assert not set(LIMITS) & set(LOOKS)


def test_the_numbers_are_those_that_were_promised() -> None:
    use(read_settings({"SECRET_KEY": "x" * 32}))
    promised = {
        "login": (20, 5 * MINUTE), "register": (5, HOUR), "forgot": (10, HOUR), "link": (20, HOUR),
        "sign-in link": (10, HOUR), "passkey": (60, 5 * MINUTE), "identity provider": (30, 5 * MINUTE),
        "hold": (300, MINUTE), "hold by buyer": (10, MINUTE), "pay": (20, MINUTE), "pay for booking": (6, MINUTE),
        "refund": (30, MINUTE), "access code": (10, MINUTE), "wrong access code": (20, HOUR), "refund code": (10, MINUTE),
        "wrong refund code": (20, HOUR), "wrong address": (20, HOUR), "desk": (120, MINUTE), "upload": (10, HOUR),
        "waiting list": (20, HOUR), "reminder": (20, HOUR), "apply": (5, HOUR),
        "door": (1200, MINUTE), "door list": (60, MINUTE), "trial": (20, HOUR),
        "export": (10, HOUR), "paper": (30, HOUR), "policy report": (60, MINUTE), "list": (120, MINUTE), "secret": (60, MINUTE),
    }  # fmt: skip
    assert {name: (most_of(name), limit.seconds) for name, limit in (LIMITS | LOOKS).items()} == promised


# ---------- where somebody is ----------


@asynccontextmanager
async def at(app: Any, address: str, forwarded: str = "") -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app, client=(address, 50123))
    headers = {"Origin": BASE_URL} | ({"X-Forwarded-For": forwarded} if forwarded else {})
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL, headers=headers) as browser:
        yield browser


async def statuses(app: Any, address: str, *forwarded: str) -> list[int]:
    """The answers to one report for each forwarding header."""
    found = []
    for header in forwarded:
        async with at(app, address, header) as browser:
            found.append((await browser.post("/csp-report", **REPORT)).status_code)  # type: ignore[arg-type]
    return found


@pytest.fixture
def two_reports(monkeypatch: pytest.MonkeyPatch, moment: time_machine.Traveller) -> None:
    monkeypatch.setitem(LIMITS, "policy report", Limit(2, MINUTE))


@pytest.mark.asvs("V4.1.3", "V2.4.1")
async def test_a_forged_forwarding_header_makes_no_new_place(app: Any, two_reports: None) -> None:
    assert await statuses(app, "203.0.113.9", "198.51.100.1", "198.51.100.2", "198.51.100.3", "") == [204, 204, 429, 429]


async def test_who_believed_everybody_would_count_nobody(app: Any, two_reports: None) -> None:
    """The negative control: the same headers, once the sender is trusted like a proxy."""
    use(dataclasses.replace(settings(), trusted_proxies="203.0.113.9"))
    assert await statuses(create_app(), "203.0.113.9", "198.51.100.1", "198.51.100.2", "198.51.100.3") == [204] * 3


@pytest.mark.asvs("V4.1.3")
async def test_behind_a_trusted_proxy_each_visitor_is_counted(app: Any, two_reports: None) -> None:
    use(dataclasses.replace(settings(), trusted_proxies="10.0.0.0/24, 192.0.2.1"))
    shop = create_app()
    assert await statuses(shop, "10.0.0.7", "203.0.113.9", "203.0.113.9", "203.0.113.9") == [204, 204, 429]
    assert await statuses(shop, "192.0.2.1", "203.0.113.10", "203.0.113.9") == [204, 429]
    # What the visitor wrote in front of the proxy's own word is not believed; another proxy of ours is passed over.
    assert await statuses(shop, "10.0.0.7", "198.51.100.1, 203.0.113.9", "203.0.113.9, 10.0.0.8") == [429, 429]


@pytest.mark.asvs("V4.1.3")
@pytest.mark.parametrize("proxies", ["*", "10.0.0.1,*", "proxy.example.org", "10.0.0.0/33"])
def test_only_addresses_of_proxies_can_be_trusted(proxies: str) -> None:
    with pytest.raises(SettingsError, match="TRUSTED_PROXIES"):
        read_settings({"SECRET_KEY": "x" * 32, "TRUSTED_PROXIES": proxies})


@pytest.mark.parametrize(
    ("host", "counted_as"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("203.0.113.9:50123", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:aaaa:bbbb:cccc:dddd", "2001:db8:1:2::"),
        ("2001:db8:1:2::1", "2001:db8:1:2::"),
        ("[2001:db8:1:2::1]:50123", "2001:db8:1:2::"),
        ("2001:db8:1:3::1", "2001:db8:1:3::"),
    ],
)
def test_a_household_is_one_place(host: str, counted_as: str) -> None:
    assert client_address(ASGIConnection({"type": "http", "client": (host, 1)})) == counted_as  # type: ignore[typeddict-item]


# ---------- several processes ----------


@pytest.mark.asvs("V2.4.1")
async def test_two_processes_share_what_is_left(database: Database, two_reports: None) -> None:
    """Each has its own application, its own connections and its own memory; the database is all they share."""
    assert await statuses(create_app(), "203.0.113.9", "") == [204]
    other = db.Database(database.url)
    db._database = other
    try:
        assert await statuses(create_app(), "203.0.113.9", "", "") == [204, 429]
    finally:
        await other.dispose()
        db._database = database
    assert await statuses(create_app(), "203.0.113.9", "") == [429]


async def test_a_process_learns_of_a_guesser_at_the_first_miss(database: Database, moment: time_machine.Traveller) -> None:
    here = create_app()
    async with at(here, "203.0.113.9") as browser:
        found = [(await browser.get(f"/tickets/nobody-has-{number}")).status_code for number in range(21)]
        assert found == [404] * 20 + [429]
    other = db.Database(database.url)
    db._database = other
    try:
        async with at(create_app(), "203.0.113.9") as browser:
            assert [(await browser.get("/bookings/nobody-has-it")).status_code for _ in range(3)] == [404, 429, 429]
    finally:
        await other.dispose()
        db._database = database


# ---------- guessing ----------


@pytest.mark.asvs("V2.4.1")
async def test_who_guesses_is_not_told_either_when_a_guess_is_right(small_town: Town) -> None:
    shop = whole_shop()
    async with at(shop, "203.0.113.9") as mallorys, at(shop, "203.0.113.10") as neighbours:
        for number in range(20):
            assert (await mallorys.get(f"/bookings/guess-{number}")).status_code == 404
        right = f"/tickets/{small_town.things['ticket']}"
        assert (await mallorys.get(right)).status_code == 429
        assert (await mallorys.post(f"/bookings/{small_town.things['paid booking']}/refund")).status_code == 429
        assert (await mallorys.get("/events")).status_code == 200
        assert (await neighbours.get(right)).status_code == 200


async def test_without_the_guard_the_guesser_is_told(small_town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""

    async def asleep(_connection: object, _handler: object) -> None:
        pass

    monkeypatch.setattr(limits, "no_guessing", asleep)
    async with at(create_app(), "203.0.113.9") as mallorys:
        for number in range(20):
            await mallorys.get(f"/bookings/guess-{number}")
        assert (await mallorys.get(f"/tickets/{small_town.things['ticket']}")).status_code == 200


@pytest.mark.asvs("V2.4.1")
async def test_access_codes_are_counted_wherever_they_are_tried(small_town: Town) -> None:
    """In the address of the page, in its own form, and with a hold."""
    use(dataclasses.replace(settings(), holds_per_minute=100))
    event = f"/events/{small_town.things['early']}"
    kind = small_town.things["early type"]
    async with small_town.browser(whole_shop(), "bob", address="203.0.113.9") as browser:
        for number in range(4):
            assert (await browser.get(event, params={"code": f"GUESS{number}"})).status_code == 200
        for number in range(8):
            assert (await browser.post(f"{event}/unlock", data={"code": f"WORD{number}"})).status_code == 422
        for number in range(8):
            tried = await browser.post(f"{event}/hold", data={f"q-{kind}": "9", "code": f"OPEN{number}"})
            assert tried.status_code == 422 or tried.status_code == 409
        assert (await browser.post(f"{event}/unlock", data={"code": "GUESS"})).status_code == 429
        assert (await browser.get(event, params={"code": "GUESS"})).status_code == 429


# ---------- reading costs nothing ----------


async def counters() -> list[str]:
    async with reading() as reader:
        return list((await reader.exec(select(Counter.key))).all())


async def test_looking_writes_nothing(small_town: Town) -> None:
    async with small_town.browser(whole_shop(), "client") as browser:
        for path in ("/", "/events", f"/events/{small_town.things['event']}", f"/tickets/{small_town.things['ticket']}"):
            assert (await browser.get(path)).status_code == 200
    assert await counters() == []


async def test_pages_that_are_kept_are_not_counted(small_town: Town) -> None:
    use(dataclasses.replace(settings(), keep_pages_seconds=60))
    async with small_town.browser(create_app(), "client") as browser:
        assert {(await browser.get("/events")).status_code for _ in range(50)} == {200}


async def test_people_behind_one_address_who_sign_in_are_counted_apart(small_town: Town) -> None:
    shop = whole_shop()
    for who in ("bob", "carol"):
        async with small_town.browser(shop, who) as browser:
            assert [(await browser.get("/events")).status_code for _ in range(6)] == [200] * 5 + [429], who


async def test_a_form_that_is_only_checked_is_not_counted(small_town: Town) -> None:
    async with small_town.browser(whole_shop(), "alice") as browser:
        checked = await browser.post("/manager/events/new?check=title", data=typed("new"))
        looked = await browser.post("/manager/events/poster", data=typed("page"))
    assert checked.status_code == looked.status_code == 200
    assert await counters() == []


async def test_bookings_of_a_crowd_open_from_one_network(small_town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """A university is one address; each of its buyers looks at a booking of their own."""
    monkeypatch.setitem(LOOKS, "secret", Limit(1, MINUTE, per="thing"))
    async with writing() as tx:
        bookings = [
            await town._held(tx, await world.event(tx, title=f"Evening {n}"), town.Visitor(key=f"b{n}")) for n in range(3)
        ]
    async with small_town.browser(whole_shop(), "client") as browser:
        assert [(await browser.get(f"/bookings/{booking.code}")).status_code for booking in bookings] == [200] * 3
        assert (await browser.get(f"/bookings/{bookings[0].code}")).status_code == 429
