"""What a screen reader says by itself: the texts of live regions, each time that somebody would hear them."""

from playwright.async_api import Page

# Regions speak when something comes into them, as a whole unless they say otherwise (WAI-ARIA 1.2: status and alert are atomic);
# an alert speaks when it comes with its words. What is hidden is not read out. The page as it was sent speaks by other means.
LISTEN = """(() => {
  window.heard = [];
  const LIVE = '[role=status], [role=alert], [role=log], output, [aria-live]:not([aria-live=off])';
  const words = (node) => {
    if (node.nodeType === 3) return node.data;
    if (node.nodeType !== 1 || node.matches('[aria-hidden=true], template') || !node.checkVisibility()) return '';
    return [...node.childNodes].map(words).join(' ');
  };
  const whole = (region) => (region.getAttribute('aria-atomic') ?? (region.matches('[role=log]') ? 'false' : 'true')) === 'true';
  const listen = () => new MutationObserver((changes) => {
    const said = new Map();
    const hear = (region, nodes) => said.set(region, [...(said.get(region) || []), ...nodes]);
    for (const { target, type, addedNodes } of changes) {
      const nodes = type === 'characterData' ? [target] : [...addedNodes];
      const at = target.nodeType === 1 ? target : target.parentElement;
      const region = at?.closest(LIVE);
      if (at?.closest('[aria-hidden=true]')) continue;
      if (region && nodes.length) hear(region, nodes);
      else for (const node of nodes.filter((node) => node.nodeType === 1))
        for (const alert of node.matches('[role=alert]') ? [node] : node.querySelectorAll('[role=alert]')) hear(alert, [alert]);
    }
    for (const [region, nodes] of said) {
      const there = whole(region) ? [region] : nodes.filter((node) => region.contains(node));
      const text = there.map(words).join(' ').replace(/\\s+/g, ' ').trim();
      if (region.isConnected && text) window.heard.push(text);
    }
  }).observe(document, { subtree: true, childList: true, characterData: true });
  document.readyState === 'loading' ? document.addEventListener('DOMContentLoaded', listen) : listen();
})()"""


async def listen(page: Page) -> None:
    """From now on, on this page and on every one that follows."""
    await page.add_init_script(LISTEN)
    await page.evaluate(LISTEN)


async def heard(page: Page) -> list[str]:
    """What was said on this page, and forgets it."""
    said: list[str] = await page.evaluate("window.heard.splice(0)")
    return said
