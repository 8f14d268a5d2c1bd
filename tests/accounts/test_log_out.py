"""Signing out: here, in one other browser, or everywhere; a cookie of an ended session is worth nothing."""

from collections.abc import Awaitable, Callable

import httpx
import pytest
from sqlmodel import select

from app.accounts import queries
from app.accounts.actions import sessions
from app.accounts.models import LoginSession, User
from app.core import clock, db
from tests import world

SignIn = Callable[[httpx.AsyncClient, User], Awaitable[None]]
OpenBrowser = Callable[[], Awaitable[httpx.AsyncClient]]


@pytest.mark.asvs("V7.4.1", "V14.3.1")
async def test_the_old_cookie_is_dead(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    await sign_in(client, await bob())
    cookie = client.cookies["login"]
    answer = await client.post("/logout")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert answer.headers["clear-site-data"] == '"cache", "storage"'
    assert "login" not in client.cookies
    client.cookies.set("login", cookie)
    assert (await client.get("/me")).headers["location"].startswith("/login")


async def test_signing_out_twice_is_no_mistake(client: httpx.AsyncClient) -> None:
    assert (await client.post("/logout")).status_code == 303


@pytest.mark.asvs("V3.5.1")
async def test_another_site_signs_nobody_out(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    await sign_in(client, await bob())
    answer = await client.post("/logout", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert (await client.get("/me")).status_code == 200
    assert (await client.get("/logout")).status_code == 405


@pytest.mark.asvs("V7.5.2")
async def test_own_browsers_are_listed_and_one_can_be_ended(
    client: httpx.AsyncClient, open_browser: OpenBrowser, sign_in: SignIn
) -> None:
    user, other = await bob(), await open_browser()
    await sign_in(client, user)
    await sign_in(other, user)
    shown = await client.get("/me/security")
    assert shown.text.count("Firefox on Linux<br>") == 2
    assert shown.text.count("This browser") == 1
    session = next(session for session in await live_sessions(user) if session.id_hash in shown.text)
    answer = await client.post(f"/me/security/{session.id_hash}/end")
    assert answer.headers["location"] == "/me/security"
    assert (await other.get("/me")).status_code == 303
    assert (await client.get("/me")).status_code == 200


@pytest.mark.asvs("V7.5.2", "V7.4.3")
async def test_every_other_browser_can_be_ended_at_once(
    client: httpx.AsyncClient, open_browser: OpenBrowser, sign_in: SignIn
) -> None:
    user, others = await bob(), [await open_browser() for _ in range(2)]
    for browser in (client, *others):
        await sign_in(browser, user)
    await client.post("/me/security/end-others")
    assert [(await browser.get("/me")).status_code for browser in (client, *others)] == [200, 303, 303]


@pytest.mark.asvs("V8.2.2")
async def test_mallory_ends_nobody_elses_session(client: httpx.AsyncClient, open_browser: OpenBrowser, sign_in: SignIn) -> None:
    user, bobs = await bob(), await open_browser()
    async with db.writing() as tx:
        mallory = await world.mallory(tx)
    await sign_in(bobs, user)
    await sign_in(client, mallory)
    session = (await live_sessions(user))[0]
    assert session.id_hash not in (await client.get("/me/security")).text
    assert (await client.post(f"/me/security/{session.id_hash}/end")).status_code == 404
    await client.post("/me/security/end-others")
    assert (await bobs.get("/me")).status_code == 200


async def test_ending_all_sessions_but_one_leaves_strangers_alone(database: db.Database) -> None:
    async with db.writing() as tx:
        user, carol = await world.bob(tx), await world.carol(tx)
        for person in (user, user, carol):
            await sessions.log_in(tx, person, device="", now=clock.now())
        kept = (await tx.exec(select(LoginSession).where(LoginSession.user_id == user.id))).first()
        assert kept
        await sessions.end_sessions(tx, kept.user_id, now=clock.now(), but=kept.id_hash)
    assert [session.id_hash for session in await live_sessions(user)] == [kept.id_hash]
    assert len(await live_sessions(carol)) == 1


async def bob() -> User:
    async with db.writing() as tx:
        return await world.bob(tx)


async def live_sessions(user: User) -> list[LoginSession]:
    async with db.reading() as reader:
        return await queries.sessions_of(reader, user.id or 0, now=clock.now())
