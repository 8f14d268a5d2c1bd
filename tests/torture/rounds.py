"""Rounds of all races against one server."""

from typing import Any

from tests.torture.races import (
    CROWD,
    BuyersLimit,
    DoublePay,
    LastTicket,
    OneAccount,
    OneAddress,
    OneRegistration,
    OneReset,
    OneUse,
    Race,
    Refunds,
    SecondHold,
    TwoSweeps,
    WebhooksAndLanding,
)
from tests.torture.stand import Stand, signed_in
from tests.torture.sweeping import swept

RACES: tuple[type[Race], ...] = (
    LastTicket,
    OneUse,
    BuyersLimit,
    OneAddress,
    DoublePay,
    WebhooksAndLanding,
    Refunds,
    OneReset,
    OneRegistration,
    OneAccount,
    SecondHold,
    TwoSweeps,
)


async def run_races(stand: Stand, *, rounds: int) -> dict[str, list[str]]:
    """What went wrong, by race; empty lists when nothing did. PostgreSQL is served by two processes."""
    async with stand.books():
        started = []
        for number in range(rounds):
            # Nobody may ask too often, so each round has people of its own.
            crowd = await signed_in([f"Runner{number}of{one}" for one in range(CROWD)])
            started += [race(number, crowd) for race in RACES]
        for race in started:
            await race.prepare()
    faults: dict[str, list[str]] = {race.name: [] for race in RACES} | {"afterwards": []}
    await stand.start(workers=2 if stand.kind == "postgresql" else 1)
    for race in started:
        await _noting(faults[race.name], race, race.run(stand))
    await stand.stop()
    async with stand.books():
        for race in started:
            await _noting(faults[race.name], race, race.leave(stand))
        faults["afterwards"] += await swept()
        for race in started:
            await _noting(faults[race.name], race, race.judge(stand))
        faults["afterwards"] += [*await stand.broken(), *stand.complaints()]
    return faults


async def _noting(faults: list[str], race: Race, step: Any) -> None:
    try:
        await step
    except (AssertionError, AttributeError, OSError) as fault:
        faults.append(f"round {race.number}: {type(fault).__name__}: {fault}")
