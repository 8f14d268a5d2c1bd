"""Codes are unguessable, or readable aloud; never both by chance."""

import pytest

from app.core.codes import ALPHABET, secret_code, short_code


@pytest.mark.asvs("V11.5.1")
def test_a_secret_code_carries_128_bits():
    codes = {secret_code() for _ in range(1000)}
    assert len(codes) == 1000
    assert {len(code) for code in codes} == {22}


def test_a_short_code_is_read_aloud_without_mistakes():
    code = short_code()
    assert code[4] == "-"
    assert set(code.replace("-", "")) <= set(ALPHABET)
    assert not set(ALPHABET) & set("ILOU01")
