"""What stands around every answer: the policies, the cookies, and who may keep a copy."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import time_machine

import app.events.filters
from app.core.db import Database
from app.core.settings import settings, use
from app.web import security
from app.web.limits import LIMITS, Limit
from main import create_app
from tests import town, world
from tests.conftest import BASE_URL, whole_shop
from tests.hostile import never_too_often
from tests.routes import RULES, Rule
from tests.stage import free_port, serving
from tests.town import VISITORS, Town

SECURE_URL = "https://tickets.example.org"


@pytest.fixture(scope="module")
def kept_town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("town") / "town.db"


@pytest.fixture
async def small_town(sqlite_database: Database, moment: time_machine.Traveller, kept_town: Path) -> Town:
    return await town.opened(kept_town)


async def one_of_each(browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> dict[int | str, httpx.Response]:
    """An answer of every kind that the shop gives, by status."""
    found: dict[int | str, httpx.Response] = {
        "page": await browser.get("/"),
        "file": await browser.get("/static/app.css"),
        "missing file": await browser.get("/static/nothing.css"),
        303: await browser.get("/me"),
        403: await browser.post("/logout", headers={"Sec-Fetch-Site": "cross-site"}),
        404: await browser.get("/nowhere"),
        405: await browser.post("/events"),
        "other methods": await browser.options("/events"),
        "head": await browser.head("/events"),
        "probe": await browser.get("/healthz"),
        415: await browser.post("/csp-report", content=b"x", headers={"Content-Type": "text/plain"}),
        400: await browser.post("/csp-report", content=b"x", headers={"Content-Type": "application/csp-report"}),
        204: await browser.post("/csp-report", content=b"[]", headers={"Content-Type": "application/reports+json"}),
        413: await browser.post(
            "/login", content=b"a=" + b"x" * 300_000, headers={"Content-Type": "application/x-www-form-urlencoded"}
        ),
        422: await browser.post("/login"),
    }

    async def broken(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError("planted")

    monkeypatch.setitem(LIMITS, "forgot", Limit(0, 3600))
    found[429] = await browser.post("/password/forgot", data={"email": "bob@example.com"})
    monkeypatch.setattr(app.events.filters, "facets", broken)
    found[500] = await browser.get("/events")
    for name, answer in found.items():
        others = {"missing file": 404, "other methods": 204}
        assert answer.status_code == (name if isinstance(name, int) else others.get(name, 200)), name
    return found


@pytest.mark.asvs("V3.4.3", "V3.4.4", "V3.4.5", "V3.4.6", "V3.4.8")
async def test_every_kind_of_answer_carries_the_policies(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, answer in (await one_of_each(client, monkeypatch)).items():
        headers = answer.headers
        policy = directives(headers["content-security-policy"])
        assert policy["default-src"] == ["'none'"], name
        assert policy["script-src"] == ["'self'"], name
        assert policy["style-src"] == ["'self'"], name
        assert policy["frame-ancestors"] == policy["base-uri"] == policy["object-src"] == ["'none'"], name
        assert policy["form-action"] == ["'self'", "https://checkout.stripe.com"], name
        assert "unsafe" not in headers["content-security-policy"], name
        assert headers["x-content-type-options"] == "nosniff", name
        assert headers["x-frame-options"] == "DENY", name
        assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin", name
        assert headers["permissions-policy"] == "camera=(), microphone=(), geolocation=(), payment=()", name
        assert headers["referrer-policy"] == "strict-origin-when-cross-origin", name
        assert policy["report-uri"] == ["/csp-report"], name
        assert "strict-transport-security" not in headers, name


async def test_errors_are_pages_in_our_own_words_and_are_kept_by_nobody(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for status, answer in (await one_of_each(client, monkeypatch)).items():
        if isinstance(status, int) and status >= 400:
            assert answer.headers["content-type"] == "text/html; charset=utf-8", status
            assert answer.headers["cache-control"] == "no-store", status
            assert re.search(r"<h1[^>]*>[A-Z]", answer.text), status
            assert "Traceback" not in answer.text and "planted" not in answer.text, status


@pytest.mark.asvs("V16.5.1", "V16.5.4")
async def test_an_unforeseen_error_shows_the_number_to_find_it_by(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = (await one_of_each(client, monkeypatch))[500]
    assert re.search(r'<span class="mono">[0-9a-f]{16}</span>', answer.text)


def directives(policy: str) -> dict[str, list[str]]:
    return {name: values for name, *values in (part.split() for part in policy.split(";") if part.strip())}


# ---------- every route ----------

POLICY = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
        "manifest-src 'self'; form-action 'self' https://checkout.stripe.com; frame-ancestors 'none'; base-uri 'none'; "
        "object-src 'none'; report-uri /csp-report"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=()",
    "server": "",
}
NO_PATHS = "strict-origin-when-cross-origin"
# Only these may be kept by anybody; and a picture that somebody uploaded may do nothing at all.
KEPT_A_YEAR = "/static/{file_path:path}", "/pictures/{name:str}"
TOPICS = "/categories/{slug:str}", "/venues/{slug:str}", "/cities/{slug:str}", "/managers/{slug:str}"
PUBLIC = *TOPICS, "/", "/events", "/events/{slug:str}", "/series/{slug:str}", "/imprint", "/terms", "/accessibility", "/privacy"
# Files for readers of feeds, for search engines and for who shows a link: anybody may keep them for ten minutes.
FEEDS = "/events.atom", "/events.ics", "/sitemap.xml", "/sitemaps/{name:str}", "/robots.txt"
POSTERS = "/card.png", "/events/{slug:str}/poster/{name:str}"
UPLOADED = {"/pictures/{name:str}": "sandbox; default-src 'none'"}


def complaints(rule: Rule, answer: httpx.Response) -> list[str]:
    """What is missing from the headers of an answer, or is there and should not be."""
    headers = answer.headers
    wanted = POLICY | {"referrer-policy": "same-origin" if rule.route.startswith(security.SECRET_PATHS) else NO_PATHS}
    if rule.route in UPLOADED and answer.status_code == 200:
        wanted |= {"content-security-policy": UPLOADED[rule.route]}
    found = [f"{name}: {headers.get(name)!r}" for name, value in wanted.items() if headers.get(name) != value]
    for name in (*wanted, "cache-control", "content-type"):
        if len(headers.get_list(name)) > 1:
            found.append(f"{name} twice")
    found += [name for name in headers if name.startswith("access-control-") or name == "x-powered-by"]
    kept = headers.get("cache-control", "")
    if rule.route in KEPT_A_YEAR and answer.status_code == 200:
        found += [] if "immutable" in kept and "set-cookie" not in headers else [f"not kept for a year: {kept}"]
    elif rule.route in (*FEEDS, *POSTERS) and answer.status_code == 200:
        found += [] if kept == "public, max-age=600" and "set-cookie" not in headers else [f"cache-control: {kept!r}"]
    elif kept != "no-store":
        public = rule.method == "GET" and rule.route in PUBLIC and answer.status_code == 200 and kept == "public, max-age=2"
        found += [] if public and "set-cookie" not in headers else [f"cache-control: {kept!r}"]
    kind = headers.get("content-type", "")
    if answer.content and (kind.startswith("text/") or not kind) and "charset=utf-8" not in kind:
        found.append(f"content-type: {kind!r}")
    varied = set(headers.get("vary", "").split(", "))
    if kind.startswith("text/html") and answer.content and not {"HX-Request", "Cookie", "Accept-Language"} <= varied:
        found.append(f"vary: {headers.get('vary')!r}")
    return found


@pytest.mark.asvs("V3.2.1", "V3.4.2", "V3.4.3", "V3.4.4", "V3.4.5", "V3.4.6", "V4.1.1", "V14.3.2")
@pytest.mark.parametrize("visitor", VISITORS)
async def test_every_route_carries_the_policies_for_everybody(
    small_town: Town, visitor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it answers: pages, redirects, refusals, files. The rules are those of the routing table."""
    never_too_often(monkeypatch)
    use(dataclasses.replace(settings(), stripe_api_key=""))
    found = {}
    async with small_town.browser(whole_shop(), visitor) as browser:
        for rule in RULES:
            answer = await browser.request(rule.method, rule.path(small_town, visitor))
            if faults := complaints(rule, answer):
                found[str(rule)] = faults
    assert found == {}


async def test_without_the_wrapper_they_are_missing(small_town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""
    monkeypatch.setattr(security, "Guarded", lambda shop: shop)
    rule = next(rule for rule in RULES if rule.route == "/")
    async with small_town.browser(create_app(), "client") as browser:
        assert len(complaints(rule, await browser.get("/"))) >= len(POLICY)


@pytest.mark.asvs("V3.4.2")
async def test_no_other_site_may_read_our_answers(client: httpx.AsyncClient) -> None:
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    for answer in (await client.get("/events", headers=asked), await client.options("/events", headers=asked)):
        assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.asvs("V13.4.5", "V13.4.2")
async def test_no_list_of_our_routes_is_served(client: httpx.AsyncClient) -> None:
    for path in ("/schema", "/schema/openapi.json", "/schema/swagger", "/docs", "/metrics", "/debug", "/.git/config", "/.env"):
        assert (await client.get(path)).status_code == 404, path


@pytest.mark.asvs("V14.3.1")
async def test_signing_out_empties_what_the_browser_keeps(app: Any, small_town: Town) -> None:
    async with small_town.browser(app, "bob") as bobs:
        foreign = await bobs.post("/logout", headers={"Sec-Fetch-Site": "cross-site"})
        assert "clear-site-data" not in foreign.headers
        assert (await bobs.post("/logout")).headers["clear-site-data"] == '"cache", "storage"'
    async with small_town.browser(app, "carol") as carols:
        scripted = await carols.post("/logout", headers={"HX-Request": "true"})
        assert scripted.headers["clear-site-data"] == '"cache", "storage"'


# ---------- pages whose address is a secret ----------

SECRETS = {
    "/bookings/": "guest's booking", "/tickets/": "ticket", "/verify/": "register token", "/password/reset/": "reset token",
    "/invitations/": "invitation token", "/unsubscribe/": "unsubscribe token",
}  # fmt: skip


@pytest.mark.asvs("V3.4.5", "V14.3.2", "V14.2.1")
@pytest.mark.parametrize("path", SECRETS)
@pytest.mark.asvs("V3.4.5", "V14.3.2")
async def test_a_secret_in_the_address_is_told_to_no_other_site_and_kept_by_nobody(app: Any, small_town: Town, path: str) -> None:
    async with small_town.browser(app, "client") as browser:
        answer = await browser.get(path + small_town.things[SECRETS[path]])
    assert answer.status_code == 200
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.asvs("V14.3.2")
async def test_files_of_tickets_are_kept_by_nobody(app: Any, small_town: Town) -> None:
    async with small_town.browser(app, "client") as browser:
        for kind in ("svg", "ics", "pdf"):
            answer = await browser.get(f"/tickets/{small_town.things['ticket']}.{kind}")
            assert answer.headers["cache-control"] == "no-store", kind
            assert answer.headers["referrer-policy"] == "same-origin", kind
        deadline = await browser.get("/bookings/" + small_town.things["guest's booking"] + "/deadline.ics")
        assert deadline.headers["cache-control"] == "no-store"


# ---------- who may keep a copy ----------


@pytest.mark.asvs("V14.3.2", "V14.2.2")
async def test_public_pages_may_be_kept_for_a_moment_by_clients_only(app: Any, small_town: Town) -> None:
    paths = ["/", "/events", f"/events/{small_town.things['event']}", f"/series/{small_town.things['series']}", "/imprint"]
    async with small_town.browser(app, "client") as browser, small_town.browser(app, "bob") as bobs:
        for path in paths:
            shared, own = await browser.get(path), await bobs.get(path)
            assert shared.headers["cache-control"] == "public, max-age=2", path
            assert "set-cookie" not in shared.headers, path
            assert own.headers["cache-control"] == "no-store", path
            assert "hx-request" in shared.headers["vary"].lower() and "cookie" in shared.headers["vary"].lower(), path


async def test_pages_with_a_flash_are_kept_by_nobody(app: Any, small_town: Town) -> None:
    async with small_town.browser(app, "bob") as bobs:
        await bobs.post("/logout")
        said = await bobs.get("/")
        assert "You are signed out." in said.text
        assert said.headers["cache-control"] == "no-store"
        assert (await bobs.get("/")).headers["cache-control"] == "public, max-age=2"


async def test_a_fragment_is_not_taken_for_its_page(app: Any, small_town: Town) -> None:
    async with small_town.browser(app, "client") as browser:
        part = await browser.get("/events", headers={"HX-Request": "true", "HX-Request-Type": "partial"})
        again = await browser.get(
            "/events", headers={"HX-Request": "true", "HX-Request-Type": "partial", "HX-History-Restore-Request": "true"}
        )
        whole = await browser.get("/events", headers={"HX-Request": "true", "HX-Request-Type": "full"})
    assert "<html" not in part.text
    assert "<html" in again.text
    assert "<html" in whole.text
    assert {"HX-Request" in answer.headers["vary"] for answer in (part, again, whole)} == {True}


async def test_our_files_are_kept_for_a_year(client: httpx.AsyncClient) -> None:
    home = (await client.get("/")).text
    linked = re.findall(r'(?:href|src)="(/static/[^"#]+)"', home)
    assert len(linked) > 3
    for address in linked:
        answer = await client.get(address)
        assert answer.status_code == 200, address
        kept = answer.headers["cache-control"]
        assert "public" in kept and "max-age=31536000" in kept and "immutable" in kept, address
        assert re.search(r"\.[0-9a-f]{10}\.\w+$", address), address


@pytest.mark.asvs("V13.4.3")
async def test_the_home_of_our_files_holds_nothing_else(client: httpx.AsyncClient) -> None:
    for path in (
        "/static/../main.py",
        "/static/%2e%2e/main.py",
        "/static/..%2fmain.py",
        "/static/%2e%2e%2fpyproject.toml",
        "/static//etc/passwd",
        "/static/",
    ):
        assert (await client.get(path)).status_code == 404, path


# ---------- cookies ----------


# All that the shop asks a browser to remember: who is signed in, which browser holds places, how pages look and in which
# language, what somebody likes before they have an account, what the last button did, and which accounts were signed in here
# before.
COOKIES = {"login", "visitor", "theme", "language", "favourites", "flash", "known"}


async def cookies_of_a_visit(base_url: str, a_town: Town) -> dict[str, str]:
    """Every cookie that the shop sets, by its name."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=whole_shop()), base_url=base_url, headers={"Origin": base_url}
    ) as browser:
        slug = a_town.things["event"]
        kind = re.search(r'name="(q-[^"]+)"', (await browser.get(f"/events/{slug}")).text)
        assert kind
        answers = [
            await browser.post(f"/events/{slug}/hold", data={kind[1]: "1"}),
            await browser.post(f"/events/{slug}/favourite"),
            await browser.post("/theme", data={"theme": "dark"}),
            await browser.post("/language", data={"language": "it"}),
            await browser.post("/login", data={"email": "carol@example.com", "password": world.PASSWORD}),
            await browser.post("/me/name", data={"name": "Caroline"}),
        ]
    set_cookies = [value for answer in answers for value in answer.headers.get_list("set-cookie")]
    return {value.split("=")[0]: value for value in set_cookies if "Max-Age=0" not in value}


@pytest.mark.asvs("V3.3.2", "V3.3.4")
async def test_cookies_are_for_the_server_alone(small_town: Town) -> None:
    found = await cookies_of_a_visit(BASE_URL, small_town)
    assert set(found) == COOKIES
    for name, value in found.items():
        assert "httponly" in value.lower(), name
        assert "samesite=lax" in value.lower(), name
        assert "path=/" in value.lower() and "domain" not in value.lower(), name
        assert "; secure" not in value.lower(), name


@pytest.mark.asvs("V3.3.1", "V3.3.3")
async def test_over_https_cookies_are_secure_and_belong_to_this_host_alone(small_town: Town) -> None:
    use(dataclasses.replace(settings(), base_url=SECURE_URL))
    found = await cookies_of_a_visit(SECURE_URL, small_town)
    assert set(found) == {f"__Host-{name}" for name in COOKIES}
    assert all("; secure" in value.lower() for value in found.values())


@pytest.mark.asvs("V3.4.1", "V12.2.1")
async def test_over_https_browsers_are_told_to_stay_there(small_town: Town) -> None:
    use(dataclasses.replace(settings(), base_url=SECURE_URL))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=whole_shop()), base_url=SECURE_URL) as browser:
        for path in ("/", "/nowhere", "/me", "/static/app.css"):
            headers = (await browser.get(path)).headers
            assert headers["strict-transport-security"] == "max-age=63072000; includeSubDomains", path
            policy = headers["content-security-policy"]
            assert "upgrade-insecure-requests" in policy and "report-to csp" in policy, path
            assert headers["reporting-endpoints"] == 'csp="/csp-report"', path


# ---------- the real server ----------


@pytest.mark.asvs("V13.4.6")
async def test_the_server_does_not_say_what_it_runs_on(app: Any) -> None:
    port = free_port()
    async with serving(app, port), httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as browser:
        for path in ("/", "/nowhere", "/static/app.css", "/healthz"):
            headers = (await browser.get(path)).headers
            assert headers.get("server", "") == "", path
            assert "x-powered-by" not in headers, path
