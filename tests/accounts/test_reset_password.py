"""Bob forgot his password: a link for half an hour, once, that signs nobody in and everybody out."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import httpx
import pytest
import time_machine

from app.accounts import queries
from app.accounts.actions import details, links, suspending
from app.accounts.models import User
from app.core import clock, db
from app.core.errors import Refused
from tests import world
from tests.accounts.links import newest_link, newest_token, told

NEW = "ten accordions in the sun"


async def test_only_an_account_that_may_sign_in_gets_a_link(database: db.Database) -> None:
    async with db.writing() as tx:
        bob, mallory = await world.bob(tx), await world.mallory(tx)
        await suspending.suspend(tx, mallory, reason="Rest.", by=None, now=clock.now())
    async with db.writing() as tx:
        for address in ("nobody@example.com", mallory.email, bob.email):
            await details.ask_for_reset(tx, address, now=clock.now())
    link = await newest_link("reset")
    assert link.email == bob.email
    assert [activity.about for activity in await told("account.reset_asked")] == [f"link:{link.id}"]


@pytest.mark.asvs("V6.3.8")
async def test_the_answer_is_the_same_for_every_address(client: httpx.AsyncClient) -> None:
    async with db.writing() as tx:
        bob = await world.bob(tx)
    first, second = [await client.post("/password/forgot", data={"email": email}) for email in ("x@example.com", bob.email)]
    assert first.status_code == second.status_code == 200
    assert first.text.replace("x@example.com", "X") == second.text.replace(bob.email, "X")


@pytest.mark.asvs("V6.4.3", "V7.4.3")
async def test_a_new_password_ends_every_session_and_signs_nobody_in(
    client: httpx.AsyncClient, sign_in: Callable[[httpx.AsyncClient, User], Awaitable[None]]
) -> None:
    async with db.writing() as tx:
        bob = await world.bob(tx)
    await sign_in(client, bob)
    await client.post("/password/forgot", data={"email": bob.email})
    token = await newest_token("reset")
    assert "Set a new password" in (await client.get(f"/password/reset/{token}")).text
    answer = await client.post(f"/password/reset/{token}", data={"password": NEW})
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert (await client.get("/me")).status_code == 303
    assert (await client.post("/login", data={"email": bob.email, "password": world.PASSWORD})).status_code == 422
    assert (await client.post("/login", data={"email": bob.email, "password": NEW})).status_code == 303
    assert [activity.about for activity in await told("account.password_changed")] == [f"user:{bob.id}"]


@pytest.mark.asvs("V6.4.3", "V6.5.1")
async def test_a_link_works_once_and_the_older_ones_not_at_all(client: httpx.AsyncClient, moment: time_machine.Traveller) -> None:
    async with db.writing() as tx:
        bob = await world.bob(tx)
    await client.post("/password/forgot", data={"email": bob.email})
    old = await newest_token("reset")
    moment.shift(timedelta(minutes=1))
    await client.post("/password/forgot", data={"email": bob.email})
    new = await newest_token("reset")
    assert old != new
    await client.post(f"/password/reset/{new}", data={"password": NEW})
    for token in (old, new):
        assert (await client.get(f"/password/reset/{token}")).status_code == 410
        assert (await client.post(f"/password/reset/{token}", data={"password": NEW + "!"})).status_code == 410


@pytest.mark.asvs("V6.4.3", "V9.2.1")
async def test_a_link_is_too_old_after_half_an_hour(client: httpx.AsyncClient, moment: time_machine.Traveller) -> None:
    async with db.writing() as tx:
        bob = await world.bob(tx)
    await client.post("/password/forgot", data={"email": bob.email})
    token = await newest_token("reset")
    moment.shift(timedelta(minutes=30))
    answer = await client.get(f"/password/reset/{token}")
    assert answer.status_code == 410
    assert 'href="/password/forgot"' in answer.text


async def test_a_manager_needs_a_manager_s_password_here_too(client: httpx.AsyncClient) -> None:
    async with db.writing() as tx:
        alice = await world.alice(tx)
    await client.post("/password/forgot", data={"email": alice.email})
    token = await newest_token("reset")
    answer = await client.post(f"/password/reset/{token}", data={"password": "ninepianos"})
    assert answer.status_code == 422
    assert "Use at least 15 characters." in answer.text


async def test_a_link_for_the_old_address_is_void_after_a_change(database: db.Database) -> None:
    async with db.writing() as tx:
        bob = await world.bob(tx)
        await details.ask_for_reset(tx, bob.email, now=clock.now())
        bob.email = "robert@example.com"
    link = await newest_link("reset")
    with pytest.raises(Refused):
        async with db.writing() as tx:
            used = await links.use_link(tx, "reset", link.id, now=clock.now())
            await details.reset_password(tx, used, password_hash="new", now=clock.now())
    async with db.reading() as reader:
        assert (await queries.by_id(reader, bob.id or 0) or bob).password_hash != "new"


async def test_a_fourth_mail_within_an_hour_is_not_sent_and_nobody_is_told(
    client: httpx.AsyncClient, moment: time_machine.Traveller
) -> None:
    async with db.writing() as tx:
        bob = await world.bob(tx)
    answers = [await client.post("/password/forgot", data={"email": bob.email}) for _ in range(4)]
    assert len({answer.text for answer in answers}) == 1
    assert len(await told("account.reset_asked")) == 3
