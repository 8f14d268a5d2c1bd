"""What an OpenID provider signs is believed when all of it is right: whose it is, for whom, for what, and how long."""

import json
import time
from typing import Any

import httpx
import pytest
from joserfc.jwk import OctKey, RSAKey

from app.accounts import oidc
from tests.accounts.provider import (
    CLIENT,
    NOT_ACCEPTED,
    SECRET,
    AtProvider,
    Forger,
    all_identities,
    come_back,
    hushed,
    said,
)

pytestmark = hushed

WRONG: dict[str, dict[str, Any]] = {
    "for another shop": {"claims": {"aud": "another shop"}},
    "for us and made for another shop": {"claims": {"aud": [CLIENT, "another"], "azp": "another"}},
    "for nobody": {"claims": {"aud": None}},
    "of another provider": {"claims": {"iss": "https://evil.example"}},
    "too old": {"claims": {"exp": int(time.time()) - 120}},
    "without an end": {"claims": {"exp": None}},
    "not valid yet": {"claims": {"nbf": int(time.time()) + 3600}},
    "of the future": {"claims": {"iat": int(time.time()) + 3600}},
    "about nobody": {"claims": {"sub": None}},
    "without our nonce": {"claims": {"nonce": None}},
    "of another kind": {"header": {"typ": "at+jwt"}},
    "for a logout": {"header": {"typ": "logout+jwt"}},
    "by a key that we have not": {"header": {"kid": "unknown"}},
}


@pytest.mark.asvs("V9.1.1", "V9.2.1", "V9.2.2", "V9.2.3", "V10.5.4", "V6.8.2")
@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
async def test_a_token_that_is_not_all_right_is_refused(
    client: httpx.AsyncClient, provider: AtProvider, forger: Forger, wrong: dict[str, Any]
) -> None:
    await provider.has("eve-7", email="eve@example.com")
    forger.header, forger.claims = wrong.get("header", {}), wrong.get("claims", {})
    assert NOT_ACCEPTED in await said(client, await come_back(client, provider, "eve-7"))
    assert await all_identities() == []


async def test_a_token_that_is_all_right_is_believed(client: httpx.AsyncClient, provider: AtProvider, forger: Forger) -> None:
    """The control of the others: the one in between alters nothing."""
    await provider.has("eve-7", email="eve@example.com")
    forger.claims = {"aud": [CLIENT, "another"], "azp": CLIENT}
    assert (await come_back(client, provider, "eve-7")).headers["location"] == "/me"


@pytest.mark.asvs("V11.6.1", "V9.1.1", "V9.1.2", "V9.1.3", "V6.8.2")
@pytest.mark.parametrize("how", ["another key", "another key that it brings along", "our secret", "the public key as a secret"])
async def test_a_token_signed_by_anyone_else_is_refused(
    client: httpx.AsyncClient, provider: AtProvider, forger: Forger, how: str
) -> None:
    await provider.has("eve-7", email="eve@example.com")
    other = RSAKey.generate_key(parameters={"kid": "forged"})
    forger.signing = other
    if how == "another key that it brings along":
        forger.header = {"jwk": other.as_dict(private=False)}
    if how == "our secret":
        forger.signing, forger.header = OctKey.import_key(SECRET), {"alg": "HS256"}
    if how == "the public key as a secret":
        forger.signing, forger.header = OctKey.import_key(json.dumps(forger.key.as_dict(private=False))), {"alg": "HS256"}
    assert NOT_ACCEPTED in await said(client, await come_back(client, provider, "eve-7"))
    assert await all_identities() == []


@pytest.mark.asvs("V9.1.2")
@pytest.mark.parametrize("token", ["", "x", "a.b", "a.b.c", "..", "é.é.é", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJldmUifQ."])
async def test_a_token_without_a_signature_is_refused(
    client: httpx.AsyncClient, provider: AtProvider, forger: Forger, token: str
) -> None:
    await provider.has("eve-7", email="eve@example.com")
    forger.token = token or " "
    assert NOT_ACCEPTED in await said(client, await come_back(client, provider, "eve-7"))


async def test_without_the_check_of_claims_a_token_for_another_shop_gets_in(
    client: httpx.AsyncClient, provider: AtProvider, forger: Forger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the claims."""
    await provider.has("eve-7", email="eve@example.com")
    forger.claims = {"aud": "another shop"}
    monkeypatch.setattr(oidc.jwt.JWTClaimsRegistry, "validate", lambda _self, _claims: None)
    assert (await come_back(client, provider, "eve-7")).headers["location"] == "/me"


async def test_an_address_that_only_userinfo_tells_is_taken_from_there(
    client: httpx.AsyncClient, provider: AtProvider, forger: Forger
) -> None:
    await provider.has("eve-7", email="eve@example.com")
    forger.claims = {"email": None, "email_verified": None}
    assert (await come_back(client, provider, "eve-7")).headers["location"] == "/me"
