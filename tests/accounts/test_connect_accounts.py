"""An account here and one at an OpenID provider are connected by whoever has proved both."""

from datetime import timedelta

import httpx
import pytest
from sqlmodel import select

from app.accounts import queries
from app.accounts.models import LoginSession
from app.core import clock, db
from tests import world
from tests.accounts.links import told
from tests.accounts.provider import (
    AtProvider,
    all_identities,
    come_back,
    hushed,
    is_signed_in,
    said,
    start,
)
from tests.accounts.test_passkeys import SignIn

pytestmark = hushed


@pytest.mark.asvs("V6.8.1")
async def test_an_existing_account_is_not_opened_but_asked(client: httpx.AsyncClient, provider: AtProvider) -> None:
    async with db.writing() as tx:
        await world.bob(tx)
    await provider.has("bob-at-id", email="bob@example.com")
    assert (await come_back(client, provider, "bob-at-id")).headers["location"] == "/login/oidc/link"
    assert not await is_signed_in(client)
    page = (await client.get("/login/oidc/link")).text
    assert "has an account here already" in page and 'href="/login?next=/login/oidc/link"' in page
    assert (await client.post("/login/oidc/link")).headers["location"].startswith("/login")
    assert await all_identities() == []
    # Bob proves the account too, and agrees.
    answer = await client.post(
        "/login", data={"email": "bob@example.com", "password": world.PASSWORD, "next": "/login/oidc/link"}
    )
    assert answer.headers["location"] == "/login/oidc/link"
    assert "Connect the two" in (await client.get("/login/oidc/link")).text
    assert await all_identities() == []
    assert (await client.post("/login/oidc/link")).headers["location"] == "/me/security/identities"
    assert [identity.subject for identity in await all_identities()] == ["bob-at-id"]
    assert len(await told("account.identity_linked")) == 1
    await client.post("/logout")
    assert (await come_back(client, provider, "bob-at-id")).headers["location"] == "/me"


async def test_nobody_else_can_agree(client: httpx.AsyncClient, provider: AtProvider, sign_in: SignIn) -> None:
    async with db.writing() as tx:
        bob, mallory = await world.bob(tx), await world.mallory(tx)
    assert bob
    await provider.has("bob-at-id", email="bob@example.com")
    await come_back(client, provider, "bob-at-id")
    await sign_in(client, mallory)
    assert "you are signed in as" in (await client.get("/login/oidc/link")).text
    assert (await client.post("/login/oidc/link")).headers["location"].startswith("/login")
    assert await all_identities() == []


@pytest.mark.asvs("V7.5.1")
async def test_the_login_that_agrees_is_of_a_few_minutes_ago(
    client: httpx.AsyncClient, provider: AtProvider, sign_in: SignIn
) -> None:
    async with db.writing() as tx:
        bob = await world.bob(tx)
    await sign_in(client, bob)
    await provider.has("bob-at-id", email="robert@example.org")
    assert (await come_back(client, provider, "bob-at-id")).headers["location"] == "/login/oidc/link"
    async with db.writing() as tx:
        session = (await tx.exec(select(LoginSession))).one()
        session.proved_at -= timedelta(minutes=11)
    assert (await client.post("/login/oidc/link")).headers["location"].startswith("/login/again")
    assert await all_identities() == []


async def test_whoever_is_signed_in_connects_and_removes(
    client: httpx.AsyncClient, provider: AtProvider, sign_in: SignIn
) -> None:
    async with db.writing() as tx:
        bob = await world.bob(tx)
    await sign_in(client, bob)
    assert "Connect Example ID" in (await client.get("/me/security/identities")).text
    await provider.has("bob-at-id", email="robert@example.org")
    assert (await come_back(client, provider, "bob-at-id")).headers["location"] == "/login/oidc/link"
    assert "robert@example.org" in (await client.get("/login/oidc/link")).text
    await client.post("/login/oidc/link")
    assert "robert@example.org" in (await client.get("/me/security/identities")).text
    assert "belongs to an account already" in await said(client, await come_back(client, provider, "bob-at-id"))
    code = (await all_identities())[0].code
    assert "robert@example.org" in (await client.get(f"/me/security/identities/{code}/remove")).text
    await client.post(f"/me/security/identities/{code}/remove")
    assert await all_identities() == []
    assert len(await told("account.identity_removed")) == 1


async def test_who_was_signed_in_at_the_start_has_to_be_still(
    client: httpx.AsyncClient, provider: AtProvider, sign_in: SignIn
) -> None:
    """Else Bob's account at the provider could end up in the account of whoever used the browser after him."""
    async with db.writing() as tx:
        bob, carol = await world.bob(tx), await world.carol(tx)
    await sign_in(client, bob)
    await provider.has("bob-at-id", email="robert@example.org")
    link = await provider.sign_in(await start(client), "bob-at-id")
    await sign_in(client, carol)
    assert "You were signed out in between." in await said(client, await client.get(link))
    assert await all_identities() == []


async def test_a_suspended_account_is_not_opened(client: httpx.AsyncClient, provider: AtProvider) -> None:
    await provider.has("eve-7", email="eve@example.com")
    await come_back(client, provider, "eve-7")
    await client.post("/logout")
    async with db.writing() as tx:
        eve = await queries.by_email(tx, "eve@example.com")
        assert eve
        eve.disabled_at = clock.now()
        tx.add(eve)
    assert "This account is suspended." in await said(client, await come_back(client, provider, "eve-7"))


async def test_an_old_wish_to_connect_leads_back(client: httpx.AsyncClient, provider: AtProvider) -> None:
    assert (await client.get("/login/oidc/link")).headers["location"] == "/login"
    assert "This took too long" in await said(client, await client.post("/login/oidc/link"))
