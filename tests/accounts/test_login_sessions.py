"""Login sessions: a new id at every turn, an end for each of them, and rights that are read at every click."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import httpx
import pytest
import time_machine
from sqlmodel import col, update

from app.accounts import models
from app.accounts.actions import managers, sessions
from app.accounts.models import SESSION_LIVES, Life, User
from app.core import clock, db
from app.web.visitor import login_cookie
from tests import world
from tests.accounts.links import newest_token
from tests.accounts.second_steps import code_of, is_in, log_in, made, rows_of, use_cookie, with_app

NEW = "ten accordions in the sun"
SignIn = Callable[[httpx.AsyncClient, User], Awaitable[None]]
OpenBrowser = Callable[[], Awaitable[httpx.AsyncClient]]
Turn = Callable[[httpx.AsyncClient, User], Awaitable[object]]


# ---------- the six turns ----------


async def log_in_again(browser: httpx.AsyncClient, bob: User) -> None:
    assert (await log_in(browser, bob)).status_code == 303


async def log_out(browser: httpx.AsyncClient, _bob: User) -> None:
    await browser.post("/logout")


async def prove_again(browser: httpx.AsyncClient, _bob: User) -> None:
    assert (await browser.post("/login/again", data={"password": world.PASSWORD})).status_code == 303


async def become_manager(_browser: httpx.AsyncClient, bob: User) -> None:
    async with db.writing() as tx:
        await managers.make_manager(tx, bob.email, by=None, language="en", now=clock.now())


async def change_email(browser: httpx.AsyncClient, _bob: User) -> None:
    await browser.post("/me/email", data={"email": "robert@example.com"})
    assert (await browser.post(f"/verify/{await newest_token('email')}")).headers["location"] == "/me"


async def change_password(browser: httpx.AsyncClient, _bob: User) -> None:
    answer = await browser.post("/me/password", data={"present": world.PASSWORD, "password": NEW})
    assert answer.headers["location"] == "/me"


async def enter_the_second_step(browser: httpx.AsyncClient, bob: User) -> None:
    await with_app(bob)
    await log_in(browser, bob)
    assert (await browser.post("/login/second", data={"code": await code_of(bob)})).headers["location"] == "/me"


TURNS: list[Turn] = [
    log_in_again,
    log_out,
    prove_again,
    become_manager,
    change_email,
    change_password,
    enter_the_second_step,
]
# After these the same browser goes on.
STAYS = [prove_again, change_email, change_password, log_in_again, enter_the_second_step]


async def with_a_copied_cookie(browser: httpx.AsyncClient, thief: httpx.AsyncClient, sign_in: SignIn) -> User:
    """Bob is signed in, and Mallory has his cookie, whether she stole it or put it there."""
    bob = await made("bob")
    await sign_in(browser, bob)
    use_cookie(thief, browser.cookies["login"])
    assert await is_in(thief)
    return bob


@pytest.mark.asvs("V7.2.4", "V7.4.1")
@pytest.mark.parametrize("turn", TURNS, ids=lambda turn: turn.__name__)
async def test_the_old_cookie_is_dead_after(
    client: httpx.AsyncClient, open_browser: OpenBrowser, sign_in: SignIn, turn: Turn
) -> None:
    thief = await open_browser()
    bob = await with_a_copied_cookie(client, thief, sign_in)
    await turn(client, bob)
    assert not await is_in(thief)
    assert await is_in(client) == (turn in STAYS)


@pytest.mark.parametrize("turn", [log_in_again, prove_again, change_email, change_password], ids=lambda turn: turn.__name__)
async def test_without_the_end_of_the_old_session_the_copy_goes_on(
    client: httpx.AsyncClient, open_browser: OpenBrowser, sign_in: SignIn, turn: Turn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control."""

    async def never(*_arguments: object, **_more: object) -> bool:
        return True

    monkeypatch.setattr(sessions, "log_out", never)
    thief = await open_browser()
    bob = await with_a_copied_cookie(client, thief, sign_in)
    await turn(client, bob)
    assert await is_in(thief)


@pytest.mark.asvs("V7.2.4", "V7.2.1")
async def test_an_id_that_we_did_not_give_out_is_never_taken_up(client: httpx.AsyncClient) -> None:
    bob, planted = await made("bob"), "an-id-that-mallory-chose-and-signed-with-a-stolen-key"
    use_cookie(client, login_cookie(planted, "user").value or "")
    assert not await is_in(client)
    await log_in(client, bob)
    given = client.cookies.get("login", domain="testserver.local")
    assert given != login_cookie(planted, "user").value
    use_cookie(client, login_cookie(planted, "user").value or "")
    assert not await is_in(client)


@pytest.mark.asvs("V7.2.2", "V7.2.3")
async def test_ids_are_new_random_and_stored_as_hashes(database: db.Database) -> None:
    async with db.writing() as tx:
        bob = await world.bob(tx)
        ids = [await sessions.log_in(tx, bob, device="", now=clock.now()) for _ in range(20)]
    assert len(set(ids)) == 20
    # 43 letters of 6 bits: 256 bits from the system's own source.
    assert {len(session_id) for session_id in ids} == {43}
    assert not {row.id_hash for row in await rows_of(bob)} & set(ids)


async def test_rotation_keeps_the_day_and_the_device(database: db.Database, moment: time_machine.Traveller) -> None:
    """Whoever rotated every day would otherwise stay signed in for ever."""
    async with db.writing() as tx:
        bob = await world.bob(tx)
        await sessions.log_in(tx, bob, device="Firefox, Linux", now=clock.now())
    moment.shift(timedelta(days=3))
    first = (await rows_of(bob))[0]
    async with db.writing() as tx:
        await sessions.rotate(tx, first.id_hash, now=clock.now(), proved=True)
    ended, present = sorted(await rows_of(bob), key=lambda row: row.ended_at is None)
    assert ended.ended_at == present.proved_at == present.last_seen_at == clock.now()
    assert (present.created_at, present.device) == (first.created_at, "Firefox, Linux")


async def test_a_session_rotates_once_although_two_ask_at_the_same_time(database: db.Database) -> None:
    from app.core.errors import Refused

    async with db.writing() as tx:
        bob = await world.bob(tx)
        await sessions.log_in(tx, bob, device="", now=clock.now())
    old = (await rows_of(bob))[0].id_hash
    async with db.writing() as tx:
        await sessions.rotate(tx, old, now=clock.now())
    with pytest.raises(Refused, match="signed out"):
        async with db.writing() as tx:
            await sessions.rotate(tx, old, now=clock.now())
    assert len([row for row in await rows_of(bob) if not row.ended_at]) == 1


# ---------- how long ----------

ROLES = [("user", "bob"), ("manager", "alice"), ("admin", "dora")]


@pytest.mark.asvs("V7.3.1")
@pytest.mark.parametrize(("role", "who"), ROLES)
async def test_a_browser_that_is_not_used_is_signed_out(
    client: httpx.AsyncClient, sign_in: SignIn, moment: time_machine.Traveller, role: str, who: str
) -> None:
    idle = SESSION_LIVES[role].idle
    assert idle == (timedelta(days=14) if role == "user" else timedelta(minutes=30))
    await sign_in(client, await made(who))
    moment.shift(idle - timedelta(seconds=1))
    assert await is_in(client)
    moment.shift(idle - timedelta(seconds=1))
    assert await is_in(client)
    moment.shift(idle)
    assert not await is_in(client)
    assert not await is_in(client)


@pytest.mark.asvs("V7.3.2")
@pytest.mark.parametrize(("role", "who"), ROLES)
async def test_a_browser_that_is_always_used_is_signed_out_at_the_end_of_its_time(
    client: httpx.AsyncClient, sign_in: SignIn, moment: time_machine.Traveller, role: str, who: str
) -> None:
    life = SESSION_LIVES[role]
    assert life.absolute == (timedelta(days=30) if role == "user" else timedelta(hours=12))
    await sign_in(client, await made(who))
    until, step = clock.now() + life.absolute, life.idle * 0.8
    while clock.now() + step < until:
        moment.shift(step)
        assert await is_in(client)
    moment.move_to(until - timedelta(seconds=1))
    assert await is_in(client)
    moment.move_to(until)
    assert not await is_in(client)


@pytest.mark.parametrize("role", ["user", "manager"])
async def test_without_the_limits_nobody_is_signed_out(
    client: httpx.AsyncClient, sign_in: SignIn, moment: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch, role: str
) -> None:
    """The negative control."""
    endless = Life(idle=timedelta(days=999), absolute=timedelta(days=999), noted_every=timedelta(minutes=5))
    monkeypatch.setitem(models.SESSION_LIVES, role, endless)
    await sign_in(client, await made("bob" if role == "user" else "alice"))
    moment.shift(timedelta(days=40))
    assert await is_in(client)


@pytest.mark.parametrize(("role", "who"), ROLES)
async def test_the_browser_keeps_the_cookie_as_long_as_the_row_lives(client: httpx.AsyncClient, role: str, who: str) -> None:
    answer = await log_in(client, await made(who))
    assert f"Max-Age={int(SESSION_LIVES[role].absolute.total_seconds())}" in answer.headers["set-cookie"]


@pytest.mark.parametrize(("who", "noted_every"), [("bob", 5), ("alice", 1)])
async def test_use_is_noted_once_in_a_while(
    client: httpx.AsyncClient, sign_in: SignIn, moment: time_machine.Traveller, who: str, noted_every: int
) -> None:
    user = await made(who)
    await sign_in(client, user)
    began = clock.now()
    moment.shift(timedelta(minutes=noted_every, seconds=-1))
    await client.get("/me")
    assert (await rows_of(user))[0].last_seen_at == began
    moment.shift(timedelta(seconds=1))
    await client.get("/me")
    assert (await rows_of(user))[0].last_seen_at == clock.now()


async def test_whoever_becomes_a_manager_gets_a_manager_s_times(
    client: httpx.AsyncClient, sign_in: SignIn, moment: time_machine.Traveller
) -> None:
    """The row says nothing about the role; the account does."""
    bob = await made("bob")
    await sign_in(client, bob)
    moment.shift(timedelta(minutes=31))
    assert await is_in(client)
    await changed(bob, role="manager")
    moment.shift(timedelta(minutes=31))
    assert not await is_in(client)


# ---------- rights are read at every click ----------


@pytest.mark.asvs("V7.2.1", "V8.3.2")
async def test_a_manager_who_is_one_no_more_loses_the_desk_at_the_next_click(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    alice = await made("alice")
    await sign_in(client, alice)
    assert (await client.get("/manager")).status_code == 200
    await changed(alice, role="user")
    assert (await client.get("/manager")).status_code == 403
    assert await is_in(client)


@pytest.mark.asvs("V7.4.2")
async def test_a_disabled_account_is_out_at_the_next_click(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    bob = await made("bob")
    await sign_in(client, bob)
    await changed(bob, disabled_at=clock.now())
    assert not await is_in(client)


@pytest.mark.asvs("V7.5.2")
async def test_own_browsers_show_device_and_last_use(
    client: httpx.AsyncClient, open_browser: OpenBrowser, sign_in: SignIn, moment: time_machine.Traveller
) -> None:
    bob, other = await made("bob"), await open_browser()
    await sign_in(other, bob)
    moment.shift(timedelta(hours=2))
    await sign_in(client, bob)
    shown = (await client.get("/me/security")).text
    assert "Last used Mon 16 Nov, 12:00 UTC" in shown
    assert shown.count("Firefox on Linux<br>") == 2


async def test_sessions_that_ended_by_themselves_are_not_listed(
    client: httpx.AsyncClient, open_browser: OpenBrowser, sign_in: SignIn, moment: time_machine.Traveller
) -> None:
    bob, other = await made("bob"), await open_browser()
    await sign_in(other, bob)
    moment.shift(timedelta(days=15))
    await sign_in(client, bob)
    assert (await client.get("/me/security")).text.count("Firefox on Linux<br>") == 1


async def test_a_new_address_signs_every_other_browser_out(
    client: httpx.AsyncClient, open_browser: OpenBrowser, sign_in: SignIn
) -> None:
    bob, other = await made("bob"), await open_browser()
    await sign_in(client, bob)
    await sign_in(other, bob)
    await change_email(client, bob)
    assert (await is_in(client), await is_in(other)) == (True, False)


async def changed(user: User, **columns: object) -> None:
    async with db.writing() as tx:
        await tx.exec(update(User).where(col(User.id) == user.id).values(**columns))
