"""What Bob marked before he signed in is his afterwards, whichever way he came in, and the browser keeps it no longer."""

from collections.abc import Awaitable, Callable

import httpx
import pytest
from sqlmodel import select

from app.accounts.models import User
from app.accounts.pages import common
from app.core.db import reading, writing
from app.events import queries
from tests import world
from tests.accounts.device import Device, add_passkey, sign_in_with
from tests.accounts.links import newest_token
from tests.accounts.provider import AtProvider, come_back, hushed
from tests.accounts.second_steps import code_of, enter, log_in, with_app

pytestmark = hushed
Client = httpx.AsyncClient
Open = Callable[[], Awaitable[Client]]
SignIn = Callable[[Client, User], Awaitable[None]]


@pytest.fixture
async def bob(client: Client) -> User:
    """Bob has an account; in this browser he is nobody, and has marked an event and its category."""
    async with writing() as tx:
        user, _event = await world.bob(tx), await world.event(tx)
    await client.post("/events/nine-pianos/favourite")
    await client.post("/categories/music/favourite")
    assert "favourites" in client.cookies
    return user


async def kept(client: Client, email: str) -> bool:
    """Whether both marks are rows of the account now, and the browser has forgotten them."""
    async with reading() as db:
        found = (await db.exec(select(User).where(User.email == email))).one()
        rows = await queries.favourite_events(db, found.id), await queries.favourite_categories(db, found.id)
    return [len(marked) for marked in rows] == [1, 1] and "favourites" not in client.cookies


async def test_with_a_password(client: Client, bob: User) -> None:
    await log_in(client, bob)
    assert await kept(client, bob.email)


async def test_with_a_second_factor_only_after_it(client: Client, bob: User) -> None:
    await with_app(bob)
    await log_in(client, bob)
    assert not await kept(client, bob.email)
    await enter(client, await code_of(bob))
    assert await kept(client, bob.email)


async def test_by_a_mailed_link(client: Client, bob: User) -> None:
    await client.post("/login/link", data={"email": bob.email})
    await client.post(f"/login/link/{await newest_token('login')}")
    assert await kept(client, bob.email)


async def test_by_opening_an_account(client: Client, bob: User) -> None:
    await client.post("/register", data={"email": "carol@example.com", "password": "seven umbrellas and a cello"})
    await client.post(f"/verify/{await newest_token('register')}")
    assert await kept(client, "carol@example.com")
    assert not await kept(client, bob.email)


async def test_with_a_passkey(client: Client, bob: User, open_browser: Open, sign_in: SignIn) -> None:
    phone, other = Device(), await open_browser()
    await sign_in(other, bob)
    await add_passkey(other, phone)
    await sign_in_with(client, phone)
    assert await kept(client, bob.email)


async def test_with_an_openid_provider(client: Client, bob: User, provider: AtProvider) -> None:
    await provider.has("eve-7", email="eve@example.com")
    await come_back(client, provider, "eve-7")
    assert await kept(client, "eve@example.com")


async def test_control_without_the_adoption_they_are_lost(client: Client, bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(*_all: object, **_named: object) -> None: ...

    monkeypatch.setattr(common, "adopt", nothing)
    await log_in(client, bob)
    assert not await kept(client, bob.email)
