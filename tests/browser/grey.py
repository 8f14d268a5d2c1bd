"""What a page says by colour alone, so that nobody who sees no colours would know it."""

from typing import Any

from playwright.async_api import Page

# Of any colour that CSS can write: how light it is, whether nothing is seen of it, how far two are apart (WCAG's contrast). And
# on what ground an element stands; that of a stub or of a button in its shape is drawn before it.
COLOURS = """
  const pen = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  const light = (colour) => {
    pen.clearRect(0, 0, 1, 1); pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...pen.getImageData(0, 0, 1, 1).data].map((v) => v < 11 ? v / 3294.6 : ((v / 255 + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const clear = (colour) => colour === 'transparent' || /^rgba.*, 0\\)$|\\/ 0\\)$/.test(colour);
  const ground = (one) => {
    for (; one; one = one.parentElement) {
      const before = getComputedStyle(one, '::before'), own = getComputedStyle(one).backgroundColor;
      if (!clear(own)) return own;
      if (!clear(before.backgroundColor) && parseFloat(before.width) >= one.offsetWidth * .9) return before.backgroundColor;
    }
    return 'white';
  };
  const ratio = (a, b) => (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
"""

# A state is looked at twice: as it is and with its attribute taken away. When the colours differ, so must the lightness, 3 to 1
# at least, or a mark: weight, line, border, icon, words. What has kinds, by a class, has another icon or other words for each.
GREY = (
    f"() => {{ {COLOURS}"
    + """
  const isSeen = (one) => one.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  const icons = (one) => [...one.querySelectorAll('svg')].map((svg) =>
    [svg.querySelector('use')?.getAttribute('href')?.split('#')[1], getComputedStyle(svg).fill === 'none'].join());
  const words = (one) => { const copy = one.cloneNode(true);
    copy.querySelectorAll('.sr, svg').forEach((part) => part.remove()); return copy.textContent.replace(/\\s+/g, ' ').trim() };
  const style = (one, part) => { const all = getComputedStyle(one, part); return {
    colours: [all.color, ground(one), all.borderTopColor, all.borderBottomColor].map((each) => clear(each) ? ground(one) : each),
    marks: [all.fontWeight, all.textDecorationLine, all.textDecorationThickness, all.borderTopWidth, all.borderTopStyle,
      all.outlineStyle, all.content, ...icons(one), words(one)].join('|') } };
  const name = (one) => one.outerHTML.replace(/\\s+/g, ' ').slice(0, 120);
  const faults = [];

  const compare = (shown, take, back) => {
    const [on, onAfter] = [style(shown), style(shown, '::after').marks];
    take();
    const [off, offAfter] = [style(shown), style(shown, '::after').marks];
    back();
    if (on.colours.join() === off.colours.join() || on.marks !== off.marks || onAfter !== offAfter) return;
    if (!on.colours.some((colour, number) => ratio(light(colour), light(off.colours[number])) >= 3))
      faults.push(`a state is a colour: ${name(shown)}`);
  };
  for (const [attribute, value] of [['aria-current', null], ['aria-pressed', 'false'], ['aria-selected', 'false']])
    for (const one of document.querySelectorAll(`[${attribute}]:not([${attribute}=false])`)) {
      const was = one.getAttribute(attribute);
      if (isSeen(one)) compare(one, () => value === null ? one.removeAttribute(attribute) : one.setAttribute(attribute, value),
        () => one.setAttribute(attribute, was));
    }
  // A radio or a box of the browser's own shows itself that it is chosen.
  for (const one of document.querySelectorAll('input:checked')) {
    const shown = one.nextElementSibling;
    if (!isSeen(one) && shown && isSeen(shown)) compare(shown, () => { one.checked = false }, () => { one.checked = true });
  }

  // What has several kinds: the same words and the same icon are the same kind. The words of a notice are always its own.
  const drawn = (part) => [...document.querySelectorAll(part),
    ...[...document.querySelectorAll('template')].flatMap((one) => [...one.content.querySelectorAll(part)])];
  for (const [part, speaks] of [['badge', true], ['verdict', true], ['notice', false]]) {
    const kinds = {};
    for (const one of drawn('.' + part)) {
      const kind = [...one.classList].filter((each) => each.startsWith(part + '--')).join(), icon = icons(one)[0] || '';
      const shape = speaks ? icon + words(part === 'verdict' ? one.querySelector('h2') : one) : icon;
      if ((kinds[shape] ??= kind) !== kind) faults.push(`two kinds of ${part} look alike: ${name(one)}`);
    }
  }

  for (const one of document.querySelectorAll('.error'))
    if (words(one) && !icons(one).length) faults.push(`an error without a sign: ${name(one)}`);
  for (const one of document.querySelectorAll('[aria-invalid=true]')) {
    const said = (one.getAttribute('aria-describedby') || '').split(' ').map((id) => document.getElementById(id));
    if (isSeen(one) && !said.some((each) => each && isSeen(each) && words(each)))
      faults.push(`wrong, and it does not say what: ${name(one)}`);
  }
  for (const one of document.querySelectorAll('main a[href]')) {
    const around = one.parentElement, mine = getComputedStyle(one);
    const isInText = [...around.childNodes].some((node) => node.nodeType === 3 && /\\p{L}/u.test(node.data));
    if (!isInText || !isSeen(one) || mine.textDecorationLine.includes('underline') || icons(one).length) continue;
    if (mine.fontWeight === getComputedStyle(around).fontWeight && mine.borderTopStyle === 'none')
      faults.push(`a link like its text: ${name(one)}`);
  }
  for (const plot of document.querySelectorAll('.plot')) {
    const lines = [...plot.querySelectorAll('.series, .cap-line')].map((one) => getComputedStyle(one).strokeDasharray);
    if (new Set(lines).size < lines.length) faults.push('two lines of a chart are drawn alike');
    if (!plot.querySelector('title')?.textContent.trim()) faults.push('a chart without words');
  }
  return faults;
}"""
)


async def said_by_colour_alone(page: Page) -> list[str]:
    faults: list[Any] = await page.evaluate(GREY)
    return faults
