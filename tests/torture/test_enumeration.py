"""The clock does not tell who has an account. How well is measured by `make torture`; here, that it would notice."""

import dataclasses
import random

import pytest

from app.accounts import flows
from app.core.settings import use
from tests import world
from tests.torture.enumeration import Times, measured, people, run_enumeration, served
from tests.torture.stand import Stand


@pytest.mark.asvs("V6.3.8")
async def test_every_door_answers_every_address(stand: Stand) -> None:
    times, _slow_machines_may_find_something = await run_enumeration(stand, requests=20, dice=random.Random(8))
    assert {len(found.known) for found in times.values()} == {len(found.unknown) for found in times.values()} == {20}
    assert stand.complaints() == []


async def test_without_the_hash_of_nothing_the_clock_tells(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control, with hashes of 15 ms and more, so that a busy machine does not hide it."""
    careful = flows.is_right

    async def in_a_hurry(password: str, password_hash: str) -> bool:
        return bool(password_hash) and await careful(password, password_hash)

    monkeypatch.setattr(flows, "is_right", in_a_hurry)
    use(dataclasses.replace(stand.settings, trusted_proxies="127.0.0.1", bcrypt_cost=9))
    monkeypatch.setattr(world, "_PASSWORD_HASH", await flows.hash_password(world.PASSWORD))
    async with served(stand):
        await people(20)
        assert (await measured(stand, "/login", 20, random.Random(8))).tells


@pytest.mark.parametrize(
    ("known", "unknown", "tells"),
    [
        ([10.0] * 50, [11.0] * 50, False),
        ([10.0] * 50, [14.0] * 50, True),
        ([10.0, 90.0] * 25, [14.0, 80.0] * 25, False),
    ],
)
def test_only_a_difference_beyond_bound_and_chance_is_a_fault(known: list[float], unknown: list[float], tells: bool) -> None:
    assert Times(known, unknown).tells == tells
