"""Bob signs in by a mailed link: once, within half an hour, and with a second factor where his account has one."""

from datetime import timedelta

import httpx
import pytest
import time_machine
from sqlmodel import select

from app.accounts.actions import details, links
from app.accounts.models import Passkey, User
from app.core import clock, db, tokens
from app.notifications.models import Notification
from app.worker import Worker
from tests import world
from tests.accounts.links import newest_link, newest_token, told
from tests.accounts.test_passkeys import Open


@pytest.fixture
async def bob(client: httpx.AsyncClient) -> User:
    async with db.writing() as tx:
        return await world.bob(tx)


async def ask(client: httpx.AsyncClient, email: str = "bob@example.com", **more: str) -> httpx.Response:
    return await client.post("/login/link", data={"email": email, **more})


async def test_the_mailed_button_signs_in_and_leads_where_the_visitor_was_going(client: httpx.AsyncClient, bob: User) -> None:
    assert 'value="/me/tickets"' in (await client.get("/login/link?next=/me/tickets")).text
    await ask(client, next="/me/tickets")
    token = await newest_token("login")
    page = await client.get(f"/login/link/{token}")
    assert "bob@example.com" in page.text
    assert page.headers["referrer-policy"] == "same-origin"
    # Mail programs open links to look at them: that signs nobody in.
    assert (await client.get("/me")).status_code == 303
    answer = await client.post(f"/login/link/{token}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/me/tickets")
    assert (await client.get("/me")).status_code == 200


async def test_the_mail_says_what_the_link_does(client: httpx.AsyncClient, bob: User) -> None:
    await ask(client)
    await Worker().react()
    async with db.reading() as reader:
        told_to = (await reader.exec(select(Notification))).one()
    assert (told_to.kind, told_to.email) == ("sign_in_link", "bob@example.com")


@pytest.mark.asvs("V6.3.1")
async def test_the_answer_is_the_same_for_every_address(client: httpx.AsyncClient, bob: User) -> None:
    first, second = [await ask(client, email) for email in ("x@example.com", bob.email)]
    assert first.status_code == second.status_code == 200
    assert first.text.replace("x@example.com", "X") == second.text.replace(bob.email, "X")
    assert len(await told("account.link_asked")) == 1


@pytest.mark.asvs("V6.5.1")
async def test_a_link_works_once(client: httpx.AsyncClient, bob: User, open_browser: Open) -> None:
    await ask(client)
    token = await newest_token("login")
    assert (await client.post(f"/login/link/{token}")).status_code == 303
    again = await open_browser()
    for answer in (await again.get(f"/login/link/{token}"), await again.post(f"/login/link/{token}")):
        assert answer.status_code == 410
        assert 'href="/login/link"' in answer.text
    assert (await again.get("/me")).status_code == 303


async def test_a_new_link_voids_the_older_one(moment: time_machine.Traveller, client: httpx.AsyncClient, bob: User) -> None:
    await ask(client)
    old = await newest_token("login")
    moment.shift(timedelta(minutes=1))
    await ask(client)
    assert (await client.post(f"/login/link/{old}")).status_code == 410
    assert (await client.post(f"/login/link/{await newest_token('login')}")).status_code == 303


async def test_a_link_is_too_old_after_half_an_hour(moment: time_machine.Traveller, client: httpx.AsyncClient, bob: User) -> None:
    await ask(client)
    moment.shift(timedelta(minutes=30))
    assert (await client.post(f"/login/link/{await newest_token('login')}")).status_code == 410


async def test_a_new_password_or_a_new_address_voids_it(client: httpx.AsyncClient, bob: User) -> None:
    await ask(client)
    before = await newest_token("login")
    async with db.writing() as tx:
        await details.change_password(tx, bob, password_hash="new", now=clock.now())
    assert (await client.post(f"/login/link/{before}")).status_code == 410
    await ask(client)
    before = await newest_token("login")
    async with db.writing() as tx:
        link = await links.new_link(tx, "email", "robert@example.com", now=clock.now(), user_id=bob.id, language="en")
        await details.change_email(tx, link, now=clock.now())
    assert (await client.post(f"/login/link/{before}")).status_code == 410


async def test_a_suspended_account_gets_none_and_uses_none(client: httpx.AsyncClient, bob: User) -> None:
    await ask(client)
    before = await newest_token("login")
    async with db.writing() as tx:
        (await tx.get_one(User, bob.id)).disabled_at = clock.now()
    assert (await client.post(f"/login/link/{before}")).status_code == 410
    await ask(client)
    assert len(await told("account.link_asked")) == 1


@pytest.mark.asvs("V6.3.4", "V6.4.3")
async def test_a_second_factor_is_asked_for_all_the_same(client: httpx.AsyncClient, bob: User) -> None:
    async with db.writing() as tx:
        tx.add(Passkey(user_id=bob.id or 0, name="Phone", credential_id="x", public_key="x", created_at=clock.now()))
    await ask(client)
    answer = await client.post(f"/login/link/{await newest_token('login')}")
    assert answer.headers["location"].startswith("/login/second")
    assert (await client.get("/me")).status_code == 303


async def test_a_link_of_another_kind_signs_nobody_in(client: httpx.AsyncClient, bob: User) -> None:
    await client.post("/password/forgot", data={"email": bob.email})
    reset = await newest_link("reset")
    for token in (tokens.sign("reset", reset.id), tokens.sign("login", reset.id), "nonsense"):
        assert (await client.post(f"/login/link/{token}")).status_code in (404, 410)
    assert (await client.get("/me")).status_code == 303


@pytest.mark.asvs("V6.3.1", "V6.6.3")
async def test_three_mails_an_hour_and_ten_questions(
    moment: time_machine.Traveller, client: httpx.AsyncClient, bob: User
) -> None:
    answers = [await ask(client) for _ in range(10)]
    assert {(answer.status_code, answer.text) for answer in answers} == {(200, answers[0].text)}
    assert len(await told("account.link_asked")) == 3
    assert (await ask(client)).status_code == 429


async def test_a_link_leads_nowhere_else(client: httpx.AsyncClient, bob: User) -> None:
    await ask(client, next="//evil.example/")
    assert (await client.post(f"/login/link/{await newest_token('login')}")).headers["location"] == "/me"
