"""Dora helps people with their accounts: finds them, signs them out, suspends them, and never becomes them."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import httpx
import pytest
import time_machine

from app.accounts import queries
from app.accounts.actions import admins, second, sessions, suspending
from app.accounts.models import Authenticator, User, Visitor
from app.accounts.one_time import new_secret
from app.admin import people
from app.bookings import actions as bookings
from app.core import clock, db
from app.core.errors import Refused
from app.core.sealing import seal
from app.privacy import queries as privacy
from app.web.visitor import login_cookie
from tests import world
from tests.accounts.links import newest_link, told

SignIn = Callable[[httpx.AsyncClient, User], Awaitable[None]]
OpenBrowser = Callable[[], Awaitable[httpx.AsyncClient]]


@pytest.fixture
async def dora(client: httpx.AsyncClient, sign_in: SignIn) -> User:
    """Dora, signed in."""
    user = await made("Dora", role="admin")
    await sign_in(client, user)
    return user


async def made(name: str, *, role: str = "user") -> User:
    async with db.writing() as tx:
        return await world.person(tx, name, role=role)


async def present(user: User) -> User:
    async with db.reading() as reader:
        return await reader.get_one(User, user.id)


async def held(by: Visitor) -> str:
    """The reference of a booking."""
    async with db.writing() as tx:
        event = await world.event(tx)
        kind = await world.only_type(tx, event)
        booking = await bookings.hold(tx, event, {kind.id or 0: 1}, by=by, now=clock.now())
        await bookings.fill_in(tx, booking, event, email=by.email or "guest@example.com", name="Somebody", by=by)
        return booking.reference


# ---------- finding ----------


async def test_people_are_found_by_mail_name_and_booking(client: httpx.AsyncClient, dora: User) -> None:
    bob, carol = await made("Bob"), await made("Carol")
    reference = await held(Visitor(bob.id, bob.email, bob.name, "user", key="bobs"))
    for word in ("BOB@", "bob", reference.lower()):
        shown = (await client.get("/admin/users", params={"q": word})).text
        assert f"/admin/users/{bob.code}" in shown, word
        assert carol.email not in shown
    assert "No account fits" in (await client.get("/admin/users", params={"q": "%"})).text


async def test_a_guest_is_found_by_their_booking(client: httpx.AsyncClient, dora: User) -> None:
    reference = await held(Visitor(key="guests"))
    shown = (await client.get("/admin/users", params={"q": "guest@example.com"})).text
    assert reference in shown
    assert "No account fits" in shown


async def test_looking_is_written_down_and_no_secret_is_shown(client: httpx.AsyncClient, dora: User) -> None:
    bob = await made("Bob")
    shown = (await client.get(f"/admin/users/{bob.code}")).text
    await client.get("/admin/users", params={"q": "bob"})
    assert bob.password_hash not in shown
    assert [(row.about, row.by_user_id) for row in await told("admin.looked")] == [
        (f"user:{bob.id}", dora.id),
        ("users:all", dora.id),
    ]


async def test_nobody_finds_who_was_erased(client: httpx.AsyncClient, dora: User) -> None:
    bob = await made("Bob")
    wrong = await client.post(f"/admin/users/{bob.code}/erase", data={"typed": "carol@example.com"})
    assert wrong.status_code == 422
    assert "not the address of this person" in wrong.text
    answer = await client.post(f"/admin/users/{bob.code}/erase", data={"typed": "Bob@example.com"})
    assert answer.headers["location"] == "/admin/users"
    assert (await client.get(f"/admin/users/{bob.code}")).status_code == 404
    assert "erased-" not in (await client.get("/admin/users", params={"q": "erased"})).text
    assert [row.by_user_id for row in await told("account.erased")] == [dora.id]
    with pytest.raises(Refused):
        async with db.writing() as tx:
            await suspending.reinstate(tx, await tx.get_one(User, bob.id), by=dora.id)


async def test_who_has_a_live_booking_is_not_erased_yet(client: httpx.AsyncClient, dora: User) -> None:
    bob = await made("Bob")
    await held(Visitor(bob.id, bob.email, bob.name, "user", key="bobs"))
    assert "still held or being paid" in (await client.get(f"/admin/users/{bob.code}")).text
    assert (await client.post(f"/admin/users/{bob.code}/erase", data={"typed": bob.email})).status_code == 409
    assert (await present(bob)).email == bob.email


async def test_the_copy_is_for_its_owner_alone(client: httpx.AsyncClient, dora: User) -> None:
    bob = await made("Bob")
    await client.post(f"/admin/users/{bob.code}/export")
    async with db.reading() as reader:
        copy = await privacy.newest_export(reader, bob.id or 0, now=clock.now())
    assert copy
    assert (await client.get(f"/me/data/exports/{copy.code}")).status_code == 404
    assert [(row.about, row.by_user_id) for row in await told("account.export_asked")] == [(f"user:{bob.id}", dora.id)]


# ---------- suspending ----------


async def test_a_suspended_user_is_out_and_reads_why(
    client: httpx.AsyncClient, dora: User, open_browser: OpenBrowser, sign_in: SignIn
) -> None:
    bob, bobs = await made("Bob"), await open_browser()
    await sign_in(bobs, bob)
    assert (await client.post(f"/admin/users/{bob.code}/suspend", data={"reason": ""})).status_code == 422
    await client.post(f"/admin/users/{bob.code}/suspend", data={"reason": "Sold fake tickets."})
    assert (await bobs.get("/me")).status_code == 303
    assert "Sold fake tickets." in (await client.get(f"/admin/users/{bob.code}")).text
    [row] = await told("account.suspended")
    assert "fake" not in str(row.details)
    assert (await client.post(f"/admin/users/{bob.code}/suspend", data={"reason": "Again."})).status_code == 409
    await client.post(f"/admin/users/{bob.code}/reinstate")
    assert not (await present(bob)).is_disabled
    assert (await present(bob)).disabled_reason == ""


async def test_dora_cannot_suspend_herself(client: httpx.AsyncClient, dora: User) -> None:
    await made("Erin", role="admin")
    assert (await client.post(f"/admin/users/{dora.code}/suspend", data={"reason": "Tired."})).status_code == 409
    assert (await client.post(f"/admin/users/{dora.code}/end-admin")).status_code == 409


async def test_the_last_admin_stays(database: db.Database) -> None:
    dora, erin = await made("Dora", role="admin"), await made("Erin", role="admin")
    async with db.writing() as tx:
        await suspending.suspend(tx, dora, reason="Gone.", by=erin.id, now=clock.now())
    with pytest.raises(Refused, match="last admin"):
        async with db.writing() as tx:
            await suspending.suspend(tx, erin, reason="Gone.", by=dora.id, now=clock.now())
    with pytest.raises(Refused, match="last admin"):
        async with db.writing() as tx:
            await admins.end_admin(tx, erin, by=dora.id or 0, now=clock.now())


async def both_remove_each_other(*, patience: float = 0.3) -> list[bool]:
    """Two admins at the same moment; which of them could. Whoever has acted waits so many seconds for the other."""
    dora, erin = await made("Dora", role="admin"), await made("Erin", role="admin")
    looked = asyncio.Barrier(2)

    async def one(who: User, whom: User) -> bool:
        try:
            async with db.writing() as tx:
                await suspending.suspend(tx, whom, reason="Duel.", by=who.id, now=clock.now())
                async with asyncio.timeout(patience):
                    await looked.wait()
        except Refused:
            return False
        except (TimeoutError, asyncio.BrokenBarrierError):
            return await again(who, whom)
        return True

    async def again(who: User, whom: User) -> bool:
        """The other one stood in line, so waiting for them inside the block made no sense."""
        try:
            async with db.writing() as tx:
                await suspending.suspend(tx, whom, reason="Duel.", by=who.id, now=clock.now())
        except Refused:
            return False
        return True

    return list(await asyncio.gather(one(dora, erin), one(erin, dora)))


async def test_two_admins_who_suspend_each_other_leave_one(database: db.Database) -> None:
    assert sorted(await both_remove_each_other()) == [False, True]


async def test_without_the_lock_none_is_left(postgresql_database: db.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control. On SQLite one writer at a time is a lock already."""
    whole = queries.active_admins

    async def unlocked(tx: object, *, lock: bool = False) -> list[int]:
        return await whole(tx)  # type: ignore[arg-type]

    monkeypatch.setattr(admins.queries, "active_admins", unlocked)
    assert await both_remove_each_other(patience=30) == [True, True]


# ---------- roles, browsers, details ----------


async def test_a_manager_becomes_an_admin_and_one_again(client: httpx.AsyncClient, dora: User) -> None:
    alice = await made("Alice", role="manager")
    await client.post(f"/admin/users/{alice.code}/make-admin")
    assert (await present(alice)).role == "admin"
    await client.post(f"/admin/users/{alice.code}/end-admin")
    assert (await present(alice)).role == "manager"
    assert [row.details["roles"] for row in await told("manager.role_changed")] == [["manager", "admin"], ["admin", "manager"]]


async def test_a_user_does_not_become_an_admin_in_one_step(client: httpx.AsyncClient, dora: User) -> None:
    bob = await made("Bob")
    assert (await client.post(f"/admin/users/{bob.code}/make-admin")).status_code == 409
    assert (await present(bob)).role == "user"


async def test_bob_is_signed_out_everywhere(
    client: httpx.AsyncClient, dora: User, open_browser: OpenBrowser, sign_in: SignIn
) -> None:
    bob, bobs = await made("Bob"), await open_browser()
    await sign_in(bobs, bob)
    assert "Firefox on Linux" in (await client.get(f"/admin/users/{bob.code}")).text
    await client.post(f"/admin/users/{bob.code}/sign-out")
    assert (await bobs.get("/me")).status_code == 303
    assert [row.by_user_id for row in await told("account.session_ended")] == [dora.id]


async def test_a_new_address_counts_when_its_owner_opens_the_mail(client: httpx.AsyncClient, dora: User) -> None:
    bob = await made("Bob")
    await client.post(f"/admin/users/{bob.code}/details", data={"name": "Robert", "email": "robert@example.com"})
    assert (await present(bob)).name == "Robert"
    assert (await present(bob)).email == "bob@example.com"
    link = await newest_link("email")
    assert (link.email, link.user_id) == ("robert@example.com", bob.id)
    wrong = await client.post(f"/admin/users/{bob.code}/details", data={"name": "Robert", "email": "robert@"})
    assert wrong.status_code == 422
    assert 'value="robert@"' in wrong.text


# ---------- a second factor that was lost ----------


async def with_factor(user: User) -> User:
    async with db.writing() as tx:
        now = clock.now()
        tx.add(Authenticator(user_id=user.id or 0, sealed_secret=seal(new_secret()), created_at=now, confirmed_at=now))
    return user


async def has_factor(user: User) -> bool:
    async with db.reading() as reader:
        return await queries.has_second_factor(reader, user.id or 0)


async def test_one_admin_asks_and_another_takes_it_away(
    client: httpx.AsyncClient, dora: User, open_browser: OpenBrowser, sign_in: SignIn
) -> None:
    bob, erin = await with_factor(await made("Bob")), await made("Erin", role="admin")
    path = f"/admin/users/{bob.code}/second-factor"
    assert (await client.post(f"{path}/take")).status_code == 409
    await client.post(f"{path}/ask")
    assert "Another admin confirms this" in (await client.get(f"/admin/users/{bob.code}")).text
    refused = await client.post(f"{path}/take")
    assert refused.status_code == 409
    assert "one pair of eyes" in refused.text
    assert await has_factor(bob)
    erins = await open_browser()
    await sign_in(erins, erin)
    await erins.post(f"{path}/take")
    assert not await has_factor(bob)
    assert [row.by_user_id for row in await told("account.second_factor_removed")] == [erin.id]
    assert [row.about for row in await told("account.second_factor_reset_asked")] == [f"user:{bob.id}"]


async def test_a_lone_admin_waits_a_day(moment: time_machine.Traveller, client: httpx.AsyncClient, dora: User) -> None:
    bob = await with_factor(await made("Bob"))
    path = f"/admin/users/{bob.code}/second-factor"
    await client.post(f"{path}/ask")
    refused = await client.post(f"{path}/take")
    assert refused.status_code == 409
    assert "a day passes" in refused.text
    moment.shift(timedelta(hours=24))
    await sign_in_again(client, dora)
    await client.post(f"{path}/take")
    assert not await has_factor(bob)


async def sign_in_again(client: httpx.AsyncClient, user: User) -> None:
    async with db.writing() as tx:
        session_id = await sessions.log_in(tx, user, device="", now=clock.now())
    client.cookies.set("login", login_cookie(session_id, user.role).value or "", domain="testserver.local", path="/")


async def test_the_wish_can_be_withdrawn(client: httpx.AsyncClient, dora: User) -> None:
    bob = await with_factor(await made("Bob"))
    path = f"/admin/users/{bob.code}/second-factor"
    await client.post(f"{path}/ask")
    assert (await client.post(f"{path}/ask")).status_code == 409
    await client.post(f"{path}/keep")
    assert (await client.post(f"{path}/keep")).status_code == 409
    assert await has_factor(bob)


async def test_nobody_takes_their_own_away_here(client: httpx.AsyncClient, dora: User) -> None:
    await with_factor(dora)
    assert (await client.post(f"/admin/users/{dora.code}/second-factor/ask")).status_code == 409


async def test_there_is_nothing_to_take_away(client: httpx.AsyncClient, dora: User) -> None:
    bob = await made("Bob")
    refused = await client.post(f"/admin/users/{bob.code}/second-factor/ask")
    assert refused.status_code == 409
    assert "no second factor" in refused.text


# ---------- who may ----------


async def test_what_matters_is_asked_of_somebody_who_proved_it_lately(
    moment: time_machine.Traveller, client: httpx.AsyncClient, dora: User
) -> None:
    bob = await made("Bob")
    moment.shift(timedelta(minutes=11))
    answer = await client.post(f"/admin/users/{bob.code}/suspend", data={"reason": "Quick."})
    assert answer.headers["location"].startswith("/login/again")
    assert not (await present(bob)).is_disabled


def test_the_operator_needs_nobody_else() -> None:
    """`python main.py reset-second-factor` calls this one, by nobody."""
    assert second.reset.__kwdefaults__ == {"by": None}


async def test_every_row_of_the_people_is_read(database: db.Database) -> None:
    """On both databases: searching folds letters the same way."""
    await made("Bob")
    async with db.reading() as reader:
        for word in ("BOB", "b_b", "o%b"):
            found = await people.find(reader, word)
            assert [user.name for user in found.users] == (["Bob"] if word == "BOB" else [])
