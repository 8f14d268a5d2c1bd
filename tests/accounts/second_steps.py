"""People with an app that shows codes: what the tests about signing in begin with."""

import re

import httpx
import pyotp
from sqlmodel import col, select, update

from app.accounts import one_time, queries
from app.accounts.actions import second, sessions
from app.accounts.models import Authenticator, LoginSession, User
from app.core import clock, db
from app.core.sealing import unseal
from app.web.visitor import login_cookie
from tests import world


async def made(who: str) -> User:
    async with db.writing() as tx:
        user: User = await getattr(world, who)(tx)
    return user


async def with_app(user: User, *, codes: int = 0) -> list[str]:
    """The user has a confirmed app, and has used none of its codes yet. Gives so many of the ten recovery codes."""
    fresh = await one_time.fresh_recovery_codes()
    async with db.writing() as tx:
        await second.begin(tx, user.id or 0, now=clock.now())
        confirmed = update(Authenticator).where(col(Authenticator.user_id) == user.id)
        await tx.exec(confirmed.values(confirmed_at=clock.now()))
        await second.keep_recovery_codes(tx, user.id or 0, fresh)
    return fresh.codes[:codes]


async def code_of(user: User, *, steps: int = 0) -> str:
    """What the user's app shows now, or so many steps of 30 seconds later."""
    return pyotp.TOTP(await secret_of(user)).at(clock.now(), counter_offset=steps)


async def secret_of(user: User) -> str:
    async with db.reading() as reader:
        app = await reader.get(Authenticator, user.id)
    assert app
    return unseal(app.sealed_secret)


async def log_in(browser: httpx.AsyncClient, user: User, **more: str) -> httpx.Response:
    return await browser.post("/login", data={"email": user.email, "password": world.PASSWORD} | more)


async def enter(browser: httpx.AsyncClient, code: str, *, next: str = "") -> httpx.Response:
    return await browser.post("/login/second", data={"code": code, "next": next})


def codes_on(answer: httpx.Response) -> list[str]:
    """The recovery codes that a page shows."""
    return re.findall(r"<li>([A-Z0-9]{4}-[A-Z0-9]{4}-[A-Z0-9]{4})</li>", answer.text)


async def app_of(user: User) -> Authenticator | None:
    async with db.reading() as reader:
        return await queries.authenticator(reader, user.id or 0)


async def wait_for_second(browser: httpx.AsyncClient, user: User) -> None:
    """The browser has a session with the first factor only."""
    async with db.writing() as tx:
        session_id = await sessions.log_in(tx, user, device="", now=clock.now(), waits=True)
    use_cookie(browser, login_cookie(session_id, user.role).value or "")


def use_cookie(browser: httpx.AsyncClient, value: str) -> None:
    """The browser has this login cookie and no other."""
    browser.cookies.delete("login", domain="testserver.local", path="/") if "login" in browser.cookies else None
    browser.cookies.set("login", value, domain="testserver.local", path="/")


async def is_in(browser: httpx.AsyncClient) -> bool:
    return (await browser.get("/me")).status_code == 200


async def rows_of(user: User) -> list[LoginSession]:
    """Every login session of the user, ended ones too, newest last."""
    async with db.reading() as reader:
        found = select(LoginSession).where(LoginSession.user_id == user.id)
        return list((await reader.exec(found.order_by(col(LoginSession.created_at)))).all())
