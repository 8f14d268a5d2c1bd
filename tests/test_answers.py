"""What every answer says about itself: its type, its charset, whether it is a file, and that other sites may not read it."""

from pathlib import Path
from typing import Any

import httpx
import pytest
import time_machine

from app.core.db import Database
from tests import town
from tests.conftest import whole_shop
from tests.routes import ALLOWED, RULES, Rule
from tests.town import VISITORS, Town

# What a browser shows as a page, and what it may only use where it belongs or keep as a file.
PAGES = "text/html; charset=utf-8"
PARTS = {"image/svg+xml", "image/webp", "image/png", "font/woff2", "text/css; charset=utf-8", "text/javascript; charset=utf-8"}
# A type of these has no charset, or says it inside.
TOLD = ("application/json", "application/xml", "application/atom+xml", "text/plain", "text/calendar", "text/event-stream")
BYTES = ("application/pdf", "application/zip", "image/", "font/")

READ = [rule for rule in RULES if rule.method == "GET" and ALLOWED in rule.group]


@pytest.fixture(scope="module")
def kept_town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("town") / "town.db"


@pytest.fixture
async def small_town(sqlite_database: Database, moment: time_machine.Traveller, kept_town: Path) -> Town:
    return await town.opened(kept_town)


async def answer_to(rule: Rule, a_town: Town, **headers: str) -> httpx.Response:
    """The answer for the last visitor who may have it, who has most rights."""
    visitor = [name for name, what in zip(VISITORS, rule.group, strict=True) if what == ALLOWED][-1]
    async with a_town.browser(whole_shop(), visitor, **headers) as browser:
        return await browser.get(rule.path(a_town, visitor))


@pytest.mark.asvs("V4.1.1", "V3.2.1", "V3.4.2")
@pytest.mark.parametrize("rule", READ, ids=str)
async def test_every_page_and_file_says_what_it_is_and_nobody_else_may_read_it(small_town: Town, rule: Rule) -> None:
    answer = await answer_to(rule, small_town, Origin="https://evil.example")
    assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert answer.headers["x-content-type-options"] == "nosniff"
    if answer.status_code not in (200, 410):
        return
    kind = answer.headers["content-type"]
    # JSON is UTF-8 and nothing else, so its type names no charset.
    assert "charset=utf-8" in kind or kind.startswith((*BYTES, "application/json")), kind
    if kind == PAGES:
        assert answer.content.startswith((b"<!doctype html>", b"<")), "a page, or a part of one"
    elif kind not in PARTS:
        assert kind.startswith(TOLD) or ("filename=" in answer.headers.get("content-disposition", "")), kind


@pytest.mark.asvs("V4.1.1")
@pytest.mark.parametrize("path", ["app.css", "app.js", "icons.svg"])
async def test_our_files_say_what_they_are(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(f"/static/{path}")
    assert answer.headers["content-type"] in PARTS
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.asvs("V3.4.2", "V3.5.2")
async def test_a_preflight_from_elsewhere_is_granted_nothing(client: httpx.AsyncClient) -> None:
    asked: dict[str, Any] = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    answer = await client.request("OPTIONS", "/login", headers=asked)
    assert not [name for name in answer.headers if name.startswith("access-control-")]
