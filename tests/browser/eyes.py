"""What an eye would find wrong with a page: narrow and wide, light and dark."""

from pathlib import Path
from typing import Any

from playwright.async_api import Page

AXE = (Path(__file__).parent / "axe-4.14.1.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

WIDER = """() => {
  const wide = document.documentElement.scrollWidth;
  const out = one => one.getBoundingClientRect().right > innerWidth + 1 || one.scrollWidth > innerWidth;
  const some = [...document.body.querySelectorAll('*')].filter(out).slice(0, 5).map(one => one.outerHTML.slice(0, 120));
  return wide <= innerWidth ? [] : [`the page is ${wide} wide`, ...some];
}"""

HEIGHTS = {320: 640, 390: 844, 1280: 900}


async def faults_of(page: Page) -> list[str]:
    """No violation that axe-core finds, and nothing wider than the window."""
    await page.evaluate(AXE)
    faults = []
    for width, height in HEIGHTS.items():
        await page.set_viewport_size({"width": width, "height": height})
        faults += await too_wide(page, width)
        if width == 320:
            continue
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            faults += [f"{width} {scheme}: {fault}" for fault in await violations(page)]
    return faults


async def violations(page: Page) -> list[str]:
    """What axe-core finds. The mail in a frame is a page of its own, with the mail's own style."""
    # Buttons fade from one scheme to the other; what counts is how they end.
    await page.evaluate("document.getAnimations().forEach(animation => animation.finish())")
    found: dict[str, Any] = await page.evaluate(
        "rules => axe.run({ exclude: ['iframe'] }, { runOnly: rules, iframes: false, resultTypes: ['violations'] })", RULES
    )
    return [
        f"{fault['id']}: {node['html'][:200]} ({node['failureSummary'][:300]})"
        for fault in found["violations"]
        for node in fault["nodes"]
    ]


async def too_wide(page: Page, width: int) -> list[str]:
    """Elements that make the page scroll sideways."""
    over: list[str] = await page.evaluate(WIDER)
    return [f"{width}: {one}" for one in over]
