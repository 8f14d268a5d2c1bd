"""Public identifiers. Letters that look alike (I, L, O, U) are left out of everything a person reads aloud."""

import secrets

ALPHABET = "ABCDEFGHJKMNPQRSTVWXYZ23456789"


def secret_code() -> str:
    """128 random bits as 22 URL-safe characters: whoever holds it may open the thing."""
    return secrets.token_urlsafe(16)


def short_code() -> str:
    """Eight letters, shown as "7K2M-9QXD": for reading aloud, never a secret."""
    # One call for all eight: each asks the system for randomness, and a hold should not ask eight times.
    number = secrets.randbelow(len(ALPHABET) ** 8)
    letters = "".join(ALPHABET[number // len(ALPHABET) ** place % len(ALPHABET)] for place in range(8))
    return f"{letters[:4]}-{letters[4:]}"


def random_id() -> str:
    """A random key for rows whose id leaves the database, such as in an idempotency key.

    Sequences repeat after a restore from a backup, random ids do not.
    """
    return secrets.token_hex(16)


def random_nonce() -> str:
    """256 random bits as 43 URL-safe characters: a question that nobody has asked before."""
    return secrets.token_urlsafe(32)
