"""Mallory tries passwords for Bob's address: it becomes slow for her, and Bob still comes in."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta

import httpx
import pytest
import time_machine
from sqlmodel import select
from structlog.testing import capture_logs

from app.accounts import flows, rules
from app.accounts.actions import attempts
from app.accounts.models import LoginAttempts, User
from app.core import clock, db
from app.core.errors import TooMany
from app.web import cookies
from tests import world
from tests.accounts.links import newest_token

OpenBrowser = Callable[[], Awaitable[httpx.AsyncClient]]
GUESS = "ten pianos in the sun"
MAIL_NEEDED = "Set a new password by email."
GUESSING = "V6.3.1"


@pytest.mark.asvs(GUESSING, "V2.4.1")
async def test_ten_wrong_passwords_are_free_and_then_the_pauses_double_up_to_a_quarter_of_an_hour(
    database: db.Database, moment: time_machine.Traveller
) -> None:
    for _ in range(rules.FREE_TRIES):
        assert await tried() == 0
    pauses = []
    for _ in range(6):
        wait = await tried()
        assert wait
        pauses.append(wait)
        moment.shift(timedelta(seconds=wait))
        assert await tried() == 0
    assert pauses == [60, 120, 240, 480, 900, 900]


async def test_a_try_during_a_pause_makes_it_no_longer(database: db.Database, moment: time_machine.Traveller) -> None:
    for _ in range(rules.FREE_TRIES):
        await tried()
    moment.shift(timedelta(seconds=59))
    assert await tried() == 1
    moment.shift(timedelta(seconds=1))
    assert await tried() == 0


@pytest.mark.asvs(GUESSING)
async def test_of_many_tries_at_the_same_moment_ten_are_heard(database: db.Database, moment: time_machine.Traveller) -> None:
    answers = await asyncio.gather(*(tried() for _ in range(30)))
    assert answers.count(0) == rules.FREE_TRIES


async def test_control_without_the_guarded_statement_more_are_heard(
    database: db.Database, moment: time_machine.Traveller
) -> None:
    """Reads, compares and then writes, as the statement must not: shows that the test above would notice."""
    everybody_has_read = asyncio.Barrier(5)
    for _ in range(rules.FREE_TRIES - 1):
        await tried()

    async def read_then_write() -> bool:
        async with db.reading() as reader:
            row = (await reader.exec(select(LoginAttempts))).one()
        await everybody_has_read.wait()
        if row.failures >= rules.FREE_TRIES:
            return False
        async with db.writing() as tx:
            await tx.merge(LoginAttempts(**row.model_dump() | {"failures": row.failures + 1}))
        return True

    assert await asyncio.gather(*(read_then_write() for _ in range(5))) == [True] * 5


@pytest.mark.asvs(GUESSING)
async def test_after_a_hundred_failures_only_mail_opens_the_account(
    database: db.Database, moment: time_machine.Traveller
) -> None:
    await exhaust("bob@example.com", moment)
    assert await tried() is None
    moment.shift(timedelta(days=2))
    assert await tried() is None
    async with db.writing() as tx:
        await attempts.forget(tx, "Bob@example.com")
    assert await tried() == 0


async def test_what_nobody_touched_for_a_month_is_forgotten(database: db.Database, moment: time_machine.Traveller) -> None:
    await exhaust("bob@example.com", moment)
    for days, kept in ((29, 1), (2, 0)):
        moment.shift(timedelta(days=days))
        async with db.writing() as tx:
            await attempts.forget_old(tx, now=clock.now())
        async with db.reading() as reader:
            assert len((await reader.exec(select(LoginAttempts))).all()) == kept


@pytest.mark.asvs(GUESSING)
async def test_a_stranger_waits_while_the_owner_s_browser_comes_in(
    client: httpx.AsyncClient, open_browser: OpenBrowser, moment: time_machine.Traveller
) -> None:
    bob = await made()
    await log_in(client, bob.email)
    await client.post("/logout")
    mallorys = await open_browser()
    for _ in range(rules.FREE_TRIES):
        assert (await log_in(mallorys, bob.email, GUESS)).status_code == 422
    blocked = await log_in(mallorys, bob.email)
    assert (blocked.status_code, blocked.headers["retry-after"]) == (429, "60")
    assert (await log_in(client, bob.email)).status_code == 303


async def test_control_without_the_cookie_the_owner_waits_too(
    client: httpx.AsyncClient, open_browser: OpenBrowser, moment: time_machine.Traveller
) -> None:
    bob = await made()
    await log_in(client, bob.email)
    client.cookies.clear()
    mallorys = await open_browser()
    for _ in range(rules.FREE_TRIES):
        await log_in(mallorys, bob.email, GUESS)
    assert (await log_in(client, bob.email)).status_code == 429


@pytest.mark.asvs(GUESSING)
async def test_a_known_browser_has_no_endless_tries_either(client: httpx.AsyncClient, moment: time_machine.Traveller) -> None:
    bob = await made()
    await log_in(client, bob.email)
    await client.post("/logout")
    for _ in range(rules.FREE_TRIES):
        assert (await log_in(client, bob.email, GUESS)).status_code == 422
    assert (await log_in(client, bob.email)).status_code == 429


async def test_being_known_to_one_account_helps_with_no_other(
    client: httpx.AsyncClient, open_browser: OpenBrowser, moment: time_machine.Traveller
) -> None:
    bob = await made()
    async with db.writing() as tx:
        mallory = await world.mallory(tx)
    mallorys, strangers = await open_browser(), await open_browser()
    await log_in(mallorys, mallory.email)
    for _ in range(rules.FREE_TRIES):
        await log_in(strangers, bob.email, GUESS)
    assert (await log_in(mallorys, bob.email)).status_code == 429


@pytest.mark.asvs("V9.1.1")
async def test_nobody_makes_a_known_browser_by_hand(client: httpx.AsyncClient, moment: time_machine.Traveller) -> None:
    bob = await made()
    for _ in range(rules.FREE_TRIES):
        await log_in(client, bob.email, GUESS)
    genuine = cookies.known_cookie({}, bob.code).value or ""
    head, _dot, signature = genuine.rpartition(".")
    for forged in (
        f"{head}.{'A' * len(signature)}",
        json.dumps({bob.code: "x"}),
        "",
        cookies.signed("known2", {bob.code: "x"}).value,
    ):
        client.cookies.set("known", forged or "")
        assert (await log_in(client, bob.email)).status_code == 429
    client.cookies.set("known", genuine)
    assert (await log_in(client, bob.email)).status_code == 303


@pytest.mark.asvs("V14.3.3")
async def test_the_cookie_names_accounts_by_their_codes_and_only_the_last_five(client: httpx.AsyncClient) -> None:
    bob = await made()
    await log_in(client, bob.email)
    jar = {"known": client.cookies["known"]}
    assert list(cookies.known_as(jar)) == [bob.code]
    name = cookies.known_as(jar)[bob.code]
    for number in range(4):
        jar = {"known": cookies.known_cookie(jar, f"code{number}").value or ""}
    assert cookies.known_as(jar)[bob.code] == name
    jar = {"known": cookies.known_cookie(jar, "code4").value or ""}
    assert list(cookies.known_as(jar)) == [f"code{number}" for number in range(5)]


@pytest.mark.asvs(GUESSING, "V6.4.3")
async def test_a_new_password_by_mail_opens_an_account_that_strangers_have_worn_out(
    client: httpx.AsyncClient, moment: time_machine.Traveller
) -> None:
    bob = await made()
    await exhaust(bob.email, moment)
    worn = await log_in(client, bob.email)
    assert (worn.status_code, MAIL_NEEDED in worn.text) == (422, True)
    await client.post("/password/forgot", data={"email": bob.email})
    await client.post(f"/password/reset/{await newest_token('reset')}", data={"password": GUESS})
    assert (await log_in(client, bob.email, GUESS)).status_code == 303


@pytest.mark.asvs(GUESSING)
async def test_so_does_a_mailed_link_that_signs_in(client: httpx.AsyncClient, moment: time_machine.Traveller) -> None:
    bob = await made()
    await exhaust(bob.email, moment)
    await client.post("/login/link", data={"email": bob.email})
    assert (await client.post(f"/login/link/{await newest_token('login')}")).headers["location"] == "/me"
    client.cookies.clear()
    assert (await log_in(client, bob.email)).status_code == 303


@pytest.mark.asvs(GUESSING)
async def test_a_known_browser_comes_in_however_many_strangers_have_failed(
    client: httpx.AsyncClient, moment: time_machine.Traveller
) -> None:
    bob = await made()
    await log_in(client, bob.email)
    await client.post("/logout")
    await exhaust(bob.email, moment)
    assert (await log_in(client, bob.email)).status_code == 303


async def test_a_login_that_succeeds_forgets_the_failures(client: httpx.AsyncClient, moment: time_machine.Traveller) -> None:
    bob = await made()
    for _ in range(rules.FREE_TRIES - 1):
        await log_in(client, bob.email, GUESS)
    assert (await log_in(client, bob.email)).status_code == 303
    async with db.reading() as reader:
        assert (await reader.exec(select(LoginAttempts))).all() == []


async def test_the_present_password_cannot_be_guessed_in_a_browser_left_signed_in(
    database: db.Database, moment: time_machine.Traveller
) -> None:
    async with db.writing() as tx:
        bob = await world.bob(tx)
    for _ in range(rules.FREE_TRIES):
        with pytest.raises(flows.WrongPassword):
            await flows.prove_again(bob.id or 0, GUESS)
    with pytest.raises(TooMany):
        await flows.prove_again(bob.id or 0, world.PASSWORD)
    assert await flows.prove(bob.email, world.PASSWORD)


@pytest.mark.asvs("V16.3.1", "V16.3.3", "V16.2.5")
async def test_what_was_refused_is_in_the_log_without_address_and_password(
    client: httpx.AsyncClient, moment: time_machine.Traveller
) -> None:
    bob = await made()
    with capture_logs() as lines:
        for _ in range(rules.FREE_TRIES + 1):
            await log_in(client, bob.email, GUESS)
        await log_in(client, "nobody@example.com", GUESS)
    said = [(line["event"], line["about"]) for line in lines if "about" in line]
    assert said == [
        *[("security.login_failed", f"user:{bob.id}")] * rules.FREE_TRIES,
        ("security.login_held_back", f"user:{bob.id}"),
        ("security.login_failed", "nobody"),
    ]
    assert not any(secret in str(lines) for secret in (bob.email, "nobody@example.com", GUESS))


async def tried(email: str = "bob@example.com", *, browser: str = "") -> int | None:
    async with db.writing() as tx:
        return await attempts.try_once(tx, email, browser=browser, now=clock.now())


async def exhaust(email: str, moment: time_machine.Traveller) -> None:
    for _ in range(rules.MOST_TRIES):
        moment.shift(timedelta(seconds=rules.LONGEST_PAUSE))
        assert await tried(email) == 0
    moment.shift(timedelta(seconds=rules.LONGEST_PAUSE))


async def made() -> User:
    async with db.writing() as tx:
        return await world.bob(tx)


async def log_in(browser: httpx.AsyncClient, email: str, password: str = world.PASSWORD) -> httpx.Response:
    return await browser.post("/login", data={"email": email, "password": password})
