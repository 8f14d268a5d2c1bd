"""Logs: one line per fact, as text for people or as JSON for machines, on standard error.

The lines of other libraries, of Python's warnings and of uncaught exceptions take the same way. Control characters are
escaped, so nobody outside can make a line that is not ours. Bodies, cookies, addresses of people and secrets never go in;
app/core/redaction.py replaces what somebody overlooked.
"""

import hashlib
import hmac
import json
import logging
import re
import sys
import threading
from collections.abc import MutableMapping
from contextlib import suppress
from types import TracebackType
from typing import Any, TextIO

import structlog

from app.core import redaction
from app.core.settings import in_force

Facts = MutableMapping[str, Any]

FORMATS = ("text", "json")

# Everything that ends a line, moves a cursor or turns the direction of writing.
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_NEEDS_QUOTES = re.compile(r'[\s"=]|^$')


def configure(log_format: str, stream: TextIO | None = None) -> None:
    """log_format is "text" or "json". Other libraries' lines join from warnings on. `stream` is standard error if not given."""
    out = _Out(stream)
    steps = _steps(log_format)
    structlog.configure(
        processors=steps,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_names: out,
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if isinstance(handler, _Foreign)]:
        root.removeHandler(old)
    root.addHandler(_Foreign(out, steps))
    root.setLevel(logging.WARNING)
    logging.captureWarnings(True)


def catch_everything() -> None:
    """What nothing else has caught becomes a line like all others: at the end of the program, of a thread, of an object."""

    log = structlog.get_logger()

    def uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
        else:
            log.critical("the program ends by an error", exc_info=(kind, error, trace))

    sys.excepthook = uncaught
    threading.excepthook = lambda found: log.critical("a thread ends by an error", exc_info=found.exc_value)
    sys.unraisablehook = lambda found: log.error("an error came too late to be raised", exc_info=found.exc_value)


def security(what: str, **facts: Any) -> None:
    """A line about somebody at a door that stayed shut: `security.login_failed`, `security.limit_reached`, …"""
    structlog.get_logger().warning(f"security.{what}", **facts)


def mark(value: str) -> str:
    """Twelve letters that stand for a value in the log: the same for the same value, and no way back without our key."""
    chosen = in_force()
    key = chosen.secret_key if chosen else ""
    return hmac.new(f"log:{key}".encode(), value.encode(errors="replace"), hashlib.sha256).hexdigest()[:12]


def _steps(log_format: str) -> list[Any]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.format_exc_info,
        redaction.hide,
        _as_json if log_format == "json" else _as_text,
    ]


def _as_json(_logger: Any, _name: str, facts: Facts) -> str:
    """ASCII only, so that a line break of whatever alphabet is escaped."""
    first = {key: facts.pop(key) for key in ("time", "level", "event") if key in facts}
    return json.dumps({**first, **facts})


def _as_text(_logger: Any, _name: str, facts: Facts) -> str:
    """A line for people; those of a traceback begin with a bar, so that none looks like a line of its own."""
    time, level, said = (str(facts.pop(key, "")) for key in ("time", "level", "event"))
    trace = str(facts.pop("exception", ""))
    rest = "".join(f" {key}={_quoted(value)}" for key, value in facts.items())
    return "\n    | ".join([f"{time} {level:<8} {_seen(said)}{_seen(rest)}", *map(_seen, trace.splitlines())])


def _quoted(value: Any) -> str:
    if isinstance(value, str) and not _NEEDS_QUOTES.search(value):
        return value
    return json.dumps(value, ensure_ascii=False)


def _seen(text: str) -> str:
    return _UNSEEN.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


class _Out:
    """Where lines go. A full disk or a closed pipe must not stop a sale: a line that cannot be written is lost."""

    def __init__(self, stream: TextIO | None) -> None:
        self.stream = stream

    def msg(self, line: str) -> None:
        stream = self.stream or sys.stderr
        with suppress(OSError, ValueError):
            stream.write(f"{line}\n")
            stream.flush()

    debug = info = warning = error = critical = exception = msg


class _Foreign(logging.Handler):
    """Takes what other libraries tell Python's own logging, and sends it our way."""

    def __init__(self, out: _Out, steps: list[Any]) -> None:
        super().__init__()
        self.out, self.steps = out, steps

    def emit(self, record: logging.LogRecord) -> None:
        facts: Any = {"event": _message(record), "logger": record.name}
        if record.exc_info:
            facts["exc_info"] = record.exc_info
        for step in self.steps:
            facts = step(None, record.levelname.lower(), facts)
        self.out.msg(facts)


def _message(record: logging.LogRecord) -> str:
    """A library that fills in its own sentence wrongly must not bring down who called it."""
    try:
        return record.getMessage()
    except Exception as error:  # noqa: BLE001 - the sentence calls __str__ of anything
        return f"{record.msg} [{type(error).__name__}]"
