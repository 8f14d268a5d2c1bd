"""The large torture: `make torture ARGS="--kills 100 --rounds 200"`. Prints a short report; ends with 1 when anything went wrong.

python -m tests.torture --database both --only races,kills --seed 7
"""

import argparse
import asyncio
import random
import sys
import time
import warnings
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from statistics import median

from app.core import logs
from tests.torture.controls import run_controls
from tests.torture.enumeration import run_enumeration
from tests.torture.kills import run_kills
from tests.torture.letters import run_letters
from tests.torture.oversell import CLIENTS, run_storm
from tests.torture.races import CROWD
from tests.torture.rounds import RACES, run_races
from tests.torture.stand import DATABASES, Fresh, fresh_stands

# The sandbox's mailbox keeps a limited number of mails, so many rounds go in several batches.
ROUNDS_AT_ONCE = 40
ENOUGH = 0.9

# Prints its figures and gives what went wrong.
Part = Callable[[Fresh, str, argparse.Namespace], Awaitable[list[str]]]


async def races(fresh: Fresh, kind: str, chosen: argparse.Namespace) -> list[str]:
    faults: Counter[str] = Counter()
    examples = []
    for first in range(0, chosen.rounds, ROUNDS_AT_ONCE):
        async with fresh.stand(kind) as stand:
            found = await run_races(stand, rounds=min(ROUNDS_AT_ONCE, chosen.rounds - first))
        faults.update({name: len(wrong) for name, wrong in found.items()})
        examples += [f"{name}: {fault}" for name, wrong in found.items() for fault in wrong]
    for race in RACES:
        say(f"    {race.name:<32} {chosen.rounds - faults[race.name]:>5} of {chosen.rounds} rounds right, {CROWD} at once")
    return examples


async def controls(fresh: Fresh, kind: str, chosen: argparse.Namespace) -> list[str]:
    async with fresh.stand(kind) as stand, stand.books():
        wrong = await run_controls(rounds=chosen.rounds)
    for name, share in wrong.items():
        say(f"    without its defence: {name:<24} {share:>7.1%} of {chosen.rounds} rounds wrong")
    return [f"{name} is noticed in {share:.0%} of the rounds only" for name, share in wrong.items() if share < ENOUGH]


async def oversell(fresh: Fresh, kind: str, chosen: argparse.Namespace) -> list[str]:
    async with fresh.stand(kind) as stand:
        storm = await run_storm(stand, attempts=chosen.attempts, capacity=chosen.capacity, dice=chosen.dice)
    say(f"    {chosen.attempts} attempts by {CLIENTS} clients on six times {chosen.capacity} places in {storm.seconds:.0f} s")
    say(f"    held and sold: {storm.stock}; answers: {dict(storm.statuses)}; p99 of a hold {storm.p99:.0f} ms")
    return storm.faults


async def letters(fresh: Fresh, kind: str, chosen: argparse.Namespace) -> list[str]:
    async with fresh.stand(kind) as stand:
        outcome = await run_letters(stand, number=chosen.bookings, dice=chosen.dice)
    answers = {f"{letter} {status}": count for (letter, status), count in sorted(outcome.answers.items())}
    say(f"    {outcome.bookings} bookings, {sum(outcome.letters.values())} webhooks: {answers}")
    say(f"    {outcome.paid} paid in the end, {outcome.refunded_minor / 100:.2f} went back; p99 {outcome.p99:.0f} ms")
    return outcome.faults


async def kills(fresh: Fresh, kind: str, chosen: argparse.Namespace) -> list[str]:
    async with fresh.stand(kind) as stand:
        havoc = await run_kills(stand, kills=chosen.kills, dice=chosen.dice)
    say(f"    {chosen.kills} kills {dict(havoc.kills)}; slowest restart {max(havoc.restarts, default=0):.1f} s")
    say(f"    acknowledged: {havoc.journal}")
    say(f"    the first sweeps afterwards took {havoc.sweeping:.1f} s")
    return havoc.faults


async def enumeration(fresh: Fresh, kind: str, chosen: argparse.Namespace) -> list[str]:
    async with fresh.stand(kind) as stand:
        times, faults = await run_enumeration(stand, requests=chosen.addresses, dice=chosen.dice)
    for door, found in times.items():
        say(f"    {door:<20} median {median(found.known):6.2f} ms with an account, {median(found.unknown):6.2f} ms without one")
    return faults


PARTS: dict[str, Part] = {
    "races": races,
    "controls": controls,
    "oversell": oversell,
    "letters": letters,
    "enumeration": enumeration,
    "kills": kills,
}


async def torture(chosen: argparse.Namespace) -> int:
    """How many faults were found."""
    number = 0
    async with fresh_stands() as fresh:
        for kind in DATABASES if chosen.database == "both" else (chosen.database,):
            for name in chosen.only.split(","):
                say(f"{datetime.now(UTC):%H:%M:%S}  {name} on {kind}")
                began = time.perf_counter()
                faults = await PARTS[name](fresh, kind, chosen)
                say(f"    {len(faults) or 'no'} faults in {time.perf_counter() - began:.0f} s")
                for fault in faults[:20]:
                    say(f"    ! {fault}")
                number += len(faults)
    return number


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make torture ARGS=…", description="Tortures the shop and reports what broke.")
    parser.add_argument("--database", choices=(*DATABASES, "both"), default="both")
    parser.add_argument("--only", default=",".join(PARTS), help="some of: " + ",".join(PARTS))
    parser.add_argument("--rounds", type=int, default=200, help="rounds of every race and every control")
    parser.add_argument("--attempts", type=int, default=5000, help="attempts of the storm on a sale")
    parser.add_argument("--capacity", type=int, default=500, help="places of each of its three kinds on each of two evenings")
    parser.add_argument("--bookings", type=int, default=1000, help="bookings in the storm of webhooks")
    parser.add_argument(
        "--addresses", type=int, default=200, help="addresses with an account, and as many without, at every door"
    )
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=None, help="the dice of an earlier run, which is printed")
    chosen = parser.parse_args()
    if unknown := set(chosen.only.split(",")) - set(PARTS):
        parser.error(f"--only knows {', '.join(PARTS)}; not {', '.join(unknown)}")
    return chosen


if __name__ == "__main__":
    arguments_given = arguments()
    seed = arguments_given.seed if arguments_given.seed is not None else random.randrange(1_000_000)
    arguments_given.dice = random.Random(seed)
    logs.configure("text")
    warnings.simplefilter("ignore")
    say(f"seed {seed}")
    sys.exit(1 if asyncio.run(torture(arguments_given)) else 0)
