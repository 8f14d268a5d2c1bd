"""Carol registers: the page says the same to everybody, and only the mailed link opens an account, once."""

import asyncio
import re
from datetime import timedelta

import httpx
import pytest
import time_machine
from sqlmodel import select

from app.accounts import queries
from app.accounts.actions import details, links, opening
from app.accounts.models import MailedLink, User
from app.core import clock, db, tokens
from app.core.errors import Refused
from app.core.limits import Limit
from tests import world
from tests.accounts.links import newest_link, newest_token, told

CAROL = {"email": "Carol@Example.com", "password": "nine pianos in the rain"}


async def test_a_link_is_mailed_and_no_account_exists_until_it_is_opened(database: db.Database) -> None:
    async with db.writing() as tx:
        await opening.ask_to_register(tx, "carol@example.com", password_hash="hash", language="en", now=clock.now())
    link = await newest_link("register")
    assert [activity.about for activity in await told("account.registered")] == [f"link:{link.id}"]
    async with db.reading() as reader:
        assert await queries.by_email(reader, "carol@example.com") is None


async def test_the_owner_of_an_account_is_told_that_it_exists(database: db.Database) -> None:
    async with db.writing() as tx:
        bob = await world.bob(tx)
        await opening.ask_to_register(tx, bob.email, password_hash="other", language="en", now=clock.now())
    assert [activity.about for activity in await told("account.exists")] == [f"user:{bob.id}"]
    assert await told("account.registered") == []


@pytest.mark.asvs("V6.4.1", "V9.2.1")
async def test_a_link_works_once_and_for_a_day(database: db.Database, moment: time_machine.Traveller) -> None:
    await ask()
    late = await newest_link("register")
    moment.shift(timedelta(hours=24))
    with pytest.raises(Refused, match="too old"):
        await open_account(late.id)
    await ask()
    link = await newest_link("register")
    opened = await open_account(link.id)
    assert (opened.email, opened.password_hash, opened.role) == ("carol@example.com", "hash", "user")
    with pytest.raises(Refused, match="used before"):
        await open_account(link.id)


async def test_a_second_link_for_the_same_address_opens_no_second_account(database: db.Database) -> None:
    await ask()
    first = await newest_link("register")
    await ask()
    second = await newest_link("register")
    assert first.id != second.id
    await open_account(first.id)
    with pytest.raises(Refused, match="exists already"):
        await open_account(second.id)
    async with db.reading() as reader:
        assert len((await reader.exec(select(User))).all()) == 1


@pytest.mark.asvs("V15.4.2")
async def test_of_two_browsers_that_open_links_at_the_same_moment_one_wins(database: db.Database) -> None:
    await ask()
    first = await newest_link("register")
    await ask()
    second = await newest_link("register")
    for ids in ([first.id, first.id], [second.id, second.id]):
        results = await asyncio.gather(*(open_account(link_id) for link_id in ids), return_exceptions=True)
        assert all(isinstance(result, (User, Refused)) for result in results)
    async with db.reading() as reader:
        assert len((await reader.exec(select(User))).all()) == 1
    assert len(await told("account.opened")) == 1


async def test_control_without_the_guard_one_link_is_used_twice(database: db.Database) -> None:
    """Reads, compares and then writes, as use_link must not: shows that the test above would notice."""
    await ask()
    link = await newest_link("register")
    both_have_read = asyncio.Barrier(2)

    async def careless() -> bool:
        async with db.reading() as reader:
            seen = await queries.link(reader, link.id)
        if not seen or not seen.is_usable(clock.now()):
            return False
        await both_have_read.wait()
        async with db.writing() as tx:
            (await tx.get_one(MailedLink, link.id)).used_at = clock.now()
        return True

    assert await asyncio.gather(careless(), careless()) == [True, True]


async def test_two_links_of_one_address_opened_at_the_same_moment_make_one_account(database: db.Database) -> None:
    await ask()
    first = await newest_link("register")
    await ask()
    second = await newest_link("register")
    results = await asyncio.gather(open_account(first.id), open_account(second.id), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["Refused", "User"], results


async def test_a_link_of_another_kind_opens_no_account(database: db.Database) -> None:
    async with db.writing() as tx:
        bob = await world.bob(tx)
        await details.ask_for_reset(tx, bob.email, now=clock.now())
    link = await newest_link("reset")
    with pytest.raises(Refused):
        await open_account(link.id)


async def test_the_answer_is_the_same_for_new_and_known_addresses(client: httpx.AsyncClient) -> None:
    async with db.writing() as tx:
        bob = await world.bob(tx)
    answers = [await client.post("/register", data=CAROL | {"email": address}) for address in ("new@example.com", bob.email)]
    first, second = (answer.text.replace("new@example.com", "X").replace(bob.email, "X") for answer in answers)
    assert [answer.status_code for answer in answers] == [200, 200]
    assert first == second
    assert "We sent a mail to <strong>X</strong>" in first


async def test_registering_opening_and_being_signed_in(client: httpx.AsyncClient) -> None:
    await client.post("/register", data=CAROL)
    token = await newest_token("register")
    shown = await client.get(f"/verify/{token}")
    assert "Open my account" in shown.text
    assert "carol@example.com" in shown.text
    assert len(await told("account.opened")) == 0
    opened = await client.post(f"/verify/{token}")
    assert (opened.status_code, opened.headers["location"]) == (303, "/me")
    mine = await client.get("/me")
    assert mine.status_code == 200
    assert "carol@example.com" in mine.text


async def test_a_used_link_says_so_and_offers_the_way_on(client: httpx.AsyncClient) -> None:
    await client.post("/register", data=CAROL)
    token = await newest_token("register")
    await client.post(f"/verify/{token}")
    for answer in (await client.get(f"/verify/{token}"), await client.post(f"/verify/{token}")):
        assert answer.status_code == 410
        assert 'href="/register"' in answer.text
        assert 'href="/login"' in answer.text


@pytest.mark.asvs("V9.1.1")
@pytest.mark.parametrize("token", ["nonsense", "InZhbHVlIg.c2lnbmF0dXJl", "%00", "a.b.c"])
async def test_a_link_that_we_did_not_sign_is_unknown(client: httpx.AsyncClient, token: str) -> None:
    assert (await client.get(f"/verify/{token}")).status_code == 404
    assert (await client.post(f"/verify/{token}")).status_code == 404


@pytest.mark.asvs("V9.2.2")
async def test_a_token_signed_for_a_reset_opens_nothing(client: httpx.AsyncClient) -> None:
    await client.post("/register", data=CAROL)
    link = await newest_link("register")
    assert (await client.get(f"/verify/{tokens.sign('reset', link.id)}")).status_code == 404


async def test_all_mistakes_are_said_at_once_and_the_address_stays(client: httpx.AsyncClient) -> None:
    answer = await client.post("/register", data={"email": "carol@", "password": "short"})
    assert answer.status_code == 422
    assert "Enter an email address in the format name@example.com" in answer.text
    assert "Use at least 10 characters." in answer.text
    assert 'value="carol@"' in answer.text
    assert "<title>Error:" in answer.text
    assert not re.search(r'value="short"', answer.text)


async def test_asking_whether_the_address_is_right_by_now_registers_nobody(client: httpx.AsyncClient) -> None:
    answer = await client.post("/register?check=1", data=CAROL)
    assert answer.status_code == 200
    assert "Create an account" in answer.text
    assert await told("account.registered") == []


@pytest.mark.parametrize("password", ["nine\x00pianos in", "nine\ufffdpianos in", "nine\x07pianos in"])
async def test_broken_characters_are_refused_in_words(client: httpx.AsyncClient, password: str) -> None:
    answer = await client.post("/register", data=CAROL | {"password": password})
    assert answer.status_code == 422
    assert "cannot be printed" in answer.text


@pytest.mark.asvs("V2.4.1")
async def test_an_address_gets_one_mail_in_two_minutes(client: httpx.AsyncClient, moment: time_machine.Traveller) -> None:
    for _ in range(2):
        assert (await client.post("/register", data=CAROL)).status_code == 200
    assert len(await told("account.registered")) == 1
    moment.shift(timedelta(minutes=2))
    await client.post("/register", data=CAROL)
    assert len(await told("account.registered")) == 2


async def test_a_sixth_registration_within_an_hour_has_to_wait(client: httpx.AsyncClient, moment: time_machine.Traveller) -> None:
    answers = [await client.post("/register", data=CAROL | {"email": f"c{number}@example.com"}) for number in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert int(answers[-1].headers["retry-after"]) > 0


async def test_no_counter_holds_an_address_in_plain_words(client: httpx.AsyncClient) -> None:
    await client.post("/register", data=CAROL)
    async with db.reading() as reader:
        assert not any("carol" in limit.key for limit in (await reader.exec(select(Limit))).all())


async def ask() -> None:
    async with db.writing() as tx:
        await opening.ask_to_register(tx, "carol@example.com", password_hash="hash", language="en", now=clock.now())


async def open_account(link_id: str) -> User:
    async with db.writing() as tx:
        link = await links.use_link(tx, "register", link_id, now=clock.now())
        return await opening.open_account(tx, link, now=clock.now())
