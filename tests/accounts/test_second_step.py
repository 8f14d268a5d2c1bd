"""The second step of signing in: nobody is known before it, and each code opens it once."""

import asyncio
import dataclasses
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta

import httpx
import pytest
import time_machine
from sqlmodel import col, update

from app.accounts import proofs
from app.accounts.actions import second
from app.accounts.actions.second import Proof, WrongCode
from app.accounts.models import Authenticator, LoginSession, User
from app.core import clock, db
from app.core.settings import Settings, use
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
    use_cookie,
    wait_for_second,
    with_app,
)

HERE = "/me/security/second-factor"
SignIn = Callable[[httpx.AsyncClient, User], Awaitable[None]]
OpenBrowser = Callable[[], Awaitable[httpx.AsyncClient]]


@pytest.mark.asvs("V6.3.3", "V6.3.4")
async def test_a_password_alone_signs_nobody_in_who_has_an_app(client: httpx.AsyncClient) -> None:
    bob = await made("bob")
    await with_app(bob)
    answer = await log_in(client, bob, next="/me/name")
    assert answer.headers["location"] == "/login/second?next=/me/name"
    assert not await is_in(client)
    assert 'value="/me/name"' in (await client.get(answer.headers["location"])).text
    answer = await enter(client, await code_of(bob), next="/me/name")
    assert answer.headers["location"] == "/me/name"
    assert await is_in(client)
    assert [row.has_second for row in await rows_of(bob) if not row.ended_at] == [True]


async def test_next_leads_to_our_own_pages_only(client: httpx.AsyncClient) -> None:
    bob = await made("bob")
    await with_app(bob)
    await wait_for_second(client, bob)
    assert (await enter(client, await code_of(bob), next="https://evil.example/")).headers["location"] == "/me"


async def test_without_a_first_step_there_is_no_second(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    assert (await client.get("/login/second?next=/me/name")).headers["location"] == "/login?next=/me/name"
    assert (await enter(client, "123456")).headers["location"] == "/login"
    await sign_in(client, await made("bob"))
    assert (await client.get("/login/second?next=/me/name")).headers["location"] == "/me/name"


async def test_nobody_is_known_between_the_steps(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever a client gets an answer, the browser that waits gets the same one."""
    from tests.hostile import never_too_often
    from tests.routes import RULES

    never_too_often(monkeypatch)

    bob = await made("bob")
    await with_app(bob)
    await wait_for_second(client, bob)
    cookie, different = client.cookies["login"], []
    guarded = [rule for rule in RULES if rule.group[0] == "to the login"]
    assert len(guarded) > 60
    for rule in guarded:
        path = re.sub(r"\{\w+:(\w+)\}", lambda kind: "1" if kind[1] == "int" else "x", rule.route)
        answers = []
        for value in ("", cookie):
            use_cookie(client, value)
            answer = await client.request(rule.method, path)
            answers.append((answer.status_code, answer.headers.get("location", "")))
        if answers[0] != answers[1] or answers[1][0] not in (303, 404):
            different.append((str(rule), answers))
    assert different == []


async def test_a_waiting_session_that_did_not_wait_would_be_let_in(client: httpx.AsyncClient) -> None:
    """The negative control: it is the mark on the row that keeps it out."""
    bob = await made("bob")
    await wait_for_second(client, bob)
    assert not await is_in(client)
    async with db.writing() as tx:
        await tx.exec(update(LoginSession).where(col(LoginSession.user_id) == bob.id).values(waits=False))
    assert await is_in(client)


async def test_the_second_step_waits_five_minutes(client: httpx.AsyncClient, moment: time_machine.Traveller) -> None:
    bob = await made("bob")
    await with_app(bob)
    await log_in(client, bob)
    moment.shift(timedelta(minutes=5))
    assert (await enter(client, await code_of(bob))).headers["location"] == "/login"
    assert not await is_in(client)


@pytest.mark.asvs("V7.2.4")
async def test_the_cookie_of_the_first_step_is_dead_after_the_second(
    client: httpx.AsyncClient, open_browser: OpenBrowser
) -> None:
    bob, thief = await made("bob"), await open_browser()
    await with_app(bob)
    await log_in(client, bob)
    use_cookie(thief, client.cookies["login"])
    await enter(client, await code_of(bob))
    assert await is_in(client)
    assert not await is_in(thief)
    assert (await enter(thief, await code_of(bob, steps=1))).headers["location"] == "/login"


@pytest.mark.parametrize(("steps", "status"), [(-2, 422), (-1, 303), (0, 303), (1, 303), (2, 422)])
async def test_a_clock_may_be_half_a_minute_off(
    client: httpx.AsyncClient, moment: time_machine.Traveller, steps: int, status: int
) -> None:
    bob = await made("bob")
    await with_app(bob)
    await log_in(client, bob)
    assert (await enter(client, await code_of(bob, steps=steps))).status_code == status


async def test_spaces_in_a_code_do_not_matter(client: httpx.AsyncClient) -> None:
    bob = await made("bob")
    await with_app(bob)
    await log_in(client, bob)
    code = await code_of(bob)
    assert (await enter(client, f" {code[:3]} {code[3:]} ")).status_code == 303


# ---------- once ----------


@pytest.mark.asvs("V6.5.1")
async def test_a_code_that_was_used_is_refused(
    client: httpx.AsyncClient, open_browser: OpenBrowser, moment: time_machine.Traveller
) -> None:
    bob, thief = await made("bob"), await open_browser()
    await with_app(bob)
    code, older = await code_of(bob), await code_of(bob, steps=-1)
    for browser in (client, thief):
        await log_in(browser, bob)
    assert (await enter(client, code)).status_code == 303
    assert (await enter(thief, code)).status_code == 422
    assert (await enter(thief, older)).status_code == 422
    assert not await is_in(thief)


async def test_without_the_note_of_the_last_step_the_replay_gets_in(
    client: httpx.AsyncClient, open_browser: OpenBrowser, moment: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control."""

    async def nothing(*_arguments: object, **_more: object) -> None: ...

    monkeypatch.setattr(second, "use", nothing)
    bob, thief = await made("bob"), await open_browser()
    await with_app(bob)
    for browser in (client, thief):
        await log_in(browser, bob)
        assert (await enter(browser, await code_of(bob))).status_code == 303
    assert await is_in(thief)


async def used(user: User, proof: Proof) -> bool:
    try:
        async with db.writing() as tx:
            await second.use(tx, user.id or 0, proof, now=clock.now())
    except WrongCode:
        return False
    return True


@pytest.mark.asvs("V6.5.1")
async def test_of_many_who_use_a_code_at_the_same_moment_one_gets_in(database: db.Database) -> None:
    bob = await made("bob")
    await with_app(bob)
    proof = await proofs.by_app(bob.id or 0, await code_of(bob))
    assert sorted(await asyncio.gather(*(used(bob, proof) for _ in range(8)))) == [False] * 7 + [True]


@pytest.mark.asvs("V6.5.1")
async def test_of_many_who_use_a_recovery_code_at_the_same_moment_one_gets_in(database: db.Database) -> None:
    bob = await made("bob")
    codes = await with_app(bob, codes=1)
    proof = await proofs.by_app_or_recovery(bob.id or 0, codes[0])
    assert sorted(await asyncio.gather(*(used(bob, proof) for _ in range(8)))) == [False] * 7 + [True]


async def test_whoever_looks_first_and_writes_then_lets_all_of_them_in(database: db.Database) -> None:
    """The negative control of the guarded statement."""
    bob, eight = await made("bob"), asyncio.Barrier(8)
    await with_app(bob)
    proof = await proofs.by_app(bob.id or 0, await code_of(bob))

    async def naive() -> bool:
        found = await app_of(bob)
        await eight.wait()
        if not found or found.last_step >= (proof.step or 0):
            return False
        async with db.writing() as tx:
            await tx.exec(update(Authenticator).where(col(Authenticator.user_id) == bob.id).values(last_step=proof.step))
        return True

    assert await asyncio.gather(*(naive() for _ in range(8))) == [True] * 8


@pytest.mark.asvs("V6.5.1")
async def test_a_recovery_code_works_once_however_it_is_written(client: httpx.AsyncClient) -> None:
    bob = await made("bob")
    first, next_one = await with_app(bob, codes=2)
    await log_in(client, bob)
    answer = await enter(client, first.lower().replace("-", " "))
    assert answer.headers["location"] == "/me"
    assert "recovery code" in (await client.get("/me")).text
    assert "9 recovery codes are left." in (await client.get("/me/security")).text
    assert await told("account.recovery_code_used")
    await log_in(client, bob)
    assert (await enter(client, first)).status_code == 422
    assert (await enter(client, next_one)).status_code == 303


async def test_with_a_secret_key_that_was_lost_a_recovery_code_still_helps(client: httpx.AsyncClient, settings: Settings) -> None:
    bob = await made("bob")
    (first,) = await with_app(bob, codes=1)
    code = await code_of(bob)
    use(dataclasses.replace(settings, secret_key="the-new-key-of-the-shop-0123456789-0123"))
    await log_in(client, bob)
    assert (await enter(client, code)).status_code == 422
    assert (await enter(client, first)).headers["location"] == "/me"


async def test_new_recovery_codes_replace_the_old_ones(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    bob = await made("bob")
    old = (await with_app(bob, codes=1))[0]
    await sign_in(client, bob)
    new = codes_on(await client.post(f"{HERE}/codes"))
    await log_in(client, bob)
    assert (await enter(client, old)).status_code == 422
    assert (await enter(client, new[9])).status_code == 303


async def test_recovery_codes_are_nobody_else_s(client: httpx.AsyncClient) -> None:
    bob, mallory = await made("bob"), await made("mallory")
    codes = await with_app(mallory, codes=1)
    await with_app(bob)
    await log_in(client, bob)
    assert (await enter(client, codes[0])).status_code == 422
    assert (await enter(client, await code_of(mallory))).status_code == 422


@pytest.mark.asvs("V6.3.1")
async def test_after_five_wrong_codes_one_begins_again_and_waits(
    client: httpx.AsyncClient, moment: time_machine.Traveller
) -> None:
    bob = await made("bob")
    await with_app(bob)
    await log_in(client, bob)
    assert [(await enter(client, "000000")).status_code for _ in range(5)] == [422] * 5
    answer = await enter(client, await code_of(bob))
    assert answer.headers["location"] == "/login"
    assert "Too many codes did not fit." in (await client.get("/login")).text
    assert (await client.get("/login/second")).headers["location"] == "/login"
    # Another login has no new tries.
    await log_in(client, bob)
    assert (await enter(client, await code_of(bob))).headers["location"] == "/login"
    moment.shift(timedelta(minutes=5))
    await log_in(client, bob)
    assert (await enter(client, await code_of(bob))).headers["location"] == "/me"


async def test_patience_does_not_help_either(client: httpx.AsyncClient, moment: time_machine.Traveller) -> None:
    """Fifty codes a day: guessing one of three in a million takes decades."""
    bob = await made("bob")
    await with_app(bob)
    for _ in range(10):
        await wait_for_second(client, bob)
        assert [(await enter(client, "000000")).status_code for _ in range(5)] == [422] * 5
        moment.shift(timedelta(minutes=5))
    await wait_for_second(client, bob)
    assert (await enter(client, await code_of(bob))).headers["location"] == "/login"


async def test_without_the_count_anybody_may_go_on(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""
    monkeypatch.setattr(second, "counters", lambda _user_id: ())
    bob = await made("bob")
    await with_app(bob)
    await log_in(client, bob)
    assert [(await enter(client, "000000")).status_code for _ in range(20)] == [422] * 20
