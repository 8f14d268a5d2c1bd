# ruff: noqa: T201
"""`python -m bench.lab` opens pages as a phone in a slow network does: when the largest part of a page is drawn (LCP), what
moves meanwhile (CLS), and how long a tap waits for its answer (INP). Wants Chromium; bench/README.md has the table."""

import argparse
import asyncio
import os
import statistics
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, CDPSession, Page

from tests.browser.conftest import open_shop, open_window
from tests.browser.lab import LAB, MOVED, arrive, looks, seen
from tests.browser.looks import Look
from tests.browser.people import People

# How many times slower than this machine the phone is.
SLOWER = 4
MOST_LCP_SECONDS, MOST_INP_MS = 1.5, 200
# What a finger does on a page that does something at once; elsewhere it opens the menu.
TAPS = {"event": ".qty label:nth-child(2)", "events": ".fold summary", "door": "#door button"}
MENU = "summary[aria-label=Menu]"


@dataclass(frozen=True)
class Visit:
    """Seconds, milliseconds and kB; `again` is the LCP of somebody who has been there before."""

    requests: int
    kb: float
    lcp: float
    cls: float
    inp: float
    again: float
    moved: list[str]


async def visit(look: Look, shop: str, window: Browser) -> Visit:
    async with AsyncExitStack() as open_ones:
        page, panel, address = await arrive(People(shop, window, javascript=True, open_ones=open_ones), look)
        await panel.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        sizes = _watched(panel)
        first = await _opened(page, address)
        requests, kb = len(sizes), sum(sizes) / 1000
        await page.locator(TAPS.get(look.name, MENU)).first.click()
        await page.wait_for_timeout(1500)
        inp = (await seen(page))["inp"]
        again = await _opened(page, address)
        moved = [*first["moved"], *again["moved"]]
        return Visit(requests, kb, first["lcp"] / 1000, first["cls"] + again["cls"], inp, again["lcp"] / 1000, moved)


def _watched(panel: CDPSession) -> list[int]:
    """Fills with the bytes of each answer that comes over the network."""
    sizes: list[int] = []

    def came(said: dict[str, Any]) -> None:
        if said["encodedDataLength"]:
            sizes.append(said["encodedDataLength"])

    panel.on("Network.loadingFinished", came)
    return sizes


async def _opened(page: Page, address: str) -> dict[str, Any]:
    await page.goto(address, wait_until="load")
    await page.wait_for_timeout(1500)
    return await seen(page)


def line(name: str, visits: list[Visit]) -> str:
    """The median visit, number by number; of what moved the most, because nothing may."""
    lcp, inp, again = (statistics.median(getattr(one, field) for one in visits) for field in ("lcp", "inp", "again"))
    cls = max(one.cls for one in visits)
    kept = "yes" if lcp <= MOST_LCP_SECONDS and inp <= MOST_INP_MS and cls < MOVED else "no"
    last = visits[-1]
    return f"| {name} | {last.requests} | {last.kb:.1f} | {lcp:.2f} | {again:.2f} | {cls:.4f} | {inp:.0f} | {kept} |"


async def run(names: list[str], runs: int) -> None:
    moved: set[str] = set()
    print("| page | requests | kB | LCP s | LCP again s | CLS | INP ms | kept |\n|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as data, open_shop(Path(data), LOOKS_PER_MINUTE="100000") as shop:
        async with open_window() as window:
            for look in (look for look in looks() if look.name in names):
                visits = [await visit(look, shop, window) for _run in range(runs)]
                print(line(look.name, visits), flush=True)
                moved |= {f"{look.name}: {part}" for one in visits for part in one.moved}
    print("".join(f"\nmoved on {part}" for part in sorted(moved)))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.lab", description=__doc__)
    parser.add_argument("--only", choices=LAB, nargs="+", default=LAB, metavar="PAGE", help=f"some of: {'; '.join(LAB)}")
    parser.add_argument("--runs", type=int, default=3, help="of which the median counts (default: %(default)s)")
    given = parser.parse_args()
    print(f"Load of the machine before: {os.getloadavg()[0]:.2f}\n")
    asyncio.run(run(list(given.only), given.runs))


if __name__ == "__main__":
    main()
