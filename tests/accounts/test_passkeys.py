"""A passkey signs Bob in; an answer to another question, from another place or of another device does not."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
import time_machine
from sqlmodel import col, select, update

from app.accounts.actions import challenges, passkeys
from app.accounts.models import Challenge, Passkey, User
from app.core import clock, db
from app.core.settings import Settings, use
from tests import world
from tests.accounts.device import Device, add_passkey, answered, asked, sentence, sign_in_with, with_challenge
from tests.accounts.links import told

SignIn = Callable[[httpx.AsyncClient, User], Awaitable[None]]
Open = Callable[[], Awaitable[httpx.AsyncClient]]
NOT_ACCEPTED = "This passkey was not accepted. Try again, or sign in another way."
TOO_LATE = "This took too long or was done before. Start again."
OPENS_NOTHING = "This passkey opens no account here. Sign in another way."


@pytest.fixture
async def bob(client: httpx.AsyncClient, sign_in: SignIn) -> User:
    """Signed in with `client`."""
    async with db.writing() as tx:
        user = await world.bob(tx)
    await sign_in(client, user)
    return user


@pytest.fixture
async def phone(client: httpx.AsyncClient, bob: User) -> Device:
    """Bob's phone, with a passkey for his account."""
    device = Device()
    answer = await add_passkey(client, device)
    assert answer.headers["HX-Redirect"], answer.text
    return device


async def all_passkeys() -> list[Passkey]:
    async with db.reading() as reader:
        return list((await reader.exec(select(Passkey))).all())


@pytest.mark.asvs("V6.3.4")
async def test_a_passkey_signs_in_without_a_password(phone: Device, open_browser: Open) -> None:
    at_home = await open_browser()
    answer = await sign_in_with(at_home, phone, next="/me/tickets")
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (200, "/me/tickets")
    assert (await at_home.get("/me")).status_code == 200
    assert [(passkey.name, passkey.sign_count) for passkey in await all_passkeys()] == [("Phone", 1)]


async def test_where_a_passkey_leads_is_a_page_of_ours(phone: Device, open_browser: Open) -> None:
    answer = await sign_in_with(await open_browser(), phone, next="https://evil.example/")
    assert answer.headers["HX-Redirect"] == "/me"


async def test_adding_one_is_written_down_and_leads_to_recovery_codes(client: httpx.AsyncClient, bob: User) -> None:
    answer = await add_passkey(client, Device())
    assert answer.headers["HX-Redirect"] == "/me/security/second-factor"
    assert [activity.about for activity in await told("account.passkey_added")] == [f"user:{bob.id}"]


@pytest.mark.asvs("V7.2.4")
async def test_adding_one_gives_the_browser_a_new_session_and_signs_the_others_out(
    client: httpx.AsyncClient, bob: User, open_browser: Open, sign_in: SignIn
) -> None:
    elsewhere = await open_browser()
    await sign_in(elsewhere, bob)
    before = client.cookies["login"]
    await add_passkey(client, Device())
    assert client.cookies["login"] != before
    assert (await client.get("/me")).status_code == 200
    client.cookies.set("login", before, domain="testserver.local", path="/")
    assert (await client.get("/me")).status_code == 303
    assert (await elsewhere.get("/me")).status_code == 303


@pytest.mark.asvs("V6.3.3", "V6.3.4")
async def test_with_a_passkey_the_password_alone_is_not_enough(phone: Device, open_browser: Open) -> None:
    browser = await open_browser()
    answer = await browser.post("/login", data={"email": "bob@example.com", "password": world.PASSWORD})
    assert answer.headers["location"].startswith("/login/second")
    assert (await browser.get("/me")).status_code == 303
    options = await asked(browser)
    assert [known["id"] for known in options["allowCredentials"]] == [phone.id]
    assert (await answered(browser, phone.used(options))).headers["HX-Redirect"] == "/me"
    assert (await browser.get("/me")).status_code == 200


@pytest.mark.asvs("V7.5.1", "V7.2.4")
async def test_a_passkey_proves_again_who_somebody_is(
    moment: time_machine.Traveller, client: httpx.AsyncClient, phone: Device
) -> None:
    moment.shift(timedelta(minutes=11))
    assert (await client.get("/me/security/passkeys/new")).headers["location"].startswith("/login/again")
    refused = await client.post("/me/security/passkeys/options", json={}, headers={"HX-Request": "true"})
    assert refused.headers["HX-Redirect"].startswith("/login/again")
    before = client.cookies["login"]
    assert "Use a passkey" in (await client.get("/login/again")).text
    await sign_in_with(client, phone, next="/me/security/passkeys/new")
    assert client.cookies["login"] != before
    assert (await client.get("/me/security/passkeys/new")).status_code == 200


# ---------- what is refused ----------


@pytest.mark.asvs("V6.5.1")
async def test_a_question_is_answered_once(phone: Device, open_browser: Open) -> None:
    mallorys = await open_browser()
    answer = phone.used(await asked(mallorys))
    assert (await answered(mallorys, answer)).headers["HX-Redirect"]
    assert sentence(await answered(await open_browser(), answer)) == TOO_LATE


async def test_without_using_questions_up_a_replay_gets_in(
    client: httpx.AsyncClient, phone: Device, open_browser: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: a device that does not count has only this defence."""
    phone.counts, phone.count = False, 0
    answer = phone.used(await asked(client))

    async def still_there(tx: Any, kind: str, *, nonce: str, now: Any) -> Challenge:
        return (await tx.exec(select(Challenge).where(Challenge.nonce == nonce))).one()

    monkeypatch.setattr(challenges, "use_challenge", still_there)
    for _attempt in range(2):
        assert (await answered(await open_browser(), answer)).headers["HX-Redirect"] == "/me"


@pytest.mark.asvs("V6.5.5")
async def test_a_question_is_too_old_after_five_minutes(
    moment: time_machine.Traveller, phone: Device, open_browser: Open
) -> None:
    browser = await open_browser()
    options = await asked(browser)
    moment.shift(timedelta(minutes=5))
    assert sentence(await answered(browser, phone.used(options))) == TOO_LATE


async def test_an_answer_to_another_question_is_refused(phone: Device, open_browser: Open) -> None:
    browser = await open_browser()
    first, second = await asked(browser), await asked(browser)
    assert sentence(await answered(browser, with_challenge(phone.used(first), second["challenge"]))) == NOT_ACCEPTED
    assert sentence(await answered(browser, phone.used({"challenge": "bm9ib2R5IGFza2VkIHRoaXM"}))) == TOO_LATE


async def test_a_question_for_adding_is_none_for_signing_in(client: httpx.AsyncClient, phone: Device) -> None:
    options = await asked(client, "/me/security/passkeys")
    assert sentence(await answered(client, phone.used(options))) == TOO_LATE


@pytest.mark.parametrize("origin", ["https://testserver.local", "http://testserver.local:8080", "http://evil.example"])
async def test_an_answer_given_at_another_place_is_refused(phone: Device, open_browser: Open, origin: str) -> None:
    phone.origin = origin
    assert sentence(await sign_in_with(await open_browser(), phone)) == NOT_ACCEPTED


async def test_a_passkey_that_verified_nobody_is_refused(client: httpx.AsyncClient, phone: Device, open_browser: Open) -> None:
    phone.verifies = False
    assert sentence(await sign_in_with(await open_browser(), phone)) == NOT_ACCEPTED
    answer = await add_passkey(client, Device(verifies=False))
    assert sentence(answer) == NOT_ACCEPTED


@pytest.mark.asvs("V11.6.1")
async def test_another_device_cannot_speak_for_the_phone(phone: Device, open_browser: Open) -> None:
    forged = Device(credential_id=phone.credential_id, user_handle=phone.user_handle, count=phone.count)
    assert sentence(await sign_in_with(await open_browser(), forged)) == NOT_ACCEPTED
    assert sentence(await sign_in_with(await open_browser(), Device())) == OPENS_NOTHING


async def test_a_passkey_that_names_another_account_is_refused(phone: Device, open_browser: Open) -> None:
    phone.user_handle = "bWFsbG9yeQ"
    assert sentence(await sign_in_with(await open_browser(), phone)) == NOT_ACCEPTED


async def test_the_passkey_of_another_user_is_no_second_factor_and_proves_nothing_again(
    client: httpx.AsyncClient, phone: Device, open_browser: Open, sign_in: SignIn
) -> None:
    async with db.writing() as tx:
        mallory = await world.mallory(tx)
    mallorys, key = await open_browser(), Device()
    await sign_in(mallorys, mallory)
    await add_passkey(mallorys, key)
    # With Bob's password, in a browser of her own; and in Bob's browser, where he is signed in.
    stranger = await open_browser()
    await stranger.post("/login", data={"email": "bob@example.com", "password": world.PASSWORD})
    for browser in (stranger, client):
        assert sentence(await sign_in_with(browser, key)) == OPENS_NOTHING
    assert (await stranger.get("/me")).status_code == 303


async def test_a_passkey_made_for_another_account_is_not_added(
    client: httpx.AsyncClient, bob: User, open_browser: Open, sign_in: SignIn
) -> None:
    async with db.writing() as tx:
        mallory = await world.mallory(tx)
    mallorys, key = await open_browser(), Device()
    await sign_in(mallorys, mallory)
    answer = key.made(await asked(client, "/me/security/passkeys"))
    refused = await answered(mallorys, answer, "/me/security/passkeys")
    assert sentence(refused) == "This passkey was made for another account."
    assert await all_passkeys() == []


async def test_a_count_that_goes_back_is_refused_and_written_down(phone: Device, bob: User, open_browser: Open) -> None:
    await sign_in_with(await open_browser(), phone)
    phone.count = 0
    for _copy in ("the same count", "the next one"):
        browser = await open_browser()
        answer = await sign_in_with(browser, phone)
        if _copy == "the same count":
            assert sentence(answer) == "This passkey may have been copied, so it was not accepted. Sign in another way."
            assert (await browser.get("/me")).status_code == 303
    refusals = await told("account.passkey_refused")
    assert [(activity.about, activity.details["count"]) for activity in refusals] == [(f"user:{bob.id}", 1)]


async def test_a_device_that_does_not_count_is_accepted(client: httpx.AsyncClient, bob: User, open_browser: Open) -> None:
    device = Device(counts=False)
    await add_passkey(client, device)
    for _time in range(2):
        assert (await sign_in_with(await open_browser(), device)).headers["HX-Redirect"] == "/me"


async def test_a_question_is_used_up_once_on_both_databases(database: db.Database, moment: time_machine.Traveller) -> None:
    async with db.writing() as tx:
        challenge = await challenges.new_challenge(tx, "passkey_use", now=clock.now())
    async with db.writing() as tx:
        used = await challenges.use_challenge(tx, "passkey_use", nonce=challenge.nonce, now=clock.now())
    assert (used.id, used.used_at) == (challenge.id, clock.now())
    with pytest.raises(challenges.TooLate):
        async with db.writing() as tx:
            await challenges.use_challenge(tx, "passkey_use", id=challenge.id, now=clock.now())


async def test_two_answers_with_one_count_do_not_both_pass(database: db.Database) -> None:
    now = clock.now()
    async with db.writing() as tx:
        bob = await world.bob(tx)
        passkey = Passkey(user_id=bob.id or 0, name="Phone", credential_id="x", public_key="x", sign_count=4, created_at=now)
        tx.add(passkey)
    outcomes = []
    for count in (5, 5, 4, 0, 6):
        async with db.writing() as tx:
            outcomes.append(await passkeys.note_use(tx, passkey, sign_count=count, now=now))
    assert outcomes == [True, False, False, False, True]


async def test_a_suspended_account_is_not_opened(phone: Device, bob: User, open_browser: Open) -> None:
    async with db.writing() as tx:
        await tx.exec(update(User).where(col(User.id) == bob.id).values(disabled_at=clock.now()))
    assert sentence(await sign_in_with(await open_browser(), phone)) == OPENS_NOTHING


NONSENSE: list[Any] = [
    None,
    [],
    {},
    {"credential": "x"},
    {"credential": {}},
    {"credential": {"response": {"clientDataJSON": 7}}},
    {"credential": {"response": {"clientDataJSON": "é"}}},
    {"credential": {"response": {"clientDataJSON": "W10"}}},
    {"credential": {"id": 7, "response": {"clientDataJSON": "eyJjaGFsbGVuZ2UiOiAiYSJ9"}}},
]


@pytest.mark.parametrize("sent", NONSENSE, ids=str)
async def test_nonsense_is_answered_with_a_sentence(client: httpx.AsyncClient, bob: User, sent: Any) -> None:
    for path in ("/login/passkey", "/me/security/passkeys"):
        assert sentence(await client.post(path, json=sent))


@pytest.mark.parametrize("part", ["authenticatorData", "signature", "clientDataJSON", "attestationObject"])
@pytest.mark.parametrize("value", ["", "AA", "_____w", "é", 7, None, "o2NmbXRkbm9uZQ"])
async def test_a_broken_answer_is_refused(client: httpx.AsyncClient, phone: Device, part: str, value: Any) -> None:
    adding = part == "attestationObject"
    path = "/me/security/passkeys" if adding else "/login/passkey"
    options = await asked(client, path)
    credential = Device().made(options) if adding else phone.used(options)
    credential["response"][part] = value
    assert sentence(await answered(client, credential, path))


async def test_plain_bytes_are_refused(client: httpx.AsyncClient) -> None:
    for body in (b"", b"\xff\xfe", b"{", b"[" * 20_000):
        answer = await client.post("/login/passkey", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422


# ---------- the list ----------


async def test_a_passkey_is_listed_named_and_removed(client: httpx.AsyncClient, phone: Device, open_browser: Open) -> None:
    await add_passkey(client, Device(), name="Blue\x00 key  ")
    page = (await client.get("/me/security/passkeys")).text
    assert "Phone" in page and "Blue key" in page and "Not used yet" in page
    code = (await all_passkeys())[0].code
    assert (await client.post(f"/me/security/passkeys/{code}", data={"name": ""})).status_code == 422
    assert (await client.post(f"/me/security/passkeys/{code}", data={"name": "Old phone"})).status_code == 303
    assert "Old phone" in (await client.get(f"/me/security/passkeys/{code}/remove")).text
    assert (await client.post(f"/me/security/passkeys/{code}/remove")).status_code == 303
    assert [passkey.name for passkey in await all_passkeys()] == ["Blue key"]
    assert len(await told("account.passkey_removed")) == 1
    assert sentence(await sign_in_with(await open_browser(), phone)) == OPENS_NOTHING


async def test_a_device_is_added_once(client: httpx.AsyncClient, phone: Device) -> None:
    options = await asked(client, "/me/security/passkeys")
    assert [known["id"] for known in options["excludeCredentials"]] == [phone.id]
    answer = await answered(client, phone.made(options), "/me/security/passkeys")
    assert (answer.status_code, answer.json()["sentence"]) == (409, "This passkey is in use already.")


@pytest.mark.asvs("V6.4.4")
async def test_a_manager_keeps_a_second_factor_where_one_is_required(
    client: httpx.AsyncClient, settings: Settings, sign_in: SignIn
) -> None:
    use(replace(settings, second_factor="required"))
    async with db.writing() as tx:
        alice = await world.alice(tx)
    await sign_in(client, alice)
    assert (await client.get("/manager")).headers["location"].startswith("/me/security/second-factor")
    await add_passkey(client, Device())
    assert (await client.get("/manager")).status_code == 200
    code = (await all_passkeys())[0].code
    assert (await client.post(f"/me/security/passkeys/{code}/remove")).status_code == 409
    assert len(await all_passkeys()) == 1


async def test_at_a_number_there_are_no_passkeys(client: httpx.AsyncClient, settings: Settings, bob: User) -> None:
    use(replace(settings, base_url="http://127.0.0.1:8000"))
    client.headers["Sec-Fetch-Site"] = "same-origin"
    assert "data-passkey" not in (await client.get("/login/again")).text
    assert "open at a number" in (await client.get("/me/security/passkeys")).text
    assert (await client.get("/me/security/passkeys/new")).status_code == 303
    assert (await client.post("/login/passkey/options", json={})).status_code == 404
