"""Secrets that are easy to recognise, and a watch over every place where one of them could come out.

The suite's settings hold the fixed ones; passwords, ids of login sessions and mailed links are noted as the tests make them.
After each test nothing of it may stand in the log, on an error page, in a mail or anywhere in the database.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import httpx

from app.accounts import flows, rules
from app.core import tokens
from app.sandbox.mailbox import Mailbox

SECRET_KEY = "canary-that-signs-cookies-0123456789-abcdef"
STRIPE_KEY = "sk_test_canary0of0the0stripe0key"
WEBHOOK_SECRET = "whsec_canary0of0the0webhook"
OF_THE_SETTINGS = (SECRET_KEY, STRIPE_KEY, WEBHOOK_SECRET)

EVERYWHERE = ("the log", "the output", "an error page", "a mail", "the database")
# A mailed link stands in its mail and on the page that it opens; that is what it is for.
NOT_OF_LINKS = ("the log", "the output", "the database")

# Shorter passwords could be words that stand somewhere for another reason.
SHORTEST = 10
MOST = 100


@dataclass
class Watch:
    """What has come out since the last test, and what must not be in it. Stands where the log writes."""

    noted: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    said: dict[str, list[bytes]] = field(default_factory=lambda: {place: [] for place in EVERYWHERE})

    def forget(self) -> None:
        self.noted.clear()
        for texts in self.said.values():
            texts.clear()

    def note(self, kind: str, secret: str, places: tuple[str, ...] = EVERYWHERE) -> None:
        if len(secret) >= SHORTEST and len(self.noted) < MOST:
            self.noted[secret] = (kind, places)

    def write(self, line: str) -> None:
        """A line of the log; it goes on to where pytest listens."""
        self.said["the log"].append(line.encode(errors="replace"))
        sys.stderr.write(line)

    @property
    def log(self) -> str:
        """The lines since the test began."""
        return b"".join(self.said["the log"]).decode()

    def flush(self) -> None:
        sys.stderr.flush()

    async def answer(self, response: httpx.Response) -> None:
        """Keeps what a browser got instead of what it asked for."""
        if response.status_code >= 400:
            self.said["an error page"].append(await response.aread())

    def mail(self, content: bytes) -> None:
        self.said["a mail"].append(content)

    def found(self, folder: Path | None = None, output: str = "") -> list[str]:
        """A sentence for each secret at each place; the database is every file of the folder that belongs to one."""
        files = sorted(folder.glob("*.db*")) if folder else []
        said = self.said | {
            "a mail": [text for mail in self.said["a mail"] for text in _texts(mail)],
            "the database": [path.read_bytes() for path in files if path.is_file()],
            "the output": [output.encode(errors="replace")],
        }
        wanted = dict.fromkeys(OF_THE_SETTINGS, ("setting", EVERYWHERE)) | self.noted
        return [
            f"A {kind} came out in {place}: {secret[:6]}…"
            for secret, (kind, places) in wanted.items()
            for place in places
            if any(secret.encode(errors="replace") in text for text in said[place])
        ]


def _texts(mail: bytes) -> list[bytes]:
    """The mail as it travels, and what its parts say when decoded."""
    parts = message_from_bytes(mail, policy=policy.default).walk()
    return [mail, *(part.get_payload(decode=True) or b"" for part in parts if not part.is_multipart())]


watch = Watch()


def install() -> None:
    """From now on the watch hears of every secret when it is made, and of every mail when it has come."""
    _tell(flows, "hash_password", lambda password: watch.note("password", password))
    _tell(rules, "session_hash", lambda session_id: watch.note("login session", session_id))
    _tell(Mailbox, "_store", lambda _mailbox, envelope: watch.mail(envelope.original_content or b""))
    sign = tokens.sign

    def signed(purpose: str, value: str) -> str:
        token = sign(purpose, value)
        if purpose not in ("picture", "unsubscribe"):
            watch.note("mailed link", token, NOT_OF_LINKS)
        return token

    tokens.sign = signed


def _tell(holder: Any, name: str, tell: Callable[..., None]) -> None:
    """Calls `tell` with the arguments of every call of the function, which must be there."""
    real = getattr(holder, name)

    def called(*args: Any, **kwargs: Any) -> Any:
        tell(*args, **kwargs)
        return real(*args, **kwargs)

    setattr(holder, name, called)
