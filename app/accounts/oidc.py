"""The one door to an OpenID provider: authorization code with PKCE, and an ID token that is believed when all of it is right.

What the provider says about itself and its keys is asked for each time: people sign in seldom enough, and nothing is out of date.
Nothing here opens a transaction, and nothing here may be called inside one.
"""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import structlog
from email_validator import EmailNotValidError, validate_email
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from app.accounts.models import Challenge, Person
from app.core import clock
from app.core.db import outside_writing
from app.core.errors import Refused, Unavailable
from app.core.i18n import gettext as _
from app.core.settings import settings

log = structlog.get_logger()

SECONDS = 15
CONNECT_SECONDS = 5
# Clocks differ by so many seconds.
LEEWAY = 60
# Signatures by the provider's own key. A token "signed" with our secret or not at all proves nothing.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
KEY_TYPES = ("RSA", "EC", "OKP")


class ProviderSilent(Unavailable):
    """No answer, or none that can be read."""


class Distrusted(Refused):
    """An answer that proves nothing."""

    status = 422


@dataclass(frozen=True)
class Provider:
    """What a provider says about itself; addresses."""

    authorization: str
    token: str
    keys: str
    userinfo: str
    takes_basic: bool


def is_set_up() -> bool:
    return bool(settings().oidc_issuer)


async def provider() -> Provider:
    """What the provider says about itself. Raises ProviderSilent or Distrusted."""
    issuer = settings().oidc_issuer
    async with _asking() as client:
        said = await _json(client, "GET", issuer.rstrip("/") + "/.well-known/openid-configuration")
    with _judged():
        if said["issuer"] != issuer:
            raise ValueError("the issuer is another one")
        methods = said.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        return Provider(
            authorization=_safe(said["authorization_endpoint"]),
            token=_safe(said["token_endpoint"]),
            keys=_safe(said["jwks_uri"]),
            userinfo=_safe(said["userinfo_endpoint"]) if said.get("userinfo_endpoint") else "",
            takes_basic="client_secret_basic" in methods,
        )


def sign_in_url(found: Provider, challenge: Challenge) -> str:
    """Where the browser goes to sign in. The verifier stays here until the answer has come (PKCE)."""
    digest = hashlib.sha256(challenge.verifier.encode()).digest()
    asked = {
        "response_type": "code",
        "client_id": settings().oidc_client_id,
        "redirect_uri": callback_url(),
        "scope": "openid email",
        "state": challenge.id,
        "nonce": challenge.nonce,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    return found.authorization + ("&" if urlsplit(found.authorization).query else "?") + urlencode(asked)


def callback_url() -> str:
    return f"{settings().base_url}/login/oidc/callback"


async def person(found: Provider, code: str, challenge: Challenge) -> Person:
    """Who has signed in at the provider, for the code that the browser brought. Raises ProviderSilent or Distrusted."""
    async with _asking() as client:
        tokens = await _tokens(client, found, code, challenge)
        keys = await _json(client, "GET", found.keys)
        with _judged():
            claims = _claims(str(tokens["id_token"]), keys, nonce=challenge.nonce)
        if "email" not in claims and found.userinfo:
            # Some providers tell the address only here.
            headers = {"Authorization": f"Bearer {tokens.get('access_token', '')}"}
            more = await _json(client, "GET", found.userinfo, headers=headers)
            with _judged():
                if more["sub"] != claims["sub"]:
                    raise ValueError("the userinfo is about somebody else")
            claims = more | claims
    return _person(claims)


def _person(claims: dict[str, Any]) -> Person:
    email = _usual(claims.get("email"))
    if not email or claims.get("email_verified") is not True:
        name = settings().oidc_name
        raise Distrusted(
            _("%(name)s has not verified your email address. Do that there, or sign in another way.") % {"name": name}
        )
    return Person(settings().oidc_issuer, claims["sub"], email)


def _usual(email: Any) -> str:
    """An address in the spelling in which we keep it; empty when it is none."""
    try:
        found = validate_email(email, check_deliverability=False, test_environment=True).normalized.lower()
    except (EmailNotValidError, TypeError, AttributeError):
        return ""
    return found if len(found) <= 254 else ""


def _claims(id_token: str, keys: dict[str, Any], *, nonce: str) -> dict[str, Any]:
    """What a token says, when it is signed by the provider, for us, for this very request, and not too old."""
    usable = [key for key in keys["keys"] if key.get("kty") in KEY_TYPES and key.get("use", "sig") == "sig"]
    token = jwt.decode(id_token, KeySet.import_key_set({"keys": usable}), algorithms=list(ALGORITHMS))
    if token.header.get("typ", "JWT").upper() != "JWT":
        raise ValueError("not an ID token")
    ours = settings().oidc_client_id
    jwt.JWTClaimsRegistry(
        now=int(clock.now().timestamp()),
        leeway=LEEWAY,
        iss={"essential": True, "value": settings().oidc_issuer},
        sub={"essential": True},
        aud={"essential": True, "value": ours},
        exp={"essential": True},
        iat={"essential": True},
        nonce={"essential": True, "value": nonce},
    ).validate(token.claims)
    if token.claims.get("azp", ours) != ours or len(token.claims["sub"]) > 255:
        raise ValueError("the token was made for somebody else")
    return token.claims


async def _tokens(client: httpx.AsyncClient, found: Provider, code: str, challenge: Challenge) -> dict[str, Any]:
    chosen = settings()
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": callback_url(),
        "code_verifier": challenge.verifier,
    }
    if found.takes_basic:
        auth = httpx.BasicAuth(_encoded(chosen.oidc_client_id), _encoded(chosen.oidc_client_secret))
        return await _json(client, "POST", found.token, data=form, auth=auth)
    form |= {"client_id": chosen.oidc_client_id, "client_secret": chosen.oidc_client_secret}
    return await _json(client, "POST", found.token, data=form)


def _encoded(text: str) -> str:
    """RFC 6749 encodes both halves before they become a header."""
    return urlencode({"": text})[1:]


@asynccontextmanager
async def _asking() -> AsyncIterator[httpx.AsyncClient]:
    """A client for the calls of one sign-in, with a time limit over all of them. It follows no redirect."""
    outside_writing("Asking the OpenID provider")
    try:
        async with (
            asyncio.timeout(SECONDS),
            httpx.AsyncClient(timeout=httpx.Timeout(SECONDS, connect=CONNECT_SECONDS)) as client,
        ):
            yield client
    except TimeoutError:
        raise _silent("too slow") from None


async def _json(client: httpx.AsyncClient, method: str, url: str, **given: Any) -> dict[str, Any]:
    try:
        answer = await client.request(method, url, **given)
        said = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise _silent(f"{url}: {type(error).__name__}: {error}") from None
    if 400 <= answer.status_code < 500:
        raise _distrusted(f"{url}: {answer.status_code}: {str(said)[:200]}")
    if answer.status_code != 200 or not isinstance(said, dict):
        raise _silent(f"{url}: {answer.status_code}")
    return said


def _silent(reason: str) -> ProviderSilent:
    log.warning("the OpenID provider did not answer", reason=reason[:300])
    sentence = _("%(name)s does not answer. Try again in a few minutes, or sign in another way.")
    return ProviderSilent(sentence % {"name": settings().oidc_name})


@contextmanager
def _judged() -> Iterator[None]:
    try:
        yield
    except (JoseError, ValueError, TypeError, KeyError, AttributeError) as wrong:
        raise _distrusted(f"{type(wrong).__name__}: {wrong}") from None


def _distrusted(reason: str) -> Distrusted:
    log.warning("the OpenID provider was not believed", reason=reason[:300])
    sentence = _("The answer of %(name)s was not accepted. Start again, or sign in another way.")
    return Distrusted(sentence % {"name": settings().oidc_name})


def _safe(url: str) -> str:
    """Keys and codes travel over https; only a provider on this machine may do without."""
    issuer = urlsplit(settings().oidc_issuer)
    if urlsplit(url).scheme not in {"https", issuer.scheme}:
        raise ValueError(f"{url} is not https")
    return url
