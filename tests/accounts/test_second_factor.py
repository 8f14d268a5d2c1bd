"""The second factor: set up, turned off, lost; and who must have one."""

import dataclasses
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
import time_machine
from sqlmodel import select

from app.accounts import queries
from app.accounts.actions import second
from app.accounts.command import reset_second_factor
from app.accounts.models import Authenticator, Passkey, RecoveryCode, User
from app.core import clock, db
from app.core.errors import Refused
from app.core.settings import Settings, use
from app.core.settings import settings as use_settings
from app.notifications.models import Notification
from app.worker import Worker
from tests.accounts.links import told
from tests.accounts.second_steps import (
    app_of,
    code_of,
    codes_on,
    enter,
    is_in,
    log_in,
    made,
    rows_of,
    secret_of,
    with_app,
)

HERE = "/me/security/second-factor"
SignIn = Callable[[httpx.AsyncClient, User], Awaitable[None]]
OpenBrowser = Callable[[], Awaitable[httpx.AsyncClient]]


@pytest.fixture
def is_required(app: Any, settings: Settings) -> None:
    """Managers and admins need a second factor here. The application comes first: its database puts settings in force."""
    use(dataclasses.replace(settings, second_factor="required"))


# ---------- setting it up ----------


async def set_up(browser: httpx.AsyncClient, user: User) -> httpx.Response:
    """As a person does, without JavaScript: the page with the recovery codes."""
    assert (await browser.post(HERE)).headers["location"] == HERE
    return await browser.post(f"{HERE}/confirm", data={"code": await code_of(user)})


async def test_it_is_offered_in_one_sentence_and_set_up_in_three_steps(
    client: httpx.AsyncClient, open_browser: OpenBrowser, sign_in: SignIn
) -> None:
    bob, other = await made("bob"), await open_browser()
    await sign_in(client, bob)
    await sign_in(other, bob)
    assert f'href="{HERE}"' in (await client.get("/me/security")).text
    assert "Set up an app" in (await client.get(HERE)).text
    assert (await client.post(HERE)).headers["location"] == HERE
    shown = (await client.get(HERE)).text
    secret = await secret_of(bob)
    assert f'src="{HERE}.svg"' in shown
    assert secret in re.sub(r"\s", "", shown)
    answer = await client.post(f"{HERE}/confirm", data={"code": await code_of(bob)})
    assert len(codes_on(answer)) == 10
    # This browser goes on, under a new id and with its second factor; the other one does not.
    assert (await is_in(client), await is_in(other)) == (True, False)
    assert [row.has_second for row in await rows_of(bob) if not row.ended_at] == [True]
    assert "Your app is set up since" in (await client.get(HERE)).text
    assert [activity.about for activity in await told("account.second_factor_added")] == [f"user:{bob.id}"]


async def test_the_picture_is_ours_and_only_there_until_the_app_is_confirmed(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    bob = await made("bob")
    await sign_in(client, bob)
    assert (await client.get(f"{HERE}.svg")).status_code == 404
    await client.post(HERE)
    picture = await client.get(f"{HERE}.svg")
    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/svg+xml")
    assert picture.headers["cache-control"] == "no-store"
    assert "data:" not in (await client.get(HERE)).text
    await client.post(f"{HERE}/confirm", data={"code": await code_of(bob)})
    assert (await client.get(f"{HERE}.svg")).status_code == 404
    secret = await secret_of(bob)
    assert secret not in re.sub(r"\s", "", (await client.get(HERE)).text)


@pytest.mark.asvs("V6.5.2", "V6.5.3", "V6.5.4")
async def test_secrets_are_sealed_hashed_and_different_every_time(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    bob, carol = await made("bob"), await made("carol")
    await sign_in(client, bob)
    codes = codes_on(await set_up(client, bob))
    await with_app(carol)
    async with db.reading() as reader:
        apps = (await reader.exec(select(Authenticator))).all()
        rows = (await reader.exec(select(RecoveryCode))).all()
    assert len({await secret_of(user) for user in (bob, carol)}) == 2
    assert await secret_of(bob) not in "".join(app.sealed_secret for app in apps)
    assert len({row.code_hash for row in rows}) == 20
    # A salt of 128 bits for each ten codes, and scrypt in between.
    assert {len(row.salt) for row in rows} == {32}
    assert len({row.salt for row in rows}) == 2
    assert not [code for code in codes for row in rows if code in row.code_hash or code.replace("-", "") in row.code_hash]


async def test_a_wrong_first_code_turns_nothing_on(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    bob = await made("bob")
    await sign_in(client, bob)
    await client.post(HERE)
    answer = await client.post(f"{HERE}/confirm", data={"code": "000000"})
    assert answer.status_code == 422
    assert "This code does not fit" in answer.text
    found = await app_of(bob)
    assert found
    assert found.confirmed_at is None
    assert (await log_in(client, bob)).headers["location"] == "/me"


async def test_the_first_code_is_used_up_by_confirming(
    client: httpx.AsyncClient, sign_in: SignIn, moment: time_machine.Traveller
) -> None:
    bob = await made("bob")
    await sign_in(client, bob)
    await set_up(client, bob)
    await log_in(client, bob)
    assert (await enter(client, await code_of(bob))).status_code == 422
    moment.shift(timedelta(seconds=30))
    assert (await enter(client, await code_of(bob))).status_code == 303


async def test_a_second_app_needs_the_first_one_gone(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    bob = await made("bob")
    await sign_in(client, bob)
    await set_up(client, bob)
    before = await secret_of(bob)
    assert (await client.post(HERE)).status_code == 409
    assert await secret_of(bob) == before


async def test_the_codes_come_as_a_file_for_whoever_was_shown_them(
    client: httpx.AsyncClient, open_browser: OpenBrowser, sign_in: SignIn
) -> None:
    bob, mallory, other = await made("bob"), await made("mallory"), await open_browser()
    await sign_in(client, bob)
    await sign_in(other, mallory)
    page = await set_up(client, bob)
    sealed = re.findall(r'name="sealed" value="([^"]+)"', page.text)[0]
    assert page.headers["cache-control"] == "no-store"
    sent = await client.post(f"{HERE}/codes.txt", data={"sealed": sealed})
    assert sent.headers["content-disposition"] == 'attachment; filename="recovery-codes.txt"'
    assert codes_on(page) == [line for line in sent.text.splitlines() if re.fullmatch(r"[A-Z0-9-]{14}", line)]
    assert (await other.post(f"{HERE}/codes.txt", data={"sealed": sealed})).status_code == 404
    assert (await client.post(f"{HERE}/codes.txt", data={"sealed": sealed[:-4]})).status_code == 404


# ---------- who must have one ----------


@pytest.mark.asvs("V6.3.3")
@pytest.mark.usefixtures("is_required")
@pytest.mark.parametrize(("who", "home"), [("alice", "/manager"), ("dora", "/admin")])
async def test_managers_and_admins_set_it_up_before_anything_else(
    client: httpx.AsyncClient, sign_in: SignIn, who: str, home: str
) -> None:
    user = await made(who)
    assert (await log_in(client, user)).headers["location"] == home
    answer = await client.get(home)
    assert (answer.status_code, answer.headers["location"]) == (303, HERE)
    assert "sign in with a second step" in (await client.get(HERE)).text
    page = await set_up(client, user)
    assert f'href="{home}"' in page.text
    assert (await client.get(home)).status_code == 200


@pytest.mark.usefixtures("is_required")
async def test_every_page_of_the_desks_leads_there(client: httpx.AsyncClient) -> None:
    from tests.routes import ADMIN, AT_ITS_DOOR, DESKS, ITS_MANAGER, ITS_SELLER, MANAGERS, RULES

    await log_in(client, await made("dora"))
    open_ones = []
    for rule in RULES:
        if rule.group in (MANAGERS, DESKS, ITS_MANAGER, ITS_SELLER, AT_ITS_DOOR, ADMIN):
            path = re.sub(r"\{\w+:(\w+)\}", lambda kind: "1" if kind[1] == "int" else "x", rule.route)
            answer = await client.request(rule.method, path)
            if answer.headers.get("location") != HERE:
                open_ones.append((str(rule), answer.status_code))
    assert open_ones == []


@pytest.mark.usefixtures("is_required")
async def test_an_admin_without_it_has_no_rights_elsewhere_either(client: httpx.AsyncClient) -> None:
    """Some pages are for everybody and show an admin more."""
    from app.web.page import visitor_of
    from app.web.visitor import KnowTheVisitor

    seen = []

    async def look(scope, _receive, _send):  # type: ignore[no-untyped-def]
        from litestar import Request

        seen.append(visitor_of(Request(scope)))

    await log_in(client, await made("dora"))
    cookie = client.cookies["login"].encode()
    scope = {"type": "http", "path": "/", "headers": [(b"cookie", b"login=" + cookie)], "method": "GET", "query_string": b""}
    await KnowTheVisitor(look)(scope, None, None)  # type: ignore[arg-type]
    assert (seen[0].role, seen[0].is_signed_in, seen[0].is_admin, seen[0].is_manager) == ("admin", True, False, False)


@pytest.mark.usefixtures("is_required")
async def test_users_are_not_asked(client: httpx.AsyncClient) -> None:
    await log_in(client, await made("bob"))
    assert (await client.get("/me")).status_code == 200
    assert (await client.get("/manager")).status_code == 403


async def test_where_it_is_only_offered_nobody_is_sent_there(client: httpx.AsyncClient) -> None:
    """The negative control of the rule, and the demo's way."""
    await log_in(client, await made("dora"))
    assert (await client.get("/admin")).status_code == 200


# ---------- turning it off ----------


async def test_a_user_may_turn_it_off(client: httpx.AsyncClient, open_browser: OpenBrowser, sign_in: SignIn) -> None:
    bob, other = await made("bob"), await open_browser()
    await with_app(bob)
    await sign_in(client, bob)
    await sign_in(other, bob)
    assert (await client.post(f"{HERE}/off")).headers["location"] == "/me/security"
    assert (await is_in(client), await is_in(other)) == (True, False)
    assert await app_of(bob) is None
    async with db.reading() as reader:
        assert await queries.open_recovery_codes(reader, bob.id or 0) == []
    assert (await log_in(client, bob)).headers["location"] == "/me"
    assert await told("account.second_factor_removed")


@pytest.mark.usefixtures("is_required")
async def test_a_manager_may_turn_it_off_with_a_passkey_only(client: httpx.AsyncClient) -> None:
    alice = await made("alice")
    await with_app(alice)
    await log_in(client, alice)
    await enter(client, await code_of(alice))
    assert "Turn the app off" not in (await client.get(HERE)).text
    assert (await client.post(f"{HERE}/off")).status_code == 409
    async with db.writing() as tx:
        tx.add(Passkey(user_id=alice.id or 0, name="Phone", credential_id="x", public_key="x", created_at=clock.now()))
    assert "Turn the app off" in (await client.get(HERE)).text
    assert (await client.post(f"{HERE}/off")).status_code == 303
    assert (await client.get("/manager")).status_code == 200


# ---------- the account is told, and the operator helps ----------


@pytest.mark.parametrize(
    ("happened", "kind"),
    [
        ("account.second_factor_added", "second_factor_added"),
        ("account.second_factor_removed", "second_factor_removed"),
        ("account.recovery_code_used", "recovery_code_used"),
    ],
)
async def test_the_account_is_told_by_mail(client: httpx.AsyncClient, sign_in: SignIn, happened: str, kind: str) -> None:
    bob = await made("bob")
    await sign_in(client, bob)
    await set_up(client, bob)
    codes = codes_on(await client.post(f"{HERE}/codes"))
    await log_in(client, bob)
    await enter(client, codes[0])
    await client.post(f"{HERE}/off")
    while await Worker().react():
        pass
    async with db.reading() as reader:
        found = (await reader.exec(select(Notification).where(Notification.kind == kind))).all()
    assert len(found) == len(await told(happened)) == 1
    assert found[0].email == bob.email


async def test_the_operator_can_remove_it(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    bob = await made("bob")
    await with_app(bob)
    await sign_in(client, bob)
    async with db.writing() as tx:
        await second.reset(tx, bob, now=clock.now())
    assert not await is_in(client)
    assert (await log_in(client, bob)).headers["location"] == "/me"
    assert [activity.by_user_id for activity in await told("account.second_factor_removed")] == [None]


async def test_the_command_finds_the_account_by_its_address(sqlite_database: db.Database) -> None:
    bob = await made("bob")
    await with_app(bob)
    await db.disconnect()
    with pytest.raises(Refused, match="No account has this email address"):
        await reset_second_factor("nobody@example.com")
    assert "every browser is signed out" in await reset_second_factor(" Bob@example.com ")
    db.connect(use_settings().database_url)
    assert await app_of(bob) is None
