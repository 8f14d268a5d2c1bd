"""Bob changes his name, his address and his password on his personal page."""

from collections.abc import Awaitable, Callable

import httpx
import pytest
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts import queries
from app.accounts.actions import details, links
from app.accounts.models import MailedLink, User
from app.core import clock, db
from app.core.errors import Refused
from tests import world
from tests.accounts.links import newest_link, newest_token, told

NEW = "ten accordions in the sun"
SignIn = Callable[[httpx.AsyncClient, User], Awaitable[None]]
OpenBrowser = Callable[[], Awaitable[httpx.AsyncClient]]


@pytest.fixture
async def bob(client: httpx.AsyncClient, sign_in: SignIn) -> User:
    """Bob, signed in."""
    async with db.writing() as tx:
        user = await world.bob(tx)
    await sign_in(client, user)
    return user


@pytest.mark.parametrize("path", ["/me", "/me/name", "/me/email", "/me/password", "/me/security"])
async def test_clients_are_asked_to_sign_in_first(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/login?next={path}")


@pytest.mark.parametrize("path", ["/me/name", "/me/email", "/me/password", "/me/security/end-others"])
async def test_clients_change_nothing(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.post(path, data={"name": "Mallory"})).headers["location"] == "/login"


async def test_the_personal_page_has_a_row_for_each_thing(client: httpx.AsyncClient, bob: User) -> None:
    shown = (await client.get("/me")).text
    for path in ("tickets", "presales", "payments", "favourites", "notifications", "security", "name", "email", "password"):
        assert f'href="/me/{path}"' in shown
    assert "Hello Bob" in shown


@pytest.mark.asvs("V1.2.1", "V1.1.2")
async def test_a_name_is_kept_as_typed_and_shown_harmlessly(client: httpx.AsyncClient, bob: User) -> None:
    answer = await client.post("/me/name", data={"name": "  Bob <b>Bianchi</b> "})
    assert answer.headers["location"] == "/me"
    assert "Hello Bob &lt;b&gt;Bianchi&lt;/b&gt;" in (await client.get("/me")).text
    assert await told("account.renamed")


async def test_a_name_that_is_too_long_is_refused(client: httpx.AsyncClient, bob: User) -> None:
    answer = await client.post("/me/name", data={"name": "B" * 101})
    assert answer.status_code == 422
    assert "Use 100 characters or fewer." in answer.text


async def test_a_new_address_counts_after_its_link_was_opened(client: httpx.AsyncClient, bob: User) -> None:
    answer = await client.post("/me/email", data={"email": "Robert@example.com"})
    assert "robert@example.com" in answer.text
    link = await newest_link("email")
    assert [activity.about for activity in await told("account.email_asked")] == [f"link:{link.id}"]
    assert (await now(bob)).email == "bob@example.com"
    token = await newest_token("email")
    assert "Use this address" in (await client.get(f"/verify/{token}")).text
    assert (await client.post(f"/verify/{token}")).headers["location"] == "/me"
    assert (await now(bob)).email == "robert@example.com"
    assert (await client.post(f"/verify/{token}")).status_code == 410


async def test_the_link_signs_nobody_in(client: httpx.AsyncClient, bob: User, open_browser: OpenBrowser) -> None:
    await client.post("/me/email", data={"email": "robert@example.com"})
    other = await open_browser()
    answer = await other.post(f"/verify/{await newest_token('email')}")
    assert answer.headers["location"] == "/login"
    assert (await other.get("/me")).status_code == 303


async def test_the_present_address_is_no_change(client: httpx.AsyncClient, bob: User) -> None:
    answer = await client.post("/me/email", data={"email": "BOB@example.com"})
    assert answer.status_code == 422
    assert "This is your present email address." in answer.text


async def test_the_form_does_not_tell_who_has_an_account_but_the_link_moves_nothing(client: httpx.AsyncClient, bob: User) -> None:
    async with db.writing() as tx:
        carol = await world.carol(tx)
    answer = await client.post("/me/email", data={"email": carol.email})
    assert answer.status_code == 200
    refused = await client.post(f"/verify/{await newest_token('email')}")
    assert refused.status_code == 410
    assert "Another account has this email address." in refused.text
    assert (await now(bob)).email == "bob@example.com"


async def test_a_newer_wish_voids_the_older_link_and_a_taken_address_is_refused(database: db.Database) -> None:
    async with db.writing() as tx:
        user, carol = await world.bob(tx), await world.carol(tx)
        await details.ask_email_change(tx, user, "robert@example.com", by=user.id or 0, now=clock.now())
    older = await newest_link("email")
    async with db.writing() as tx:
        await details.ask_email_change(tx, user, carol.email, by=user.id or 0, now=clock.now())
    with pytest.raises(Refused, match="used before"):
        async with db.writing() as tx:
            await links.use_link(tx, "email", older.id, now=clock.now())
    with pytest.raises(Refused, match="Another account"):
        async with db.writing() as tx:
            link = await links.use_link(tx, "email", await open_link(tx), now=clock.now())
            await details.change_email(tx, link, now=clock.now())
    assert (await now(user)).email == "bob@example.com"


@pytest.mark.asvs("V6.2.2", "V7.4.3")
async def test_a_new_password_signs_out_every_other_browser(
    client: httpx.AsyncClient, bob: User, open_browser: OpenBrowser, sign_in: SignIn
) -> None:
    other = await open_browser()
    await sign_in(other, bob)
    answer = await client.post("/me/password", data={"present": world.PASSWORD, "password": NEW})
    assert answer.headers["location"] == "/me"
    assert (await client.get("/me")).status_code == 200
    assert (await other.get("/me")).status_code == 303
    assert await told("account.password_changed")
    assert (await other.post("/login", data={"email": bob.email, "password": NEW})).status_code == 303


@pytest.mark.asvs("V6.2.3")
async def test_a_new_password_needs_the_present_one_and_the_rules(client: httpx.AsyncClient, bob: User) -> None:
    wrong = await client.post("/me/password", data={"present": NEW, "password": NEW})
    assert "This is not your present password." in wrong.text
    weak = await client.post("/me/password", data={"present": world.PASSWORD, "password": "password123"})
    assert "Many people use this password" in weak.text
    assert [wrong.status_code, weak.status_code] == [422, 422]
    assert await told("account.password_changed") == []


async def now(user: User) -> User:
    async with db.reading() as reader:
        found = await queries.by_id(reader, user.id or 0)
    assert found
    return found


async def open_link(tx: AsyncSession) -> str:
    return (await tx.exec(select(MailedLink.id).where(col(MailedLink.used_at).is_(None)))).one()
