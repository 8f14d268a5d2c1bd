"""A good password is long and not on everybody's list. What it is made of is nobody's business."""

from pathlib import Path

import pytest

from app.accounts import rules
from app.accounts.rules import canonical, device_name, password_mistake

COMMON = Path(rules.__file__).with_name("common_passwords.txt")


def mistake(password: str, *, email: str = "bob@example.com", role: str = "user") -> str | None:
    return password_mistake(password, email=email, role=role, site_name="Event Ticket")


@pytest.mark.asvs("V6.2.5")
@pytest.mark.parametrize(
    "password", ["nine pianos", "        x y z     ", "ぴあのぴあのたのしいよる", "correct-battery", "aB3$aB3$xy"]
)
def test_length_is_enough_whatever_the_characters(password: str) -> None:
    assert mistake(password) is None


@pytest.mark.asvs("V6.2.1")
def test_users_need_ten_characters_and_managers_and_admins_fifteen() -> None:
    assert mistake("ninepiano") == "Use at least 10 characters."
    assert mistake("ninepianos") is None
    assert mistake("ninepianos", role="manager") == "Use at least 15 characters."
    assert mistake("ninepianos", role="admin") == "Use at least 15 characters."
    assert mistake("ninepianosatone", role="admin") is None


@pytest.mark.parametrize("character", ["ß", "ﬃ", "㍿"])
def test_characters_that_fold_into_several_count_as_one(character: str) -> None:
    assert mistake((character + "xyz") * 2) == "Use at least 10 characters."
    assert mistake((character + "xyz") * 3) is None


@pytest.mark.asvs("V6.2.9")
def test_more_than_256_characters_are_refused_and_256_are_not() -> None:
    long = "nine pianos in the rain " * 11
    assert mistake(long[:256]) is None
    assert mistake(long[:257]) == "Use 256 characters or fewer."


@pytest.mark.asvs("V6.2.4", "V6.2.12")
@pytest.mark.parametrize(
    "password", ["password123", "PASSWORD123", "qwertyuiop", "1234567890", "iloveyou123", "aaaaaaaaaaaa", "121212121212"]
)
def test_what_everybody_uses_is_refused_in_any_case(password: str) -> None:
    assert "Many people use this password" in (mistake(password) or "")


@pytest.mark.asvs("V6.2.4", "V6.2.12")
def test_the_list_holds_more_than_three_thousand_passwords_that_were_leaked_and_are_long_enough() -> None:
    listed = COMMON.read_text(encoding="utf-8").splitlines()
    assert len(listed) == len(set(listed)) > 9000
    assert all(len(password) >= 10 and password == canonical(password).casefold() for password in listed)
    assert all(mistake(password) for password in listed)
    assert all(mistake(password, role="admin") for password in listed)


@pytest.mark.asvs("V6.2.4")
@pytest.mark.parametrize("password", ["1q2w3e4r5t6y!", "!!1q2w3e4r5t6y!!", "iloveyou123-2026"])
def test_a_listed_password_with_a_few_characters_around_it_is_refused(password: str) -> None:
    assert "Most of this is a password that many people use" in (mistake(password) or "")
    assert mistake(password + " and nine pianos") is None


def test_letters_of_full_width_are_the_same_letters() -> None:
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in "password123")
    assert "Many people use this password" in (mistake(wide) or "")


@pytest.mark.asvs("V6.2.11")
@pytest.mark.parametrize(
    "password",
    ["Serafina12", "1serafina1", "eventticket7", "EventTicket99", "Serafina-Tickets", "event-manager-26", "welcometicket"],
)
def test_the_own_address_or_the_sites_name_is_not_most_of_a_password(password: str) -> None:
    assert "more than your email address" in (mistake(password, email="serafina@example.com") or "")


def test_the_own_name_inside_a_long_password_is_fine() -> None:
    assert mistake("serafina plays nine pianos", email="serafina@example.com") is None


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox, Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", "Edge, Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile/15E148 Safari/604.1", "Safari, iPhone"),
        ("curl/8.0", ""),
        ("", ""),
    ],
)
def test_a_browser_is_named_in_two_words(header: str, name: str) -> None:
    assert device_name(header) == name
