"""Fields that no form has: whoever sends the name of every column along changes exactly what the form's own fields change."""

import re
import sqlite3
from collections.abc import Collection, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy
from litestar import Request, post
from sqlmodel import SQLModel, col, update

import app.tables  # noqa: F401
from app.accounts.models import User
from app.core.db import writing
from app.core.settings import settings, use
from app.web.security import Guarded
from app.web.visitor import KnowTheVisitor, Who
from main import create_app, litestar_app
from tests import town
from tests.conftest import BASE_URL, TEST_SETTINGS
from tests.hostile import FORMS
from tests.routes import ALLOWED, EVERYBODY, LOGIN, RULES, Rule
from tests.security.test_object_swap import good
from tests.town import VISITORS, Town
from tests.world import PASSWORD

# By the type of a column: nothing that the shop would come to by itself.
POISON = {sqlalchemy.Integer: "987654", sqlalchemy.Boolean: "y", sqlalchemy.DateTime: "2031-01-01T00:00"}
WORD = "poisoned"
# What attackers try beside our own columns.
TRIED = (
    "is_admin",
    "admin",
    "is_superuser",
    "is_staff",
    "permissions",
    "verified",
    "session_epoch",
    "total",
    "price",
    "user",
    "owner",
    "_method",
)

# Names of columns that are also names of fields, which a good form sends by itself or does not need.
FIELDS = {
    "/register": {"name"},
    "/invitations/{token:str}": {"name"},
    "/bookings/{code:str}/checkout": {"name", "email"},
    "/manager/events/{slug:str}/attendees/{short_code:str}": {"holder"},
    "/manager/events/{slug:str}/checkin": {"nonce"},
    "/admin/venues": {"name", "address", "city", "latitude", "longitude"},
    "/admin/venues/{number:int}": {"name", "address", "city", "latitude", "longitude"},
}

Values = dict[str, list[dict[str, Any]]]


def columns() -> dict[str, str]:
    """Every column of every table, with a value of its type."""
    found = dict.fromkeys(TRIED, "1")
    for table in SQLModel.metadata.sorted_tables:
        for column in table.columns:
            found[column.name] = next((word for kind, word in POISON.items() if isinstance(column.type, kind)), WORD)
    return found


def poisoned(rule: Rule, fields: Mapping[str, str]) -> dict[str, str]:
    """The good form with every column beside it: as it is, and as one of the first thing in a list."""
    extra = {name: word for name, word in columns().items() if name not in FIELDS.get(rule.route, ())}
    nested = {f"{prefix}{name}": word for prefix in ("types-0-", "t0-", "user.", "user[", "0-") for name, word in extra.items()}
    if rule.route.startswith("/manager/events/{slug:str}/sales"):
        nested = {name: word for name, word in nested.items() if not name.startswith("t0-code")}
    return {
        **extra,
        **nested,
        **fields,
    }


def values() -> Values:
    """The rows of every table."""
    with closing(sqlite3.connect(settings().data / "test.db")) as db:
        db.row_factory = sqlite3.Row
        names = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name != 'limits'")]
        return {name: [dict(row) for row in db.execute(f"SELECT * FROM {name}")] for name in names}


def differing(one: Values, other: Values, but: Collection[str] = ()) -> set[str]:
    """The columns that hold other values; rows may stand in any order. `but` names columns that do not count."""
    return {f"{table}.{column}" for table in one for column in _told_apart(table, one[table], other[table], but)}


def _told_apart(table: str, one: list[dict[str, Any]], other: list[dict[str, Any]], but: Collection[str]) -> list[str]:
    heads = [head for head in (one or other or [{}])[0] if f"{table}.{head}" not in but]

    def rows(of: list[dict[str, Any]], kept: Collection[str]) -> list[str]:
        return sorted(repr([row[head] for head in kept]) for row in of)

    if rows(one, heads) == rows(other, heads):
        return []
    return [head for head in heads if rows(one, [head]) != rows(other, [head])] or heads


@pytest.fixture(scope="module")
def shop() -> Any:
    """One application for the whole module: it keeps nothing between requests."""
    use(TEST_SETTINGS)
    return create_app()


def writing_rules() -> list[Rule]:
    rules = {rule.route: rule for rule in reversed(RULES) if rule.method == "POST" and ALLOWED in rule.group}
    return list(rules.values())


def fields_of(rule: Rule, a_town: Town) -> dict[str, str]:
    """What the route's form takes."""
    addresses = re.sub(r"\{\w+:\w+\}", "[^/]+", rule.route)
    for form in FORMS:
        if re.fullmatch(addresses, form.address(a_town)):
            return form.good
    return good(rule)


async def after(shop: Any, kept_town: Path, rule: Rule, sent: Mapping[str, str]) -> tuple[int, Values]:
    """The answer's status and the whole database, after the form was sent in a fresh town."""
    a_town = await town.opened(kept_town)
    visitor = _who(rule)
    async with a_town.browser(shop, visitor) as browser:
        answer = await browser.post(rule.path(a_town, visitor), data=dict(sent))
    return answer.status_code, values()


def _who(rule: Rule) -> str:
    """The one with the least rights who may: that is who would gain something."""
    if rule.group is EVERYBODY and "/login" not in rule.route:
        return "client"
    return next(visitor for visitor, word in zip(VISITORS, rule.group, strict=True) if word == ALLOWED)


async def mistakes(shop: Any, a_town: Town, kept_town: Path, rule: Rule) -> list[str]:
    """What the extra fields changed."""
    fields = fields_of(rule, a_town)
    status, first = await after(shop, kept_town, rule, fields)
    _status, again = await after(shop, kept_town, rule, fields)
    with_extra, second = await after(shop, kept_town, rule, poisoned(rule, fields))
    # Codes and salts are new each time; no value that was sent may be among them.
    by_chance = differing(first, again)
    found = [f"{name} changed" for name in sorted(differing(first, second, by_chance))]
    found += [f"{name} was set" for name in sorted(by_chance) if _was_set(second, name)]
    if status != with_extra:
        found.append(f"{status} became {with_extra}")
    return [f"{rule}: {mistake}" for mistake in found]


def _was_set(found: Values, name: str) -> bool:
    table, column = name.split(".")
    cells = [str(row[column]) for row in found[table]]
    return any(cell in (WORD, "987654") or cell.startswith("2031-01-01") for cell in cells)


@pytest.mark.asvs("V15.3.3", "V8.2.3", "V2.2.2", "V15.3.7", "V8.3.1")
@pytest.mark.parametrize("rule", writing_rules(), ids=str)
async def test_only_the_forms_own_fields_change_anything(shop: Any, small_town: Town, kept_town: Path, rule: Rule) -> None:
    found = await mistakes(shop, small_town, kept_town, rule)
    assert found == [], found


async def test_most_of_the_forms_above_change_something(shop: Any, small_town: Town, kept_town: Path) -> None:
    """A form that is refused would keep every field out, so it would show nothing."""
    await town.opened(kept_town)
    untouched, changing = values(), []
    for rule in writing_rules():
        _status, first = await after(shop, kept_town, rule, fields_of(rule, small_town))
        changing += [rule.route] if differing(untouched, first) else []
    assert {
        "/register", "/me/name", "/me/favourites", "/events/{slug:str}/hold", "/manager/events/new",
        "/manager/events/{slug:str}/edit/{section:str}", "/manager/events/{slug:str}/types/new",
        "/manager/events/{slug:str}/submit", "/manager/events/{slug:str}/call-off",
        "/admin/managers", "/admin/texts/{name:str}", "/admin/events/{slug:str}/approve", "/bookings/{code:str}/release",
    } <= set(changing)  # fmt: skip


@pytest.mark.asvs("V15.3.3")
async def test_a_new_account_is_a_users_whatever_was_sent(small_town: Town, kept_town: Path) -> None:
    """The whole way in: the form, the mail, the button."""
    extra = columns() | {"email": "eve@example.com", "password": PASSWORD}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=create_app()), base_url=BASE_URL, headers={"Origin": BASE_URL}
    ) as browser:
        assert (await browser.post("/register", data=extra | {"role": "admin"})).status_code == 200
        opened = f"/verify/{small_town.things['register token']}"
        assert (await browser.post(opened, data=columns() | {"role": "admin"})).status_code == 303
    found = values()
    assert [row["role"] for row in found["users"] if row["email"] == "new@example.com"] == ["user"]
    assert [row["role"] for row in found["mailed_links"] if row["email"] == "eve@example.com"] == ["user"]


async def test_a_careless_handler_would_be_found(small_town: Town, kept_town: Path) -> None:
    """The negative control: a page that sets whatever it is sent."""

    @post("/careless")
    async def careless(request: Request[Any, Any, Any], visitor: Who) -> str:
        sent = await request.form()
        wanted = {name: value for name, value in sent.items() if name in ("name", "language")}
        async with writing() as tx:
            await tx.exec(update(User).where(col(User.id) == visitor.user_id).values(**wanted))
        return ""

    planted = litestar_app()
    planted.register(careless)
    rule = Rule("POST", "/careless", (LOGIN, *(ALLOWED,) * 5))
    found = await mistakes(Guarded(KnowTheVisitor(planted)), small_town, kept_town, rule)
    assert "POST /careless: users.language changed" in found
