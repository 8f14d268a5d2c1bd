"""Secrets that we must be able to read again lie sealed in the database: the table alone is not enough to use them."""

import base64
from functools import cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.core.settings import settings


def seal(text: str) -> str:
    """The text, encrypted and signed (Fernet) with a key that follows from SECRET_KEY."""
    return _fernet(settings().secret_key).encrypt(text.encode()).decode()


def unseal(sealed: str) -> str:
    """The text that seal() was given, with this SECRET_KEY or one of SECRET_KEY_OLD. Raises ValueError for anything else."""
    keys = [settings().secret_key, *settings().former_keys]
    try:
        return MultiFernet([_fernet(key) for key in keys]).decrypt(sealed.encode()).decode()
    except (InvalidToken, UnicodeError) as broken:
        raise ValueError("This was not sealed with SECRET_KEY or SECRET_KEY_OLD.") from broken


@cache
def _fernet(secret_key: str) -> Fernet:
    """Its key is used for nothing else, so whoever breaks a signed cookie or a link has not opened what is sealed."""
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"sealing").derive(secret_key.encode())
    return Fernet(base64.urlsafe_b64encode(derived))
