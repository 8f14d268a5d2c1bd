"""Twenty people want the same thing in the same moment, and exactly as many get it as may."""

from tests.torture.rounds import run_races
from tests.torture.stand import Stand

ROUNDS = 3


async def test_every_race_has_its_one_winner(stand: Stand) -> None:
    faults = await run_races(stand, rounds=ROUNDS)
    assert {name: found for name, found in faults.items() if found} == {}
