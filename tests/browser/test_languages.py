"""Words are longer in other languages than in English, and phones are no wider."""

from tests.browser.people import SOFIA, People, only_js

pytestmark = only_js

BELOW = """() => { const top = css => document.querySelector(css).getBoundingClientRect().top;
  return top('.site-nav') - top('.brand') }"""


async def test_the_way_to_ones_tickets_stands_beside_the_name_of_the_shop(people: People):
    page = await people.come_back(SOFIA)
    below = {}
    for language in ("en", "fr", "it", "de", "es"):
        await page.context.add_cookies([{"name": "language", "value": language, "url": people.shop}])
        for width in (360, 390):
            await page.set_viewport_size({"width": width, "height": 844})
            await page.goto("/me/tickets")
            below[language, width] = await page.evaluate(BELOW)
    assert {where: pixels for where, pixels in below.items() if pixels > 8} == {}
