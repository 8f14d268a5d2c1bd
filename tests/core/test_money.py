"""Money is read and written in one place, in the decimals of its currency."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.money import CURRENCIES, exponent, minor_units, money


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("18.50", "EUR", 1850),
        ("18,5", "EUR", 1850),
        (" 18 ", "EUR", 1800),
        ("0", "EUR", 0),
        ("1800", "JPY", 1800),
        ("18.000", "EUR", 1800),
    ],
)
def test_a_typed_price_becomes_minor_units(text: str, currency: str, minor: int):
    assert minor_units(text, currency) == minor


@pytest.mark.parametrize(
    ("text", "currency"),
    [("", "EUR"), ("free", "EUR"), ("18.505", "EUR"), ("18.5", "JPY"), ("1 800", "EUR"), ("NaN", "EUR"), ("Infinity", "EUR")],
)
def test_what_is_no_price_raises(text: str, currency: str):
    with pytest.raises(ValueError):
        minor_units(text, currency)


def test_a_list_leaves_empty_decimals_away_and_a_receipt_never_does():
    assert money(3700, "EUR", locale="en_GB") == "€37.00"
    assert money(3700, "EUR", locale="en_GB", short=True) == "€37"
    assert money(3750, "EUR", locale="en_GB", short=True) == "€37.50"


def test_a_currency_without_decimals_shows_none():
    assert money(1800, "JPY", locale="en_GB") == "JP¥1,800"


@given(minor=st.integers(0, 10**12), currency=st.sampled_from(CURRENCIES))
def test_what_is_written_reads_back_as_the_same(minor: int, currency: str):
    digits = exponent(currency)
    typed = f"{minor // 10**digits}.{minor % 10**digits:0{digits}d}" if digits else str(minor)
    assert minor_units(typed, currency) == minor
