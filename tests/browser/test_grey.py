"""Nothing is said by colour alone: what the look at every page (eyes.py) would find if it were so, and finds nowhere."""

import pytest

from tests.browser.grey import said_by_colour_alone
from tests.browser.pages import PAGES
from tests.browser.people import People, only_js

pytestmark = only_js

RULE = "document.styleSheets[0].insertRule({!r}, document.styleSheets[0].cssRules.length)"
RED = "color: #c00 !important; background: #fff !important; border-color: #c00 !important; font-weight: 500 !important"
TWIN = (
    "const {0} = document.querySelector('.{0}'), twin = {0}.cloneNode(true); twin.className = '{0} {0}--other'; {0}.after(twin)"
)

# The negative controls: a page, what is done to it, and what is found then.
SPOILT = {
    "events, filtered": {
        RULE.format(f".chip[aria-current] {{ {RED} }}"): "a state is a colour",
        TWIN.format("badge"): "two kinds of badge look alike",
    },
    "booking, wrong details": {
        "document.querySelectorAll('.error svg').forEach((one) => one.remove())": "an error without a sign",
        "document.querySelector('[aria-invalid]').removeAttribute('aria-describedby')": "wrong, and it does not say what",
    },
    "event, called off": {
        RULE.format("main a { text-decoration: none !important }"): "a link like its text",
        TWIN.format("notice"): "two kinds of notice look alike",
    },
    "event of a manager": {
        RULE.format(".cap-line { stroke-dasharray: none !important }"): "two lines of a chart are drawn alike"
    },
    "door, refused": {TWIN.format("verdict"): "two kinds of verdict look alike"},
}


@pytest.mark.parametrize("name", SPOILT)
async def test_whatever_were_a_colour_and_nothing_else_would_be_found(people: People, name: str):
    page = await next(look for look in PAGES if look.name == name).show(people)
    assert await said_by_colour_alone(page) == []
    for script, expected in SPOILT[name].items():
        await page.evaluate(f"() => {{ {script} }}")
        found = await said_by_colour_alone(page)
        assert any(one.startswith(expected) for one in found), (expected, found)
