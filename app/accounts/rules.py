"""Which passwords are good enough, what a login session is called, and where each role begins."""

import hashlib
import unicodedata
from functools import cache
from pathlib import Path

from app.core.i18n import gettext as _
from app.core.i18n import ngettext

LEAST = {"user": 10, "manager": 15, "admin": 15}
MOST = 256
HOME = {"user": "/me", "manager": "/manager", "admin": "/admin"}

# So many wrong passwords in a row cost nothing; after each further one the next is heard after a pause, in seconds;
# after the last nobody is heard until the account was opened in another way (NIST SP 800-63B: at most 100).
FREE_TRIES = 10
PAUSES = {10: 60, 11: 120, 12: 240, 13: 480}
LONGEST_PAUSE = 900
MOST_TRIES = 100

# What a shop for tickets makes people think of; part of a password, but not most of it. Described in docs/asvs-documents.md.
CONTEXT_WORDS = ("ticket", "tickets", "event", "events", "concert", "admin", "manager", "password", "welcome", "login")

# A word from the context may be part of a password as long as this much of it is something else.
_LEAST_OF_ITS_OWN = 6
_SHORTEST_CONTEXT_WORD = 4
_SHORTEST_COMMON = 10

# In the order in which they are looked for: Edge also says Chrome, and Chrome also says Safari.
_BROWSERS = (("Edg", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def canonical(password: str) -> str:
    """One spelling for characters that keyboards produce in several ways (NFKC)."""
    return unicodedata.normalize("NFKC", password)


def password_mistake(password: str, *, email: str, role: str, site_name: str) -> str | None:
    """What is wrong with a new password, as an instruction; None when it may be used.

    There are no rules about kinds of characters: length and not being on everybody's list is what helps.
    """
    typed = canonical(password)
    # One character can be folded or composed into several; it counts as what was typed.
    if min(len(password), len(typed)) < LEAST[role]:
        return ngettext("Use at least %(num)s character.", "Use at least %(num)s characters.", LEAST[role]) % {"num": LEAST[role]}
    if len(password) > MOST:
        return ngettext("Use %(num)s character or fewer.", "Use %(num)s characters or fewer.", MOST) % {"num": MOST}
    folded = typed.casefold()
    if folded in _common() or len(set(folded)) < 4:
        return _("Many people use this password, so it is tried first. Choose another one.")
    if _without(folded, _context(email, site_name)) < _LEAST_OF_ITS_OWN:
        return _("Choose a password that is more than your email address, the name of this site or words such as “ticket”.")
    if _is_mostly_common(folded):
        return _("Most of this is a password that many people use. Choose another one.")
    return None


def session_hash(session_id: str) -> str:
    """What the row stores of a session id, so that reading the table signs nobody in."""
    return hashlib.sha256(session_id.encode()).hexdigest()


def email_key(email: str) -> str:
    """Names an address in a counter without storing it."""
    return hashlib.sha256(email.lower().encode()).hexdigest()


def device_name(user_agent: str) -> str:
    """ "Firefox, Linux" from the header that browsers send; empty when it says nothing we know."""
    known = (next((name for mark, name in table if mark in user_agent), "") for table in (_BROWSERS, _SYSTEMS))
    return ", ".join(name for name in known if name)


def _context(email: str, site_name: str) -> list[str]:
    local, _at, domain = email.partition("@")
    own = [local, *local.replace("-", ".").replace("_", ".").split("."), domain.partition(".")[0], site_name.replace(" ", "")]
    words = {word.casefold() for word in (*own, *site_name.split(), *CONTEXT_WORDS) if len(word) >= _SHORTEST_CONTEXT_WORD}
    return sorted(words, key=len, reverse=True)


def _without(password: str, words: list[str]) -> int:
    """How much of a password is left when the words are taken out of it, longest first."""
    for word in words:
        password = password.replace(word, "")
    return len(password)


def _is_mostly_common(password: str) -> bool:
    """Whether it is one from the list with a few characters before or behind it."""
    common, length = _common(), len(password)
    sizes = range(max(_SHORTEST_COMMON, length - _LEAST_OF_ITS_OWN + 1), length)
    return any(password[start : start + size] in common for size in sizes for start in range(length - size + 1))


@cache
def _common() -> frozenset[str]:
    text = (Path(__file__).parent / "common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if line)
