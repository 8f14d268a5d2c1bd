"""Signed links in mails: the mail carries an id under our signature, so a stolen table is not enough to use one."""

import hashlib

from itsdangerous import BadData, URLSafeSerializer

from app.core.settings import settings

# One algorithm for everything that we sign; the library's own choice is SHA-1.
SIGNED_WITH = {"key_derivation": "hmac", "digest_method": hashlib.sha256}


def sign(purpose: str, value: str) -> str:
    """A token for a URL; it says nothing about when it ends, the row it names does."""
    return str(_signer(purpose).dumps(value))


def unsign(purpose: str, token: str) -> str | None:
    """The value that was signed for this purpose, or None."""
    try:
        value = _signer(purpose).loads(token)
    except (BadData, UnicodeError, ValueError):
        return None
    return value if isinstance(value, str) else None


def _signer(purpose: str) -> URLSafeSerializer:
    return URLSafeSerializer(settings().secret_key, salt=f"link:{purpose}", signer_kwargs=SIGNED_WITH)
