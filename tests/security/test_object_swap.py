"""Other people's things: what is another's, guessed or unknown in an address shows nothing and changes nothing."""

import hashlib
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpx
import pytest
import time_machine
from litestar.routes import HTTPRoute

import app.accounts.queries
import app.events.queries
import app.payments.queries
from app.accounts.models import Visitor
from app.bookings import actions as bookings
from app.core import clock
from app.core.db import Database, writing
from app.core.settings import settings, use
from app.payments.models import Refund
from app.tickets import actions as tickets
from main import litestar_app
from tests import town, world
from tests.conftest import whole_shop
from tests.hostile import FORMS, never_too_often
from tests.routes import ADMIN, ALLOWED, EVERYBODY, LOGIN, RULES, UNKNOWN, Rule
from tests.town import VISITORS, Town

# Where two things stand in one address, each may be ours and the pair none: what stands for a parameter instead.
MIXED = {
    "/bookings/{code:str}/receipts/{number:str}": {"number": "mallory's receipt"},
    "/manager/events/{slug:str}/types/{code:str}": {"code": "mallory's type", "slug": "mallory's event"},
    "/manager/events/{slug:str}/types/{code:str}/remove": {"code": "mallory's type", "slug": "mallory's event"},
    "/manager/events/{slug:str}/quotas/{code:str}": {"slug": "mallory's event"},
    "/manager/events/{slug:str}/quotas/{code:str}/remove": {"slug": "mallory's event"},
    "/manager/events/{slug:str}/questions/{code:str}": {"slug": "mallory's event"},
    "/manager/events/{slug:str}/questions/{code:str}/up": {"slug": "mallory's event"},
    "/manager/events/{slug:str}/questions/{code:str}/down": {"slug": "mallory's event"},
    "/manager/events/{slug:str}/questions/{code:str}/remove": {"slug": "mallory's event"},
    "/manager/events/{slug:str}/sales/{code:str}/share": {"code": "mallory's type", "slug": "mallory's event"},
    "/manager/events/{slug:str}/sales/{code:str}/codes": {"code": "mallory's type", "slug": "mallory's event"},
    "/manager/events/{slug:str}/sales/{code:str}/codes.csv": {"code": "mallory's type", "slug": "mallory's event"},
    "/manager/events/{slug:str}/sales/{code:str}/withdraw": {"code": "mallory's type", "slug": "mallory's event"},
    "/manager/events/{slug:str}/sales/{code:str}/move": {"code": "mallory's type", "slug": "mallory's event"},
    "/manager/events/{slug:str}/sales/{code:str}/open": {"code": "mallory's type", "slug": "mallory's event"},
    "/manager/events/{slug:str}/bookings/{reference:str}/refund": {"reference": "mallory's reference", "slug": "mallory's event"},
    "/manager/events/{slug:str}/bookings/{reference:str}/refund/amount": {
        "reference": "mallory's reference",
        "slug": "mallory's event",
    },
    "/manager/events/{slug:str}/refunds/{refund:str}/handed-back": {"refund": "mallory's refund", "slug": "mallory's event"},
    "/manager/events/{slug:str}/bookings/{reference:str}": {"reference": "mallory's reference", "slug": "mallory's event"},
    "/manager/events/{slug:str}/bookings/{reference:str}/send": {"reference": "mallory's reference", "slug": "mallory's event"},
    "/manager/events/{slug:str}/comps/{reference:str}/take-back": {"reference": "mallory's reference", "slug": "mallory's event"},
    "/manager/events/{slug:str}/box-office/{reference:str}": {"reference": "mallory's reference", "slug": "mallory's event"},
    "/manager/events/{slug:str}/waiting-list/{code:str}/add": {"code": "mallory's type", "slug": "mallory's event"},
    "/manager/events/{slug:str}/attendees/{short_code:str}": {"slug": "mallory's event"},
    "/manager/events/{slug:str}/announcements/{code:str}": {"slug": "mallory's event"},
    "/manager/events/{slug:str}/team/{code:str}": {"slug": "mallory's event"},
    "/manager/events/{slug:str}/team/{code:str}/again": {"slug": "mallory's event"},
    "/manager/events/{slug:str}/team/{code:str}/remove": {"slug": "mallory's event"},
    "/manager/events/{slug:str}/checkin/gates/{code:str}/remove": {"slug": "mallory's event"},
    "/admin/events/{slug:str}/changes/{code:str}/approve": {"slug": "mallory's event"},
    "/admin/events/{slug:str}/changes/{code:str}/decline": {"slug": "mallory's event"},
    # Every event has every section and every poster, so no pair of these can be wrong.
    "/manager/events/{slug:str}/edit/{section:str}": {},
    "/events/{slug:str}/poster/{name:str}": {},
}

# The rows of the log are counted, and an admin may read them all: a guessed number is another row.
COUNTED = {"/admin/activity/{number:int}"}

# What a request may leave behind although it was refused: who knocked how often, and when the browser was last seen.
TRACES = {"limits": (), "login_sessions": ("last_seen_at",), "activities": (), "activity_work": ()}


@pytest.fixture
async def small_town(
    sqlite_database: Database, moment: time_machine.Traveller, kept_town: Path, monkeypatch: pytest.MonkeyPatch
) -> Town:
    never_too_often(monkeypatch)
    use(replace(settings(), stripe_api_key=""))
    opened = await town.opened(kept_town)
    return Town(opened.cookies, opened.things | await _mallorys())


async def _mallorys() -> dict[str, str]:
    """An event that sells, with a booking that was paid in cash and a refund to hand back: all of it another manager's."""
    now = clock.now()
    async with writing() as tx:
        event = await world.event(tx, manager=await world.mallory(tx), title="Mallory Sells")
        kind = await world.only_type(tx, event)
        booking = await bookings.hold(tx, event, {kind.id or 0: 2}, by=Visitor(key="mallorys-guest"), now=now)
        await bookings.fill_in(tx, booking, event, email="other@example.com", name="Other", by=Visitor())
        payment = town._payment(booking, "captured")
        payment.provider, payment.session_id = "cash", None
        tx.add(payment)
        await tickets.settle(tx, booking, now=now)
        await tx.flush()
        refund = Refund(payment_id=payment.id, amount_minor=100, reason="manager", created_at=now, next_try_at=now)
        tx.add(refund)
        await tx.flush()
    mine = {"event": event.slug, "type": kind.code, "reference": booking.reference, "refund": refund.id}
    return {f"mallory's {name}": value for name, value in mine.items()} | {"mallory's receipt": f"{booking.reference}-P1"}


@pytest.fixture
def shop(small_town: Town) -> Any:
    return whole_shop()


def with_things() -> list[Rule]:
    return [rule for rule in RULES if rule.things]


def fingerprint() -> dict[str, str]:
    """Every table of the database, as a number that changes with any value in it."""
    # Nearly every request writes nothing, and then the files are the same byte by byte.
    files = [settings().data / name for name in ("test.db", "test.db-wal")]
    return _read(tuple(hashlib.sha256(file.read_bytes()).digest() for file in files if file.exists()))


@lru_cache(maxsize=1)
def _read(_files: tuple[bytes, ...]) -> dict[str, str]:
    with closing(sqlite3.connect(settings().data / "test.db")) as db:
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'") if name not in _left_out()]
        found = {}
        for name in names:
            columns = [column for _n, column, *_rest in db.execute(f"PRAGMA table_info({name})")]
            kept = ", ".join(f'"{column}"' for column in columns if column not in TRACES.get(name, ()))
            rows = sorted(repr(row) for row in db.execute(f"SELECT {kept} FROM {name}"))
            found[name] = hashlib.sha256("\n".join(rows).encode()).hexdigest()
    return found


def _left_out() -> set[str]:
    return {name for name, columns in TRACES.items() if not columns}


def good(rule: Rule) -> dict[str, str]:
    """What the form behind the route takes, so that only the object decides."""
    wanted = re.sub(r"\{\w+:\w+\}", "x", rule.route)
    for form in FORMS:
        if _shape(form.path) == _shape(wanted):
            return form.good
    return {"reason": "Rain", "name": "Changed", "email": "changed@example.com", "code": "X"} if rule.method == "POST" else {}


def _shape(path: str) -> str:
    """The last fixed words of an address are enough to tell the forms apart."""
    return "/".join(part for part in path.split("/")[-2:] if part not in ("x", "{}")) + str(path.startswith("/manager"))


async def asked(shop: Any, a_town: Town, visitor: str, rule: Rule, path: str, *, address: str = "127.0.0.1") -> httpx.Response:
    async with a_town.browser(shop, visitor, address=address) as browser:
        return await browser.request(rule.method, path, data=good(rule) if rule.method == "POST" else None)


def own_path(rule: Rule, a_town: Town, visitor: str, **instead: str) -> str:
    return re.sub(r"\{(\w+):\w+\}", lambda it: instead.get(it[1]) or a_town.thing(rule.things[it[1]], visitor), rule.route)


def masked(answer: httpx.Response, path: str) -> str:
    """The page without its own address and the number of the request, which differ always."""
    return re.sub(r"[0-9a-f]{16}", "", answer.text.replace(path, "").replace(path.replace("/", "%2F"), ""))


# ---------- whoever is not allowed ----------


def strangers() -> Iterator[tuple[Rule, str]]:
    for rule in with_things():
        for visitor, word in zip(VISITORS, rule.group, strict=True):
            if word not in (ALLOWED, LOGIN):
                yield rule, visitor


@pytest.mark.asvs("V8.2.2", "V8.3.1", "V8.4.1", "V8.2.1")
async def test_what_belongs_to_others_is_as_good_as_nothing(shop: Any, small_town: Town) -> None:
    """The same words as for a thing that does not exist, and nothing in the database has changed."""
    before, found = fingerprint(), []
    for number, (rule, visitor) in enumerate(strangers()):
        path = rule.path(small_town, visitor)
        answer = await asked(shop, small_town, visitor, rule, path, address=f"10.1.{number // 200}.{number % 200}")
        if answer.status_code not in (403, 404):
            found.append(f"{answer.status_code}: {rule} for {visitor}")
        elif answer.status_code == 404:
            nowhere = re.sub(r"\{\w+:(\w+)\}", lambda kind: "99999" if kind[1] == "int" else "x" * 22, rule.route)
            missing = await asked(shop, small_town, visitor, rule, nowhere, address=f"10.2.{number // 200}.{number % 200}")
            if masked(answer, path) != masked(missing, nowhere):
                found.append(f"told apart: {rule} for {visitor}")
        if (now := fingerprint()) != before:
            found.append(f"changed {[name for name in now if now[name] != before[name]]}: {rule} for {visitor}")
            before = now
    assert found == [], found


# ---------- whoever is allowed, with another thing ----------


def guesses(value: str) -> list[str]:
    """An unknown one, its neighbours, and what people try first."""
    middle = len(value) // 2
    other = "b" if value[middle] != "b" else "c"
    near = [value[:middle] + other + value[middle + 1 :], value.swapcase() + "x", f"{value}0", f"{value}%2520"]
    return [guess for guess in ["x" * 22, *near, "1", "0", "-1", "%2e%2e", "%00"] if guess != value]


async def tried(shop: Any, a_town: Town, rule: Rule, visitor: str, path: str, number: int, before: dict[str, str]) -> list[str]:
    """What is wrong with the answer to an address that must lead nowhere."""
    answer = await asked(shop, a_town, visitor, rule, path, address=f"10.3.{number // 200 % 200}.{number % 200}")
    found = [] if answer.status_code == 404 else [f"{answer.status_code}: {rule.method} {path}"]
    changed = [name for name, value in fingerprint().items() if value != before.get(name)]
    return found + [f"changed {changed}: {rule.method} {path}" for _one in changed[:1]]


def _allowed(rule: Rule) -> str:
    """The one who may do most: an admin, or the owner."""
    allowed = [visitor for visitor, word in zip(VISITORS, rule.group, strict=True) if word == ALLOWED]
    return allowed[-1]


@pytest.mark.asvs("V8.2.2", "V8.3.1", "V15.3.5")
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_guessed_or_unknown_thing_is_nothing(shop: Any, small_town: Town, method: str) -> None:
    before, found, number = fingerprint(), [], 0
    for rule in with_things():
        if rule.method == method and ALLOWED in rule.group and rule.route not in COUNTED:
            # Of a file of the pages everybody gets the present version, whichever an old page asks for.
            for name, thing in rule.things.items() if rule.route != "/static/{file_path:path}" else ():
                for guess in guesses(small_town.thing(thing, "dora")):
                    number += 1
                    path = own_path(rule, small_town, "dora", **{name: guess})
                    found += await tried(shop, small_town, rule, _allowed(rule), path, number, before)
    assert found == [], found
    assert number > 200


@pytest.mark.asvs("V8.2.2", "V8.4.1", "V2.3.1")
async def test_two_things_in_one_address_belong_together(shop: Any, small_town: Town) -> None:
    before, found, number = fingerprint(), [], 0
    for rule in with_things():
        for name, thing in MIXED.get(rule.route, {}).items():
            for visitor in _triers(rule):
                number += 1
                path = own_path(rule, small_town, "dora", **{name: small_town.things[thing]})
                found += await tried(shop, small_town, rule, visitor, path, number, before)
    assert found == [], found


def _triers(rule: Rule) -> tuple[str, ...]:
    """Who may have one of the two things, and an admin."""
    if rule.group is ADMIN:
        return ("dora",)
    return ("client", "bob", "dora") if rule.group is EVERYBODY else ("alice", "dora", "mallory")


def test_every_address_with_things_is_tried() -> None:
    """The routing table itself: a new address with a thing in it has a rule, and one with two has a pair that does not fit."""
    routes = {route.path: route.methods for route in litestar_app().routes if isinstance(route, HTTPRoute)}
    holding = {f"{method} {path}" for path, methods in routes.items() if "{" in path for method in methods - {"HEAD", "OPTIONS"}}
    assert {f"{rule.method} {rule.route}" for rule in with_things()} == holding
    assert {path for path in routes if path.count("{") > 1} == set(MIXED)


def test_every_writing_address_gets_a_form_that_would_do() -> None:
    """Else a mistake in the form could hide what the object would have done."""
    assert all(good(rule) for rule in with_things() if rule.method == "POST")


# ---------- negative controls ----------


async def test_without_the_scope_of_the_query_a_strangers_event_is_found(
    shop: Any, small_town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def anybodys(db: Any, slug: str, _visitor: Visitor, **_right: str) -> Any:
        return await app.events.queries.by_slug(db, slug)

    monkeypatch.setattr(app.events.queries, "event_of", anybodys)
    with pytest.raises(AssertionError, match=r"200: GET .* for bob"):
        await test_what_belongs_to_others_is_as_good_as_nothing(shop, small_town)


async def test_without_the_scope_of_the_query_a_strangers_refund_is_handed_back(
    shop: Any, small_town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    present = app.payments.queries.refund_of_event

    async def any_events(db: Any, _event_id: int, refund_id: str) -> Any:
        mallorys = await app.events.queries.by_slug(db, small_town.things["mallory's event"])
        return await present(db, mallorys.id or 0 if mallorys else 0, refund_id)

    monkeypatch.setattr(app.payments.queries, "refund_of_event", any_events)
    with pytest.raises(AssertionError, match="changed"):
        await test_two_things_in_one_address_belong_together(shop, small_town)


def test_the_fingerprint_sees_a_single_letter(small_town: Town) -> None:
    before = fingerprint()
    with closing(sqlite3.connect(settings().data / "test.db")) as db:
        db.execute("UPDATE users SET name = name || '.' WHERE email = 'bob@example.com'")
        db.commit()
    assert [name for name, value in fingerprint().items() if value != before[name]] == ["users"]


def test_unknown_means_unknown() -> None:
    assert UNKNOWN == "404"
