"""Links that lead to our login and would then lead elsewhere; and addresses in mails that a request tried to choose."""

import asyncio
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import pytest

from app.accounts.pages import common
from app.core import clock
from app.core.db import reading
from app.notifications import mails, queries
from app.worker import Worker
from tests.conftest import BASE_URL
from tests.stage import free_port, serving
from tests.town import Town
from tests.world import PASSWORD

EVIL = "evil.example"
PAYLOADS = [
    f"//{EVIL}",
    f"///{EVIL}",
    f"////{EVIL}",
    f"https://{EVIL}",
    f"https:{EVIL}",
    f"https:/{EVIL}",
    f"https:///{EVIL}",
    f"http:\\\\{EVIL}",
    f"HTTPS://{EVIL}",
    f"/\\{EVIL}",
    f"\\/{EVIL}",
    f"\\\\{EVIL}",
    f"\\{EVIL}",
    f"/\t/{EVIL}",
    f"\t//{EVIL}",
    f"/\n/{EVIL}",
    f"/\r\n/{EVIL}",
    f" //{EVIL}",
    f"//{EVIL}/me",
    f"//{EVIL}%2f%2e%2e",
    f"/%2f{EVIL}",
    f"/%2F%2F{EVIL}",
    f"/%5c{EVIL}",
    f"/%09/{EVIL}",
    f"/%0a/{EVIL}",
    f"/%00/{EVIL}",
    f"/./{EVIL}",
    f"/.//{EVIL}",
    f"/..//{EVIL}",
    f"/me/..//{EVIL}",
    f"/events/..//{EVIL}",
    f"/%2e%2e//{EVIL}",
    f"/;@{EVIL}",
    f"/@{EVIL}",
    f"@{EVIL}",
    f"//me@{EVIL}",
    f"//testserver.local@{EVIL}",
    f"//testserver.local.{EVIL}",
    f"http://testserver.local@{EVIL}",
    f"http://testserver.local.{EVIL}",
    f"//{EVIL}?testserver.local",
    f"//{EVIL}#testserver.local",
    f"//{EVIL}\\@testserver.local",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "javascript://testserver.local/%0aalert(1)",
    "java\tscript:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "file:///etc/passwd",
    "blob:x",
    "about:blank",
    f"ftp://{EVIL}",
    f"//[{EVIL}]",
    "//user[1]",
    "//[::1",
    "http://[",
    f"/\u2028/{EVIL}",
    f"／／{EVIL}",
    f"/／{EVIL}",
    f"。。/{EVIL}",
    f"//{EVIL}。",
    f"x:{EVIL}",
    EVIL,
    f"www.{EVIL}",
    f"?next=//{EVIL}",
    f"#//{EVIL}",
    "/logout",
    "/theme",
    "/nowhere",
    "/events/x/hold",
    "/webhooks/stripe",
    "/me\x00",
    "/me\u202e",
    "/" * 2000 + EVIL,
    "/me" + "/." * 500,
    "%",
    "/%",
    "/%zz",
    "/%ff",
    "/%c0%af",
    "",
    " ",
    ".",
    "..",
    "./me",
    "me",
    "null",
    "undefined",
    "[object Object]",
]


def leaves(location: str) -> bool:
    """Where a browser would go, in the readings that browsers have had."""
    for read_as in (location, location.replace("\\", "/"), location.strip(), "".join(location.split())):
        address = urlsplit(urljoin(BASE_URL + "/login", read_as))
        if (address.scheme, address.netloc) != ("http", "testserver.local") or address.path.startswith("//"):
            return True
    return False


@pytest.mark.asvs("V1.2.2", "V2.2.1")
async def test_after_the_login_nobody_leaves(shop: Any, small_town: Town) -> None:
    assert len(PAYLOADS) >= 60
    found = []
    async with small_town.browser(shop, "client") as browser, small_town.browser(shop, "bob") as bobs:
        for payload in PAYLOADS:
            answers = [
                await browser.post("/theme", data={"theme": "dark", "next": payload}),
                await browser.post("/theme", data={"theme": "dark", "next": payload}, headers={"HX-Request": "true"}),
                await bobs.get(f"/login?next={quote(payload)}"),
            ]
            for answer in answers:
                where = answer.headers.get("location") or answer.headers.get("hx-redirect", "")
                if answer.status_code not in (200, 303) or not where or leaves(where):
                    found.append(f"{answer.status_code} {where!r} for {payload!r}")
            form = await browser.get(f"/login?next={quote(payload)}")
            if form.status_code != 200 or EVIL in form.text.replace("&#", ""):
                found.append(f"the form holds {payload!r}")
    assert found == [], found


@pytest.mark.asvs("V1.2.2")
async def test_a_real_login_stays_here_too(shop: Any, small_town: Town) -> None:
    for payload in PAYLOADS[::25]:
        async with small_town.browser(shop, "client") as browser:
            answer = await browser.post("/login", data={"email": "bob@example.com", "password": PASSWORD, "next": payload})
            assert answer.status_code == 303
            assert not leaves(answer.headers["location"]), payload


async def test_pages_of_ours_are_led_to(shop: Any, small_town: Town) -> None:
    async with small_town.browser(shop, "bob") as bobs:
        for wanted in ("/me", "/events?q=a&page=2", "/events/" + small_town.things["event"], "/me/tickets"):
            assert (await bobs.get(f"/login?next={quote(wanted)}")).headers["location"] == wanted


async def test_without_the_look_at_it_they_leave(shop: Any, small_town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""
    import app.accounts.pages.settings as pages

    monkeypatch.setattr(pages, "own_path", lambda _request, wanted: wanted or "/")
    assert pages.own_path is not common.own_path
    async with small_town.browser(shop, "client") as browser:
        answer = await browser.post("/theme", data={"theme": "dark", "next": f"//{EVIL}"})
    assert leaves(answer.headers["location"])


# ---------- who we are ----------

POISONED = {
    "another host": b"Host: evil.example\r\n",
    "another port": b"Host: testserver.local:evil.example\r\n",
    "a forwarded host": b"Host: testserver.local\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: https\r\n",
    "a standard forwarded host": b'Host: testserver.local\r\nForwarded: for=1.2.3.4;host="evil.example";proto=https\r\n',
    "an original host": b"Host: testserver.local\r\nX-Original-Host: evil.example\r\nX-Host: evil.example\r\n",
    "two hosts": b"Host: testserver.local\r\nHost: evil.example\r\n",
    "two hosts the other way": b"Host: evil.example\r\nHost: testserver.local\r\n",
    "a folded host": b"Host: testserver.local\r\n evil.example\r\n",
    "a user in front": b"Host: testserver.local@evil.example\r\n",
    "markup": b'Host: "><script>alert(1)</script>\r\n',
    "a rewritten address": b"Host: testserver.local\r\nX-Original-URL: //evil.example/\r\nX-Rewrite-URL: //evil.example/\r\n",
    "no host": b"",
    "an absolute address": b"Host: testserver.local\r\n",
}


@pytest.mark.asvs("V1.2.2", "V1.3.3")
@pytest.mark.parametrize("name", POISONED)
async def test_the_link_to_a_new_password_is_ours_whatever_the_request_says(shop: Any, small_town: Town, name: str) -> None:
    """Over a real connection, because clients correct most of these. Mails are written from BASE_URL alone."""
    port = free_port()
    body = b"email=bob%40example.com"
    where = b"http://evil.example/password/forgot" if name == "an absolute address" else b"/password/forgot"
    head = b"Content-Type: application/x-www-form-urlencoded\r\nOrigin: " + BASE_URL.encode() + b"\r\nConnection: close\r\n"
    async with serving(shop, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"POST " + where + b" HTTP/1.1\r\n" + POISONED[name] + head + b"Content-Length: %d\r\n\r\n" % len(body) + body
        )
        async with asyncio.timeout(10):
            answer = await reader.read()
        writer.close()
        written = await _mails("password_reset")
    status = int(answer.split(b" ", 2)[1])
    assert status in (200, 400)
    assert b"evil.example" not in answer
    assert b"<script>alert" not in answer
    assert len(written) == (status == 200)
    assert all(f"{BASE_URL}/password/reset/" in mail and EVIL not in mail for mail in written)


async def _mails(kind: str) -> list[str]:
    """The mails of a kind that wait to be sent, as they would be."""
    await Worker().run_until_idle()
    async with reading() as db:
        due = [await queries.delivery(db, one) for one in await queries.due(db, now=clock.now(), most=20)]
    return [mails.compose(*one, [], [], now=clock.now()).as_string() for one in due if one[1].kind == kind]
