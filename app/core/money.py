"""Money is an integer of minor units and a currency. This is the only place that writes or reads it as text."""

from decimal import Decimal, InvalidOperation
from functools import cache, lru_cache

from babel import Locale
from babel.numbers import format_currency, get_currency_precision

CURRENCIES = ("EUR", "CHF", "GBP", "USD", "SEK", "DKK", "NOK", "PLN", "CZK", "JPY")


@cache
def exponent(currency: str) -> int:
    """How many decimals the currency has: 2 for EUR, 0 for JPY (CLDR)."""
    return get_currency_precision(currency)


def major(minor: int, currency: str) -> Decimal:
    """18.50 for 1850 EUR, exactly."""
    return Decimal(minor).scaleb(-exponent(currency))


@lru_cache(maxsize=4096)
def money(minor: int, currency: str, *, locale: str, short: bool = False) -> str:
    """ "€37.00". `short` leaves ",00" away, for lists and pickers; totals and receipts never do."""
    amount = major(minor, currency)
    whole = short and amount == amount.to_integral_value()
    if whole:
        pattern = Locale.parse(locale).currency_formats["standard"].pattern.replace(".00", "")
        return str(format_currency(amount, currency, format=pattern, locale=locale, currency_digits=False))
    return str(format_currency(amount, currency, locale=locale))


def minor_units(text: str, currency: str) -> int:
    """The integer behind a typed price such as "18.50" or "18,5".

    Raises ValueError when the text is no amount or has more decimals than the currency.
    """
    try:
        amount = Decimal(text.strip().replace(",", ".")).scaleb(exponent(currency))
    except InvalidOperation:
        raise ValueError(text) from None
    if not amount.is_finite() or amount != amount.to_integral_value():
        raise ValueError(text)
    return int(amount)
