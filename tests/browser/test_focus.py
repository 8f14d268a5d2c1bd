"""Where the focus is after each swap: every template that asks for a part names the test that looks, or says why none does."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SWAPS = re.compile(r'hx-(?:get|post)="')

NOTHING_IN_IT = "what is renewed holds nothing that can have the focus"
# The template, and the test that finds the focus where it was or on the stated target.
SEEN = {
    "base.html": NOTHING_IN_IT,
    "bookings/_bank.html": NOTHING_IN_IT,
    "bookings/_desk_more.html": "test_fragments.py::test_show_more_adds_to_the_list_and_leads_there",
    "bookings/_paying.html": "test_fragments.py::test_the_page_of_a_booking_notices_the_payment",
    "events/_cards.html": "test_fragments.py::test_show_more_adds_to_the_list_and_leads_there",
    "events/_category_heart.html": "test_fragments.py::test_hearts_with_words_keep_the_focus_too",
    "events/_finder.html": "test_fragments.py::test_the_search_follows_the_typing",
    "events/_poll.html": NOTHING_IN_IT,
    "events/show.html": "test_fragments.py::test_a_code_unlocks_in_place",
    "manager/form/page.html": "test_fragments.py::test_a_poster_is_drawn_while_its_colours_are_chosen",
    "manager/job.html": NOTHING_IN_IT,
    "notifications/_item.html": "test_fragments.py::test_reading_a_notification_counts_down_the_bell",
    "notifications/announcement.html": NOTHING_IN_IT,
    "payments/_progress.html": NOTHING_IN_IT,
    "payments/door.html": "test_fragments.py::test_the_sum_follows_the_choice",
    "payments/refund.html": "test_fragments.py::test_the_sum_follows_the_choice",
    "privacy/show.html": NOTHING_IN_IT,
    "tickets/checkin.html": "test_keys_alone.py::test_a_guest_is_admitted",
    "ui.html": "test_fragments.py::test_more_time_comes_in_place",
}


def swapping() -> set[str]:
    templates = ROOT / "templates"
    return {str(path.relative_to(templates)) for path in templates.rglob("*.html") if SWAPS.search(path.read_text())}


def test_every_swap_has_a_test_of_where_the_focus_is():
    assert swapping() == set(SEEN)


@pytest.mark.parametrize("named", sorted({seen for seen in SEEN.values() if "::" in seen}))
def test_the_named_tests_are_there(named: str):
    file, _colons, test = named.partition("::")
    assert f"async def {test}(" in (Path(__file__).parent / file).read_text()
