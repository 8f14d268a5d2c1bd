"""Slugs, folding, times in a zone, badges, windows: without a database."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from app.events.models import Event, TicketType
from app.events.rules import offering, proposing, searching

NOW = datetime(2026, 11, 16, 12, 0, tzinfo=UTC)  # a Monday


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Été à Noël!", "ete-a-noel"),
        ("  Nine   Pianos ", "nine-pianos"),
        ("東京", "event"),
        ("Straße", "strasse"),
        ("x" * 300, "x" * 100),
    ],
)
def test_a_title_becomes_a_slug(title: str, slug: str) -> None:
    assert proposing.slug_of(title) == slug


def test_a_slug_that_is_taken_or_reserved_gets_a_number() -> None:
    assert proposing.free_slug("jazz", set()) == "jazz"
    assert proposing.free_slug("jazz", {"jazz", "jazz-2"}) == "jazz-3"
    assert proposing.free_slug("new", set()) == "new-2"


def test_folding_forgets_case_and_accents() -> None:
    assert "ete" in proposing.folded("L’ÉTÉ")
    assert proposing.folded("Łódź Straße") == "łodz strasse"


def _typed(text: str) -> datetime:
    """What a date and time field hands over: no zone yet."""
    return datetime.fromisoformat(text)


def test_an_hour_that_the_zone_skips_is_refused() -> None:
    assert proposing.in_utc(_typed("2026-12-12T20:30"), "Europe/Rome") == datetime(2026, 12, 12, 19, 30, tzinfo=UTC)
    with pytest.raises(ValueError, match="2027"):
        proposing.in_utc(_typed("2027-03-28T02:30"), "Europe/Rome")


def test_an_hour_that_comes_twice_is_refused_too() -> None:
    with pytest.raises(proposing.HourTwice, match="2026-10-25"):
        proposing.in_utc(_typed("2026-10-25T02:30"), "Europe/Rome")


def _type(**columns: Any) -> TicketType:
    usual = {"capacity": 100, "price_minor": 1800, "sale_from": NOW - timedelta(days=1), "sale_to": NOW + timedelta(days=20)}
    return TicketType(**(usual | columns))


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        ({}, None),
        ({"sold": 79}, None),
        ({"sold": 80}, "20 left"),
        ({"capacity": 1000, "sold": 800}, "200 left"),
        ({"sold": 99}, "1 left"),
        ({"sold": 100}, "Sold out"),
        ({"sold": 99, "held": 1}, "All held for now"),
        ({"sale_from": NOW + timedelta(days=8)}, "On sale Tue 24 Nov, 13:00"),
        ({"sale_from": NOW + timedelta(days=9), "presale_from": NOW + timedelta(days=8)}, "Pre-sale Tue 24 Nov, 13:00"),
        ({"sale_from": NOW + timedelta(days=9), "presale_from": NOW - timedelta(days=1)}, "Pre-sale"),
        ({"sale_to": NOW - timedelta(hours=1)}, "Sale closed"),
    ],
)
def test_the_badge_says_what_a_buyer_must_know(moment: Any, columns: dict[str, Any], text: str | None) -> None:
    found = offering.badge([_type(**columns)], called_off=False, zone="Europe/Rome", now=NOW)
    assert (found.text if found else None) == text


def test_a_called_off_event_is_cancelled_whatever_its_stock() -> None:
    found = offering.badge([_type()], called_off=True, zone="Europe/Rome", now=NOW)
    assert found
    assert found.text == "Cancelled"


def test_the_weekend_runs_from_friday_to_sunday() -> None:
    monday = searching.window("weekend", zone="Europe/Rome", now=NOW)
    assert monday == (datetime(2026, 11, 19, 23, tzinfo=UTC), datetime(2026, 11, 22, 23, tzinfo=UTC))
    saturday = searching.window("weekend", zone="Europe/Rome", now=NOW + timedelta(days=5))
    assert saturday == (datetime(2026, 11, 20, 23, tzinfo=UTC), datetime(2026, 11, 22, 23, tzinfo=UTC))


def test_tonight_lasts_until_four_in_the_morning() -> None:
    assert searching.window("tonight", zone="Europe/Rome", now=NOW)[1] == datetime(2026, 11, 17, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    "params",
    [
        {"page": "9" * 30},
        {"page": "-1"},
        {"page": "²"},
        {"page": "1e3"},
        {"q": "\x00"},
        {"category": "a\x00b"},
        {"when": "yesterday"},
        {"since": "0001-01-01"},
        {"until": "9999-12-31"},
        {"since": "2026-13-45"},
        {"price": "cheap"},
        {"q": "\ufffd"},
    ],
)
def test_nonsense_in_an_address_counts_as_absent(params: dict[str, str]) -> None:
    assert searching.search_from(params) == searching.Search()


@pytest.mark.asvs("V1.2.2")
def test_every_state_of_the_filters_has_an_address() -> None:
    search = searching.search_from({"q": " jazz & co ", "city": "Turin", "since": "2026-12-01", "when": "tonight", "page": "3"})
    assert search == searching.Search(q="jazz & co", city="Turin", since=date(2026, 12, 1), page=3)
    assert search.url() == "/events?q=jazz+%26+co&city=Turin&since=2026-12-01"
    assert search.url(page=4).endswith("&page=4")
    assert searching.Search().url() == "/events"


def test_a_cookie_of_favourites_holds_fifty_and_nothing_strange() -> None:
    assert searching.marks(None) == searching.marks({"e:x": 1}) == searching.marks(["x", 7, "e:../..", "q:x"]) == []
    many = [f"e:event-{number}" for number in range(50)]
    assert searching.toggled(many, "c:music") == [*many[1:], "c:music"]
    assert searching.toggled(["c:music"], "c:music") == []


def test_a_draft_says_everything_that_is_missing_at_once() -> None:
    event = Event(
        slug="x", manager_id=1, category_id=1, title="X", starts_at=NOW, ends_at=NOW + timedelta(hours=1), created_at=NOW
    )
    assert len(proposing.missing(event, None, [], now=NOW)) == 6
