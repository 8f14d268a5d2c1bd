"""How values look: dates in the event's zone, and Markdown that harms nobody."""

from datetime import UTC, date, datetime
from html.parser import HTMLParser

import pytest
import time_machine

from app.core import formats, i18n

EVENING = datetime(2026, 12, 12, 19, 30, tzinfo=UTC)


def test_dates_are_told_in_the_zone_of_the_event(moment: time_machine.Traveller):
    assert formats.full_date(EVENING, "Europe/Rome") == "Saturday 12 December 2026, 20:30"
    assert formats.list_date(EVENING, "Europe/Rome") == "Sat 12 Dec, 20:30"
    assert formats.clock_time(EVENING, "Europe/London") == "19:30"
    assert formats.iso(EVENING, "Europe/Rome") == "2026-12-12T20:30:00+01:00"


def test_a_date_in_another_year_says_so(moment: time_machine.Traveller):
    assert formats.list_date(EVENING.replace(year=2027), "Europe/Rome") == "Sun 12 Dec 2027, 20:30"


@pytest.mark.asvs("V1.3.1", "V1.3.5", "V1.2.2")
@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[click](javascript:alert(1))",
        "[click](data:text/html;base64,PHNjcmlwdD4=)",
        "![x](https://example.com/pixel.png)",
        "<a href='https://example.com' style='position:fixed'>x</a>",
    ],
)
def test_markdown_harms_nobody(hostile: str):
    found: list[tuple[str, str]] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: found.extend(
        (tag, f"{name}={value}") for name, value in [*attributes, ("", "")]
    )  # type: ignore[method-assign]
    parser.feed(formats.markdown(hostile))
    assert {tag for tag, _ in found} <= {"p", "a"}
    assert {attribute for _, attribute in found} <= {"=", "rel=nofollow noopener"}


def test_markdown_headings_begin_below_those_of_the_page():
    assert formats.markdown("# Programme").strip() == "<h3>Programme</h3>"
    assert formats.markdown("# A\n## B", under=1).split() == ["<h2>A</h2>", "<h2>B</h2>"]


@pytest.mark.asvs("V1.2.3")
def test_json_cannot_close_its_script_element():
    assert "</script>" not in formats.json_ld({"name": "</script><script>alert(1)</script>"})


@pytest.mark.parametrize(
    ("language", "in_lists", "in_full", "price", "short", "count"),
    [
        ("en", "Sat 12 Dec, 20:30", "Saturday 12 December 2026, 20:30", "€18.50", "€32", "1,284"),
        ("fr", "sam. 12 déc., 20:30", "samedi 12 décembre 2026 à 20:30", "18,50 €", "32 €", "1 284"),
        ("it", "sab 12 dic, 20:30", "sabato 12 dicembre 2026, 20:30", "18,50 €", "32 €", "1.284"),
        ("de", "Sa., 12. Dez., 20:30", "Samstag, 12. Dezember 2026, 20:30", "18,50 €", "32 €", "1.284"),
        ("es", "sáb, 12 dic, 20:30", "sábado, 12 de diciembre de 2026, 20:30", "18,50 €", "32 €", "12.840"),
    ],
)
def test_dates_prices_and_numbers_are_written_as_their_readers_write_them(
    moment: time_machine.Traveller, language: str, in_lists: str, in_full: str, price: str, short: str, count: str
):
    with i18n.speaking(language):
        shown = [
            formats.list_date(EVENING, "Europe/Rome"),
            formats.full_date(EVENING, "Europe/Rome"),
            formats.money(1850, "EUR"),
            formats.money(3200, "EUR", short=True),
            # Spanish sets off thousands from five digits on.
            formats.number(12840 if language == "es" else 1284),
        ]
    assert [" ".join(one.split()) for one in shown] == [in_lists, in_full, price, short, count]


@pytest.mark.usefixtures("moment")
def test_the_first_of_a_month_is_counted_in_french_alone():
    first, eleventh = datetime(2026, 12, 1, 19, 30, tzinfo=UTC), datetime(2026, 12, 11, 19, 30, tzinfo=UTC)
    with i18n.speaking("fr"):
        assert formats.full_date(first, "Europe/Rome") == "mardi 1er décembre 2026 à 20:30"
        assert formats.list_date(first, "Europe/Rome") == "mar. 1er déc., 20:30"
        assert formats.short_date(first, "Europe/Rome") == "1er déc. 2026"
        assert [formats.day(first.date()), formats.weekday_day(first.date())] == ["1er déc.", "mar. 1er déc."]
        assert formats.list_date(eleventh, "Europe/Rome") == "ven. 11 déc., 20:30"
    with i18n.speaking("it"):
        assert formats.list_date(first, "Europe/Rome") == "mar 1 dic, 20:30"


@pytest.mark.parametrize(
    ("language", "heading", "in_a_month", "french"),
    [
        ("en", "December 2026", "Sat 5 Dec", "French"),
        ("fr", "Décembre 2026", "sam. 5 déc.", "français"),
        ("it", "Dicembre 2026", "sab 5 dic", "francese"),
        ("de", "Dezember 2026", "Sa., 5. Dez.", "Französisch"),
        ("es", "Diciembre de 2026", "sáb, 5 dic", "francés"),
    ],
)
def test_days_and_languages_are_named_as_their_readers_name_them(language: str, heading: str, in_a_month: str, french: str):
    with i18n.speaking(language):
        shown = [formats.month_year(date(2026, 12, 5)), formats.weekday_day(date(2026, 12, 5)), formats.language_name("fr")]
    assert shown == [heading, in_a_month, french]
