"""A device that keeps passkeys, in software: it answers as a phone or a security key does, or wrongly where a test wants that."""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import cbor2
import httpx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

from app.core.codes import random_nonce

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


@dataclass
class Device:
    """One key at one place. `counts` says whether it counts how often it is used; many do not."""

    origin: str = "http://testserver.local"
    counts: bool = True
    count: int = 0
    verifies: bool = True
    user_handle: str = ""
    credential_id: bytes = field(default_factory=lambda: random_nonce().encode())
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def id(self) -> str:
        return bytes_to_base64url(self.credential_id)

    def made(self, options: dict[str, Any]) -> dict[str, Any]:
        """The answer to navigator.credentials.create()."""
        self.user_handle = options["user"]["id"]
        flags = PRESENT | ATTESTED | (VERIFIED if self.verifies else 0)
        attested = bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id + self._public_key()
        statement = {"fmt": "none", "attStmt": {}, "authData": self._data(flags) + attested}
        told = {"attestationObject": cbor2.dumps(statement), "clientDataJSON": self._client_data("webauthn.create", options)}
        return self._answer(told)

    def used(self, options: dict[str, Any]) -> dict[str, Any]:
        """The answer to navigator.credentials.get()."""
        if self.counts:
            self.count += 1
        data = self._data(PRESENT | (VERIFIED if self.verifies else 0))
        client_data = self._client_data("webauthn.get", options)
        signature = self.key.sign(data + hashlib.sha256(client_data).digest(), ec.ECDSA(hashes.SHA256()))
        answer = self._answer({"authenticatorData": data, "clientDataJSON": client_data, "signature": signature})
        answer["response"]["userHandle"] = self.user_handle
        return answer

    def _answer(self, told: dict[str, bytes]) -> dict[str, Any]:
        response = {name: bytes_to_base64url(value) for name, value in told.items()}
        return {"id": self.id, "rawId": self.id, "type": "public-key", "response": response}

    def _client_data(self, kind: str, options: dict[str, Any]) -> bytes:
        said = {"type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": False}
        return json.dumps(said).encode()

    def _data(self, flags: int) -> bytes:
        place = hashlib.sha256((urlsplit(self.origin).hostname or "").encode()).digest()
        return place + bytes([flags]) + self.count.to_bytes(4, "big")

    def _public_key(self) -> bytes:
        numbers = self.key.public_key().public_numbers()
        return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")})


async def asked(browser: httpx.AsyncClient, path: str = "/login/passkey") -> dict[str, Any]:
    """What the shop asks the device."""
    answer = await browser.post(f"{path}/options", json={}, headers={"HX-Request": "true"})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def answered(
    browser: httpx.AsyncClient, credential: dict[str, Any], path: str = "/login/passkey", **more: str
) -> httpx.Response:
    """The browser carries the device's answer back, as static/passkeys.js does."""
    return await browser.post(path, json={**more, "credential": credential}, headers={"HX-Request": "true"})


async def add_passkey(browser: httpx.AsyncClient, device: Device, name: str = "Phone") -> httpx.Response:
    """For somebody who is signed in."""
    options = await asked(browser, "/me/security/passkeys")
    return await answered(browser, device.made(options), "/me/security/passkeys", name=name)


async def sign_in_with(browser: httpx.AsyncClient, device: Device, **more: str) -> httpx.Response:
    return await answered(browser, device.used(await asked(browser)), **more)


def sentence(answer: httpx.Response) -> str:
    assert answer.status_code == 422, (answer.status_code, answer.text, dict(answer.headers))
    return str(answer.json()["sentence"])


def with_challenge(credential: dict[str, Any], nonce: str) -> dict[str, Any]:
    """The same answer to another question: what a page in the middle would try."""
    said = json.loads(base64url_to_bytes(credential["response"]["clientDataJSON"]))
    told = bytes_to_base64url(json.dumps(said | {"challenge": nonce}).encode())
    return credential | {"response": credential["response"] | {"clientDataJSON": told}}
