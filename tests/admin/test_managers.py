"""Dora adds managers, suspends one and takes the suspension back."""

from collections.abc import Awaitable, Callable

import httpx
import pytest

from app.accounts import queries
from app.accounts.actions import links, managers, sessions, suspending
from app.accounts.models import User
from app.core import clock, db
from app.core.errors import Refused
from tests import world
from tests.accounts.links import newest_link, newest_token, told
from tests.payments.refund_story import an_event, paid

LONG = "ten accordions in the sun"
SignIn = Callable[[httpx.AsyncClient, User], Awaitable[None]]
OpenBrowser = Callable[[], Awaitable[httpx.AsyncClient]]


@pytest.fixture
async def dora(client: httpx.AsyncClient, sign_in: SignIn) -> User:
    """Dora, signed in."""
    user = await made("dora")
    await sign_in(client, user)
    return user


@pytest.mark.parametrize("path", ["/admin", "/admin/managers", "/admin/texts", "/admin/texts/imprint"])
async def test_the_desk_is_for_admins(client: httpx.AsyncClient, open_browser: OpenBrowser, sign_in: SignIn, path: str) -> None:
    assert (await client.get(path)).headers["location"] == f"/login?next={path}"
    for who, status in (("bob", 403), ("alice", 403), ("dora", 200)):
        browser = await open_browser()
        await sign_in(browser, await made(who))
        assert (await browser.get(path)).status_code == status


async def test_an_unknown_address_is_invited_and_an_older_invitation_void(database: db.Database) -> None:
    async with db.writing() as tx:
        admin = await world.dora(tx)
        for _ in range(2):
            assert not await managers.make_manager(tx, "erin@example.com", by=admin.id, language="en", now=clock.now())
    async with db.reading() as reader:
        [link] = await queries.open_invitations(reader, now=clock.now())
    assert (link.email, link.role) == ("erin@example.com", "manager")
    assert (await told("manager.invited"))[-1].about == f"link:{link.id}"
    assert (await told("manager.invited"))[-1].by_user_id == admin.id


async def test_a_user_is_promoted_at_once_and_signed_out_everywhere(database: db.Database) -> None:
    async with db.writing() as tx:
        admin, bob = await world.dora(tx), await world.bob(tx)
        await sessions.log_in(tx, bob, device="", now=clock.now())
    async with db.writing() as tx:
        assert await managers.make_manager(tx, bob.email, by=admin.id, language="en", now=clock.now())
    async with db.reading() as reader:
        assert await queries.sessions_of(reader, bob.id or 0, now=clock.now()) == []
        assert [manager.email for manager in await queries.managers(reader)] == [bob.email]
    assert [activity.about for activity in await told("manager.promoted")] == [f"user:{bob.id}"]


@pytest.mark.parametrize("who", ["alice", "dora"])
async def test_managers_and_admins_cannot_be_promoted(database: db.Database, who: str) -> None:
    user = await made(who)
    with pytest.raises(Refused, match="already"):
        async with db.writing() as tx:
            await managers.make_manager(tx, user.email, by=None, language="en", now=clock.now())


@pytest.mark.asvs("V7.4.2", "V7.4.5")
async def test_a_suspended_manager_is_out_at_once_and_the_event_goes_on(database: db.Database) -> None:
    async with db.writing() as tx:
        alice = await world.alice(tx)
        event = await world.event(tx, manager=alice)
        await sessions.log_in(tx, alice, device="", now=clock.now())
    async with db.writing() as tx:
        await suspending.suspend(tx, alice, reason="Rest.", by=None, now=clock.now())
    async with db.reading() as reader:
        assert await queries.sessions_of(reader, alice.id or 0, now=clock.now()) == []
        assert event.sells(clock.now())
    with pytest.raises(Refused):
        async with db.writing() as tx:
            await suspending.suspend(tx, alice, reason="Rest.", by=None, now=clock.now())
    async with db.writing() as tx:
        await suspending.reinstate(tx, alice, by=None)
    async with db.reading() as reader:
        assert not (await queries.managers(reader))[0].is_disabled


@pytest.mark.asvs("V6.4.1")
async def test_dora_invites_and_erin_accepts(client: httpx.AsyncClient, dora: User, open_browser: OpenBrowser) -> None:
    answer = await client.post("/admin/managers", data={"email": "Erin@example.com"})
    assert answer.headers["location"] == "/admin/managers"
    assert "erin@example.com" in (await client.get("/admin/managers")).text
    erin, token = await open_browser(), await newest_token("invitation")
    assert "erin@example.com" in (await erin.get(f"/invitations/{token}")).text
    short = await erin.post(f"/invitations/{token}", data={"name": "Erin", "password": "ninepianos"})
    assert short.status_code == 422
    assert "Use at least 15 characters." in short.text
    accepted = await erin.post(f"/invitations/{token}", data={"name": "Erin", "password": LONG})
    assert (accepted.status_code, accepted.headers["location"]) == (303, "/manager")
    assert "Hello Erin" in (await erin.get("/me")).text
    assert (await erin.post(f"/invitations/{token}", data={"name": "Erin", "password": LONG})).status_code == 410
    assert (await client.get("/admin/managers")).text.count("Can sign in") == 1


async def test_who_has_registered_since_keeps_the_account(
    client: httpx.AsyncClient, dora: User, open_browser: OpenBrowser
) -> None:
    await client.post("/admin/managers", data={"email": "bob@example.com"})
    bob, browser = await made("bob"), await open_browser()
    accepted = await browser.post(f"/invitations/{await newest_token('invitation')}", data={"name": "Bobby", "password": LONG})
    assert accepted.headers["location"] == "/manager"
    async with db.reading() as reader:
        present = await queries.by_email(reader, bob.email)
    assert present
    assert (present.id, present.role, present.name) == (bob.id, "manager", "Bobby")


async def test_an_invitation_makes_no_manager_of_a_suspended_one(client: httpx.AsyncClient, dora: User) -> None:
    await client.post("/admin/managers", data={"email": "alice@example.com"})
    alice = await made("alice")
    async with db.writing() as tx:
        await suspending.suspend(tx, alice, reason="Rest.", by=None, now=clock.now())
    link = await newest_link("invitation")
    with pytest.raises(Refused, match="suspended"):
        async with db.writing() as tx:
            used = await links.use_link(tx, "invitation", link.id, now=clock.now())
            await managers.accept_invitation(tx, used, name="Alice", password_hash="new", now=clock.now())


@pytest.mark.asvs("V8.3.2")
async def test_a_promotion_is_seen_in_the_next_request_even_without_a_new_login(
    client: httpx.AsyncClient, dora: User, open_browser: OpenBrowser, sign_in: SignIn
) -> None:
    bob, browser = await made("bob"), await open_browser()
    await sign_in(browser, bob)
    await client.post("/admin/managers", data={"email": bob.email})
    assert (await browser.get("/me")).status_code == 303


async def test_suspending_and_reinstating_at_the_desk(
    client: httpx.AsyncClient, dora: User, open_browser: OpenBrowser, sign_in: SignIn
) -> None:
    alice, browser = await made("alice"), await open_browser()
    await sign_in(browser, alice)
    path = f"/admin/managers/{alice.code}"
    assert (await client.post(f"{path}/suspend", data={"reason": ""})).status_code == 422
    answer = await client.post(f"{path}/suspend", data={"reason": "Two complaints."})
    assert answer.headers["location"] == path
    assert "Two complaints." in (await client.get(path)).text
    assert (await browser.get("/me")).status_code == 303
    assert (await browser.post("/login", data={"email": alice.email, "password": world.PASSWORD})).status_code == 422
    assert (await client.post(f"{path}/suspend", data={"reason": "Again."})).status_code == 409
    await client.post(f"{path}/reinstate")
    assert (await browser.post("/login", data={"email": alice.email, "password": world.PASSWORD})).status_code == 303
    assert [activity.by_user_id for activity in await told("manager.suspended") + await told("manager.reinstated")] == [
        dora.id
    ] * 2


async def test_a_manager_is_trusted_once_and_the_trust_ends(database: db.Database) -> None:
    async with db.writing() as tx:
        admin, alice = await world.dora(tx), await world.alice(tx)
    async with db.writing() as tx:
        await managers.trust(tx, alice, by=admin.id or 0, now=clock.now())
    with pytest.raises(Refused):
        async with db.writing() as tx:
            await managers.trust(tx, alice, by=admin.id or 0, now=clock.now())
    assert (await present(alice)).is_trusted
    async with db.writing() as tx:
        await managers.untrust(tx, alice, by=admin.id or 0)
    assert not (await present(alice)).is_trusted
    with pytest.raises(Refused):
        async with db.writing() as tx:
            await managers.untrust(tx, alice, by=admin.id or 0)
    assert [row.about for row in await told("manager.trusted") + await told("manager.untrusted")] == [f"user:{alice.id}"] * 2


@pytest.mark.parametrize("who", ["bob", "dora"])
async def test_only_managers_can_be_trusted(database: db.Database, who: str) -> None:
    user = await made(who)
    with pytest.raises(Refused):
        async with db.writing() as tx:
            await managers.trust(tx, user, by=user.id or 0, now=clock.now())


async def test_a_suspension_ends_the_trust(database: db.Database) -> None:
    async with db.writing() as tx:
        alice = await world.alice(tx)
        await managers.trust(tx, alice, by=alice.id or 0, now=clock.now())
    async with db.writing() as tx:
        await suspending.suspend(tx, alice, reason="Rest.", by=None, now=clock.now())
        await suspending.reinstate(tx, alice, by=None)
    assert not (await present(alice)).is_trusted


async def test_dora_reads_what_trust_means_before_she_gives_it(client: httpx.AsyncClient, dora: User) -> None:
    alice = await made("alice")
    before = (await client.get("/admin/managers")).text
    assert before.index("can publish without review") < before.index(f"/admin/managers/{alice.code}/trust")
    assert (await client.post(f"/admin/managers/{alice.code}/trust")).headers["location"] == "/admin/managers"
    shown = (await client.get("/admin/managers")).text
    assert "Trusted" in shown
    assert f"/admin/managers/{alice.code}/untrust" in shown
    await client.post(f"/admin/managers/{alice.code}/untrust")
    assert not (await present(alice)).is_trusted


async def test_only_managers_have_a_page_here(client: httpx.AsyncClient, dora: User) -> None:
    assert (await client.get(f"/admin/managers/{dora.code}")).status_code == 404
    assert (await client.post(f"/admin/managers/{dora.code}/suspend", data={"reason": "No."})).status_code == 404
    assert (await client.post("/admin/managers/nobody/suspend")).status_code == 404


async def test_the_page_of_a_manager_has_events_and_sums(client: httpx.AsyncClient, dora: User) -> None:
    booking = await paid(await an_event())
    alice = await made("alice")
    shown = (await client.get(f"/admin/managers/{alice.code}")).text
    assert "Nine Pianos" in shown
    assert booking.total_minor == 3700
    assert shown.count("€37.00") == 3
    assert [(row.about, row.details["page"]) for row in await told("admin.looked")] == [(f"user:{alice.id}", "manager")]


async def test_dora_begins_a_draft_that_belongs_to_alice(
    client: httpx.AsyncClient, dora: User, open_browser: OpenBrowser, sign_in: SignIn
) -> None:
    async with db.writing() as tx:
        alice, kind = await world.alice(tx), await world.category(tx)
    path = f"/admin/managers/{alice.code}/propose"
    assert (await client.post(path, data={"title": "Ten Pianos", "category": "none"})).status_code == 422
    answer = await client.post(path, data={"title": "Ten Pianos", "category": kind.slug})
    assert answer.headers["location"] == "/manager/events/ten-pianos/edit"
    assert 'value="Ten Pianos"' in (await client.get("/manager/events/ten-pianos/edit/basics")).text
    alices = await open_browser()
    await sign_in(alices, alice)
    assert (await alices.get("/manager/events/ten-pianos")).status_code == 200
    assert [row.by_user_id for row in await told("event.handed_over")] == [dora.id]


async def test_a_manager_adds_no_manager(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    alice = await made("alice")
    await sign_in(client, alice)
    assert (await client.post("/admin/managers", data={"email": "bob@example.com"})).status_code == 403
    assert (await client.post(f"/admin/managers/{alice.code}/suspend", data={"reason": "No."})).status_code == 403


async def test_what_cannot_be_is_said_beside_the_field(client: httpx.AsyncClient, dora: User) -> None:
    answer = await client.post("/admin/managers", data={"email": dora.email})
    assert answer.status_code == 409
    assert "a manager or an admin already" in answer.text
    assert f'value="{dora.email}"' in answer.text
    wrong = await client.post("/admin/managers", data={"email": "erin@"})
    assert wrong.status_code == 422
    assert 'value="erin@"' in wrong.text


async def test_the_number_of_events_stands_beside_each_manager(client: httpx.AsyncClient, dora: User) -> None:
    async with db.writing() as tx:
        alice = await world.alice(tx)
        await world.event(tx, manager=alice)
        await world.event(tx, manager=alice, title="Ten Pianos", state="draft")
    assert '<td class="n" data-l="Events">2</td>' in (await client.get("/admin/managers")).text


async def present(user: User) -> User:
    async with db.reading() as reader:
        found = await queries.by_id(reader, user.id or 0)
    assert found
    return found


async def made(who: str) -> User:
    async with db.writing() as tx:
        user: User = await getattr(world, who)(tx)
    return user
