"""Whatever is thrown at the shop: it is refused in words, never with a server's error, and never echoed as HTML."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from tests import canaries
from tests.conftest import BASE_URL
from tests.events.forms import propose, seen, slug_in, typed
from tests.hostile import FORM, FORMS, PART, PATHS, PUBLIC, QUERIES, SCRIPT, Form, body, mistakes
from tests.naughty import NASTIEST_ENCODED
from tests.town import Town


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (500, {}, ""),
        (503, {}, ""),
        (200, {"Content-Type": "text/html; charset=utf-8"}, f"<p>{SCRIPT}</p>"),
        (422, {"Content-Type": "text/html; charset=utf-8"}, "<input value='<script>alert(1)</script>'>"),
        (200, {"Content-Type": "text/html; charset=utf-8"}, "{{7*7}} is 49${7*7}"),
        (200, {"Set-Cookie": "flash=1, x=y"}, ""),
        (303, {"Location": "//evil.example/"}, ""),
        (200, {"HX-Redirect": "https://evil.example/"}, ""),
    ],
)
def test_a_planted_mistake_is_found(status: int, headers: dict[str, str], body: str) -> None:
    """The negative control: the tests below would see it."""
    request = httpx.Request("GET", "http://testserver.local/events")
    assert mistakes(httpx.Response(status, headers=headers, text=body, request=request), "planted")


# ---------- forms ----------


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.path)
async def test_no_form_falls_over_anything(shop: Any, small_town: Town, form: Form, monkeypatch: pytest.MonkeyPatch) -> None:
    # The same words stand in every field, so here a password may come out: as somebody's name.
    monkeypatch.setattr(canaries.watch, "note", lambda *_args: None)
    found: list[str] = []
    async with small_town.browser(shop, form.who) as browser:
        address = form.address(small_town)
        for body in form.bodies():
            answer = await browser.post(address, content=body.encode(), headers=FORM)
            found += mistakes(answer, f"{body[:80]} ...")
    assert found == [], found


@pytest.mark.asvs("V1.1.2", "V3.2.2")
async def test_what_was_stored_is_shown_as_text_everywhere(shop: Any, small_town: Town) -> None:
    """A name, a title and a reason that are scripts go in as they are and never come out as HTML."""
    async with (
        small_town.browser(shop, "alice") as alices,
        small_town.browser(shop, "bob") as bobs,
        small_town.browser(shop, "dora") as doras,
    ):
        texts = ("title", "summary", "description", "venue", "address", "city", "access", "types_0_name", "types_0_note")
        made = await propose(alices, **dict.fromkeys(texts, SCRIPT))
        slug = slug_in(made)
        sent = [
            await bobs.post("/me/name", data={"name": SCRIPT}),
            await alices.post(f"/manager/events/{slug}/submit"),
            await doras.post(f"/admin/events/{slug}/approve", data=await seen(slug)),
            await doras.post(
                "/admin/texts/imprint", data={"body": f"{SCRIPT} [link](javascript:alert(1)) <img src=x onerror=alert(1)>"}
            ),
        ]
        assert [answer.status_code for answer in [made, *sent]] == [303] * 5
        shown = [
            await bobs.get(path)
            for path in ("/", "/events", "/events?q=script", "/me", "/me/name", f"/events/{slug}", "/imprint")
        ]
        shown += [
            await alices.get(path)
            for path in ("/manager", "/manager/events", f"/manager/events/{slug}", f"/manager/events/{slug}/edit")
        ]
        shown += [await alices.get(f"/manager/events/{slug}/edit/{name}") for name in ("basics", "tickets", "page", "access")]
        shown += [await doras.get(path) for path in ("/admin/events", f"/admin/events/{slug}", "/admin/texts/imprint")]
        calendar = await bobs.get(f"/events/{slug}/calendar.ics")
    for answer in shown:
        assert answer.status_code == 200
        assert mistakes(answer, str(answer.url)) == []
        assert 'href="javascript:' not in answer.text and "<img src=x" not in answer.text
    assert calendar.status_code == 200
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown[5].text


BODIES: dict[str, tuple[bytes, str]] = {
    "JSON": (b'{"email": "bob@example.com"}', "application/json"),
    "JSON with a form's name": (b'{"email": "bob@example.com"}', "application/x-www-form-urlencoded"),
    "text": (b"email=bob@example.com", "text/plain"),
    "nothing said": (b"email=bob%40example.com", ""),
    "nonsense said": (b"email=x", ";;;=,é"),
    "parts without a boundary": (b"--x\r\n\r\n", "multipart/form-data"),
    "parts that never end": (
        b'--x\r\nContent-Disposition: form-data; name="email"\r\n\r\nbob',
        "multipart/form-data; boundary=x",
    ),
    "parts without a name": (b"--x\r\nContent-Disposition: form-data\r\n\r\nbob\r\n--x--\r\n", "multipart/form-data; boundary=x"),
    "parts of rubbish": (b"\x00\xff\xfe" * 100, "multipart/form-data; boundary=x"),
    "parts with broken names": (
        b'--x\r\nContent-Disposition: form-data; name="\xff\x00"\r\n\r\n\xff\r\n--x--\r\n',
        "multipart/form-data; boundary=x",
    ),
    "a file for a word": (
        b'--x\r\nContent-Disposition: form-data; name="email"; filename="a.exe"\r\nContent-Type: a/b\r\n\r\nbob\r\n--x--\r\n',
        "multipart/form-data; boundary=x",
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
            answer = await browser.post(
                form.address(small_town), content=body, headers={"Content-Type": kind.encode()} if kind else {}
            )  # type: ignore[dict-item]
        found += mistakes(answer, form.path)
        if answer.status_code >= 400:
            assert answer.headers["content-type"].startswith("text/html"), form.path
    assert found == [], found


async def test_a_body_that_is_too_large_is_a_413_however_it_comes(shop: Any, small_town: Town) -> None:
    async def in_pieces() -> AsyncIterator[bytes]:
        for _piece in range(40):
            yield b"a" * 10_000

    async with small_town.browser(shop, "client") as browser:
        for path in (
            "/login",
            "/register",
            "/theme",
            "/unsubscribe/" + small_town.things["unsubscribe token"],
            "/webhooks/stripe",
        ):
            said = await browser.post(path, content=b"a" * 300_000, headers=FORM)
            silent = await browser.post(path, content=in_pieces(), headers=FORM)
            lied = await browser.post(path, content=b"a" * 300_000, headers={**FORM, "Content-Length": "10"})
            assert [answer.status_code for answer in (said, silent, lied)] == [413] * 3, path
            assert "more than this page accepts" in said.text
    async with small_town.browser(shop, "alice") as alices:
        picture = {"picture": ("big.png", b"x" * 9_000_000, "image/png")}
        assert (
            await alices.post(f"/manager/events/{small_town.things['draft']}/edit/page", data=typed("page"), files=picture)
        ).status_code == 413


# ---------- addresses, queries, methods ----------


@pytest.mark.parametrize("path", QUERIES)
async def test_no_query_falls_over_anything(shop: Any, small_town: Town, path: str) -> None:
    """Each name of the address sees each of the nastiest words, as a page and as a part of one."""
    found: list[str] = []
    names, most = QUERIES[path], len(NASTIEST_ENCODED)
    for visitor in ("client", "dora") if path in PUBLIC else ("dora",):
        async with small_town.browser(shop, visitor) as browser:
            for at in range(most):
                fields = {name: NASTIEST_ENCODED[(at + 7 * place) % most][:2000] for place, name in enumerate(names)}
                url = f"{path.format_map(small_town.things)}?{body(fields)}"
                answer = await browser.get(url, headers=PART if at % 2 else {})
                found += mistakes(answer, f"{url[:90]} as {visitor}")
    assert found == [], found


async def test_strange_names_in_a_query_are_passed_over(shop: Any, small_town: Town) -> None:
    queries = ["&".join(f"q={number}" for number in range(800)), "%ff=%00&=&&&a[b]=c&" + urlencode({SCRIPT: SCRIPT})]
    queries += [
        "q[]=x&q[0]=y&q.z=1",
        "q=a&q=b&Q=c",
        "_method=DELETE",
        "page=1&page=2",
        ";;;",
        "&" * 1000,
        "q" * 5000,
        "__proto__[x]=1",
    ]
    found: list[str] = []
    async with small_town.browser(shop, "client") as browser:
        for query in queries:
            found += mistakes(await browser.get(f"/events?{query}"), query[:60])
    assert found == [], found


@pytest.mark.parametrize("path", PATHS)
async def test_no_address_falls_over_anything(shop: Any, small_town: Town, path: str) -> None:
    found: list[str] = []
    async with small_town.browser(shop, "dora") as browser:
        for hostile in NASTIEST_ENCODED:
            # Whole, because httpx would take what follows two slashes for a host.
            url = BASE_URL + path.format(hostile[:8000])
            answer = await (browser.post(url) if path.endswith(("/read", "/end")) else browser.get(url))
            found += mistakes(answer, url[:80])
            if answer.status_code != 404:
                found.append(f"{answer.status_code}: {url[:80]}")
            if not answer.headers["content-type"].startswith("text/html"):
                found.append(f"no page: {url[:80]}")
    assert found == [], found


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
        tries = [
            ("POST", "/events"),
            ("GET", "/logout"),
            ("GET", "/webhooks/stripe"),
            ("PUT", "/login"),
            ("DELETE", "/events"),
            ("PATCH", "/me"),
            ("POST", "/me"),
        ]
        for method, path in tries:
            answer = await browser.request(method, path)
            assert answer.status_code == 405, (method, path)
            assert "This address does not accept that kind of request." in answer.text
        assert (await browser.request("TRACE", "/login")).status_code == 405
        assert (await browser.request("BREW", "/login")).status_code == 405
