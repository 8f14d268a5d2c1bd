"""Eight hundred attempts on eighty places of each kind: the last place goes, and not one more."""

import random

from tests.torture.oversell import run_storm
from tests.torture.stand import Stand


async def test_a_storm_takes_exactly_what_there_is(stand: Stand) -> None:
    storm = await run_storm(stand, attempts=800, capacity=80, dice=random.Random(5))
    assert storm.faults == []
    assert [held + sold for held, sold in storm.stock] == [80] * 6
