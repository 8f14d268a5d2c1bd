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

# A context word may be part of a password as long as this much of it is something else.
_LEAST_OF_ITS_OWN = 6
_SHORTEST_CONTEXT_WORD = 4

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
    folded = canonical(password).casefold()
    if len(folded) < LEAST[role]:
        return ngettext("Use at least %(num)s character.", "Use at least %(num)s characters.", LEAST[role]) % {"num": LEAST[role]}
    if len(password) > MOST:
        return ngettext("Use %(num)s character or fewer.", "Use %(num)s characters or fewer.", MOST) % {"num": MOST}
    if folded in _common() or len(set(folded)) < 4:
        return _("Many people use this password, so it is tried first. Choose another one.")
    if any(_is_mostly(folded, word) for word in _context(email, site_name)):
        return _("Choose a password that is more than your email address or the name of this site.")
    return None


def session_hash(session_id: str) -> str:
    """What the row stores of a session id, so that reading the table signs nobody in."""
    return hashlib.sha256(session_id.encode()).hexdigest()


def login_key(email: str) -> str:
    """The counter of logins that failed for an address; the address itself is not stored there."""
    return f"login:email:{email_key(email)}"


def email_key(email: str) -> str:
    """Names an address in a counter without storing it."""
    return hashlib.sha256(email.encode()).hexdigest()


def device_name(user_agent: str) -> str:
    """ "Firefox, Linux" from the header that browsers send; empty when it says nothing we know."""
    known = (next((name for mark, name in table if mark in user_agent), "") for table in (_BROWSERS, _SYSTEMS))
    return ", ".join(name for name in known if name)


def _context(email: str, site_name: str) -> list[str]:
    local, _at, domain = email.partition("@")
    words = [local, *local.replace("-", ".").replace("_", ".").split("."), domain.partition(".")[0], site_name.replace(" ", "")]
    return [word.casefold() for word in words if len(word) >= _SHORTEST_CONTEXT_WORD]


def _is_mostly(password: str, word: str) -> bool:
    return word in password and len(password.replace(word, "")) < _LEAST_OF_ITS_OWN


@cache
def _common() -> frozenset[str]:
    text = (Path(__file__).parent / "common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if line)
