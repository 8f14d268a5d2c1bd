"""What stands in a scanner's hand, and what a scan may come to. No I/O."""

import hashlib
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta

# A door that let the wrong person in says so at once; later the act belongs to the desk.
UNDONE_WITHIN = timedelta(minutes=10)
# A browser that sends the same scan twice does so at once; later it is somebody else who holds the same ticket.
SAME_SCAN = timedelta(minutes=1)
# Whoever comes late to a long night still comes in.
AFTER_THE_END = timedelta(hours=2)

_IN_ADDRESS = re.compile(r"/tickets/([A-Za-z0-9_-]{22})(?![A-Za-z0-9_-])")
_CODE = re.compile(r"[A-Za-z0-9_-]{22}")
_SHORT = re.compile(r"([A-HJKMNP-TV-Z2-9]{4})[- ]?([A-HJKMNP-TV-Z2-9]{4})")


@dataclass(frozen=True)
class Scanned:
    """What was scanned or typed: the secret code of a ticket, or its short code; both empty when it is neither."""

    code: str = ""
    short_code: str = ""


@dataclass(frozen=True)
class Verdict:
    """What the door says. `word` is admit, out, undone, seen (a conflict), or one of REFUSALS.

    With `again` and `left`, `at`, `gate` and `by` tell of the check-in that came before. `scan` is what undoes this one.
    """

    word: str
    holder: str = ""
    entry: str = ""
    short_code: str = ""
    title: str = ""
    at: datetime | None = None
    gate: str = ""
    by: str = ""
    scan: str = ""

    @property
    def is_good(self) -> bool:
        return self.word in ("admit", "out")

    @property
    def look(self) -> str:
        """The class of its colour; icon and verb say the same."""
        return (
            "" if self.is_good or self.word == "seen" else " verdict--again" if self.word in ("again", "left") else " verdict--no"
        )


def read(text: str) -> Scanned:
    """Takes the address that a QR code holds, also of a shop that stood elsewhere, the bare code, or the short one."""
    text = text.strip()
    if found := _IN_ADDRESS.search(text):
        return Scanned(code=found[1])
    if _CODE.fullmatch(text):
        return Scanned(code=text)
    if found := _SHORT.fullmatch(text.upper()):
        return Scanned(short_code=f"{found[1]}-{found[2]}")
    return Scanned()


def code_hash(code: str) -> str:
    """Stands for a ticket's code on a device: 96 bits of its SHA-256. It has 128 random bits, so nobody guesses it."""
    return urlsafe_b64encode(hashlib.sha256(code.encode()).digest()[:12]).decode()


def named_shortly(name: str) -> str:
    """What a device at the door may know of a holder: the first name and an initial, as in "Ada B."."""
    first, *rest = name.split() or [""]
    return f"{first} {rest[-1][0]}." if rest else first
