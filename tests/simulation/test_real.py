"""The application itself lives through bad days on both databases, and each of its rules is missed when it is gone.

Every day looks at other seeds and other mutants; a failure names the seed that shows it again.
`python -m tests.simulation.real` does the same for as long as one likes.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.postgres import MissingBinaries
from tests.simulation.real.ground import GROUNDS, Ground
from tests.simulation.real.mutants import MUTANTS
from tests.simulation.real.run import Found, Outcome, run

STEPS = 150
SEEDS = {"sqlite": 5, "postgresql": 2}
AT_ONCE, PATIENCE = 4, 60

# Where each mutant was found; another seed may be the first one once the application or the people have changed.
FOUND_AT = {
    "expired_by_booking": 51,
    "no_orphans": 10,
    "orphan_once": 23,
    "refund_no_key": 65,
    "seq_ids": 23,
}


def today() -> int:
    return datetime.now(UTC).toordinal()


@pytest.fixture(params=list(GROUNDS))
def ground(request: pytest.FixtureRequest) -> Iterator[Ground]:
    made = GROUNDS[request.param]()
    yield made
    made.close()


@pytest.fixture
def sqlite() -> Iterator[Ground]:
    made = GROUNDS["sqlite"]()
    yield made
    made.close()


async def lived(seed: int, ground: Ground) -> Outcome:
    try:
        return await run(seed, STEPS, ground)
    except MissingBinaries as missing:
        pytest.skip(str(missing))


async def test_the_application_keeps_every_promise(ground: Ground):
    first, lives = today() % 10_000 * 10, SEEDS[ground.name]
    tallies = [(await lived(seed, ground)).tally for seed in range(first, first + lives)]
    assert sum(tally["crashes"] for tally in tallies) > lives
    assert sum(tally["paid"] for tally in tallies) > lives


async def test_a_broken_rule_is_found(sqlite: Ground):
    names = sorted(MUTANTS)
    for number in range(today() * AT_ONCE, (today() + 1) * AT_ONCE):
        name = names[number % len(names)]
        with pytest.raises(Found):
            for seed in (FOUND_AT.get(name, 0), *range(PATIENCE)):
                await run(seed, STEPS, sqlite, MUTANTS[name])
            pytest.fail(f"{name} lives after {PATIENCE} seeds")


async def test_a_seed_tells_the_same_story_again(sqlite: Ground):
    first, again, another = [await run(seed, STEPS // 2, sqlite) for seed in (7, 7, 8)]
    assert first.trace == again.trace and first.digest == again.digest
    assert first.digest != another.digest
