"""A real OpenID provider on a port of its own, and somebody who signs in there."""

import base64
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from sqlmodel import select

from app.accounts.models import Identity
from app.core import db

CLIENT = "shop"
SECRET = "a secret between the shop and the provider"


# Marks a module of tests: the provider's own complaints, in its thread.
hushed = [
    pytest.mark.filterwarnings("ignore:get_jwt_config:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::authlib.deprecate.AuthlibDeprecationWarning"),
]
NOT_ACCEPTED = "The answer of Example ID was not accepted. Start again, or sign in another way."


@dataclass(frozen=True)
class AtProvider:
    """The provider. People are called there by their `sub`."""

    issuer: str

    async def has(self, sub: str, *, email: str, verified: object = True) -> None:
        """Somebody has an account there."""
        async with httpx.AsyncClient() as client:
            answer = await client.put(f"{self.issuer}/users/{sub}", json={"email": email, "email_verified": verified})
        assert answer.status_code == 204, answer.text

    async def sign_in(self, url: str, sub: str, **changed: str) -> str:
        """The address that the provider sends the browser back to. `changed` are parts of the question that somebody altered."""
        address = urlsplit(url)
        asked = {name: values[0] for name, values in parse_qs(address.query).items()} | changed
        async with httpx.AsyncClient() as client:
            there = f"{address.scheme}://{address.netloc}{address.path}?{urlencode(asked)}"
            answer = await client.post(there, data={"sub": sub})
        assert answer.status_code == 302, answer.text
        return str(answer.headers["location"])


@contextmanager
def open_provider() -> Iterator[AtProvider]:
    # What it is built on complains about itself while it is imported, and insists on being heard.
    with warnings.catch_warnings(record=True):
        import oidc_provider_mock
    with oidc_provider_mock.run_server_in_thread() as server:
        yield AtProvider(f"http://localhost:{server.server_port}")


class Forger:
    """Stands between the shop and its provider and signs other tokens. Its own key takes the place of the provider's.

    `header` and `claims` are put over what the provider said; a claim of None is left out.
    """

    def __init__(self, asking: Any) -> None:
        self.asking = asking
        self.key = RSAKey.generate_key(parameters={"kid": "forged"})
        self.signing: Any = self.key
        self.header: dict[str, Any] = {}
        self.claims: dict[str, Any] = {}
        self.sent: list[dict[str, Any]] = []
        self.token = ""

    async def __call__(self, client: httpx.AsyncClient, method: str, url: str, **given: Any) -> dict[str, Any]:
        """Takes the place of app.accounts.oidc._json."""
        said: dict[str, Any] = await self.asking(client, method, url, **given)
        if "keys" in said:
            return {"keys": [self.key.as_dict(private=False)]}
        if "id_token" in said:
            self.sent.append(given["data"])
            return said | {"id_token": self.token or self._signed(said["id_token"])}
        return said

    def _signed(self, token: str) -> str:
        header = {"alg": "RS256", "kid": "forged", **self.header}
        claims = {name: value for name, value in (_read(token) | self.claims).items() if value is not None}
        return jwt.encode(header, claims, self.signing, algorithms=[header["alg"]])


def _read(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))


async def start(browser: httpx.AsyncClient, **form: str) -> str:
    """Presses the button; gives where the browser is sent."""
    answer = await browser.post("/login/oidc", data=form)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


async def come_back(browser: httpx.AsyncClient, provider: AtProvider, sub: str, **changed: str) -> httpx.Response:
    """From the button to the answer of the callback."""
    return await browser.get(await provider.sign_in(await start(browser), sub, **changed))


async def said(browser: httpx.AsyncClient, answer: httpx.Response) -> str:
    """The page after a refusal: the login, with a sentence."""
    assert answer.headers["location"] in ("/login", "/me/security/identities")
    return (await browser.get(answer.headers["location"])).text


async def is_signed_in(browser: httpx.AsyncClient) -> bool:
    return (await browser.get("/me")).status_code == 200


async def all_identities() -> list[Identity]:
    async with db.reading() as reader:
        return list((await reader.exec(select(Identity))).all())
