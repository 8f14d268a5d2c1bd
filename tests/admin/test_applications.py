"""Erin asks to become a manager, and Dora decides."""

from collections.abc import Awaitable, Callable

import httpx
import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from app.accounts import queries
from app.accounts.actions import applications
from app.accounts.models import Application, User
from app.core import clock, db
from app.core.errors import Refused
from app.notifications.models import Notification
from app.worker import Worker
from tests import world
from tests.accounts.links import told

SignIn = Callable[[httpx.AsyncClient, User], Awaitable[None]]
OpenBrowser = Callable[[], Awaitable[httpx.AsyncClient]]
WISH = {"organisation": "Club Erin", "website": "https://erin.example", "why": "Jazz on Mondays."}


async def applied() -> tuple[Application, User, User]:
    """An open application, whose it is, and the admin."""
    async with db.writing() as tx:
        erin, dora = await world.person(tx, "Erin"), await world.dora(tx)
        return await applications.apply(tx, erin, **WISH, now=clock.now()), erin, dora


async def test_erin_applies_and_every_admin_is_told(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    async with db.writing() as tx:
        erin, _dora = await world.person(tx, "Erin"), await world.dora(tx)
    await sign_in(client, erin)
    assert "Become a manager" in (await client.get("/me")).text
    assert (await client.post("/me/manager", data=WISH)).headers["location"] == "/me/manager"
    waiting = (await client.get("/me/manager")).text
    assert "You applied on" in waiting
    assert "<form class" not in waiting
    again = await client.post("/me/manager", data=WISH)
    assert again.status_code == 409
    assert "You have applied already" in again.text
    await Worker().react()
    async with db.reading() as reader:
        [line] = (await reader.exec(select(Notification).where(Notification.kind == "manager_applied"))).all()
    assert line.email == "dora@example.com"


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"organisation": ""}, "Say who you are"),
        ({"why": " "}, "Say what you want to show"),
        ({"website": "javascript:alert(1)"}, "Enter an address that begins with https://"),
    ],
)
async def test_what_is_missing_is_said_and_the_rest_kept(
    client: httpx.AsyncClient, sign_in: SignIn, wrong: dict[str, str], sentence: str
) -> None:
    async with db.writing() as tx:
        erin = await world.person(tx, "Erin")
    await sign_in(client, erin)
    answer = await client.post("/me/manager", data=WISH | wrong)
    assert answer.status_code == 422
    assert sentence in answer.text
    assert sum(value in answer.text for value in WISH.values()) == 2


async def test_only_one_application_is_open(database: db.Database) -> None:
    wish, erin, dora = await applied()
    with pytest.raises(Refused, match="applied already"):
        async with db.writing() as tx:
            await applications.apply(tx, erin, **WISH, now=clock.now())
    async with db.writing() as tx:
        await applications.reject(tx, wish, reason="Too loud.", by=dora.id or 0, now=clock.now())
    async with db.writing() as tx:
        await applications.apply(tx, erin, **WISH, now=clock.now())


async def test_behind_the_verb_the_database_holds_it(database: db.Database) -> None:
    _wish, erin, _dora = await applied()
    with pytest.raises(IntegrityError):
        async with db.writing() as tx:
            tx.add(Application(user_id=erin.id or 0, organisation="Again", why="Again", created_at=clock.now()))


async def test_approved_erin_is_a_manager(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    wish, erin, dora = await applied()
    await sign_in(client, dora)
    assert f"/admin/applications/{wish.code}" in (await client.get("/admin/managers")).text
    shown = (await client.get(f"/admin/applications/{wish.code}")).text
    assert all(value in shown for value in WISH.values())
    answer = await client.post(f"/admin/applications/{wish.code}/approve")
    assert answer.headers["location"] == f"/admin/managers/{erin.code}"
    async with db.reading() as reader:
        assert [user.email for user in await queries.managers(reader)] == ["erin@example.com"]
        assert await queries.open_applications(reader) == []
    assert (await client.post(f"/admin/applications/{wish.code}/approve")).status_code == 409


async def test_rejected_erin_reads_why_and_may_try_again(
    client: httpx.AsyncClient, sign_in: SignIn, open_browser: OpenBrowser
) -> None:
    wish, erin, dora = await applied()
    await sign_in(client, dora)
    empty = await client.post(f"/admin/applications/{wish.code}/reject", data={"reason": ""})
    assert empty.status_code == 422
    assert "Say why" in empty.text
    await client.post(f"/admin/applications/{wish.code}/reject", data={"reason": "We have no stage for it."})
    erins = await open_browser()
    await sign_in(erins, erin)
    shown = (await erins.get("/me/manager")).text
    assert "We have no stage for it." in shown
    assert 'action="/me/manager"' in shown
    [row] = await told("manager.application_rejected")
    assert "stage" not in str(row.details)


async def test_two_admins_decide_once(database: db.Database) -> None:
    wish, erin, dora = await applied()
    async with db.writing() as tx:
        await applications.reject(tx, wish, reason="No.", by=dora.id or 0, now=clock.now())
    with pytest.raises(Refused, match="decided before"):
        async with db.writing() as tx:
            await applications.approve(tx, wish, erin, by=dora.id or 0, now=clock.now())
    async with db.reading() as reader:
        assert await queries.managers(reader) == []


async def test_a_manager_does_not_apply(database: db.Database) -> None:
    async with db.writing() as tx:
        alice = await world.alice(tx)
    with pytest.raises(Refused, match="manager already"):
        async with db.writing() as tx:
            await applications.apply(tx, alice, **WISH, now=clock.now())
