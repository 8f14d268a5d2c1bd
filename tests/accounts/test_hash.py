"""Hashing is slow on purpose: it happens in a thread, never inside a writing block, and only so many wait for it."""

import asyncio
import dataclasses
import time

import pytest
from sqlmodel.ext.asyncio.session import AsyncSession

from app.accounts import flows
from app.accounts.actions import details
from app.accounts.models import User
from app.core import db
from app.core.errors import Unavailable
from app.core.settings import Settings, use
from tests import world


@pytest.mark.asvs("V11.4.2")
async def test_a_hash_is_right_for_its_password_only() -> None:
    made = await flows.hash_password("nine pianos")
    assert made.startswith("$2b$04$")
    assert await flows.is_right("nine pianos", made)
    assert not await flows.is_right("ten pianos", made)


@pytest.mark.asvs("V6.2.8", "V6.2.9")
async def test_characters_beyond_the_72nd_byte_count() -> None:
    made = await flows.hash_password("p" * 72 + "ianos")
    assert not await flows.is_right("p" * 72 + "olkas", made)


@pytest.mark.asvs("V1.1.1")
async def test_one_password_typed_on_two_keyboards_is_one_password() -> None:
    made = await flows.hash_password("Caf\u00e9 am Klavier")
    assert await flows.is_right("Cafe\u0301 am Klavier", made)


@pytest.mark.parametrize("stored", ["", "broken", "$2b$04$tooshort"])
async def test_no_password_is_right_for_an_empty_or_broken_hash(stored: str) -> None:
    assert not await flows.is_right("nine pianos", stored)


async def test_an_unknown_address_costs_as_much_as_a_known_one(settings: Settings) -> None:
    use(dataclasses.replace(settings, bcrypt_cost=9))
    made = await flows.hash_password("nine pianos")
    known = min([await seconds(made) for _ in range(3)])
    unknown = min([await seconds("") for _ in range(3)])
    assert unknown > known / 2


async def test_hashing_inside_a_writing_block_is_a_mistake_of_ours(sqlite_database: db.Database) -> None:
    async with db.writing():
        with pytest.raises(RuntimeError, match="Hashing"):
            await flows.hash_password("nine pianos")


@pytest.mark.asvs("V15.2.2")
async def test_who_comes_when_fifty_wait_is_sent_away_at_once() -> None:
    waiting = [asyncio.create_task(flows.hash_password("nine pianos")) for _ in range(flows.MOST_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await flows.hash_password("nine pianos")
    await asyncio.gather(*waiting)
    assert await flows.hash_password("nine pianos")


@pytest.mark.asvs("V6.2.8")
async def test_capital_letters_and_spaces_at_the_ends_belong_to_a_password() -> None:
    made = await flows.hash_password(" Nine pianos ")
    for other in ("Nine pianos", " nine pianos ", " Nine pianos"):
        assert not await flows.is_right(other, made)


@pytest.mark.asvs("V11.2.2", "V11.4.2")
@pytest.mark.parametrize("cost", [5, 6])
async def test_a_hash_of_another_cost_is_made_anew_by_the_right_password(
    database: db.Database, settings: Settings, cost: int
) -> None:
    bob = await made()
    use(dataclasses.replace(settings, bcrypt_cost=cost))
    with pytest.raises(flows.WrongPassword):
        await flows.prove(bob.email, "ten pianos in the sun")
    assert await stored(bob) == bob.password_hash
    proved = await flows.prove(bob.email, world.PASSWORD)
    assert await stored(bob) == proved.password_hash
    assert proved.password_hash.startswith(f"$2b${cost:02d}$")
    assert await flows.prove(bob.email, world.PASSWORD)
    assert await stored(bob) == proved.password_hash


async def test_two_logins_that_make_a_hash_anew_at_the_same_moment_both_come_in(
    database: db.Database, settings: Settings
) -> None:
    bob = await made()
    use(dataclasses.replace(settings, bcrypt_cost=5))
    proved = await asyncio.gather(*(flows.prove(bob.email, world.PASSWORD) for _ in range(2)))
    assert {user.password_hash for user in proved} == {await stored(bob)}


async def test_a_password_that_was_changed_meanwhile_is_never_overwritten_by_the_old_one(
    database: db.Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = await made()
    changed = await flows.hash_password("ten pianos in the sun")
    use(dataclasses.replace(settings, bcrypt_cost=5))
    real = flows.hash_password

    async def while_bob_changes_it(password: str) -> str:
        async with db.writing() as tx:
            (await tx.get_one(User, bob.id)).password_hash = changed
        return await real(password)

    monkeypatch.setattr(flows, "hash_password", while_bob_changes_it)
    with pytest.raises(flows.WrongPassword):
        await flows.prove(bob.email, world.PASSWORD)
    assert await stored(bob) == changed


async def test_control_without_the_guard_the_old_password_comes_back(
    database: db.Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unguarded(tx: AsyncSession, user: User, *, password_hash: str) -> bool:
        (await tx.get_one(User, user.id)).password_hash = password_hash
        return True

    monkeypatch.setattr(details, "hash_anew", unguarded)
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        await test_a_password_that_was_changed_meanwhile_is_never_overwritten_by_the_old_one(database, settings, monkeypatch)


async def test_when_too_many_wait_the_old_hash_stays_and_bob_is_in(
    database: db.Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = await made()
    use(dataclasses.replace(settings, bcrypt_cost=5))

    async def busy(_password: str) -> str:
        raise Unavailable("Many people are signing in at this moment.")

    monkeypatch.setattr(flows, "hash_password", busy)
    assert (await flows.prove(bob.email, world.PASSWORD)).id == bob.id
    assert await stored(bob) == bob.password_hash


async def made() -> User:
    async with db.writing() as tx:
        return await world.bob(tx)


async def stored(user: User) -> str:
    async with db.reading() as reader:
        return (await reader.get_one(User, user.id)).password_hash


async def seconds(password_hash: str) -> float:
    """Of the processor: how long somebody waits depends on what else it does."""
    start = time.process_time()
    await flows.is_right("ten pianos", password_hash)
    return time.process_time() - start
