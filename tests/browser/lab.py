"""A phone in a slow network that comes to a page for the first time: how soon it shows the page, and what moves. For
tests/browser/test_stay_put.py, which asks that nothing does, and for `python -m bench.lab`, which takes the time."""

from typing import Any

from playwright.async_api import CDPSession, Page

from tests.browser.looks import Look
from tests.browser.pages import PAGES
from tests.browser.people import People

PHONE = {"width": 390, "height": 844}
# 1.6 Mbit/s down, 750 kbit/s up, 150 ms there and back.
SLOW = {"offline": False, "latency": 150, "downloadThroughput": 200_000, "uploadThroughput": 93_750}

# From here on a layout shift score is not 0.00 any more.
MOVED = 0.005

# One page of each kind that people wait for.
LAB = (
    "home", "events", "event", "booking, details", "booking, paid", "ticket", "sign in", "my tickets", "event of a manager",
    "the section basics", "door", "desk of an admin",
)  # fmt: skip

# Milliseconds until the largest part was drawn and of the slowest answer to a hand; how far what was there moved, and what.
WATCH = """window.lab = { lcp: 0, cls: 0, inp: 0, moved: [] };
  const watch = (type, note, more) => new PerformanceObserver((list) => list.getEntries().forEach(note))
    .observe({ type, buffered: true, ...more });
  watch('largest-contentful-paint', (one) => { lab.lcp = one.startTime });
  watch('layout-shift', (one) => { if (one.hadRecentInput) return;
    lab.cls += one.value;
    for (const { node, previousRect: was, currentRect: is } of one.sources) {
      const what = (node?.outerHTML || node?.data || '').slice(0, 99);
      lab.moved.push(`${is.x - was.x}, ${is.y - was.y} px, ${one.startTime | 0} ms: ${what}`);
    }
  });
  watch('event', (one) => { if (one.interactionId) lab.inp = Math.max(lab.inp, one.duration) }, { durationThreshold: 16 })"""


def looks() -> list[Look]:
    return [look for look in PAGES if look.name in LAB]


async def arrive(people: People, look: Look) -> tuple[Page, CDPSession, str]:
    """A browser that has seen nothing of the shop but may open the page: it, its strings to pull, and the page's address."""
    there = await look.show(people)
    cookies: list[Any] = list(await there.context.cookies())
    page = await people.open(**PHONE)
    await page.context.add_cookies(cookies)
    await page.add_init_script(WATCH)
    panel = await page.context.new_cdp_session(page)
    await panel.send("Network.enable")
    await panel.send("Network.emulateNetworkConditions", SLOW)
    return page, panel, there.url


async def seen(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = await page.evaluate("window.lab")
    return found
