"""Every setting, typed, read once from the environment. A wrong one stops the start with a sentence.

What an admin may change while the shop runs stands in EDITABLE: stored values (core/stored.py) lie over the defaults, and the
environment over both.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from email.utils import getaddresses
from ipaddress import ip_network
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from app.core.money import CURRENCIES

T = TypeVar("T")

DEMO_SECRET_KEY = "a-demo-secret-that-everybody-knows-0123456789"
DEMO_STRIPE_KEY = "sk_test_sandbox"
DEMO_WEBHOOK_SECRET = "whsec_sandbox"
MOST_PER_MINUTE = 10_000_000


class SettingsError(Exception):
    """A sentence per wrong setting, for the person who starts the program."""


@dataclass(frozen=True)
class Settings:
    """Lengths of time are in seconds unless the name says otherwise."""

    host: str = "127.0.0.1"
    port: int = 8000
    database_url: str = field(default="sqlite+aiosqlite:///data/eventticket.db", repr=False)
    base_url: str = "http://127.0.0.1:8000"
    secret_key: str = field(default="", repr=False)
    # What SECRET_KEY was before, oldest first, with commas between: only the seals of the activity log are checked with them.
    secret_key_old: str = field(default="", repr=False)
    site_name: str = "EventTicket"
    # Where people write to; mails are answered there.
    contact: str = ""
    # What the form of a new event begins with.
    default_currency: str = "EUR"
    default_zone: str = "Europe/Rome"
    demo: bool = False
    stripe_api_key: str = field(default="", repr=False)
    stripe_api_base: str = ""
    stripe_webhook_secret: str = field(default="", repr=False)
    # Of the endpoint that an admin had made at Stripe (core/stored.py).
    stored_webhook_secret: str = field(default="", repr=False)
    smtp_url: str = field(default="", repr=False)
    mail_from: str = "EventTicket <tickets@localhost>"
    workers: int = 1
    worker_inside: bool = True
    log_format: str = "text"
    trusted_proxies: str = ""
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret: str = field(default="", repr=False)
    oidc_name: str = ""
    second_factor: str = "required"
    bcrypt_cost: int = 12
    data: Path = Path("data")
    hold_minutes: int = 15
    extend_minutes: int = 10
    extensions: int = 3
    pay_minutes: int = 30
    session_minutes: int = 35
    keep_pages_seconds: int = 2
    # From one network address, which a whole office or university may share.
    holds_per_minute: int = 300
    looks_per_minute: int = 120
    retention_days: int = 400
    accounting_years: int = 10
    # Names that the environment gave a value: nobody changes those while the shop runs.
    named: frozenset[str] = frozenset()

    @property
    def reached_at(self) -> str:
        """The address that people write to, without a name before it."""
        return getaddresses([self.contact or self.mail_from])[0][1]

    @property
    def https(self) -> bool:
        """Whether the shop is reached over https, which turns on the strict cookie names and HSTS."""
        return self.base_url.startswith("https://")

    @property
    def passkey_host(self) -> str:
        """The host that passkeys are made for; empty where browsers make none, which is wherever the host is a number."""
        host = urlsplit(self.base_url).hostname or ""
        return "" if _is_network(host) else host

    @property
    def former_keys(self) -> list[str]:
        """What SECRET_KEY was before, oldest first: they open and check, and nothing new is made with them."""
        return [key.strip() for key in self.secret_key_old.split(",") if key.strip()]

    @property
    def webhook_secrets(self) -> list[str]:
        """What Stripe may have signed a webhook with: from the environment, and of the endpoint that an admin had made."""
        given = (*self.stripe_webhook_secret.split(","), self.stored_webhook_secret)
        return [secret.strip() for secret in given if secret.strip()]

    @property
    def sqlite(self) -> bool:
        return self.database_url.startswith("sqlite")

    @property
    def sells_online(self) -> bool:
        """Whether paid ticket types can be bought: there is a Stripe key, or the sandbox stands in."""
        return bool(self.stripe_api_key)


# What an admin may change while the shop runs: the name in the environment and in the table -> the field here.
EDITABLE = {
    "SITE_NAME": "site_name",
    "CONTACT": "contact",
    "MAIL_FROM": "mail_from",
    "DEFAULT_CURRENCY": "default_currency",
    "DEFAULT_ZONE": "default_zone",
    "HOLD_MINUTES": "hold_minutes",
    "EXTEND_MINUTES": "extend_minutes",
    "EXTENSIONS": "extensions",
}

_current: Settings | None = None
_started_with: Settings | None = None


def settings() -> Settings:
    """The settings in force. Reads the environment at the first call; raises SettingsError."""
    if _current is None:
        use(read(os.environ))
    assert _current
    return _current


def in_force() -> Settings | None:
    """The settings that were read or put in force, None before: for the log, which may not fail because one is wrong."""
    return _current


def use(chosen: Settings | None) -> None:
    """Puts settings in force: for main, which changes some while it starts, and for tests."""
    global _current, _started_with
    _current = _started_with = chosen


def overlay(stored: Mapping[str, str], *, webhook_secret: str = "") -> None:
    """Lays stored values over those of the start, but not over what the environment says. What does not fit is passed over."""
    global _current
    settings()
    started = _started_with or Settings()
    reader = _Reader({name: value for name, value in stored.items() if name in EDITABLE and name not in started.named})
    fields = {EDITABLE[name]: value for name, value in _editable(reader, started).items()}
    _current = replace(started, **fields, stored_webhook_secret=webhook_secret)


def _editable(reader: "_Reader", default: Settings) -> dict[str, Any]:
    """The settings that can be changed while the shop runs, by their names, as the reader has them."""
    return {
        "SITE_NAME": reader.text("SITE_NAME", default=default.site_name),
        "CONTACT": reader.text("CONTACT", default=default.contact),
        "MAIL_FROM": reader.text("MAIL_FROM", default=default.mail_from),
        "DEFAULT_CURRENCY": reader.choice("DEFAULT_CURRENCY", CURRENCIES, default=default.default_currency),
        "DEFAULT_ZONE": reader.zone("DEFAULT_ZONE", default=default.default_zone),
        "HOLD_MINUTES": reader.number("HOLD_MINUTES", default=default.hold_minutes, least=1, most=120),
        "EXTEND_MINUTES": reader.number("EXTEND_MINUTES", default=default.extend_minutes, least=1, most=120),
        "EXTENSIONS": reader.number("EXTENSIONS", default=default.extensions, least=0, most=20),
    }


def read(environ: Mapping[str, str]) -> Settings:
    """Settings from the environment's names, all mistakes at once. Raises SettingsError."""
    reader = _Reader(environ)
    demo = reader.flag("DEMO", default=False)
    port = reader.number("PORT", default=8000, least=1, most=65535)
    host = reader.text("HOST", default="127.0.0.1")
    base_url = reader.text("BASE_URL", default=f"http://127.0.0.1:{port}").rstrip("/")
    stripe_base = f"http://127.0.0.1:{port}/sandbox/stripe" if demo else ""
    found = Settings(
        host=host,
        port=port,
        database_url=_async_url(reader.text("DATABASE_URL", default="sqlite+aiosqlite:///data/eventticket.db")),
        base_url=base_url,
        secret_key=reader.text("SECRET_KEY", default=DEMO_SECRET_KEY if demo else ""),
        secret_key_old=reader.text("SECRET_KEY_OLD", default=""),
        demo=demo,
        stripe_api_key=reader.text("STRIPE_API_KEY", default=DEMO_STRIPE_KEY if demo else ""),
        stripe_api_base=reader.text("STRIPE_API_BASE", default=stripe_base),
        stripe_webhook_secret=reader.text("STRIPE_WEBHOOK_SECRET", default=DEMO_WEBHOOK_SECRET if demo else ""),
        smtp_url=reader.text("SMTP_URL", default=""),
        workers=reader.number("WORKERS", default=1, least=1, most=64),
        worker_inside=reader.flag("WORKER_INSIDE", default=True),
        log_format=reader.choice("LOG_FORMAT", ("text", "json"), default="text" if demo else "json"),
        trusted_proxies=reader.text("TRUSTED_PROXIES", default=""),
        oidc_issuer=reader.text("OIDC_ISSUER", default=""),
        oidc_client_id=reader.text("OIDC_CLIENT_ID", default=""),
        oidc_client_secret=reader.text("OIDC_CLIENT_SECRET", default=""),
        oidc_name=reader.text("OIDC_NAME", default=""),
        second_factor=reader.choice("SECOND_FACTOR", ("required", "offered"), default="offered" if demo else "required"),
        bcrypt_cost=reader.number("BCRYPT_COST", default=12, least=4, most=16),
        data=Path(reader.text("DATA_DIR", default="data")),
        keep_pages_seconds=reader.number("KEEP_PAGES_SECONDS", default=2, least=0, most=60),
        holds_per_minute=reader.number("HOLDS_PER_MINUTE", default=300, least=1, most=MOST_PER_MINUTE),
        looks_per_minute=reader.number("LOOKS_PER_MINUTE", default=120, least=1, most=MOST_PER_MINUTE),
        retention_days=reader.number("RETENTION_DAYS", default=400, least=30, most=3650),
        accounting_years=reader.number("ACCOUNTING_YEARS", default=10, least=1, most=30),
        named=frozenset(name for name in EDITABLE if environ.get(name, "").strip()),
        **{EDITABLE[name]: value for name, value in _editable(reader, Settings()).items()},
    )
    mistakes = reader.mistakes + _mistakes(found)
    if mistakes:
        raise SettingsError("\n".join(mistakes))
    return found


def _mistakes(found: Settings) -> list[str]:
    """What does not go together. Production never starts with secrets that everybody knows."""
    address = urlsplit(found.base_url)
    live = found.stripe_api_key.startswith(("sk_live_", "rk_live_"))
    issuer = urlsplit(found.oidc_issuer)
    oidc = (found.oidc_issuer, found.oidc_client_id, found.oidc_client_secret, found.oidc_name)
    rules = [
        (
            address.scheme in ("http", "https") and bool(address.hostname),
            "BASE_URL is a full address such as https://tickets.example.org.",
        ),
        (not found.contact or names_one_address(found.contact), "CONTACT is an e-mail address."),
        (names_one_address(found.mail_from), "MAIL_FROM holds an e-mail address, such as Tickets <tickets@example.org>."),
        (
            found.database_url.startswith(("sqlite+aiosqlite:", "postgresql+asyncpg:")),
            "DATABASE_URL is a sqlite or postgresql address.",
        ),
        (not (found.demo and found.https), "DEMO=1 does not go with an https BASE_URL: the demo's secrets are public."),
        (not (found.demo and live), "DEMO=1 does not go with a live Stripe key: the sandbox would never charge it."),
        (not (found.demo and found.workers > 1), "DEMO=1 needs WORKERS=1: the sandbox lives in one process."),
        (
            found.demo or _is_local(address.hostname) or found.bcrypt_cost >= 10,
            "BCRYPT_COST is at least 10 for a shop that others can reach.",
        ),
        (len(found.secret_key) >= 32, "SECRET_KEY is missing or shorter than 32 characters. Make one with: openssl rand -hex 32"),
        (
            found.demo or found.secret_key != DEMO_SECRET_KEY,
            "SECRET_KEY is the demo's, which everybody knows. Make one with: openssl rand -hex 32",
        ),
        (
            found.demo or found.https or _is_local(address.hostname),
            "BASE_URL begins with https:// for every address but localhost.",
        ),
        (found.demo or found.stripe_api_key != DEMO_STRIPE_KEY, "STRIPE_API_KEY is the sandbox's and works only with DEMO=1."),
        (
            all(_is_network(name) for name in found.trusted_proxies.split(",") if found.trusted_proxies),
            "TRUSTED_PROXIES holds addresses or networks of proxies, such as 10.0.0.1,10.1.0.0/16. "
            "Everybody (*) would let each visitor claim any address.",
        ),
        (not (found.sqlite and found.workers > 1), "WORKERS above 1 needs PostgreSQL: one process owns a SQLite file."),
        (len({bool(value) for value in oidc}) == 1, "OIDC_ISSUER, OIDC_CLIENT_ID, OIDC_CLIENT_SECRET and OIDC_NAME go together."),
        (
            not found.oidc_issuer or issuer.scheme == "https" or (issuer.scheme == "http" and _is_local(issuer.hostname)),
            "OIDC_ISSUER begins with https:// for every address but localhost.",
        ),
    ]
    return [sentence for holds, sentence in rules if not holds]


def _is_local(host: str | None) -> bool:
    return host in ("127.0.0.1", "localhost", "::1")


def _is_network(name: str) -> bool:
    try:
        return bool(ip_network(name.strip()))
    except ValueError:
        return False


def _async_url(url: str) -> str:
    """Accepts the usual spellings and names the asynchronous driver."""
    for usual, driver in (
        ("postgres://", "postgresql+asyncpg://"),
        ("postgresql://", "postgresql+asyncpg://"),
        ("sqlite:///", "sqlite+aiosqlite:///"),
    ):
        if url.startswith(usual):
            return driver + url.removeprefix(usual)
    return url


class _Reader:
    """Reads names from the environment and collects the mistakes."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.mistakes: list[str] = []

    def text(self, name: str, *, default: str) -> str:
        return self.environ.get(name, "").strip() or default

    def flag(self, name: str, *, default: bool) -> bool:
        words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False, "": default}
        return self._parsed(name, lambda text: words[text.lower()], "is 1 or 0", default)

    def number(self, name: str, *, default: int, least: int, most: int) -> int:
        def parse(text: str) -> int:
            number = int(text) if text else default
            if not least <= number <= most:
                raise ValueError(text)
            return number

        return self._parsed(name, parse, f"is a whole number from {least} to {most}", default)

    def choice(self, name: str, words: tuple[str, ...], *, default: str) -> str:
        return self._parsed(
            name, lambda text: words[words.index(text)] if text else default, f"is one of {', '.join(words)}", default
        )

    def zone(self, name: str, *, default: str) -> str:
        rule = "is a time zone such as Europe/Rome"
        return self._parsed(name, lambda text: ZoneInfo(text).key if text else default, rule, default)

    def _parsed(self, name: str, parse: Callable[[str], T], rule: str, default: T) -> T:
        try:
            return parse(self.environ.get(name, "").strip())
        except (KeyError, ValueError, OSError):
            self.mistakes.append(f"{name} {rule}.")
            return default


def names_one_address(text: str) -> bool:
    """Whether the text is one e-mail address, alone or as "Name <address>". Python's parser stumbles over some that are none."""
    try:
        found = getaddresses([text])
    except (IndexError, ValueError, RecursionError):
        return False
    return len(found) == 1 and "@" in found[0][1]
