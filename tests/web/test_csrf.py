"""Every route that changes something asks where the request comes from; the table of routes says which those are."""

import re
from typing import Any

import httpx
import pytest
from litestar.routes import HTTPRoute

from app.core.db import Database
from app.web import security
from main import create_app, litestar_app
from tests.conftest import BASE_URL
from tests.routes import FROM_ANYWHERE

SAFE = {"GET", "HEAD", "OPTIONS"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}

# What other sites can make a browser send; none of them says that the request comes from a page of ours.
FOREIGN: dict[str, dict[str, str]] = {
    "nothing said": FORM,
    "a foreign origin": FORM | {"Origin": "https://evil.example"},
    "our name as a prefix": FORM | {"Origin": f"{BASE_URL}.evil.example"},
    "another port": FORM | {"Origin": f"{BASE_URL}:8080"},
    "another scheme": FORM | {"Origin": BASE_URL.replace("http:", "https:")},
    "no origin": FORM | {"Origin": "null"},
    "another site": FORM | {"Sec-Fetch-Site": "cross-site"},
    "another host of the site": FORM | {"Sec-Fetch-Site": "same-site"},
    "typed by hand": FORM | {"Sec-Fetch-Site": "none"},
    "another site with our origin": FORM | {"Sec-Fetch-Site": "cross-site", "Origin": BASE_URL},
    "plain text": {"Content-Type": "text/plain", "Origin": "https://evil.example"},
    "plain text from nowhere": {"Content-Type": "text/plain"},
    "JSON as plain text": {"Content-Type": "text/plain;application/json", "Sec-Fetch-Site": "cross-site"},
    "a method in a header": FORM | {"X-HTTP-Method-Override": "GET", "Origin": "https://evil.example"},
    "htmx elsewhere": FORM | {"HX-Request": "true", "Sec-Fetch-Site": "cross-site"},
}


def unsafe_routes() -> list[tuple[str, str]]:
    """Method and path of every route that is not only read, out of the routing table."""
    found = []
    for route in litestar_app().routes:
        assert isinstance(route, HTTPRoute)
        path = re.sub(r"\{\w+:(\w+)\}", lambda kind: "1" if kind[1] == "int" else "x", route.path)
        found += [(f"{method} {route.path}", path) for method in sorted(route.methods - SAFE)]
    return found


async def let_in(app: Any, headers: dict[str, str]) -> set[str]:
    """Which unsafe routes answer such a request with something else than 403."""
    found = set()
    for place, (name, path) in enumerate(unsafe_routes()):
        transport = httpx.ASGITransport(app=app, client=(f"10.0.{place // 250}.{place % 250}", 50123))
        async with httpx.AsyncClient(transport=transport, base_url=BASE_URL, headers=headers) as browser:
            answer = await browser.request(name.partition(" ")[0], path, content=b"a=1")
        if answer.status_code != 403:
            found.add(name)
    return found


@pytest.mark.asvs("V3.5.1", "V3.5.2")
@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN)
async def test_another_site_gets_403_from_every_unsafe_route(app: Any, headers: dict[str, str]) -> None:
    assert await let_in(app, headers) == FROM_ANYWHERE


async def test_without_the_guard_every_route_lets_it_in(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control. Whoever is not signed in is still sent to the login."""

    async def asleep(_connection: object, _handler: object) -> None:
        pass

    monkeypatch.setattr(security, "same_origin", asleep)
    assert await let_in(create_app(), FOREIGN["another site"]) == {name for name, _path in unsafe_routes()}


@pytest.mark.asvs("V3.5.1")
@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "same-origin"}, {"Origin": BASE_URL}], ids=str)
async def test_our_own_pages_are_let_in(app: Any, headers: dict[str, str]) -> None:
    assert await let_in(app, FORM | headers) == {name for name, _path in unsafe_routes()}


def test_only_these_prove_themselves_otherwise() -> None:
    exempt = set()
    for route in litestar_app().routes:
        assert isinstance(route, HTTPRoute)
        for handler in route.route_handlers:
            if handler.opt.get("proves_itself"):
                exempt |= {f"{method} {route.path}" for method in handler.http_methods - SAFE}
    assert exempt == FROM_ANYWHERE


@pytest.mark.asvs("V3.5.3")
def test_what_changes_something_is_sent_with_post_alone() -> None:
    assert {name.partition(" ")[0] for name, _path in unsafe_routes()} == {"POST"}


@pytest.mark.asvs("V13.4.4", "V3.5.3")
@pytest.mark.parametrize("method", ["TRACE", "TRACK", "CONNECT", "PUT", "DELETE", "PATCH"])
async def test_other_methods_are_not_served(client: httpx.AsyncClient, method: str) -> None:
    for path in ("/", "/events", "/login", "/static/app.css"):
        assert (await client.request(method, path)).status_code == 405, path
