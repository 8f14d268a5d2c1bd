"""What is sealed can be opened with the same SECRET_KEY only, and cannot be altered."""

import dataclasses

import pytest

from app.core.sealing import seal, unseal
from app.core.settings import Settings, use


@pytest.mark.asvs("V11.3.2")
def test_what_was_sealed_comes_out_again_and_looks_different_each_time() -> None:
    assert unseal(seal("a secret, über")) == "a secret, über"
    assert seal("a secret") != seal("a secret")
    assert "a secret" not in seal("a secret")


@pytest.mark.parametrize("broken", ["", "nothing of ours", "é", "gAAAAA"])
def test_nothing_else_is_opened(broken: str) -> None:
    with pytest.raises(ValueError, match="not sealed"):
        unseal(broken)


@pytest.mark.asvs("V11.3.3")
def test_an_altered_one_is_not_opened() -> None:
    sealed = seal("a secret")
    with pytest.raises(ValueError, match="not sealed"):
        unseal(sealed[:40] + ("A" if sealed[40] != "A" else "B") + sealed[41:])


@pytest.mark.asvs("V11.3.3")
def test_another_key_opens_nothing(settings: Settings) -> None:
    sealed = seal("a secret")
    use(dataclasses.replace(settings, secret_key="another-key-of-somebody-else-0123456789"))
    with pytest.raises(ValueError, match="SECRET_KEY"):
        unseal(sealed)


def test_a_former_key_still_opens(settings: Settings) -> None:
    sealed = seal("a secret")
    former = f"an-even-older-key-0123456789-0123456789, {settings.secret_key}"
    use(dataclasses.replace(settings, secret_key="the-new-key-of-the-shop-0123456789-0123", secret_key_old=former))
    assert unseal(sealed) == "a secret"
    assert unseal(seal("a new one")) == "a new one"
