"""Signed links in mails: the mail carries an id under our signature, so a stolen table is not enough to use one."""

from itsdangerous import BadData, URLSafeSerializer

from app.core.settings import settings


def sign(purpose: str, value: str) -> str:
    """A token for a URL; it says nothing about when it ends, the row it names does."""
    return str(URLSafeSerializer(settings().secret_key, salt=f"link:{purpose}").dumps(value))


def unsign(purpose: str, token: str) -> str | None:
    """The value that was signed for this purpose, or None."""
    try:
        value = URLSafeSerializer(settings().secret_key, salt=f"link:{purpose}").loads(token)
    except (BadData, UnicodeError, ValueError):
        return None
    return value if isinstance(value, str) else None
