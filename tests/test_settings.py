"""Every wrong setting stops the start with a sentence; production never starts with secrets that everybody knows."""

import pytest

from app.core.settings import DEMO_SECRET_KEY, DEMO_STRIPE_KEY, SettingsError, read

PRODUCTION = {"BASE_URL": "https://tickets.example.org", "SECRET_KEY": "k" * 32}


def mistakes(environ: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as error:
        read(environ)
    return str(error.value).splitlines()


@pytest.mark.asvs("V13.2.3")
def test_a_shop_needs_an_address_and_a_secret():
    found = read(PRODUCTION)
    assert found.https
    assert not found.demo
    assert not found.sells_online


def test_the_demo_needs_nothing():
    found = read({"DEMO": "1", "PORT": "8123"})
    assert found.base_url == "http://127.0.0.1:8123"
    assert found.stripe_api_base == "http://127.0.0.1:8123/sandbox/stripe"
    assert found.sells_online


def test_without_a_key_the_shop_sells_free_tickets_only():
    assert not read(PRODUCTION).sells_online
    assert read(PRODUCTION | {"STRIPE_API_KEY": "sk_live_x", "STRIPE_WEBHOOK_SECRET": "whsec_x"}).sells_online


@pytest.mark.parametrize(
    ("given", "driver"),
    [
        ("postgres://shop@db/shop", "postgresql+asyncpg://shop@db/shop"),
        ("postgresql://shop@db/shop", "postgresql+asyncpg://shop@db/shop"),
        ("sqlite:///data/shop.db", "sqlite+aiosqlite:///data/shop.db"),
    ],
)
def test_the_usual_spellings_of_a_database_are_understood(given: str, driver: str):
    assert read(PRODUCTION | {"DATABASE_URL": given}).database_url == driver


@pytest.mark.asvs("V13.2.3", "V12.2.1")
@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"PORT": "eighty"}, "PORT is a whole number from 1 to 65535."),
        ({"PORT": "70000"}, "PORT is a whole number from 1 to 65535."),
        ({"DEMO": "maybe"}, "DEMO is 1 or 0."),
        ({"WORKERS": "0"}, "WORKERS is a whole number from 1 to 64."),
        ({"LOG_FORMAT": "xml"}, "LOG_FORMAT is one of text, json."),
        ({"BCRYPT_COST": "99"}, "BCRYPT_COST is a whole number from 4 to 16."),
        ({"BCRYPT_COST": "9"}, "BCRYPT_COST is at least 10 for a shop that others can reach."),
        ({"BASE_URL": "tickets.example.org"}, "BASE_URL is a full address such as https://tickets.example.org."),
        ({"BASE_URL": "http://tickets.example.org"}, "BASE_URL begins with https:// for every address but localhost."),
        ({"MAIL_FROM": "Tickets"}, "MAIL_FROM holds an e-mail address, such as Tickets <tickets@example.org>."),
        ({"DATABASE_URL": "mysql://db/shop"}, "DATABASE_URL is a sqlite or postgresql address."),
        ({"SECRET_KEY": "short"}, "SECRET_KEY is missing or shorter than 32 characters. Make one with: openssl rand -hex 32"),
        ({"SECRET_KEY": DEMO_SECRET_KEY}, "SECRET_KEY is the demo's, which everybody knows. Make one with: openssl rand -hex 32"),
        ({"CONTACT": "the office"}, "CONTACT is an e-mail address."),
        ({"DEFAULT_CURRENCY": "XXX"}, "DEFAULT_CURRENCY is one of EUR, CHF, GBP, USD, SEK, DKK, NOK, PLN, CZK, JPY."),
        ({"DEFAULT_ZONE": "Europe/Atlantis"}, "DEFAULT_ZONE is a time zone such as Europe/Rome."),
        ({"EXTENSIONS": "-1"}, "EXTENSIONS is a whole number from 0 to 20."),
        (
            {"STRIPE_API_KEY": DEMO_STRIPE_KEY, "STRIPE_WEBHOOK_SECRET": "whsec_x"},
            "STRIPE_API_KEY is the sandbox's and works only with DEMO=1.",
        ),
        ({"WORKERS": "2"}, "WORKERS above 1 needs PostgreSQL: one process owns a SQLite file."),
        ({"DEMO": "1"}, "DEMO=1 does not go with an https BASE_URL: the demo's secrets are public."),
        (
            {"DEMO": "1", "STRIPE_API_KEY": "sk_live_x"},
            "DEMO=1 does not go with a live Stripe key: the sandbox would never charge it.",
        ),
        ({"DEMO": "1", "WORKERS": "2"}, "DEMO=1 needs WORKERS=1: the sandbox lives in one process."),
    ],
)
def test_a_wrong_setting_has_its_sentence(wrong: dict[str, str], sentence: str):
    assert sentence in mistakes(PRODUCTION | wrong)


def test_all_mistakes_are_told_at_once():
    assert len(mistakes({"PORT": "eighty", "LOG_FORMAT": "xml", "MAIL_FROM": "Tickets"})) == 4


def test_a_secret_never_shows_in_a_traceback():
    found = read(PRODUCTION | {"STRIPE_API_KEY": "sk_live_x", "STRIPE_WEBHOOK_SECRET": "whsec_x"})
    for secret in ("k" * 32, "sk_live_x", "whsec_x"):
        assert secret not in repr(found)
