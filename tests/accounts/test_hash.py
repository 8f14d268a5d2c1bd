"""Hashing is slow on purpose: it happens in a thread, never inside a writing block, and only so many wait for it."""

import asyncio
import dataclasses

import pytest

from app.accounts import flows
from app.core import db
from app.core.errors import Unavailable
from app.core.settings import Settings, use


async def test_a_hash_is_right_for_its_password_only() -> None:
    made = await flows.hash_password("nine pianos")
    assert made.startswith("$2b$04$")
    assert await flows.is_right("nine pianos", made)
    assert not await flows.is_right("ten pianos", made)


async def test_characters_beyond_the_72nd_byte_count() -> None:
    made = await flows.hash_password("p" * 72 + "ianos")
    assert not await flows.is_right("p" * 72 + "olkas", made)


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


async def test_who_comes_when_fifty_wait_is_sent_away_at_once() -> None:
    waiting = [asyncio.create_task(flows.hash_password("nine pianos")) for _ in range(flows.MOST_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await flows.hash_password("nine pianos")
    await asyncio.gather(*waiting)
    assert await flows.hash_password("nine pianos")


async def seconds(password_hash: str) -> float:
    loop = asyncio.get_running_loop()
    start = loop.time()
    await flows.is_right("ten pianos", password_hash)
    return loop.time() - start
