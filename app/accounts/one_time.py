"""Codes that work once: what an authenticator app shows (TOTP, RFC 6238), and recovery codes. Nothing here reads or writes."""

import asyncio
import hashlib
import hmac
import secrets
from datetime import datetime
from typing import NamedTuple

import pyotp

from app.core.codes import ALPHABET
from app.core.db import outside_writing
from app.core.settings import settings

STEP_SECONDS = 30
RECOVERY_CODES = 10


class FreshCodes(NamedTuple):
    """Recovery codes as their owner sees them, once, and what the rows store of them."""

    codes: list[str]
    salt: str
    hashes: list[str]


def new_secret() -> str:
    """160 random bits as an app takes them: in Base32."""
    return pyotp.random_base32(32)


def setup_address(secret: str, *, email: str, site_name: str) -> str:
    """What the QR code says: the secret, and under which name the app lists it."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=site_name)


def spaced(secret: str) -> str:
    """The secret in groups of four, for typing it off."""
    return " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))


def step_of(secret: str, typed: str, *, now: datetime) -> int | None:
    """The step of 30 seconds whose code this is, or None. One step to either side counts, for clocks that are not exact."""
    present, totp = int(now.timestamp()) // STEP_SECONDS, pyotp.TOTP(secret)
    digits = "".join(typed.split()).encode()
    fitting = [
        step for step in (present + 1, present, present - 1) if hmac.compare_digest(totp.generate_otp(step).encode(), digits)
    ]
    return fitting[0] if fitting else None


async def fresh_recovery_codes() -> FreshCodes:
    """Ten times twelve letters such as "7K2M-9QXD-HB4T": 58 bits each, without letters that look alike."""
    codes = ["-".join("".join(secrets.choice(ALPHABET) for _ in range(4)) for _ in range(3)) for _ in range(RECOVERY_CODES)]
    salt = secrets.token_hex(16)
    return FreshCodes(codes, salt, await hashed(codes, salt))


async def hashed(codes: list[str], salt: str) -> list[str]:
    """What the rows store of recovery codes (scrypt). As slow as a password, so it runs in a thread."""
    outside_writing("Hashing")
    return await asyncio.to_thread(lambda: [_hash(code, salt) for code in codes])


def _hash(code: str, salt: str) -> str:
    """Each step of BCRYPT_COST doubles the work of scrypt too; 12 stands for 16 MB and some 50 ms."""
    letters = "".join(letter for letter in code.upper() if letter.isalnum())
    cost = 2 ** (settings().bcrypt_cost + 2)
    return hashlib.scrypt(letters.encode(), salt=bytes.fromhex(salt), n=cost, r=8, p=1, maxmem=2**30, dklen=32).hex()
