"""Every page, narrow and wide, light and dark: no violation that axe-core finds, and nothing wider than the window."""

import pytest

from tests.browser.eyes import faults_of
from tests.browser.pages import PAGES, Look
from tests.browser.people import People, only_js


@only_js
@pytest.mark.parametrize("look", PAGES, ids=lambda look: look.name)
async def test_a_page_is_accessible_and_fits(people: People, look: Look):
    faults = await faults_of(await look.show(people))
    assert not faults, "\n".join(faults)


def test_every_look_has_a_name_of_its_own():
    names = [look.name for look in PAGES]
    assert not [name for name in names if names.count(name) > 1]
