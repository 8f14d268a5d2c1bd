"""Pages hold in languages that are longer than English, and in those that are written from right to left."""

import re
from pathlib import Path

import pytest
import time_machine

from app.core.db import Database
from tests import pseudo, town
from tests.browser.conftest import open_window
from tests.browser.eyes import HEIGHTS, too_wide
from tests.conftest import whole_shop
from tests.hostile import never_too_often
from tests.stage import free_port, serving
from tests.town import Town

STYLE = Path(__file__).parents[2] / "static" / "app.css"

# What says left or right where start or end is meant. In a shorthand of four values the second is right and the fourth left.
_SIDED = (
    r"(?<![\w-])(?:margin|padding|border|inset|scroll-margin|scroll-padding)-(?:left|right)\b",
    r"(?<![\w-])(?:left|right)\s*:",
    r"(?:text-align|float|clear)\s*:\s*(?:left|right)",
    r"border-(?:top|bottom)-(?:left|right)-radius",
)
_VALUE = r"(?:[\w-]+\([^()]*\)|[^\s;}()]+)"
_FOUR = re.compile(rf"(?<![\w-])(?:margin|padding|inset)\s*:\s*{_VALUE}\s+({_VALUE})\s+{_VALUE}\s+({_VALUE})\s*[;}}]")


def sided(style: str) -> list[str]:
    """Declarations that would stay on their side in a language that is written from right to left."""
    found = [match[0] for pattern in _SIDED for match in re.finditer(pattern, style)]
    return found + [match[0] for match in _FOUR.finditer(style) if match[1] != match[2]]


def test_the_style_sheet_knows_start_and_end_and_neither_left_nor_right() -> None:
    assert sided(STYLE.read_text()) == []


def test_a_planted_side_is_found() -> None:
    planted = ".a { margin-left: 1rem; padding: 1px 2px 3px 4px; text-align: right; left: 0; inset: 0 auto 0 0 }"
    assert len(sided(planted)) == 5
    assert sided(".a { padding: 1px var(--x) 3px var(--x); margin-inline-start: 0; background-position: left top }") == []


@pytest.fixture
async def small_town(sqlite_database: Database, moment: time_machine.Traveller, tmp_path: Path) -> Town:
    return await town.opened(tmp_path / "town.db")


# By visitor, with {names} of things of the town.
PAGES = {
    "client": ["/", "/events", "/events/{event}", "/login", "/nowhere", "/bookings/{guest's booking}"],
    "bob": ["/me", "/me/tickets", "/me/notifications/preferences"],
    "alice": ["/manager", "/manager/events", *(f"/manager/events/{{event}}{desk}" for desk in
              ("", "/bookings", "/sales", "/attendees")), "/manager/events/{draft}/edit/tickets"],
    "dora": ["/admin"],
}  # fmt: skip
MIRRORED = {"client": PAGES["client"], "alice": ["/manager/events/{event}"]}


@pytest.mark.parametrize(("language", "pages"), [(pseudo.LONG, PAGES), (pseudo.MIRRORED, MIRRORED)], ids=["long", "mirrored"])
async def test_other_languages_fit_on_a_phone(
    small_town: Town, monkeypatch: pytest.MonkeyPatch, language: str, pages: dict[str, list[str]]
) -> None:
    never_too_often(monkeypatch)
    pseudo.speak(monkeypatch)
    port, found = free_port(), []
    async with serving(whole_shop(), port), open_window() as window:
        for visitor, paths in pages.items():
            context = await window.new_context(reduced_motion="reduce")
            address = f"http://127.0.0.1:{port}"
            given = {"language": language, **({"login": small_town.cookies[visitor]} if visitor in small_town.cookies else {})}
            await context.add_cookies([{"name": name, "value": value, "url": address} for name, value in given.items()])
            page = await context.new_page()
            for path in paths:
                await page.goto(address + path.format(**small_town.things))
                assert await page.locator("html").get_attribute("lang") == language, path
                for width in (320, 1280):
                    await page.set_viewport_size({"width": width, "height": HEIGHTS[width]})
                    found += [f"{path} {one}" for one in await too_wide(page, width)]
            await context.close()
    assert found == []
