"""The design of bookings and money lives through bad days, and each of its rules is missed when it is gone.

Every day looks at other seeds and other mutants; a failure names the seed that shows it again.
"""

from datetime import UTC, datetime

import pytest

from tests.simulation.model.mutants import MUTANTS
from tests.simulation.model.run import Found, run

SEEDS, STEPS = 60, 150
AT_ONCE, PATIENCE = 4, 600


def today() -> int:
    return datetime.now(UTC).toordinal()


def test_the_design_keeps_every_promise():
    first = today() % 10_000 * SEEDS
    lives = [run(seed, STEPS) for seed in range(first, first + SEEDS)]
    assert sum(life.tally["paid"] for life in lives) > SEEDS
    assert sum(life.tally["refunds"] for life in lives) > SEEDS
    assert sum(life.tally["crashes"] for life in lives) > SEEDS


def test_a_broken_rule_is_found():
    names = list(MUTANTS)
    for number in range(today() * AT_ONCE, (today() + 1) * AT_ONCE):
        name = names[number % len(names)]
        with pytest.raises(Found):
            for seed in range(PATIENCE):
                run(seed, STEPS, MUTANTS[name])
            pytest.fail(f"{name} lives after {PATIENCE} seeds")


def test_a_seed_tells_the_same_story_again():
    first, again = run(7, STEPS), run(7, STEPS)
    assert first.trace == again.trace and first.tally == again.tally
    assert run(8, STEPS).trace != first.trace
