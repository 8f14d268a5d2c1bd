"""Nobody learns from an answer, or from the work behind it, whether an address has an account.

All addresses here have the same length, so that the answers can be compared to the byte.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import time_machine
from sqlmodel import select

from app.accounts import flows, rules
from app.accounts.actions import attempts, links
from app.accounts.models import Authenticator, User
from app.core import clock, db
from app.notifications.models import Delivery, Notification
from app.worker import Worker
from tests import world
from tests.accounts.watching import Seen, seen, watched

ENUMERATION = "V6.3.8"  # Level 3, taken on purpose.
GUESS = "ten pianos in the sun"
UNKNOWN = "nobody--@example.com"
KNOWN, SUSPENDED, SECURED, MANAGER = (
    "known---@example.com",
    "closed--@example.com",
    "secured-@example.com",
    "manager-@example.com",
)
EVERYBODY = (KNOWN, SUSPENDED, SECURED, MANAGER, UNKNOWN)

# What is typed beside the address, by the door that it is typed at.
DOORS = {
    "/register": {"password": GUESS},
    "/login": {"password": GUESS, "next": ""},
    "/password/forgot": {},
    "/login/link": {"next": ""},
}

Knock = Callable[[str, str], Awaitable[Seen]]


@pytest.fixture
async def people(sqlite_database: db.Database) -> None:
    async with db.writing() as tx:
        for email in (KNOWN, SUSPENDED, SECURED):
            tx.add(user_of(email, "user"))
        tx.add(user_of(MANAGER, "manager"))
    async with db.writing() as tx:
        found = {user.email: user for user in (await tx.exec(select(User))).all()}
        found[SUSPENDED].disabled_at = clock.now()
        secured = {"user_id": found[SECURED].id, "sealed_secret": "sealed"}
        tx.add(Authenticator(**secured, created_at=clock.now(), confirmed_at=clock.now()))


@pytest.fixture
def knock(people: None, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> Knock:
    """Types an address at a door and gives what can be seen from outside, in a browser without cookies."""

    async def knocked(door: str, email: str) -> Seen:
        client.cookies.clear()
        with watched(monkeypatch) as work:
            answer = await client.post(door, data={"email": email, **DOORS[door]})
        return seen(answer, work, email)

    return knocked


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.asvs(ENUMERATION)
async def test_every_address_gets_the_same_answer_after_the_same_work(
    knock: Knock, door: str, moment: time_machine.Traveller
) -> None:
    first, *others = [await knock(door, email) for email in EVERYBODY]
    for email, other in zip(EVERYBODY[1:], others, strict=True):
        assert other == first, email
    assert first.statements


@pytest.mark.asvs(ENUMERATION)
async def test_who_typed_too_often_learns_nothing_either(knock: Knock, door: str, moment: time_machine.Traveller) -> None:
    """The limits of an address are the same for all addresses, and so is what is said about them."""
    answers: dict[str, list[Seen]] = {email: [] for email in (KNOWN, UNKNOWN)}
    for email, own in answers.items():
        for _ in range(4):
            own.append(await knock(door, email))
        moment.shift(timedelta(hours=1))
    assert answers[KNOWN] == answers[UNKNOWN]


@pytest.mark.asvs(ENUMERATION, "V6.3.1")
@pytest.mark.parametrize("failures", [rules.FREE_TRIES, rules.MOST_TRIES])
async def test_pauses_and_worn_out_addresses_look_the_same(knock: Knock, failures: int, moment: time_machine.Traveller) -> None:
    for _ in range(failures):
        moment.shift(timedelta(seconds=rules.LONGEST_PAUSE))
        for email in EVERYBODY:
            async with db.writing() as tx:
                await attempts.try_once(tx, email, browser="", now=clock.now())
    first, *others = [await knock("/login", email) for email in EVERYBODY]
    assert first.status == (422 if failures == rules.MOST_TRIES else 429)
    assert first.hashes == 0
    assert all(other == first for other in others)


@pytest.mark.asvs(ENUMERATION)
async def test_a_new_address_for_an_account_may_be_free_or_taken(
    people: None,
    client: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    sign_in: Callable[[httpx.AsyncClient, User], Awaitable[None]],
) -> None:
    async with db.writing() as tx:
        carol = await world.carol(tx)
    await sign_in(client, carol)
    answers = []
    for email in EVERYBODY:
        with watched(monkeypatch) as work:
            answer = await client.post("/me/email", data={"email": email, "present": world.PASSWORD})
        answers.append(seen(answer, work, email))
    assert answers[0].status == 200
    assert all(answer == answers[0] for answer in answers)


@pytest.mark.asvs(ENUMERATION)
async def test_only_a_right_password_tells_that_a_second_factor_is_asked_for(
    knock: Knock, client: httpx.AsyncClient, moment: time_machine.Traveller
) -> None:
    answers = {}
    for email in (KNOWN, SECURED, SUSPENDED):
        answers[email] = await client.post("/login", data={"email": email, "password": world.PASSWORD})
        client.cookies.clear()
    assert answers[KNOWN].headers["location"] == "/me"
    assert answers[SECURED].headers["location"].startswith("/login/second")
    assert answers[SUSPENDED].status_code == 422


@pytest.mark.asvs(ENUMERATION)
async def test_mail_is_never_sent_while_somebody_waits_for_the_answer(
    knock: Knock, door: str, moment: time_machine.Traveller
) -> None:
    """The worker writes the mails later, from what was written down; which addresses get one is seen in their boxes only."""
    for email in EVERYBODY:
        await knock(door, email)
    assert await mailed() == []
    await Worker().react()
    wanted = {
        "/register": {*EVERYBODY},
        "/login": set(),
        "/password/forgot": {KNOWN, SECURED, MANAGER},
        "/login/link": {KNOWN, SECURED, MANAGER},
    }
    assert set(await mailed()) == wanted[door]


async def test_control_without_the_hash_of_nothing_the_work_differs(
    knock: Knock, moment: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    careful = flows.is_right

    async def in_a_hurry(password: str, password_hash: str) -> bool:
        return bool(password_hash) and await careful(password, password_hash)

    monkeypatch.setattr(flows, "is_right", in_a_hurry)
    assert (await knock("/login", KNOWN)).hashes == 1
    assert (await knock("/login", UNKNOWN)).hashes == 0


@pytest.mark.parametrize("door", ["/register", "/password/forgot", "/login/link"])
async def test_control_without_the_dead_link_the_rows_differ(
    knock: Knock, door: str, moment: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_args: Any, **_kwargs: Any) -> Any:
        return SimpleNamespace(id="none")

    monkeypatch.setattr(links, "dead_link", nothing)
    assert (await knock(door, KNOWN)).statements != (await knock(door, UNKNOWN)).statements


async def mailed() -> list[str]:
    async with db.reading() as reader:
        found = select(Notification.email).join(Delivery, Delivery.notification_id == Notification.id)
        return list((await reader.exec(found)).all())


def user_of(email: str, role: str) -> User:
    return User(email=email, name="Somebody", role=role, password_hash=world._PASSWORD_HASH, created_at=clock.now())
