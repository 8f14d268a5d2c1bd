"""What an eye would find wrong with a page: narrow and wide, light and dark."""

from pathlib import Path
from typing import Any

from playwright.async_api import Page

from tests.browser.grey import said_by_colour_alone

AXE = (Path(__file__).parent / "axe-4.14.1.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

# The dark pages differ from the light ones in nothing but colours, and these are the rules that read colours.
COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}

WIDER = """() => {
  const wide = document.documentElement.scrollWidth;
  const out = one => one.getBoundingClientRect().right > innerWidth + 1 || one.scrollWidth > innerWidth;
  const some = [...document.body.querySelectorAll('*')].filter(out).slice(0, 5).map(one => one.outerHTML.slice(0, 120));
  return wide <= innerWidth ? [] : [`the page is ${wide} wide`, ...some];
}"""

# Controls that are too small for a thumb. A link in a sentence may be as high as its line; a hidden radio has a label.
SMALL = """() => [...document.querySelectorAll('button, select, textarea, summary, .button, input')]
  .filter(one => one.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && !one.closest('.sr, iframe'))
  .filter(one => !['checkbox', 'radio', 'hidden', 'range'].includes(one.type))
  .map(one => [one, one.getBoundingClientRect()])
  .filter(([_one, box]) => box.width > 0 && Math.min(box.height, box.width) < 43.5)
  .map(([one, box]) => `${Math.round(box.width)} × ${Math.round(box.height)}: ${one.outerHTML.slice(0, 160)}`)"""

# What is said at a field and not in the summary, or the other way round; and a title that does not say that there is a problem.
UNSAID = """() => {
  const words = (all, drop) => [...document.querySelectorAll(all)].map(one => {
    const copy = one.cloneNode(true); copy.querySelectorAll('.sr').forEach(x => x.remove()); return copy.textContent.trim() });
  const above = words('#errors li'), beside = words('.error');
  const faults = beside.filter(one => one && !above.includes(one)).map(one => `not in the summary: ${one}`);
  if (above.length && !document.title.startsWith('Error')) faults.push(`the title is ${document.title}`);
  const at = document.activeElement;
  if (above.length && at.id !== 'errors') faults.push(`the focus is at ${at.outerHTML.slice(0, 80)}`);
  return faults }"""

# The shape of a ticket belongs to the one button that leads towards a ticket.
STUBS = """() => { const all = [...document.querySelectorAll('.btn--ticket')].filter(one => one.checkVisibility());
  return all.length < 2 ? [] : [`${all.length} buttons have the shape of a ticket`] }"""

HEIGHTS = {320: 640, 390: 844, 1280: 900}


async def faults_of(page: Page) -> list[str]:
    """No violation that axe-core finds, nothing wider than the window, and nothing said by colour alone."""
    await page.evaluate(AXE)
    faults = [*await unsaid(page), *await page.evaluate(STUBS)]
    for width, height in HEIGHTS.items():
        await page.set_viewport_size({"width": width, "height": height})
        faults += await too_wide(page, width)
        if width == 320:
            continue
        faults += [f"{width} small: {one}" for one in await page.evaluate(SMALL)]
        for scheme, rules in (("light", RULES), ("dark", COLOURS)):
            await page.emulate_media(color_scheme=scheme)
            faults += [f"{width} {scheme}: {fault}" for fault in await violations(page, rules)]
            # A page has the same states at each width, so one look in each scheme is enough.
            if (width == 390) == (scheme == "light"):
                faults += [f"{width} {scheme}: {fault}" for fault in await said_by_colour_alone(page)]
    return faults


async def unsaid(page: Page) -> list[str]:
    """What of the errors is said in one place only. A swap brings the errors a moment before the title and the focus."""
    faults: list[str] = []
    for _ in range(20):
        faults = await page.evaluate(UNSAID)
        if not faults:
            break
        await page.wait_for_timeout(100)
    return faults


async def violations(page: Page, rules: Any = RULES) -> list[str]:
    """What axe-core finds. The mail in a frame is a page of its own, with the mail's own style."""
    # Buttons fade from one scheme to the other; what counts is how they end.
    await page.evaluate("document.getAnimations().forEach(animation => animation.finish())")
    found: dict[str, Any] = await page.evaluate(
        "rules => axe.run({ exclude: ['iframe'] }, { runOnly: rules, iframes: false, resultTypes: ['violations'] })", rules
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
