"""Secrets stay where they belong. Something is broken at every door, and then somebody looks at all that came out.

After every test of the suite the watch of tests/canaries.py looks the same way; here it is also shown that it sees.
"""

import dataclasses
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiosmtplib
import httpx
import pytest
import stripe as sdk
from sqlmodel import select

import app.events.filters
import app.web.errors
import app.web.requests
from app.core import logs, redaction
from app.core.db import Database, reading, writing
from app.core.settings import Settings, SettingsError, read, settings, use
from app.notifications import flows as notifications
from app.notifications.models import Delivery
from app.payments import stripe
from app.sandbox.mailbox import Mailbox
from app.worker import Worker
from tests import canaries, world
from tests.canaries import STRIPE_KEY, watch
from tests.notifications.scenes import bought, happened
from tests.postgres import Cluster, MissingBinaries

ROOT = Path(__file__).parents[1]
PASSWORD = "canary+of the/mail"
MAIL_URL = "smtp://shop:canary%2Bof%20the%2Fmail@127.0.0.1:{port}"


def number_on(page: str) -> str:
    return re.search(r'<span class="mono">([0-9a-f]{16})</span>', page)[1]  # type: ignore[index]


@pytest.fixture
async def mailbox(sqlite_database: Database, tmp_path: Path) -> AsyncIterator[Mailbox]:
    """Real SMTP on a free port."""
    made = Mailbox(tmp_path / "mail")
    use(dataclasses.replace(settings(), smtp_url=f"smtp://127.0.0.1:{await made.start()}"))
    yield made
    await made.stop()


@pytest.fixture
async def broken(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> httpx.AsyncClient:
    """A browser at a shop whose list of events fails with secrets in its hands."""

    async def facets(*_args: object, **_kwargs: object) -> None:
        key, address = settings().secret_key, f"postgresql://shop:{settings().stripe_api_key}@db/shop"
        raise RuntimeError(f"cannot reach {address} with {key} for bob@example.com")

    monkeypatch.setattr(app.events.filters, "facets", facets)
    return client


# ---------- the watch sees ----------


@pytest.mark.parametrize("place", canaries.EVERYWHERE[2:4])
def test_the_watch_finds_a_secret_at_each_place(place: str) -> None:
    watch.said[place].append(f"Subject: x\n\n{STRIPE_KEY}".encode())
    assert watch.found() == [f"A setting came out in {place}: sk_tes…"]
    watch.forget()


def test_the_watch_finds_a_secret_in_a_log_without_redaction(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(redaction, "clean", lambda text: text)
    logs.security("planted", said=STRIPE_KEY)
    # Taken away here, because a test that prints a secret has failed.
    assert STRIPE_KEY in capsys.readouterr().err
    assert any("the log" in leak for leak in watch.found())
    watch.forget()


def test_the_watch_finds_a_secret_in_a_database(tmp_path: Path) -> None:
    (tmp_path / "planted.db-wal").write_bytes(b"\x00" + STRIPE_KEY.encode() + b"\x01")
    assert watch.found(tmp_path) == ["A setting came out in the database: sk_tes…"]
    (tmp_path / "planted.db-wal").unlink()


async def test_the_watch_hears_of_what_the_tests_make(client: httpx.AsyncClient, mailbox: Mailbox) -> None:
    """Nobody has renamed what it listens to: a password, the id of a login session, a mailed link."""
    form = {"email": "erin@example.com", "password": "a canary of a password"}
    await client.post("/register", data=form)
    await Worker().react()
    await notifications.deliver()
    (mail,) = await mailbox.messages("erin@example.com")
    link = re.search(r"http://testserver\.local(/verify/\S+)", mail.text)[1]  # type: ignore[index]
    await client.post(link)
    answer = await client.post("/login", data=form)
    assert answer.status_code == 303
    assert {kind for kind, _places in watch.noted.values()} == {"password", "mailed link", "login session"}
    assert watch.said["a mail"]


async def test_the_watch_sees_what_browsers_get(broken: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.web.errors, "_", lambda _sentence: f"It was {STRIPE_KEY}.")
    await broken.get("/events")
    assert watch.found() == ["A setting came out in an error page: sk_tes…"]
    watch.forget()


# ---------- every door ----------


@pytest.mark.asvs("V16.5.1", "V16.3.4", "V13.4.2")
@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true", "HX-Request-Type": "partial"}], ids=["page", "part"])
async def test_an_error_page_says_nothing_of_what_went_wrong_but_its_number(
    broken: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    answer = await broken.get("/events", headers=headers)
    assert answer.status_code == 500
    told = ("Traceback", "RuntimeError", "facets", ".py", "postgresql", "litestar", "Litestar", "jinja", "bob@example.com")
    assert [word for word in told if word in answer.text] == []
    number = number_on(answer.text)
    assert answer.headers["x-request-id"] == number
    assert f"request_id={number}" in watch.log
    assert "RuntimeError: cannot reach postgresql://[hidden]@db/shop with [hidden] for [e-mail]" in watch.log
    assert "app/events/pages/browse.py" in watch.log, "the log says where"


@pytest.mark.asvs("V16.5.1", "V16.5.3")
async def test_when_the_error_page_itself_is_broken_there_is_still_an_answer(
    broken: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def page(*_args: object, **_kwargs: object) -> None:
        raise LookupError(f"base.html {settings().secret_key}")

    monkeypatch.setattr(app.web.errors, "page", page)
    answer = await broken.get("/events")
    number = answer.headers["x-request-id"]
    assert (answer.status_code, answer.headers["content-type"]) == (500, "text/plain; charset=utf-8")
    assert answer.text == f"Something went wrong on our side. It has been written down as {number}.\n"
    assert "content-security-policy" in answer.headers
    assert "no answer could be made" in watch.log
    assert number in watch.log


async def test_without_the_last_resort_there_would_be_none(broken: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_args: object, **_kwargs: object) -> None:
        raise LookupError

    async def nothing(*_args: object) -> None:
        raise LookupError

    monkeypatch.setattr(app.web.errors, "page", fails)
    monkeypatch.setattr(app.web.requests, "_plain", nothing)
    with pytest.raises(LookupError):
        await broken.get("/events")


@pytest.mark.asvs("V16.5.1", "V13.4.2")
@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 406, 408, 409, 413, 414, 415, 418, 422, 429, 431, 500])
async def test_every_status_has_a_page_without_internals(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    async def raises(*_args: object, **_kwargs: object) -> None:
        raise app.web.errors.HTTPException(detail=f"inside {STRIPE_KEY}", status_code=status, extra={"column": "password_hash"})

    monkeypatch.setattr(app.events.filters, "facets", raises)
    answer = await client.get("/events")
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert "<h1>" in answer.text
    assert not any(word in answer.text for word in ("inside", "password_hash", "HTTPException", "Traceback"))


@pytest.mark.asvs("V16.5.1", "V16.5.2", "V16.2.5")
async def test_stripe_refuses_with_the_key_in_its_sentence(monkeypatch: pytest.MonkeyPatch, sqlite_database: Database) -> None:
    def api() -> Any:
        raise sdk.InvalidRequestError(f"No such thing for key {STRIPE_KEY}", param="x", http_status=400, code="missing")

    monkeypatch.setattr(stripe, "_api", api)
    stripe._breaker.cache_clear()
    with pytest.raises(stripe.StripeRefused) as refused:
        await stripe.expire_session("cs_test_1")
    assert str(refused.value) == "No such thing for key [hidden]"
    await stripe.close_client()


@pytest.mark.asvs("V16.5.1", "V16.5.2", "V16.2.5")
async def test_the_mail_server_refuses_the_login_and_repeats_it(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(dataclasses.replace(settings(), smtp_url=MAIL_URL.format(port=9)))
    given: dict[str, Any] = {}

    async def refuses(_message: EmailMessage, **kwargs: Any) -> None:
        given.update(kwargs)
        raise aiosmtplib.SMTPAuthenticationError(535, f"5.7.8 bad password {kwargs['password']} for bob@example.com")

    monkeypatch.setattr(aiosmtplib, "send", refuses)
    async with writing() as tx:
        bob, event = await world.bob(tx), await world.event(tx)
    booking = await bought(event, bob)
    await happened("booking.paid", f"booking:{booking.id}")
    await notifications.deliver()
    assert given["password"] == PASSWORD
    async with reading() as db:
        delivery = (await db.exec(select(Delivery))).one()
    assert "535" in delivery.error
    for said in (delivery.error, watch.log):
        assert PASSWORD not in said
        assert "canary%2B" not in said
        assert "bob@" not in said


# ---------- the start ----------


def started(folder: Path, *words: str, **own: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    given = kept | {"DATA_DIR": str(folder), "DATABASE_URL": f"sqlite:///{folder}/x.db", "SECRET_KEY": "canary" * 8} | own
    command = [sys.executable, "main.py", *words]
    return subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, timeout=60, check=False)


WRONG_ADDRESSES = {
    "nobody answers": "postgresql://shop:canarysecret@127.0.0.1:9/shop",
    "port is a word": "postgresql://shop:canarysecret@127.0.0.1:canarysecret/shop",
    "no database": "mysql://shop:canarysecret@127.0.0.1/shop",
}


@pytest.mark.asvs("V13.3.1", "V16.2.5", "V16.5.1")
@pytest.mark.parametrize("name", WRONG_ADDRESSES)
def test_a_start_that_fails_does_not_repeat_the_databases_password(tmp_path: Path, name: str) -> None:
    said = started(tmp_path, "migrate", DATABASE_URL=WRONG_ADDRESSES[name])
    assert said.returncode != 0
    assert said.stderr
    assert "canarysecret" not in said.stdout + said.stderr


WRONG_SETTINGS = (
    {"SECRET_KEY": "canarysecret"},
    {"LOG_FORMAT": "canarysecret"},
    {"WORKERS": "canarysecret"},
    {"DEMO": "1", "STRIPE_API_KEY": "sk_live_canarysecret"},
    {"MAIL_FROM": "canarysecret"},
    {"BASE_URL": "ftp://canarysecret"},
)


@pytest.mark.asvs("V13.3.1", "V16.2.5")
@pytest.mark.parametrize("wrong", WRONG_SETTINGS, ids=lambda wrong: "+".join(wrong))
def test_a_wrong_setting_is_named_and_not_repeated(wrong: dict[str, str]) -> None:
    with pytest.raises(SettingsError) as error:
        read({"SECRET_KEY": "k" * 32, "BASE_URL": "https://tickets.example.org"} | wrong)
    assert any(name in str(error.value) for name in wrong)
    assert "canarysecret" not in str(error.value)


async def test_a_wrong_password_of_the_database_is_not_repeated(tmp_path: Path, cluster: Cluster) -> None:
    try:
        url = await cluster.empty()
    except MissingBinaries as missing:
        pytest.skip(str(missing))
    wrong = re.sub(r"://[^/@]*@", "://nobody:canarysecret@", url)
    said = started(tmp_path, "migrate", DATABASE_URL=wrong)
    await cluster.drop(url)
    assert said.returncode != 0
    assert "canarysecret" not in said.stdout + said.stderr


@pytest.mark.asvs("V13.3.1")
def test_settings_do_not_show_their_secrets() -> None:
    given = {
        "SECRET_KEY": "canary" * 8,
        "BASE_URL": "https://tickets.example.org",
        "DATABASE_URL": "postgresql://shop:canary-db@db/shop",
        "SMTP_URL": "smtp://shop:canary-smtp@mail:587",
        "STRIPE_API_KEY": "sk_live_canary",
        "STRIPE_WEBHOOK_SECRET": "whsec_canary",
    }
    found = read(given)
    assert "canary" not in repr(found)
    assert set(redaction.secrets_of(found)) == {"canary" * 8, "canary-db", "canary-smtp", "sk_live_canary", "whsec_canary"}


def test_every_setting_with_the_name_of_a_secret_is_one() -> None:
    for field in dataclasses.fields(Settings):
        named = re.search(r"secret|key|password|token", field.name) and field.type is str
        assert not (named and field.repr), f"{field.name} would be shown, so the log would not hide it"


@pytest.mark.asvs("V13.3.1")
def test_no_file_of_the_project_holds_a_real_secret() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("this is no checkout")
    keys = rb"[sr]k_live_[A-Za-z0-9]{20,}|whsec_[A-Za-z0-9]{32,}|ghp_\w{36}|AKIA[0-9A-Z]{16}"
    shapes = re.compile(keys + rb"|-----BEGIN [A-Z ]*PRIVATE KEY")
    files = [ROOT / name for name in listed.stdout.splitlines()]
    assert len(files) > 300
    faults = [path for path in files if path.is_file() and shapes.search(path.read_bytes())]
    assert faults == []
    assert shapes.search(b"sk_live_" + b"51H0abcdefghijklmnopqr")


# ---------- what a stranger learns about the machine ----------


NOT_THERE = (
    "/.git/config", "/.env", "/static/", "/static", "/static/../pyproject.toml", "/static/%2e%2e/pyproject.toml", "/schema",
    "/schema/openapi.json", "/openapi.json", "/docs", "/metrics", "/debug", "/server-status", "/data/eventticket.db",
    "/sandbox/mail", "/sandbox/stripe/v1/events",
)  # fmt: skip


@pytest.mark.asvs("V13.4.1", "V13.4.3", "V13.4.5", "V15.2.3")
@pytest.mark.parametrize("address", NOT_THERE)
async def test_there_is_nothing_but_the_shop(client: httpx.AsyncClient, address: str) -> None:
    assert (await client.get(address)).status_code == 404


@pytest.mark.asvs("V13.4.4")
@pytest.mark.parametrize("method", ["TRACE", "TRACK", "CONNECT", "PROPFIND"])
async def test_other_methods_are_refused_and_echo_nothing(client: httpx.AsyncClient, method: str) -> None:
    answer = await client.request(method, "/events", headers={"X-Echo": "canary"})
    assert answer.status_code == 405
    assert "canary" not in answer.text


@pytest.mark.asvs("V13.4.2")
def test_debugging_is_off(app: Any) -> None:
    from main import litestar_app

    shop = litestar_app()
    assert shop.debug is False
    assert shop.pdb_on_exception is False
    assert shop.openapi_config is None


@pytest.mark.asvs("V15.3.2")
async def test_calls_to_the_outside_follow_no_redirect() -> None:
    client = stripe._connections()
    assert client._client_async.follow_redirects is False
    await stripe.close_client()
