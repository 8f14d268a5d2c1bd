"""With the defence off, nearly every round goes wrong: the races would notice."""

from app.core.db import Database
from tests.torture.controls import run_controls

ROUNDS = 10
ENOUGH = 0.9


async def test_every_race_is_lost_without_its_defence(database: Database) -> None:
    wrong = await run_controls(rounds=ROUNDS)
    assert {name: share for name, share in wrong.items() if share < ENOUGH} == {}
