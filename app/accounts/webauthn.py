"""What a passkey is asked, and whether its answer is right (WebAuthn). No I/O.

A passkey always verifies its person, by a finger, a face or a PIN, so it is two factors in one.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import structlog
import webauthn
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from app.accounts.models import CHALLENGE_LIFE, Passkey, User
from app.core.errors import Refused
from app.core.i18n import gettext as _
from app.core.settings import settings

log = structlog.get_logger()

Answer = dict[str, Any]


class WrongAnswer(Refused):
    """What came is not the answer of this passkey to this question at this place."""

    status = 422


@dataclass(frozen=True)
class NewKey:
    """What a device says of a passkey that it has just made; texts are base64url."""

    credential_id: str
    public_key: str
    sign_count: int


def creation_options(user: User, nonce: str, known: Sequence[Passkey]) -> str:
    """JSON for navigator.credentials.create(). A device that holds one of the `known` passkeys makes no second one."""
    options = webauthn.generate_registration_options(
        rp_id=settings().passkey_host,
        rp_name=settings().site_name,
        # The account's public code: a device shows the address, and keeps nothing else about the person.
        user_id=user.code.encode(),
        user_name=user.email,
        user_display_name=user.name or user.email,
        challenge=base64url_to_bytes(nonce),
        timeout=_milliseconds("passkey_add"),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=_descriptors(known),
    )
    return webauthn.options_to_json(options)


def request_options(nonce: str, allowed: Sequence[Passkey]) -> str:
    """JSON for navigator.credentials.get(). Without `allowed` the person chooses among all that the device has for us."""
    options = webauthn.generate_authentication_options(
        rp_id=settings().passkey_host,
        challenge=base64url_to_bytes(nonce),
        timeout=_milliseconds("passkey_use"),
        allow_credentials=_descriptors(allowed),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return webauthn.options_to_json(options)


def nonce_of(answer: Answer) -> str:
    """The question that an answer says it answers; whether that is signed is checked later."""
    with _judged():
        asked = json.loads(base64url_to_bytes(answer["response"]["clientDataJSON"]))["challenge"]
        if not isinstance(asked, str):
            raise TypeError("challenge")
        return asked.rstrip("=")


def credential_id_of(answer: Answer) -> str:
    """Which passkey says that it answers."""
    found = answer.get("id")
    return found.rstrip("=") if isinstance(found, str) else ""


def new_key(answer: Answer, nonce: str) -> NewKey:
    """The passkey in an answer to creation_options. Raises WrongAnswer."""
    with _judged():
        found = webauthn.verify_registration_response(
            credential=answer,
            expected_challenge=base64url_to_bytes(nonce),
            expected_rp_id=settings().passkey_host,
            expected_origin=_origin(),
            require_user_verification=True,
        )
    return NewKey(bytes_to_base64url(found.credential_id), bytes_to_base64url(found.credential_public_key), found.sign_count)


def sign_count(answer: Answer, nonce: str, passkey: Passkey, user: User) -> int:
    """How often the device says that it was used, from an answer to request_options. Raises WrongAnswer.

    The database compares the count, so that two answers at the same moment cannot both pass.
    """
    with _judged():
        handle = answer["response"].get("userHandle")
        if handle is not None and base64url_to_bytes(handle) != user.code.encode():
            raise ValueError("The passkey names another account.")
        found = webauthn.verify_authentication_response(
            credential=answer,
            expected_challenge=base64url_to_bytes(nonce),
            expected_rp_id=settings().passkey_host,
            expected_origin=_origin(),
            credential_public_key=base64url_to_bytes(passkey.public_key),
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    return int(found.new_sign_count)


@contextmanager
def _judged() -> Iterator[None]:
    """Whatever is wrong with an answer, the person hears the same; the log says more."""
    try:
        yield
    except (WebAuthnException, ValueError, TypeError, KeyError, AttributeError, RecursionError) as wrong:
        log.info("passkey refused", reason=f"{type(wrong).__name__}: {wrong}"[:200])
        raise WrongAnswer(_("This passkey was not accepted. Try again, or sign in another way.")) from None


def _descriptors(passkeys: Sequence[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=base64url_to_bytes(passkey.credential_id)) for passkey in passkeys]


def _milliseconds(kind: str) -> int:
    return int(CHALLENGE_LIFE[kind].total_seconds() * 1000)


def _origin() -> str:
    address = urlsplit(settings().base_url)
    return f"{address.scheme}://{address.netloc}"
