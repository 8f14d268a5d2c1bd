"""python -m tests.simulation.real --database sqlite|postgresql|both --seeds N --steps N --start S --mutant NAME|all|none

With --minutes M it goes on with further seeds until the time is over, in --workers processes, after the mutants if asked for.
Ends with 1 after any violation, or when a mutant was not found.
"""

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import traceback
import warnings
from collections import Counter
from typing import Any

from tests.simulation.real.ground import GROUNDS, Ground
from tests.simulation.real.mutants import MUTANTS, Mutant, nothing
from tests.simulation.real.run import Found, run

MOST_VIOLATIONS, MOST_REPEATED = 20, 3
TELL_EVERY = 300


class Report:
    """What one process has seen on one database."""

    def __init__(self, database: str) -> None:
        self.database = database
        self.tally = Counter[str]()
        self.violations: list[str] = []
        self.began = time.perf_counter()
        self.told_at = self.began

    def line(self, seconds: float) -> str:
        rate = self.tally["steps"] / max(seconds, 0.001)
        figures = ", ".join(f"{count:,} {what}" for what, count in self.tally.items() if what not in ("seeds", "steps"))
        done = f"{self.tally['seeds']:,} seeds, {self.tally['steps']:,} steps in {seconds:.0f} s ({rate:.0f}/s)"
        return f"{self.database}: {done}: {figures}; {len(self.violations)} violations"


def say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


async def live(ground: Ground, report: Report, seed: int, options: argparse.Namespace, name: str, mutant: Mutant) -> bool:
    """One life; whether every promise held."""
    try:
        outcome = await run(seed, options.steps, ground, mutant)
    except Found as wrong:
        again = f"python -m tests.simulation.real --database {ground.name} --start {seed} --seeds 1 --steps {options.steps}"
        report.violations.append(f"{ground.name}, {name}: {wrong}\n    again: {again} --mutant {name}")
        if name == "none":
            say(report.violations[-1])
            if options.seeds == 1:
                traceback.print_exception(wrong)
        return False
    report.tally.update(seeds=1, steps=outcome.steps)
    report.tally.update(outcome.tally)
    return True


async def work(options: argparse.Namespace, worker: int) -> Report:
    """The share of one process: every so many-th seed, on its database."""
    names = list(GROUNDS) if options.database == "both" else [options.database]
    # With more processes than databases several share one, each with seeds of its own.
    ground = GROUNDS[names[worker % len(names)]]()
    report = Report(ground.name)
    step = max(1, options.workers // len(names))
    seed, end = options.start + worker // len(names), options.start + options.seeds
    until = time.perf_counter() + options.minutes * 60
    try:
        while (time.perf_counter() < until if options.minutes else seed < end) and len(report.violations) < MOST_VIOLATIONS:
            await live(ground, report, seed, options, "none", nothing)
            seed += step
            if time.perf_counter() - report.told_at > TELL_EVERY:
                report.told_at = time.perf_counter()
                say(report.line(report.told_at - report.began))
    finally:
        ground.close()
    return report


async def hunt(options: argparse.Namespace) -> int:
    """Every mutant until it is found; how many were not."""
    wanted = list(MUTANTS) if options.mutant == "all" else [options.mutant]
    ground = GROUNDS["sqlite" if options.database == "both" else options.database]()
    missed = []
    try:
        for name in wanted:
            report = Report(ground.name)
            for seed in range(options.start, options.start + options.seeds):
                if not await live(ground, report, seed, options, name, MUTANTS[name]):
                    say(f"{name}: found after {report.tally['seeds']} seeds: {report.violations[0]}")
                    break
            else:
                missed.append(name)
                say(f"{name}: NOT found in {options.seeds} seeds")
    finally:
        ground.close()
    say(f"{len(wanted) - len(missed)} of {len(wanted)} mutants found" + (f", not: {', '.join(missed)}" if missed else ""))
    return len(missed)


def all_workers(options: argparse.Namespace) -> list[Any]:
    """Starts the processes and waits for what they have seen."""
    command = [sys.executable, "-m", "tests.simulation.real", *sys.argv[1:]]
    begun = [
        subprocess.Popen([*command, "--worker", str(number)], stdout=subprocess.PIPE, text=True)
        for number in range(options.workers)
    ]
    try:
        return [json.loads(one.communicate()[0] or "null") for one in begun]
    finally:
        for one in begun:
            if one.poll() is None:
                one.terminate()


def summary(reports: list[Any]) -> int:
    """Per database what all its processes have seen together; 1 when anything was wrong, or a process has died."""
    for name in sorted({one["database"] for one in reports if one}):
        whole = Report(name)
        for one in reports:
            if one and one["database"] == name:
                whole.tally.update(one["tally"])
                whole.violations += one["violations"]
        say(whole.line(max(one["seconds"] for one in reports if one and one["database"] == name)))
        for violation in whole.violations[:MOST_REPEATED]:
            say(violation)
    if None in reports:
        say("A process ended without a report.")
    return 1 if None in reports or any(one["violations"] for one in reports) else 0


def asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.real", description=__doc__)
    parser.add_argument("--database", default="both", choices=[*GROUNDS, "both"])
    parser.add_argument("--seeds", type=int, default=120)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--mutant", default="none", choices=["none", "all", *MUTANTS])
    parser.add_argument("--minutes", type=float, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--worker", type=int, default=-1, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    options = asked()
    # Whoever ends it early leaves neither files nor a server behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order inside a set of words is drawn anew for every process; a seed has to tell the same story in all of them.
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.simulation.real", *sys.argv[1:]])
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    if options.worker < 0:
        missed = asyncio.run(hunt(options)) if options.mutant != "none" else 0
        lived = summary(all_workers(options)) if options.mutant == "none" or options.minutes else 0
        return 1 if missed or lived else 0
    report = asyncio.run(work(options, options.worker))
    seconds = time.perf_counter() - report.began
    sys.stdout.write(json.dumps(vars(report) | {"seconds": seconds}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
