"""What browsers report about our policy is counted, cut and shown; nothing of it names a person."""

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
import time_machine
from sqlmodel import select

from app.accounts.models import User
from app.admin import actions, flows
from app.admin.models import CspReport
from app.admin.rules import Complaint, complaints
from app.core import clock
from app.core.db import Database, reading, writing
from app.web.security import SECRET_PATHS
from tests import world
from tests.conftest import BASE_URL

SignIn = Callable[[httpx.AsyncClient, User], Awaitable[None]]

OLD, NEW = "application/csp-report", "application/reports+json"


def old(**changes: object) -> bytes:
    told = {"document-uri": f"{BASE_URL}/events", "effective-directive": "script-src-elem", "blocked-uri": "inline", **changes}
    return json.dumps({"csp-report": told}).encode()


def new(*bodies: dict[str, object]) -> bytes:
    each = {"documentURL": f"{BASE_URL}/events", "effectiveDirective": "img-src", "blockedURL": "https://evil.example/a?b=c"}
    return json.dumps([{"type": "csp-violation", "url": BASE_URL, "body": each | body} for body in bodies or ({},)]).encode()


async def send(client: httpx.AsyncClient, body: bytes, kind: str = OLD) -> int:
    """As browsers do: by themselves, and without an Origin of ours."""
    sent = {"Content-Type": kind, "Origin": "null", "Sec-Fetch-Site": "cross-site"}
    return (await client.post("/csp-report", content=body, headers=sent)).status_code


async def kept() -> list[tuple[str, str, str, int]]:
    async with reading() as db:
        rows = (await db.exec(select(CspReport).order_by(CspReport.directive, CspReport.blocked, CspReport.path))).all()  # type: ignore[arg-type]
    return [(row.directive, row.blocked, row.path, row.times) for row in rows]


def read(body: bytes) -> list[Complaint]:
    return complaints(body, base_url=BASE_URL, secret_paths=SECRET_PATHS)


# ---------- what is kept ----------


@pytest.mark.asvs("V3.4.7")
async def test_both_kinds_of_reports_are_counted(client: httpx.AsyncClient) -> None:
    assert [await send(client, old()), await send(client, old()), await send(client, new({}, {}), NEW)] == [204] * 3
    assert await kept() == [("img-src", "evil.example", "/events", 2), ("script-src-elem", "inline", "/events", 2)]


async def test_a_report_is_counted_on_both_databases(database: Database, moment: time_machine.Traveller) -> None:
    for _ in range(2):
        async with writing() as tx:
            await actions.note_report(tx, Complaint("img-src", "evil.example", "/"), now=clock.now())
        moment.shift(timedelta(minutes=1))
    async with reading() as db:
        row = (await db.exec(select(CspReport))).one()
    assert (row.times, row.last_at - row.first_at) == (2, timedelta(minutes=1))


@pytest.mark.parametrize(
    ("blocked", "shown"),
    [
        ("inline", "inline"),
        ("eval", "eval"),
        ("data", "data"),
        ("data:image/png;base64,AAAA", "data"),
        ("https://evil.example:8443/bob@example.com?name=Bob#there", "evil.example"),
        ("chrome-extension://abcdef/script.js", "chrome-extension"),
        ("wss://evil.example/socket", "evil.example"),
        ("https://evil.example\u202e\n", "evil.example?"),
        ("", "unknown"),
        ("http://[broken", "unknown"),
        ("https://" + "x" * 500, "x" * 100),
    ],
)
def test_of_what_was_blocked_only_the_host_or_the_kind_is_kept(blocked: str, shown: str) -> None:
    found = read(old(**{"blocked-uri": blocked}))
    assert [complaint.blocked for complaint in found] in ([shown], ["unknown"] if blocked == "data" else [shown])


@pytest.mark.parametrize(
    ("page", "path"),
    [
        ("/events/late-show?code=SECRET#tickets", "/events/late-show"),
        ("/bookings/AAAAAAAAAAAAAAAAAAAAAA?s=cs_test", "/bookings/…"),
        ("/tickets/AAAAAAAAAAAAAAAAAAAAAA.pdf", "/tickets/…"),
        ("/password/reset/token", "/password/reset/…"),
        ("", "/"),
        ("/" + "x" * 500, "/" + "x" * 99),
    ],
)
def test_of_the_page_neither_query_nor_secret_is_kept(page: str, path: str) -> None:
    assert [complaint.path for complaint in read(old(**{"document-uri": BASE_URL + page}))] == [path]


@pytest.mark.parametrize(
    "body",
    [
        old(**{"document-uri": "https://evil.example/events"}),
        old(**{"document-uri": "about:blank"}),
        old(**{"document-uri": 7}),
        old(**{"effective-directive": "made-up"}),
        old(**{"effective-directive": None}),
        b"{}",
        b"[]",
        b"null",
        b'"text"',
        b'[{"type": "deprecation", "body": {}}, 7, null, []]',
        b'{"csp-report": []}',
    ],
)
def test_what_is_not_about_our_pages_is_not_kept(body: bytes) -> None:
    assert read(body) == []


def test_an_old_browser_names_the_whole_directive() -> None:
    told = old(**{"effective-directive": "", "violated-directive": "script-src 'self'"})
    assert read(told) == [Complaint("script-src", "inline", "/events")]


def test_one_request_reports_twenty_at_most() -> None:
    assert len(read(new(*({"blockedURL": f"https://{n}.example"} for n in range(50))))) == 20


# ---------- what is refused ----------


@pytest.mark.asvs("V2.4.1")
async def test_reports_have_a_kind_and_a_length(client: httpx.AsyncClient) -> None:
    deep = b"[" * 8000
    refused = {
        "a form": await send(client, b"a=1", "application/x-www-form-urlencoded"),
        "text": await send(client, old(), "text/plain"),
        "no kind": await send(client, old(), ""),
        "no JSON": await send(client, b"{", OLD),
        "broken UTF-8": await send(client, b'"\xff\xfe"', OLD),
        "deep": await send(client, deep, NEW),
        "long": await send(client, old(sample="x" * 8192), OLD),
    }
    assert refused == {"a form": 415, "text": 415, "no kind": 415, "no JSON": 400, "broken UTF-8": 400, "deep": 400, "long": 413}
    assert await kept() == []


@pytest.mark.asvs("V2.4.1")
async def test_inventing_reports_fills_no_disk(
    database: Database, moment: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "MOST_REPORTS", 3)
    async with writing() as tx:
        for number in (1, 2, 3, 4, 5, 2):
            await actions.note_report(tx, Complaint("img-src", f"{number}.example", "/"), now=clock.now())
    assert await kept() == [("img-src", f"{n}.example", "/", times) for n, times in ((1, 1), (2, 2), (3, 1))]


async def test_old_reports_are_forgotten(database: Database, moment: time_machine.Traveller) -> None:
    for host in ("old.example", "new.example"):
        async with writing() as tx:
            await actions.note_report(tx, Complaint("img-src", host, "/"), now=clock.now())
        moment.shift(timedelta(days=20))
    await flows.forget_old_reports()
    assert [row[1] for row in await kept()] == ["new.example"]


# ---------- the desk ----------


async def test_an_admin_reads_the_reports_and_clears_them(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    async with writing() as tx:
        dora = await world.dora(tx)
    await send(client, old(**{"blocked-uri": "https://evil.example/a", "document-uri": f"{BASE_URL}/me?x=1"}))
    await sign_in(client, dora)
    assert 'href="/admin/reports"' in (await client.get("/admin")).text
    shown = (await client.get("/admin/reports")).text
    assert "evil.example" in shown and "script-src-elem" in shown and ">/me<" in shown and "x=1" not in shown
    cleared = await client.post("/admin/reports/clear")
    assert cleared.headers["location"] == "/admin/reports"
    assert "No browser has refused anything" in (await client.get("/admin/reports")).text
    assert await kept() == []


async def test_what_was_reported_is_shown_as_text(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    async with writing() as tx:
        dora = await world.dora(tx)
    evil: dict[str, Any] = {"blocked-uri": "https://<script>alert(1)</script>", "document-uri": f"{BASE_URL}/<img src=x>"}
    await send(client, old(**evil))
    await sign_in(client, dora)
    shown = (await client.get("/admin/reports")).text
    assert "<script>alert" not in shown and "<img src=x" not in shown
