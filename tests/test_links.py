"""No dead ends: everything that a page of the demo world links to, sends to or loads is there."""

import re
from collections import deque
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urldefrag, urljoin, urlsplit

import httpx
import pytest
import time_machine

from app import seed
from app.accounts.queries import by_email
from app.core import clock, i18n
from app.core.db import Database, reading
from tests.conftest import BASE_URL
from tests.hostile import never_too_often
from tests.routes import RULES

LOADED = ("href", "src", "hx-get")
SENT = ("action", "formaction", "hx-post")

# Enough for every state of a page; the demo world has a thousand tickets that all look alike.
MOST_ALIKE = 12
# In another language the same pages stand under other addresses.
MOST_TRANSLATED = 2

# Route -> the addresses that it serves, those without a gap first.
ROUTES = {
    route: re.compile(re.sub(r"\\{\w+:\w+\\}", "[^/]+", re.sub(r"\\{\w+:path\\}", ".+", re.escape(route))))
    for route in sorted({rule.route for rule in RULES}, key=lambda route: route.count("{"))
}


class Links(HTMLParser):
    """What a page loads, where it sends forms, and the ids that its own links jump to."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.sent: list[str] = []
        self.ids: set[str] = set()
        self._posts = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            self.ids.add(given["id"])
        if tag == "form":
            self._posts = given.get("method", "").lower() == "post"
            if not self._posts and "action" in given:
                self.loaded.append(given["action"])
        self.loaded += [given[name] for name in LOADED if name in given]
        self.sent += [given[name] for name in SENT if name in given and (name != "action" or self._posts)]


@dataclass
class Crawl:
    """One visitor who follows everything."""

    browser: httpx.AsyncClient
    waiting: deque[tuple[str, str]] = field(default_factory=lambda: deque([("/", "the address bar")]))
    seen: set[str] = field(default_factory=set)
    sent: dict[str, str] = field(default_factory=dict)
    dead: list[str] = field(default_factory=list)
    kinds: dict[str, int] = field(default_factory=dict)

    async def walk(self) -> None:
        while self.waiting:
            path, found_on = self.waiting.popleft()
            if path not in self.seen and self._is_worth_it(path):
                self.seen.add(path)
                await self._open(path, found_on)
        for path, found_on in self.sent.items():
            await self._knock(path, found_on)

    def _is_worth_it(self, path: str) -> bool:
        """Addresses of one route that are searched by the same word are of one kind; what no route knows is always looked at.

        Where filters are combined only their number counts: all their combinations would be thousands.
        """
        parts = urlsplit(path)
        language, bare = i18n.parted(parts.path)
        route = next((route for route, pattern in ROUTES.items() if pattern.fullmatch(bare)), path)
        names = sorted(pair.split("=")[0] for pair in parts.query.split("&"))
        kind = f"{language}{route}?{names[0] if len(names) == 1 else len(names)}"
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        most = 1 if path.endswith(".pdf") else MOST_ALIKE if not language else MOST_TRANSLATED
        return self.kinds[kind] <= most

    async def _open(self, path: str, found_on: str) -> None:
        answer = await self.browser.get(path)
        if answer.status_code not in (200, 204, 303):
            self.dead.append(f"{answer.status_code} GET {path} on {found_on}")
        if answer.status_code == 303:
            self.waiting.append((answer.headers["location"], path))
        if answer.headers.get("content-type", "").startswith("text/html"):
            self._note(path, answer.text)

    def _note(self, page: str, html: str) -> None:
        links = Links()
        links.feed(html)
        for href in links.loaded:
            target, fragment = urldefrag(urljoin(BASE_URL + page, href))
            if target == BASE_URL + page and fragment and fragment not in links.ids:
                self.dead.append(f"#{fragment} is nowhere on {page}")
            if target.startswith(BASE_URL + "/"):
                self.waiting.append((target.removeprefix(BASE_URL), page))
        for action in links.sent:
            self.sent.setdefault(urljoin(BASE_URL + page, action).removeprefix(BASE_URL), page)

    async def _knock(self, path: str, found_on: str) -> None:
        """From another site, so that a form's address is found, or not, without anything being sent."""
        answer = await self.browser.post(path, headers={"Sec-Fetch-Site": "cross-site"})
        if answer.status_code != 403 and not path.startswith("/unsubscribe/"):
            self.dead.append(f"{answer.status_code} POST {path} on {found_on}")


@pytest.fixture
async def demo_world(sqlite_database: Database, moment: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch) -> None:
    never_too_often(monkeypatch)
    await seed.seed(clock.now())


WHO = {"a client": "", **{role: email for role, email, _password in reversed(seed.DEMO_LOGINS)}}

# What each of them must have come across, so that the crawl does not pass because it saw nothing.
MUST_SEE = {
    "a client": ["/events", "/login", "/register", "/terms"],
    "user": ["/me/tickets", "/me/presales", "/me/payments", "/me/favourites", "/me/security", "/me/notifications/preferences"],
    "manager": ["/manager", "/manager/events", "/manager/events/new"],
    "admin": ["/admin", "/admin/managers", "/admin/events", "/admin/payments", "/admin/invariants", "/admin/texts"],
}


@pytest.mark.parametrize("who", WHO)
async def test_nothing_on_any_page_leads_nowhere(
    who: str, app: Any, demo_world: None, client: httpx.AsyncClient, sign_in: Any
) -> None:
    if WHO[who]:
        async with reading() as db:
            user = await by_email(db, WHO[who])
        await sign_in(client, user)
    crawl = Crawl(client)
    await crawl.walk()
    assert crawl.dead == []
    assert [path for path in MUST_SEE[who] if path not in crawl.seen] == []
    assert len(crawl.seen) > 30
    assert len(crawl.sent) > 10


async def test_a_planted_dead_end_is_found(app: Any, demo_world: None, client: httpx.AsyncClient) -> None:
    crawl = Crawl(client, waiting=deque())
    crawl._note(
        "/events",
        '<a href="/nowhere">x</a><a href="#gone">y</a><form method="post" action="/no"></form><i hx-post="/events"></i>',
    )
    await crawl.walk()
    assert crawl.dead == [
        "#gone is nowhere on /events",
        "404 GET /nowhere on /events",
        "404 POST /no on /events",
        "405 POST /events on /events",
    ]
