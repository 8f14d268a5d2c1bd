# ruff: noqa: T201
"""`python -m bench` measures the shop on this machine; bench/README.md says what the numbers mean."""

import argparse
import asyncio
import json
import os
import platform
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench import measures, report
from bench.databases import databases
from bench.measures import Plan, Row, WentWrong
from bench.processes import LOG, ROOT
from tests.postgres import MissingBinaries

RESULTS = Path(__file__).parent / "results"
MEASURES = {
    "limits": measures.limits,
    "pages": measures.pages,
    "holds": measures.holds,
    "purchases": measures.purchases,
    "start": measures.start,
    "growth": measures.growth,
}


async def run(kinds: list[str], names: list[str], plan: Plan, folder: Path) -> list[Row]:
    rows: list[Row] = []
    for kind in kinds:
        async with databases(kind, folder) as made:
            for name in names:
                print(f"{kind}: {name} …", file=sys.stderr, flush=True)
                rows += await MEASURES[name](made, plan)
    return rows


def machine() -> dict[str, Any]:
    """What the numbers depend on, but for the machine's name."""
    return {
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "load_before": round(os.getloadavg()[0], 2),
        "disk": _file_system(ROOT),
    }


def _file_system(path: Path) -> str:
    """A disk in memory would make each commit free."""
    said = subprocess.run(["df", "--output=fstype", path], capture_output=True, text=True, check=False)  # noqa: S607
    return said.stdout.split()[-1] if said.stdout else "unknown"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--only", choices=MEASURES, nargs="+", help="some of the measures; growth runs only when it is named")
    parser.add_argument("--growth", action="store_true", help="also with 10,000 events and with many bookings")
    parser.add_argument("--bookings", type=int, default=Plan.bookings, help="how many of them (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=Plan.runs, help="of which the median counts (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=Plan.seconds, help="of each run (default: %(default)s)")
    parser.add_argument(
        "--save", default="latest", metavar="NAME", help="written to bench/results/NAME.json (default: %(default)s)"
    )
    return parser.parse_args()


def main() -> None:
    given = _arguments()
    names = given.only or [name for name in MEASURES if name != "growth" or given.growth]
    kinds = ["sqlite", "postgresql"] if given.database == "both" else [given.database]
    about = machine()
    LOG.write_bytes(b"")
    # Beside the shop's own data, which lie on a real disk; the folder for temporary files may lie in memory.
    (ROOT / "data").mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=ROOT / "data"))
    plan = Plan(seconds=given.seconds, runs=given.runs, warm_up=min(1, given.seconds), bookings=given.bookings)
    try:
        rows = asyncio.run(run(kinds, names, plan, folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    result = {"machine": about, "rows": [row.as_dict() for row in rows]}
    (RESULTS / f"{given.save}.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    print(report.tables(rows))


if __name__ == "__main__":
    try:
        main()
    except (WentWrong, MissingBinaries) as refused:
        sys.exit(str(refused))
