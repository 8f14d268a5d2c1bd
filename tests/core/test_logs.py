"""The log: one line per fact, in one shape whoever speaks, without control characters, secrets and addresses."""

import asyncio
import io
import json
import logging
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog
import time_machine

from app.core import logs, redaction
from app.core.settings import Settings, use
from tests import canaries

ROOT = Path(__file__).parents[2]
FORGED = "nice\n2026-11-16T12:00:00Z info request user=1\r\x1b[2K\x00\x85\u2028end"
HOSTILE_ENDS = ("\n", "\r", "\x1b", "\x00", "\x85", "\u2028", "\u202e")


@pytest.fixture(params=["text", "json"])
def log_format(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def out(log_format: str) -> Iterator[io.StringIO]:
    """Where the log goes during a test of its own."""
    stream = io.StringIO()
    logs.configure(log_format, stream)
    yield stream
    logs.configure("text", canaries.watch)


def one_line(out: io.StringIO) -> str:
    said = out.getvalue()
    assert said.endswith("\n")
    assert said.count("\n") == 1, said
    return said.rstrip("\n")


@pytest.mark.asvs("V16.2.1", "V16.2.4")
def test_a_line_says_when_how_serious_and_what(out: io.StringIO, log_format: str, moment: time_machine.Traveller) -> None:
    structlog.get_logger().info("request", path="/bookings/{code}", status=303, user=None)
    said = one_line(out)
    if log_format == "json":
        wanted = {"time": "2026-11-16T12:00:00Z", "level": "info", "event": "request"}
        assert json.loads(said) == wanted | {"path": "/bookings/{code}", "status": 303, "user": None}
    else:
        assert said == "2026-11-16T12:00:00Z info     request path=/bookings/{code} status=303 user=null"


@pytest.mark.asvs("V16.4.1")
@pytest.mark.parametrize("where", ["sentence", "field", "key", "inside", "library", "warning"])
def test_nobody_forges_a_line(out: io.StringIO, where: str) -> None:
    log = structlog.get_logger()
    match where:
        case "sentence":
            log.warning(FORGED)
        case "field":
            log.warning("mail not sent", error=FORGED)
        case "key":
            log.warning("mail not sent", **{FORGED: 1})
        case "inside":
            log.warning("mail not sent", facts={"to": [FORGED]})
        case "library":
            logging.getLogger("asyncpg").warning("broken: %s", FORGED)
        case "warning":
            with warnings.catch_warnings():
                warnings.simplefilter("always")
                # What captureWarnings() puts in place; pytest keeps its own there during a test.
                logging._showwarning(UserWarning(FORGED), UserWarning, "x.py", 1)  # type: ignore[attr-defined]
    said = one_line(out)
    assert not any(end in said for end in HOSTILE_ENDS)


@pytest.mark.asvs("V16.4.1")
def test_lines_of_a_traceback_do_not_look_like_lines_of_their_own(out: io.StringIO, log_format: str) -> None:
    try:
        raise ValueError(FORGED)
    except ValueError:
        structlog.get_logger().exception("reaction failed")
    first, *rest = out.getvalue().rstrip("\n").split("\n")
    assert "reaction failed" in first
    if log_format == "json":
        assert rest == []
        assert "ValueError" in json.loads(first)["exception"]
    else:
        assert rest
        assert all(line.startswith("    | ") for line in rest)


SECRETS = {
    "Authorization: Bearer abcdefghijklmnop0123": "abcdefghijklmnop0123",
    "headers [(b'cookie', b'login=s3cr3t; theme=dark')]": "s3cr3t",
    "Set-Cookie: __Host-login=s3cr3t; Path=/": "s3cr3t",
    "No such key: sk_live_51Habcdef, rk_test_xyz": "51Habcdef",
    "secret whsec_abcDEF/+=123": "abcDEF",
    "GET /password/reset/Ijc4Ig.abc failed": "Ijc4Ig",
    "/verify/whatever": "whatever",
    "http://x/bookings/AbC_0123456789-xyzXYZ1/checkout?a=b": "AbC_0123456789",
    "/tickets/k3yk3yk3y.pdf": "k3yk3yk3y",
    "/invitations/abc and /unsubscribe/def": "/abc",
    "/login/link/abc": "link/abc",
    "/somewhere/else/dGhpcyBpcyBhIHRva2VuMTIz": "dGhpcyBpcyBhIHRva2VuMTIz",
    "session dGhpcyBpcyBhIHNlY3JldCBzZXNzaW9uIGlkISEhMTI": "dGhpcyBp",
    "cannot reach postgresql://shop:hunter22@db/shop": "hunter22",
    "{'password': 'nine pianos in the rain'}": "pianos",
    "password=hunter22&next=/": "hunter22",
    "Key (email)=(bob@example.com) already exists": "bob@",
    "/login?email=bob%40example.com": "bob%40",
    "token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc": "eyJzdWIiOiIxIn0",
}


@pytest.mark.asvs("V16.2.5", "V14.2.4")
@pytest.mark.parametrize("said", SECRETS)
@pytest.mark.parametrize("where", ["sentence", "field", "inside", "library", "traceback"])
def test_what_looks_like_a_secret_is_hidden(out: io.StringIO, said: str, where: str) -> None:
    log = structlog.get_logger()
    match where:
        case "sentence":
            log.warning(said)
        case "field":
            log.warning("x", error=said)
        case "inside":
            log.warning("x", facts={"a": [said]})
        case "library":
            logging.getLogger("httpx").warning("%s", said)
        case "traceback":
            text = said
            try:
                raise ValueError(text)
            except ValueError:
                log.exception("x")
    assert SECRETS[said] not in out.getvalue()
    assert "hidden]" in out.getvalue() or "[e-mail]" in out.getvalue()


@pytest.mark.parametrize(
    "said",
    [
        "2 places of ticket type 7 were held for booking:17 in 12 ms",
        "app.bookings.boxoffice.some_function_with_a_long_name",
        "/bookings/{code}/checkout",
        "/srv/shop/.venv/lib/python3.13/site-packages/sqlalchemy/ext/asyncio/session.py",
        "checkout.session.completed of cs_test_a1",
        "AttributeError: 'NoneType' object has no attribute 'tickets'",
    ],
)
def test_ordinary_words_stay(said: str) -> None:
    assert redaction.clean(said) == said


@pytest.mark.asvs("V16.2.5")
def test_fields_with_the_name_of_a_secret_and_objects_are_never_shown(out: io.StringIO) -> None:
    structlog.get_logger().info("x", password="short", facts={"Cookie": "a"}, row=object(), settings=Settings())
    said = one_line(out)
    assert "short" not in said
    assert said.count("[hidden]") == 2
    assert "<object>" in said
    assert "<Settings>" in said


@pytest.mark.asvs("V16.2.5", "V13.3.1")
def test_secrets_of_the_settings_are_hidden_whatever_they_look_like(out: io.StringIO) -> None:
    mail = "smtp://shop:hunt%40er22@mail:587"
    use(Settings(secret_key="plain words and more of them", smtp_url=mail, stripe_webhook_secret="first1, second2"))
    structlog.get_logger().error("plain words and more of them", a="535 hunt@er22", b="hunt%40er22", c="first1 second2")
    said = one_line(out)
    assert not any(secret in said for secret in ("plain words", "er22", "first1", "second2"))


def test_without_the_processor_they_would_be_there(out: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "clean", lambda text: text)
    structlog.get_logger().error("Authorization: Bearer abcdefghijklmnop0123")
    assert "abcdefghijklmnop0123" in out.getvalue()


LONG = ("a.b-" * 50_000, "://" * 50_000, 'password="' * 20_000, "a@" * 50_000, "/A1" * 50_000, "x" * 200_000)


@pytest.mark.parametrize("text", LONG, ids=lambda text: text[:10])
def test_no_text_keeps_the_log_busy(text: str) -> None:
    begun = time.thread_time()
    redaction.clean(text)
    assert time.thread_time() - begun < 1


@pytest.mark.asvs("V16.3.4")
async def test_what_asyncio_finds_uncaught_is_a_line_like_all_others(out: io.StringIO) -> None:
    async def fails() -> None:
        raise ValueError(f"about bob@example.com {FORGED}")

    loop = asyncio.get_running_loop()
    try:
        await fails()
    except ValueError as error:
        loop.default_exception_handler({"message": "Task exception was never retrieved", "exception": error})
    said = out.getvalue()
    assert "never retrieved" in said
    assert "ValueError" in said
    assert "bob@" not in said


@pytest.mark.asvs("V16.3.4", "V16.5.1")
@pytest.mark.parametrize("log_format", ["json"])
def test_what_ends_the_program_or_a_thread_is_a_line_too(out: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, hook in ((sys, "excepthook"), (sys, "unraisablehook"), (threading, "excepthook")):
        monkeypatch.setattr(module, hook, getattr(module, hook))
    logs.catch_everything()
    error = ValueError("about bob@example.com")
    sys.excepthook(ValueError, error, None)
    threading.excepthook(threading.ExceptHookArgs((ValueError, error, None, None)))
    first, second = (json.loads(line) for line in out.getvalue().splitlines())
    assert (first["level"], second["level"]) == ("critical", "critical")
    assert "ValueError: about [e-mail]" in first["exception"]
    assert "ValueError: about [e-mail]" in second["exception"]


@pytest.mark.asvs("V16.5.3")
def test_a_log_that_cannot_be_written_stops_nothing() -> None:
    class Full(io.StringIO):
        def write(self, _text: str) -> int:
            raise OSError(28, "No space left on device")

    for stream in (Full(), closed()):
        logs.configure("text", stream)
        structlog.get_logger().info("x")
        logging.getLogger("y").warning("z")
    logs.configure("text", canaries.watch)


def closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


def test_a_library_that_fills_in_its_sentence_wrongly_brings_nobody_down(out: io.StringIO) -> None:
    record = logging.LogRecord("y", logging.WARNING, "y.py", 1, "%s and %s", ("one",), None)
    # Not through the logger: pytest listens there too, and would fail on purpose.
    next(handler for handler in logging.getLogger().handlers if isinstance(handler, logs._Foreign)).handle(record)
    assert "and" in one_line(out)


def test_a_mark_is_the_same_for_the_same_address_and_says_nothing_about_it() -> None:
    first = logs.mark("bob@example.com")
    assert first == logs.mark("bob@example.com") != logs.mark("bob@example.org")
    use(Settings(secret_key="another key of another shop 0123456789"))
    assert logs.mark("bob@example.com") != first


@pytest.mark.asvs("V16.2.2")
def test_times_are_utc_wherever_the_machine_stands() -> None:
    code = "from app.core import logs; import structlog; logs.configure('json'); structlog.get_logger().info('x')"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, env={"TZ": "Asia/Tokyo"}, capture_output=True, text=True, check=True)
    said = datetime.fromisoformat(json.loads(done.stderr)["time"])
    assert abs((said - datetime.now(UTC)).total_seconds()) < 60
