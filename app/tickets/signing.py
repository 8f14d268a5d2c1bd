"""The signature in a ticket's QR code, by which a device at the door knows a ticket that it has no network to ask about.

It stands behind the # of the address, which a browser never sends: the address itself stays what it was, and old printed
tickets go on working. Ed25519; the key follows from SECRET_KEY and does nothing else.
"""

from base64 import b64encode, urlsafe_b64encode
from functools import cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.core.settings import settings


def scanned_address(event_id: int, code: str, *, base_url: str = "") -> str:
    """What the QR code of a ticket says: its address, and behind it the signature."""
    return f"{base_url or settings().base_url}/tickets/{code}#{signature(ticket_words(event_id, code))}"


def ticket_words(event_id: int, code: str) -> str:
    """What is signed: the device at the door puts the same words together from what it scans and the event it stands at."""
    return f"ticket:{event_id}:{code}"


def signature(words: str) -> str:
    """86 URL-safe letters."""
    return urlsafe_b64encode(_key(settings().secret_key).sign(words.encode())).decode().rstrip("=")


def public_keys() -> list[str]:
    """The present key and those of SECRET_KEY_OLD, each as base64 of its 32 bytes."""
    keys = [settings().secret_key, *settings().former_keys]
    return [b64encode(_key(key).public_key().public_bytes_raw()).decode() for key in keys]


@cache
def _key(secret_key: str) -> Ed25519PrivateKey:
    seed = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"tickets").derive(secret_key.encode())
    return Ed25519PrivateKey.from_private_bytes(seed)
