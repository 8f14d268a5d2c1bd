"""The cookies of the shop. Each is signed or harmless; a broken one counts as none."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from itsdangerous import BadData, Serializer, URLSafeSerializer
from itsdangerous.encoding import base64_encode
from litestar.datastructures import Cookie

from app.core import i18n, tokens
from app.core.codes import secret_code
from app.core.settings import settings

FLASH = "flash"
THEME = "theme"
LANGUAGE = "language"
FAVOURITES = "favourites"
YEAR = 365 * 24 * 3600
THEMES = ("light", "dark")
MOST_KNOWN = 5
HOST_ALONE = "__Host-"


def name_of(cookie: str) -> str:
    """Browsers accept the prefix only over https, and then no other host can set the cookie."""
    return f"{HOST_ALONE}{cookie}" if settings().https and not cookie.startswith(HOST_ALONE) else cookie


def login_name() -> str:
    return name_of("login")


def visitor_name() -> str:
    return name_of("visitor")


def known_name() -> str:
    return name_of("known")


def signed(name: str, value: Any, *, max_age: int | None = None) -> Cookie:
    """A cookie that only the shop can have written."""
    return plain(name, str(_signer(name).dumps(value)), max_age=max_age)


def plain(name: str, value: str, *, max_age: int | None) -> Cookie:
    """A cookie whose value is harmless; no script reads it, and other sites send it only when they link here."""
    secure = settings().https
    return Cookie(name_of(name), value=value, max_age=max_age, path="/", httponly=True, secure=secure, samesite="lax")


def header(cookie: Cookie) -> str:
    """A cookie of ours as the browser is sent it; our values need no quotes. Litestar's own way takes as long as a hold."""
    secure = "; Secure" if cookie.secure else ""
    return f"{cookie.key}={cookie.value}; Max-Age={cookie.max_age}; Path=/; HttpOnly; SameSite=lax{secure}"


def read_signed(cookies: Mapping[str, str], name: str) -> Any:
    """The value, or None when the cookie is absent, altered or broken."""
    try:
        return _signer(name).loads(cookies[name_of(name)])
    except (KeyError, BadData, UnicodeError, ValueError):
        return None


def gone(name: str) -> Cookie:
    """Tells the browser to forget a cookie."""
    return plain(name, "", max_age=0)


def known_as(cookies: Mapping[str, str]) -> dict[str, str]:
    """What this browser is called by each account, by its code, that was signed in here before."""
    found = read_signed(cookies, known_name())
    return {str(code): str(name) for code, name in found.items()} if isinstance(found, dict) else {}


def known_cookie(cookies: Mapping[str, str], code: str) -> Cookie:
    """Remembers one more account that was signed in here; it holds random words and nothing that names a person."""
    others = {other: name for other, name in known_as(cookies).items() if other != code}
    newest = dict(list(others.items())[-(MOST_KNOWN - 1) :])
    return signed(known_name(), newest | {code: known_as(cookies).get(code) or secret_code()}, max_age=YEAR)


def flash_cookie(kind: str, sentence: str) -> Cookie:
    return signed(FLASH, [kind, sentence], max_age=60)


def read_flashes(cookies: Mapping[str, str]) -> list[tuple[str, str]]:
    """What the last action had to say, at most one (kind, sentence)."""
    match read_signed(cookies, FLASH):
        case [str(kind), str(sentence)]:
            return [(kind, sentence)]
    return []


def theme(cookies: Mapping[str, str]) -> str:
    """ "light", "dark", or "" for the same as the device."""
    chosen = cookies.get(name_of(THEME), "")
    return chosen if chosen in THEMES else ""


def language(cookies: Mapping[str, str]) -> str:
    """The language that was chosen in this browser, or "" when none was."""
    chosen = cookies.get(name_of(LANGUAGE), "")
    return chosen if chosen in i18n.LANGUAGES else ""


class _Signer(URLSafeSerializer):
    """Without compression: cookies are so short that it takes time and saves nothing."""

    def dump_payload(self, obj: Any) -> bytes:
        return base64_encode(Serializer.dump_payload(self, obj))


def _signer(name: str) -> URLSafeSerializer:
    return _signer_of(name, settings().secret_key)


@cache
def _signer_of(name: str, secret_key: str) -> URLSafeSerializer:
    return _Signer(secret_key, salt=f"cookie:{name.removeprefix(HOST_ALONE)}", signer_kwargs=tokens.SIGNED_WITH)
