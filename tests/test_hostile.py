"""Whatever is thrown at the shop: it is refused in words, never with a server's error, and never echoed as HTML."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest
import time_machine

from app.core import limits
from app.core.db import Database
from app.web import cookies
from app.web.cookies import signed
from main import create_app
from tests import town
from tests.events.forms import GOOD
from tests.stage import free_port, serving
from tests.town import VISITORS, Town
from tests.world import PASSWORD

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PART = {"HX-Request": "true", "HX-Request-Type": "partial"}
SCRIPT = """<script>alert(1)</script>"'>"""

# As they stand in the body of a form or in a query: percent-encoded bytes.
HOSTILE = {
    "nothing": "",
    "a script": quote(SCRIPT),
    "a NUL": "a%00b",
    "control characters": "a%01%08%1b%7fb%0d%0aSet-Cookie:%20x=y",
    "broken UTF-8": "a%ff%feb",
    "half a surrogate pair": "%ed%a0%80",
    "an overlong encoding": "%c0%ae%c0%ae/",
    "a right-to-left override": "%e2%80%aegpj.exe",
    "30 digits": "9" * 30,
    "30 negative digits": "-" + "9" * 30,
    "no number": "NaN",
    "other digits": quote("٣٣"),
    "5,000 digits": "9" * 5000,
    "100 kB": "x" * 100_000,
    "a template": quote("{{7*7}}${7*7}%(x)s{0.__class__}%s%"),
    "SQL": quote("' OR 1=1; DROP TABLE users; --"),
    "a path": quote("//evil.example/\\..\\../etc/passwd"),
}


@dataclass(frozen=True)
class Form:
    """A form with something good in every field, and who may send it."""

    path: str
    good: dict[str, str]
    who: str = "client"
    thing: str = ""

    def address(self, town: Town) -> str:
        return self.path.format(town.things[self.thing]) if self.thing else self.path

    def bodies(self, hostile: str) -> list[str]:
        """One body for each field, in which that one alone is hostile; and one in which all are."""
        good = {name: quote(value) for name, value in self.good.items()}
        each = [good | {name: hostile} for name in good]
        return ["&".join(f"{quote(name)}={value}" for name, value in fields.items()) for fields in [*each, dict.fromkeys(good, hostile)]]


FORMS = [
    Form("/theme", {"theme": "dark", "next": "/events"}),
    Form("/register", {"email": "new@example.com", "password": PASSWORD}),
    Form("/login", {"email": "bob@example.com", "password": PASSWORD, "next": "/me"}),
    Form("/password/forgot", {"email": "bob@example.com"}),
    Form("/password/reset/{}", {"password": "seven cellos in the sun"}, thing="reset token"),
    Form("/invitations/{}", {"name": "Eve", "password": "seven cellos in the sun"}, thing="invitation token"),
    Form("/unsubscribe/{}", {"wanted": "yes"}, thing="unsubscribe token"),
    Form("/events/{}/unlock", {"code": "NINEPIANOS"}, thing="event"),
    Form("/events/{}/hold", {"q-TYPE": "1", "code": ""}, thing="event"),
    Form("/events/{}/quote", {"q-TYPE": "1", "code": ""}, thing="event"),
    Form("/bookings/{}/checkout", {"email": "guest@example.com", "name": "Guest"}, thing="guest's booking"),
    Form("/me/name", {"name": "Bob"}, who="bob"),
    Form("/me/email", {"email": "other@example.com", "present": PASSWORD}, who="bob"),
    Form("/me/password", {"present": PASSWORD, "password": "seven cellos in the sun"}, who="carol"),
    Form("/me/favourites", {"categories": "music"}, who="bob"),
    Form("/me/notifications/preferences", {"favourites": "y", "presales": "y", "reminders": "y"}, who="bob"),
    Form("/manager/events/new", {**GOOD, "ends": "", "doors": "", "publish_at": "", "kept": "", "no_picture": ""}, who="alice"),
    Form("/manager/events/new", {**GOOD, **{f"types-0-{name}": "" for name in ("note", "sale_from", "sale_to", "presale_from", "presale_places", "access_code")}}, who="alice"),
    Form("/manager/events/{}/edit", GOOD, who="alice", thing="draft"),
    Form("/manager/events/poster", {"hue": "plum", "tone": "night", "motif": "stars", "kept": "", "title": "x"}, who="alice"),
    Form("/manager/events/{}/call-off", {"reason": "Rain"}, who="alice", thing="event"),
    Form("/admin/managers", {"email": "new.manager@example.com"}, who="dora"),
    Form("/admin/events/{}/return", {"reason": "Shorter"}, who="dora", thing="submitted"),
    Form("/admin/texts/imprint", {"body": "Us."}, who="dora"),
]

QUERIES = {
    "/": ["city", "when", "q"],
    "/events": ["q", "category", "city", "when", "price", "page", "from", "to", "since", "until"],
    "/login": ["next"],
    "/me/notifications": ["page"],
    "/manager/events": ["all"],
    "/admin/events": ["state"],
    "/events/{event}": ["code"],
    "/events/{event}/availability": ["seen"],
    "/bookings/{paid booking}/return": ["s"],
}

# Addresses in which a piece is ours to choose; the hostile text stands there.
PATHS = [
    "/{}", "/events/{}", "/events/{}/availability", "/events/{}/calendar.ics", "/pictures/{}", "/bookings/{}", "/bookings/{}/return", "/bookings/{}/deadline.ics",
    "/tickets/{}", "/tickets/{}.pdf", "/verify/{}", "/invitations/{}", "/password/reset/{}", "/unsubscribe/{}", "/static/{}",
    "/manager/events/{}", "/manager/events/{}/edit", "/admin/events/{}", "/admin/texts/{}", "/me/notifications/{}/read", "/me/security/{}/end",
]  # fmt: skip


@pytest.fixture(scope="module")
def kept_town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("town") / "town.db"


@pytest.fixture
async def small_town(sqlite_database: Database, moment: time_machine.Traveller, kept_town: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Town]:
    async def never_too_often(_key: str, **_rule: object) -> None:
        """These tests send more than a person does."""

    monkeypatch.setattr(limits, "count", never_too_often)
    yield await town.opened(kept_town)


@pytest.fixture
def shop(small_town: Town) -> Any:
    return create_app()


def mistakes(answer: httpx.Response, what: str) -> list[str]:
    """What must not be in any answer."""
    text = answer.text if answer.headers.get("content-type", "").startswith("text/html") else ""
    found = {
        f"status {answer.status_code}": answer.status_code >= 500 and answer.status_code != 503,
        "echoed a script": "<script>alert" in text,
        "broke out of an attribute": bool(re.search(r"""=(["'])<script|"'>(?!\s*<)""", text)) and SCRIPT in text,
        "ran a template": "49" in re.findall(r"\{\{7\*7\}\}|49\$\{7", text),
        "wrote a header": "x=y" in answer.headers.get("set-cookie", "").split(";"),
        "led elsewhere": bool(re.match(r"(https?:)?[/\\]{2}", answer.headers.get("location", "") + answer.headers.get("hx-redirect", ""))),
    }
    return [f"{mistake}: {what}" for mistake, so in found.items() if so]


# ---------- forms ----------


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.path)
async def test_no_form_falls_over_anything(shop: Any, small_town: Town, form: Form) -> None:
    found: list[str] = []
    async with small_town.browser(shop, form.who) as browser:
        address = form.address(small_town)
        html = (await browser.get(address.rsplit("/", 1)[0])).text if "q-TYPE" in form.good else ""
        code = (re.findall(r'name="(q-[^"]+)"', html) or ["q-TYPE"])[0]
        for name, hostile in HOSTILE.items():
            for body in form.bodies(hostile):
                body = body.replace("q-TYPE", code)
                answer = await browser.post(address, content=body.encode(), headers=FORM)
                found += mistakes(answer, f"{name} in {body[:80]}")
    assert found == []


async def test_what_was_stored_is_shown_as_text_everywhere(shop: Any, small_town: Town) -> None:
    """A name, a title and a reason that are scripts go in as they are and never come out as HTML."""
    async with small_town.browser(shop, "alice") as alices, small_town.browser(shop, "bob") as bobs, small_town.browser(shop, "dora") as doras:
        evil = {**GOOD, **dict.fromkeys(("title", "summary", "description", "venue", "address", "city", "access", "types-0-name", "types-0-note"), SCRIPT)}
        made = await alices.post("/manager/events/new", data=evil)
        slug = made.headers["location"].rsplit("/", 1)[1]
        sent = [
            await bobs.post("/me/name", data={"name": SCRIPT}),
            await alices.post(f"/manager/events/{slug}/submit"),
            await doras.post(f"/admin/events/{slug}/approve"),
            await doras.post("/admin/texts/imprint", data={"body": f"{SCRIPT} [link](javascript:alert(1)) <img src=x onerror=alert(1)>"}),
        ]
        assert [answer.status_code for answer in [made, *sent]] == [303] * 5
        shown = [await bobs.get(path) for path in ("/", "/events", "/events?q=script", "/me", "/me/name", f"/events/{slug}", "/imprint")]
        shown += [await alices.get(path) for path in ("/manager", "/manager/events", f"/manager/events/{slug}", f"/manager/events/{slug}/edit")]
        shown += [await doras.get(path) for path in ("/admin/events", f"/admin/events/{slug}", "/admin/texts/imprint")]
        calendar = await bobs.get(f"/events/{slug}/calendar.ics")
    for answer in shown:
        assert answer.status_code == 200
        assert mistakes(answer, str(answer.url)) == []
        assert "href=\"javascript:" not in answer.text and "<img src=x" not in answer.text
    assert calendar.status_code == 200
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown[5].text


BODIES: dict[str, tuple[bytes, str]] = {
    "JSON": (b'{"email": "bob@example.com"}', "application/json"),
    "JSON with a form's name": (b'{"email": "bob@example.com"}', "application/x-www-form-urlencoded"),
    "text": (b"email=bob@example.com", "text/plain"),
    "nothing said": (b"email=bob%40example.com", ""),
    "nonsense said": (b"email=x", ";;;=,\xff".encode("latin-1").decode("latin-1")),
    "parts without a boundary": (b"--x\r\n\r\n", "multipart/form-data"),
    "parts that never end": (b'--x\r\nContent-Disposition: form-data; name="email"\r\n\r\nbob', "multipart/form-data; boundary=x"),
    "parts without a name": (b"--x\r\nContent-Disposition: form-data\r\n\r\nbob\r\n--x--\r\n", "multipart/form-data; boundary=x"),
    "parts of rubbish": (b"\x00\xff\xfe" * 100, "multipart/form-data; boundary=x"),
    "parts with broken names": (b'--x\r\nContent-Disposition: form-data; name="\xff\x00"\r\n\r\n\xff\r\n--x--\r\n', "multipart/form-data; boundary=x"),
    "a file for a word": (
        b'--x\r\nContent-Disposition: form-data; name="email"; filename="a.exe"\r\nContent-Type: a/b\r\n\r\nbob\r\n--x--\r\n', "multipart/form-data; boundary=x"
    ),
    "a thousand fields": (b"&".join(b"f%d=1" % number for number in range(1500)), "application/x-www-form-urlencoded"),
    "one field a thousand times": (b"email=a&" * 2000, "application/x-www-form-urlencoded"),
    "only signs": (b"&&&===&=&%&%%%", "application/x-www-form-urlencoded"),
    "a strange alphabet": (b"email=%ff", "application/x-www-form-urlencoded; charset=utf-7"),
    "an unknown alphabet": (b"email=%ff", "application/x-www-form-urlencoded; charset=klingon"),
}


@pytest.mark.parametrize("name", BODIES)
async def test_bodies_that_are_no_form_are_refused_in_words(shop: Any, small_town: Town, name: str) -> None:
    body, kind = BODIES[name]
    found: list[str] = []
    for form in FORMS:
        async with small_town.browser(shop, form.who) as browser:
            answer = await browser.post(form.address(small_town), content=body, headers={"Content-Type": kind} if kind else {})
        found += mistakes(answer, form.path)
        if answer.status_code >= 400:
            assert answer.headers["content-type"].startswith("text/html"), form.path
    assert found == []


async def test_a_body_that_is_too_large_is_a_413_however_it_comes(shop: Any, small_town: Town) -> None:
    async def in_pieces() -> AsyncIterator[bytes]:
        for _piece in range(40):
            yield b"a" * 10_000

    async with small_town.browser(shop, "client") as browser:
        for path in ("/login", "/register", "/theme", "/unsubscribe/" + small_town.things["unsubscribe token"], "/webhooks/stripe"):
            said = await browser.post(path, content=b"a" * 300_000, headers=FORM)
            silent = await browser.post(path, content=in_pieces(), headers=FORM)
            lied = await browser.post(path, content=b"a" * 300_000, headers={**FORM, "Content-Length": "10"})
            assert [answer.status_code for answer in (said, silent, lied)] == [413] * 3, path
            assert "more than this page accepts" in said.text
    async with small_town.browser(shop, "alice") as alices:
        picture = {"picture": ("big.png", b"x" * 9_000_000, "image/png")}
        assert (await alices.post("/manager/events/new", data=GOOD, files=picture)).status_code == 413


# ---------- addresses, queries, methods ----------


async def test_no_query_falls_over_anything(shop: Any, small_town: Town) -> None:
    found: list[str] = []
    for visitor in ("client", "dora"):
        async with small_town.browser(shop, visitor) as browser:
            for path, names in QUERIES.items():
                for name in names:
                    for what, hostile in HOSTILE.items():
                        url = f"{path.format_map(small_town.things)}?{name}={hostile[:8000]}"
                        for headers in ({}, PART):
                            found += mistakes(await browser.get(url, headers=headers), f"{what} in {url[:80]} as {visitor}")
            found += mistakes(await browser.get("/events?" + "&".join(f"q={number}" for number in range(800))), "many")
            found += mistakes(await browser.get("/events?%ff=%00&=&&&a[b]=c&" + urlencode({SCRIPT: SCRIPT})), "names")
    assert found == []


@pytest.mark.parametrize("path", PATHS)
async def test_no_address_falls_over_anything(shop: Any, small_town: Town, path: str) -> None:
    found: list[str] = []
    async with small_town.browser(shop, "dora") as browser:
        for what, hostile in HOSTILE.items():
            if hostile:
                url = path.format(hostile[:8000])
                answer = await (browser.post(url) if path.endswith(("/read", "/end")) else browser.get(url))
                found += mistakes(answer, f"{what} in {url[:80]}")
                if answer.status_code != 404:
                    found.append(f"{answer.status_code}: {what} in {url[:80]}")
                if not answer.headers["content-type"].startswith("text/html"):
                    found.append(f"no page: {what} in {url[:80]}")
    assert found == []


async def test_head_is_get_without_a_body(shop: Any, small_town: Town) -> None:
    paths = ["/", "/events", "/login", "/nowhere", "/me", "/static/app.css", "/healthz"]
    paths += ["/events/" + small_town.things["event"], "/tickets/" + small_town.things["ticket"] + ".svg"]
    async with small_town.browser(shop, "client") as browser:
        for path in paths:
            whole, head = await browser.get(path), await browser.head(path)
            assert (head.status_code, head.content) == (whole.status_code, b""), path
            assert head.headers["content-type"] == whole.headers["content-type"], path


async def test_a_wrong_method_is_a_page_that_says_so(shop: Any, small_town: Town) -> None:
    async with small_town.browser(shop, "client") as browser:
        tries = [("POST", "/events"), ("GET", "/logout"), ("GET", "/webhooks/stripe"), ("PUT", "/login"), ("DELETE", "/events"), ("PATCH", "/me"), ("POST", "/me")]
        for method, path in tries:
            answer = await browser.request(method, path)
            assert answer.status_code == 405, (method, path)
            assert "This address does not accept that kind of request." in answer.text
        assert (await browser.request("TRACE", "/login")).status_code == 405
        assert (await browser.request("BREW", "/login")).status_code == 405


# ---------- cookies ----------

NAMES = ("login", "visitor", "flash", "theme", "favourites", "__Host-login", "__Host-visitor")
RUBBISH = ["", "x", "a.b", "a.b.c", "%00", "%ff", "=;=", '"unclosed', "é".encode().decode("latin-1"), "\x7f", "9" * 30, "x" * 16_000, ".eJw" + "A" * 4000, SCRIPT.replace(";", "")]
SHAPES: list[Any] = [
    None, 1, 10**30, "text", "a\x00b", "x" * 5000, [], [1, 2], ["a", None], ["e:" + "x" * 5000], [SCRIPT, SCRIPT], ["ok", "a\x00b"], {}, {"id": None}, {"id": 1},
    {"id": ["x"]}, {"id": "a\x00b", "role": "admin"}, {"id": "x" * 5000, "role": {}}, [["e:nine-pianos"]], [{"e": 1}], ["e:nine-pianos"] * 500, ["c:a\x00", "e:\ud800"],
]  # fmt: skip
VISITED = ["/", "/events", "/me", "/login", "/imprint", "/nowhere"]


@pytest.mark.parametrize("name", NAMES)
async def test_a_broken_cookie_counts_as_none(shop: Any, small_town: Town, name: str) -> None:
    found: list[str] = []
    async with small_town.browser(shop, "client") as browser:
        for value in RUBBISH:
            for path in VISITED:
                answer = await browser.get(path, headers={"Cookie": f"{name}={value}".encode("latin-1")})  # type: ignore[dict-item]
                found += mistakes(answer, f"{name}={value[:40]!r} on {path}")
                assert path != "/me" or answer.status_code == 303
    assert found == []


@pytest.mark.parametrize("name", ["login", "visitor", "flash", "favourites"])
async def test_a_signed_cookie_of_another_shape_counts_as_none(shop: Any, small_town: Town, name: str) -> None:
    """Nobody can sign these but us, and an older release of ours may have written something else."""
    found: list[str] = []
    hold = "/events/" + small_town.things["event"]
    async with small_town.browser(shop, "client") as browser:
        for shape in SHAPES:
            cookie = {"Cookie": f"{name}={signed(name, shape).value}"}
            for path in VISITED:
                found += mistakes(await browser.get(path, headers=cookie), f"{shape!r:.60} on {path}")
            for verb in ("favourite", "hold"):
                found += mistakes(await browser.post(f"{hold}/{verb}", headers=cookie), f"{shape!r:.60} to {verb}")
            login = {"email": "bob@example.com", "password": PASSWORD}
            found += mistakes(await browser.post("/login", data=login, headers=cookie), f"{shape!r:.60} at the login")
            browser.cookies.clear()
    assert found == []


async def test_a_cookie_signed_for_one_purpose_is_worth_nothing_for_another(shop: Any, small_town: Town) -> None:
    claim = cookies.read_signed({"login": small_town.cookies["dora"]}, "login")
    async with small_town.browser(shop, "client") as browser:
        for name in ("visitor", "flash", "favourites"):
            cookie = {"Cookie": f"login={signed(name, claim).value}"}
            assert (await browser.get("/admin", headers=cookie)).status_code == 303, name


# ---------- bytes on the wire ----------

LINES = {
    "bytes in the path": b"GET /events/\xff\xfe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "an encoded NUL": b"GET /events/%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "encoded rubbish": b"GET /events/%ff%fe?q=%ff&%00=%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "bytes in the query": b"GET /events?q=\xff\xfe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "bytes in a cookie": b"GET / HTTP/1.1\r\nHost: x\r\nCookie: login=\xff\xfe; theme=\x80\r\nConnection: close\r\n\r\n",
    "bytes in the headers": b"GET / HTTP/1.1\r\nHost: x\r\nUser-Agent: \xff\xfe\r\nReferer: \xff\r\nAccept-Language: \xff\r\nConnection: close\r\n\r\n",
    "bytes in the origin": b"POST /theme HTTP/1.1\r\nHost: x\r\nOrigin: \xff\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "bytes in the kind of body": b"POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nContent-Type: \xff\r\nStripe-Signature: \xff\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
    "an absolute address": b"GET http://evil.example/events HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
    "a star": b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
}


async def test_bytes_that_are_no_text_are_no_error_of_the_server(shop: Any, small_town: Town) -> None:
    """Over a real connection, because the test client sends only what is proper."""
    port = free_port()
    found = {}
    async with serving(shop, port):
        for name, line in LINES.items():
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(line)
            answer = await reader.read()
            writer.close()
            found[name] = answer.split(b"\r\n", 1)[0]
            assert b"http://evil.example" not in answer.lower().replace(b"http://evil.example/events http", b""), name
    assert {name: line for name, line in found.items() if not re.match(rb"HTTP/1\.1 [234]", line)} == {}


def test_every_visitor_of_the_town_is_known() -> None:
    assert {form.who for form in FORMS} <= set(VISITORS)
