"""The second line of defence of the logs: whatever looks like a secret or an address is replaced before a line is written.

The first line is that no code hands such a thing to the log. Values pass through here field by field, tracebacks too.
"""

import re
from collections.abc import Mapping
from dataclasses import fields
from datetime import date
from pathlib import PurePath
from typing import Any
from urllib.parse import unquote

from app.core.settings import Settings, in_force

HIDDEN = "[hidden]"
ADDRESS = "[e-mail]"

# Longer texts are cut before anything looks at them, so that a huge one cannot keep the program busy.
MOST_LETTERS = 20_000
MOST_ITEMS = 50
MOST_DEPTH = 4
# Shorter ones would hide ordinary words.
SHORTEST_SECRET = 6
_SHORTEST_CODE = 20

SECRET_FIELDS = frozenset(
    {"password", "passwd", "secret", "secret_key", "client_secret", "api_key", "recovery_code", "code_verifier"}
    | {"token", "access_token", "id_token", "refresh_token", "authorization", "cookie", "set-cookie", "session_id"}
)

# Every repetition is bounded or begins at the edge of a word, so that no text makes the search slow.
_PATTERN = re.compile(
    r"""
    # Name and password in an address.
      (?P<url>://)[^/\s]{1,300}@
    # Stripe's keys, and what a header or a field of that name carries.
    | \b(?:[sr]k_(?:live|test)_|whsec_)[\w+/=-]+
    | (?P<scheme>\b(?:[Bb]earer|[Bb]asic)\s)\s*[\w.~+/=-]{16,}
    | (?P<header>(?i:\b(?:authorization|(?:set-)?cookie))["']?\s{0,3}[:=,]\s{0,3})[^\r\n]+
    | (?P<field>(?i:password|passwd|secret|token|api[_-]?key)(?:_\w{1,20})?["']?\s{0,3}[:=]\s{0,3})
      (?:"[^"\n]*"|'[^'\n]*'|[^\s"'&,;)]+)
    # Codes in our paths, and any other part of a path that looks drawn by lot.
    | (?P<path>/(?:password/reset|verify|bookings|tickets|invitations|unsubscribe|login/link)/)(?!\{)[^/\s"'?\#]+
    # A bare code of ours or the id of a login session.
    | (?<![\w-])(?=[\w-]{0,42}[A-Z])(?=[\w-]{0,42}[\d_-])(?:[\w-]{22}|[\w-]{43})(?![\w-])
    | (?<=/)(?=[\w.-]{0,200}[A-Z])(?=[\w.-]{0,200}[\d_-])[\w.-]{20,}
    # What we signed, cookies and mailed links, and the tokens of others.
    | (?<![\w-])[\w-]{4,4000}(?:\.[\w-]{1,20})?\.(?:[\w-]{27}|[\w-]{43})(?![\w-])
    | \beyJ[\w-]{8,}(?:\.[\w-]+){0,3}
    | (?P<mail>[\w.+-]{1,64}(?:@|%40)[\w-]{1,63}(?:\.[\w-]{1,63})+)
    """,
    re.VERBOSE,
)


def hide(_logger: Any, _name: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """A step of the log: every value of a line without secrets, and without objects that could hold some."""
    return {key: HIDDEN if key.lower() in SECRET_FIELDS else _plain(value) for key, value in facts.items()}


def clean(text: str) -> str:
    """The text with secrets and addresses replaced: those of the settings by value, all others by their looks."""
    text = text if len(text) <= MOST_LETTERS else f"{text[:MOST_LETTERS]} [cut]"
    for secret in _known():
        if secret in text:
            text = text.replace(secret, HIDDEN)
    if len(text) < _SHORTEST_CODE and text.isalnum():
        # A word: no pattern fits so few letters without a sign among them, and most of a line is words.
        return text
    return _PATTERN.sub(_replaced, text)


def _replaced(found: re.Match[str]) -> str:
    if found["mail"]:
        return ADDRESS
    kept = found["url"] or found["scheme"] or found["header"] or found["field"] or found["path"] or ""
    return f"{kept}{HIDDEN}@" if found["url"] else f"{kept}{HIDDEN}"


def _plain(value: Any, depth: int = 0) -> Any:
    """Text, numbers, times, and lists and tables of them. Of anything else only its type is told: a row knows too much."""
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return clean(value)
        case BaseException():
            return clean(f"{type(value).__name__}: {value}")
        case date():
            return value.isoformat()
        case Mapping() if depth < MOST_DEPTH:
            pairs = [(str(key), item) for key, item in list(value.items())[:MOST_ITEMS]]
            return {clean(key): HIDDEN if key.lower() in SECRET_FIELDS else _plain(item, depth + 1) for key, item in pairs}
        case list() | tuple() | set() | frozenset() if depth < MOST_DEPTH:
            return [_plain(item, depth + 1) for item in list(value)[:MOST_ITEMS]]
        case PurePath():
            return clean(str(value))
    return f"<{type(value).__name__}>"


_of: tuple[Settings | None, tuple[str, ...]] = (None, ())


def _known() -> tuple[str, ...]:
    """The secrets of the settings in force; looked for anew only when others are in force."""
    global _of
    chosen = in_force()
    if chosen is not _of[0]:
        _of = (chosen, secrets_of(chosen) if chosen else ())
    return _of[1]


def secrets_of(chosen: Settings) -> tuple[str, ...]:
    """What may appear nowhere: each setting that its repr leaves out, and of an address only the password."""
    found: set[str] = set()
    for field in fields(chosen):
        value = getattr(chosen, field.name)
        if field.repr or not isinstance(value, str):
            continue
        in_address = re.match(r"[\w+]+://[^/]*?:([^/]*)@", value)
        whole = [] if "://" in value else [part.strip() for part in value.split(",")]
        found |= {in_address[1], unquote(in_address[1])} if in_address else set(whole)
    return tuple(sorted((secret for secret in found if len(secret) >= SHORTEST_SECRET), key=len, reverse=True))
