"""python -m tests.simulation.model --seeds 500 --steps 200 [--start 0] [--mutant none|all|NAME]"""

import argparse
import sys
import time
from collections import Counter

from tests.simulation.model.mutants import MUTANTS
from tests.simulation.model.run import Found, run
from tests.simulation.model.shop import Shop


def live(name: str, kind: type[Shop], seeds: range, steps: int) -> bool:
    """Runs the seeds until a promise breaks, says how it went, and whether all promises held."""
    began, tally, done, found = time.perf_counter(), Counter[str](), 0, ""
    for seed in seeds:
        try:
            outcome = run(seed, steps, kind)
        except Found as wrong:
            found = str(wrong)
            break
        done += outcome.steps
        tally.update(outcome.tally)
    seconds = time.perf_counter() - began
    figures = ", ".join(f"{count} {what}" for what, count in tally.items())
    say(f"{name}: {found or 'every promise held'}")
    say(f"    {len(seeds)} seeds x {steps} steps asked, {done} steps done in {seconds:.1f} s ({done / seconds:.0f}/s): {figures}")
    if found:
        mutant = "none" if kind is Shop else name
        say(f"    again: python -m tests.simulation.model --start {seed} --seeds 1 --steps {steps} --mutant {mutant}")
    return not found


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """0 when the design held and every mutant was found."""
    asked = argparse.ArgumentParser(prog="python -m tests.simulation.model", description=__doc__)
    asked.add_argument("--seeds", type=int, default=500)
    asked.add_argument("--steps", type=int, default=200)
    asked.add_argument("--start", type=int, default=0)
    asked.add_argument("--mutant", default="none", choices=["none", "all", *MUTANTS])
    options = asked.parse_args()
    seeds = range(options.start, options.start + options.seeds)
    if options.mutant == "none":
        return 0 if live("the design", Shop, seeds, options.steps) else 1
    names = list(MUTANTS) if options.mutant == "all" else [options.mutant]
    survivors = [name for name in names if live(name, MUTANTS[name], seeds, options.steps)]
    say(f"{len(names) - len(survivors)} of {len(names)} mutants found" + (f", not: {', '.join(survivors)}" if survivors else ""))
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
