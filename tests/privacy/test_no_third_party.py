"""No page, style sheet or script of the shop asks anything of anybody else's server."""

import re
from pathlib import Path

import httpx
import pytest

from app.core.db import writing
from tests import world
from tests.notifications.scenes import happened, kinds

ROOT = Path(__file__).parents[2]

# What a browser loads by itself. A link that a person follows (<a href>) is not among them.
LOADED = re.compile(
    r"""(?:<(?:img|script|iframe|source|video|audio|embed|object|track|input|use|image)\b[^>]*?\b(?:src|srcset|data|href)\s*=\s*["']?
    |<link\b[^>]*?\bhref\s*=\s*["']?|\bhx-(?:get|post|put|patch|delete)\s*=\s*["']?|\burl\(\s*["']?|@import\s+["']?
    |\bfetch\(\s*["'`]|\bimport\(\s*["'`]|\bfrom\s+["']|sendBeacon\(\s*["'`]|new\s+(?:EventSource|WebSocket|Worker)\(\s*["'`])
    (?P<address>(?:https?:|wss?:)?//[^"'`\s)>]*)""",
    re.VERBOSE | re.IGNORECASE,
)
WATCHERS = re.compile(
    r"google-?(?:analytics|tag|apis)|gtag\(|analytics\.|doubleclick|facebook|hotjar|matomo|plausible|sentry",
    re.IGNORECASE,
)


def foreign(text: str) -> list[str]:
    shown = re.sub(r"\{#.*?#\}", "", text, flags=re.DOTALL)
    return [found["address"] for found in LOADED.finditer(shown)] + WATCHERS.findall(shown)


def files() -> list[Path]:
    templates = list((ROOT / "templates").rglob("*.html"))
    return [*templates, *(ROOT / "static").glob("*.css"), *(ROOT / "static").glob("*.js"), *(ROOT / "static").glob("*.svg")]


@pytest.mark.asvs("V14.2.3")
@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_loaded_from_elsewhere(path: Path) -> None:
    assert foreign(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "planted",
    [
        '<script src="https://cdn.example/x.js"></script>',
        '<img alt="" src=//pixel.example/1.gif>',
        '<link rel="stylesheet" href="https://fonts.example/css">',
        "@import 'https://fonts.example/css';",
        "a{background:url(https://cdn.example/a.png)}",
        "fetch('https://collect.example')",
        '<div hx-get="https://elsewhere.example/">',
        "navigator.sendBeacon('https://collect.example')",
        "gtag('config')",
    ],
)
def test_a_planted_one_is_found(planted: str) -> None:
    assert foreign(planted)


@pytest.mark.asvs("V14.2.3")
async def test_the_browser_is_told_to_load_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    policy = (await client.get("/")).headers["content-security-policy"]
    rules = dict(part.strip().partition(" ")[::2] for part in policy.split(";") if part.strip())
    for name, sources in rules.items():
        if name.endswith("-src"):
            assert "http" not in sources and "*" not in sources, name


@pytest.mark.asvs("V14.3.3")
async def test_a_client_who_only_looks_gets_no_cookie(client: httpx.AsyncClient) -> None:
    async with writing() as tx:
        event = await world.event(tx)
    for path in ("/", "/events", f"/events/{event.slug}", "/privacy", "/login"):
        assert "set-cookie" not in (await client.get(path)).headers, path


async def test_nobody_is_written_to_about_new_events_who_did_not_ask(client: httpx.AsyncClient) -> None:
    async with writing() as tx:
        await world.bob(tx)
        event = await world.event(tx)
    await happened("event.published", f"event:{event.id}")
    assert [kind for kind, _recipient in await kinds() if kind == "new_event"] == []
