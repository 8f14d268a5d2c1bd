"""Signing in: one sentence for everything that is wrong, a new session for everything that is right."""

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from html import unescape

import httpx
import pytest
import time_machine
from sqlmodel import select

from app.accounts import queries
from app.accounts.actions import sessions, suspending
from app.accounts.models import LoginSession, User
from app.core import clock, db
from app.core.errors import Refused
from tests import world

WRONG = "Email or password do not match."


@pytest.mark.asvs("V7.2.1", "V7.2.2")
async def test_the_row_holds_only_a_hash_of_the_session(database: db.Database) -> None:
    async with db.writing() as tx:
        bob = await world.bob(tx)
        raw = await sessions.log_in(tx, bob, device="Firefox, Linux", now=clock.now())
    async with db.reading() as reader:
        row = (await reader.exec(select(LoginSession))).one()
        found = await queries.live_session(reader, raw, now=clock.now())
    assert raw not in row.id_hash
    assert found is not None
    assert found[0].email == bob.email


@pytest.mark.asvs("V7.3.2")
async def test_a_session_ends_after_thirty_days(database: db.Database, moment: time_machine.Traveller) -> None:
    async with db.writing() as tx:
        raw = await sessions.log_in(tx, await world.bob(tx), device="", now=clock.now())
    moment.shift(timedelta(days=30))
    async with db.reading() as reader:
        assert await queries.live_session(reader, raw, now=clock.now()) is None


@pytest.mark.parametrize("change", [{"password_hash": "another"}, {"disabled": True}])
async def test_who_was_changed_since_the_password_was_checked_is_not_signed_in(
    database: db.Database, change: dict[str, object]
) -> None:
    async with db.writing() as tx:
        checked = await world.bob(tx)
    async with db.writing() as tx:
        bob = await tx.get_one(User, checked.id)
        bob.password_hash = str(change.get("password_hash", bob.password_hash))
        bob.disabled_at = clock.now() if change.get("disabled") else None
    with pytest.raises(Refused):
        async with db.writing() as tx:
            await sessions.log_in(tx, checked, device="", now=clock.now())


@pytest.mark.parametrize(("who", "lands"), [("bob", "/me"), ("alice", "/manager"), ("dora", "/admin")])
async def test_everybody_lands_where_their_work_is(client: httpx.AsyncClient, who: str, lands: str) -> None:
    user = await made(who)
    answer = await log_in(client, user.email)
    assert (answer.status_code, answer.headers["location"]) == (303, lands)
    assert (await client.get("/me")).status_code == 200


async def test_an_address_is_the_same_in_capital_letters(client: httpx.AsyncClient) -> None:
    bob = await made("bob")
    assert (await log_in(client, bob.email.upper())).status_code == 303


@pytest.mark.asvs("V6.3.8")
async def test_unknown_wrong_and_suspended_look_the_same(client: httpx.AsyncClient) -> None:
    bob, mallory = await made("bob"), await made("mallory")
    async with db.writing() as tx:
        await suspending.suspend(tx, mallory, reason="Rest.", by=None, now=clock.now())
    answers = [
        await log_in(client, "nobody@example.com"),
        await log_in(client, bob.email, password="ten pianos in the sun"),
        await log_in(client, mallory.email),
    ]
    texts = {
        answer.text.replace(email, "X")
        for answer, email in zip(answers, ["nobody@example.com", bob.email, mallory.email], strict=True)
    }
    assert [answer.status_code for answer in answers] == [422, 422, 422]
    assert len(texts) == 1
    assert WRONG in texts.pop()
    assert not any("login" in answer.cookies for answer in answers)


async def test_the_typed_address_is_kept_and_the_password_never(client: httpx.AsyncClient) -> None:
    answer = await log_in(client, "nobody@example.com", password="ten pianos in the sun")
    assert 'value="nobody@example.com"' in answer.text
    assert "ten pianos" not in answer.text


@pytest.mark.parametrize("wanted", ["/events?q=piano", "/me/name", "/imprint"])
async def test_next_leads_back_to_a_page_of_ours(client: httpx.AsyncClient, wanted: str) -> None:
    bob = await made("bob")
    shown = await client.get("/login", params={"next": wanted})
    assert f'name="next" value="{wanted}"' in shown.text
    assert (await log_in(client, bob.email, next=wanted)).headers["location"] == wanted


@pytest.mark.asvs("V3.7.2")
@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "/logout",
        "/nowhere",
        "/me\r\nX: y",
        "evil",
        "/%0d",
        "///evil.example",
        "http:/evil",
    ],
)
async def test_next_leads_nowhere_else(client: httpx.AsyncClient, wanted: str) -> None:
    bob = await made("bob")
    shown = (await client.get("/login", params={"next": wanted})).text
    kept = re.findall(r'name="next" value="([^"]*)"', shown)
    assert not [value for value in kept if unescape(value) not in ("", "/login")]
    assert (await log_in(client, bob.email, next=wanted)).headers["location"] == "/me"


@pytest.mark.asvs("V7.2.4", "V7.2.2")
async def test_each_login_has_a_session_of_its_own_and_the_old_one_ends(client: httpx.AsyncClient) -> None:
    bob = await made("bob")
    await log_in(client, bob.email)
    before = client.cookies["login"]
    await log_in(client, bob.email)
    assert client.cookies["login"] != before
    client.cookies.clear()
    client.cookies.set("login", before)
    assert (await client.get("/me")).status_code == 303


@pytest.mark.asvs("V7.2.2", "V7.2.4")
async def test_a_session_id_that_somebody_else_chose_is_never_adopted(client: httpx.AsyncClient) -> None:
    bob = await made("bob")
    from app.web.visitor import login_cookie

    planted = login_cookie("planted-by-mallory", "user").value or ""
    client.cookies.set("login", planted)
    await log_in(client, bob.email)
    client.cookies.clear()
    client.cookies.set("login", planted)
    assert (await client.get("/me")).status_code == 303


async def test_whoever_is_signed_in_is_not_asked_again(
    client: httpx.AsyncClient, sign_in: Callable[[httpx.AsyncClient, User], Awaitable[None]]
) -> None:
    await sign_in(client, await made("dora"))
    answer = await client.get("/login")
    assert (answer.status_code, answer.headers["location"]) == (303, "/admin")


@pytest.mark.asvs("V6.3.1", "V2.4.1")
async def test_a_twenty_first_attempt_from_one_place_has_to_wait(
    client: httpx.AsyncClient, moment: time_machine.Traveller
) -> None:
    answers = [await log_in(client, f"nobody{number}@example.com") for number in range(21)]
    assert [answer.status_code for answer in answers] == [422] * 20 + [429]


@pytest.mark.asvs("V4.1.3", "V15.3.4")
async def test_a_forged_forwarding_header_makes_no_new_place(client: httpx.AsyncClient, moment: time_machine.Traveller) -> None:
    for number in range(20):
        await log_in(client, f"nobody{number}@example.com")
    client.headers["X-Forwarded-For"] = "203.0.113.9"
    assert (await log_in(client, "nobody@example.com")).status_code == 429


async def test_a_manager_with_a_short_password_is_led_to_a_longer_one(client: httpx.AsyncClient) -> None:
    from app.accounts import flows

    short = await flows.hash_password("ninepianos")
    async with db.writing() as tx:
        alice = await world.alice(tx)
        alice.password_hash = short
    answer = await log_in(client, alice.email, password="ninepianos")
    assert answer.headers["location"] == "/me/password"


async def test_last_use_is_noted_every_five_minutes_only(client: httpx.AsyncClient, moment: time_machine.Traveller) -> None:
    bob = await made("bob")
    await log_in(client, bob.email)
    start = clock.now()
    moment.shift(timedelta(minutes=4))
    await client.get("/me")
    assert await last_seen() == start
    moment.shift(timedelta(minutes=1))
    await client.get("/me")
    assert await last_seen() == clock.now()


async def last_seen() -> object:
    async with db.reading() as reader:
        return (await reader.exec(select(LoginSession))).one().last_seen_at


async def made(who: str) -> User:
    async with db.writing() as tx:
        user: User = await getattr(world, who)(tx)
    return user


async def log_in(client: httpx.AsyncClient, email: str, *, password: str = world.PASSWORD, **more: str) -> httpx.Response:
    return await client.post("/login", data={"email": email, "password": password} | more)
