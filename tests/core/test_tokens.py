"""A mailed link carries an id under our signature, for one purpose."""

import dataclasses

import pytest
from itsdangerous import URLSafeSerializer

from app.core import tokens
from app.core.settings import Settings, settings, use


def test_what_was_signed_comes_back():
    assert tokens.unsign("reset", tokens.sign("reset", "17")) == "17"


@pytest.mark.asvs("V9.2.2")
def test_a_token_is_good_for_its_own_purpose_only():
    assert tokens.unsign("invitation", tokens.sign("reset", "17")) is None


@pytest.mark.asvs("V9.1.1")
@pytest.mark.parametrize("broken", ["", ".", "17", "a.b.c", "\x00", "é", "\udce9", "x" * 100_000])
def test_a_broken_token_is_none(broken: str):
    assert tokens.unsign("reset", broken) is None


@pytest.mark.asvs("V9.1.1")
def test_an_altered_token_is_none():
    token = tokens.sign("reset", "17")
    for place in range(len(token)):
        other = "A" if token[place] != "A" else "B"
        altered = token[:place] + other + token[place + 1 :]
        # The last letter of base64 carries spare bits, so another letter may spell the same signature.
        assert tokens.unsign("reset", altered) in ((None, "17") if place == len(token) - 1 else (None,))


@pytest.mark.asvs("V9.1.3")
def test_a_token_of_another_shop_is_none(settings: Settings):
    token = tokens.sign("reset", "17")
    use(dataclasses.replace(settings, secret_key="another-shops-secret-key-0123456789"))
    assert tokens.unsign("reset", token) is None


@pytest.mark.asvs("V9.1.2", "V11.4.3")
def test_only_one_algorithm_counts() -> None:
    """HMAC-SHA-256; the same key with the library's own SHA-1, or with no signature at all, opens nothing."""
    weaker = URLSafeSerializer(settings().secret_key, salt="link:reset")
    assert tokens.unsign("reset", str(weaker.dumps("17"))) is None
    value, _dot, signature = tokens.sign("reset", "17").rpartition(".")
    assert len(signature) == 43
    for forged in (value, f"{value}.", f"{value}.none", f"{value}.{signature[:27]}"):
        assert tokens.unsign("reset", forged) is None
