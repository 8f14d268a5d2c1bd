"""Parts of pages that are written once and kept: what is kept is shown to nobody whom it would tell something else."""

from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine

from app.core import i18n
from app.core.templates import environment
from app.events.queries import EventCard

NINE_PIANOS = EventCard(
    id=1,
    slug="nine-pianos",
    title="Nine Pianos",
    summary="",
    hue="cobalt",
    tone="night",
    motif="keys",
    picture="",
    starts_at=datetime(2026, 12, 12, 19, 30, tzinfo=UTC),
    zone="Europe/Paris",
    venue_name="Old Hall",
    city="Lyon",
    from_minor=1850,
    currency="EUR",
    badge=None,
    category_name="Music",
    is_favourite=False,
    is_buyable=True,
    is_moved=False,
)


def card(shown: EventCard = NINE_PIANOS, *, language: str = "en", **more: Any) -> str:
    with i18n.speaking(language):
        return environment().from_string("{{ ui.card(shown, **more) }}").render(shown=shown, more=more)


def test_each_reader_gets_a_card_in_their_language() -> None:
    assert "From €18.50" in card()
    assert "Dès 18,50" in card(language="fr")
    assert "/fr/events/nine-pianos" in card(language="fr")
    assert card() == card()


def test_a_heart_is_full_only_for_whoever_marked_the_event() -> None:
    assert 'aria-pressed="true"' in card(favourite=True)
    assert 'aria-pressed="false"' in card(favourite=False)
    assert "aria-pressed" not in card()


def test_a_card_that_changed_is_written_anew() -> None:
    assert "Nine Pianos" in card()
    assert "Ten Pianos" in card(NINE_PIANOS._replace(title="Ten Pianos"))
    assert "€20" in card(NINE_PIANOS._replace(from_minor=2000))


def test_after_new_year_a_card_of_the_old_one_says_which_year_it_was() -> None:
    with time_machine.travel("2026-12-01", tick=False):
        assert "2026, " not in card()
    with time_machine.travel("2027-01-02", tick=False):
        assert "Sat 12 Dec 2026, 20:30" in card()


def test_without_the_language_among_what_it_depends_on_a_card_speaks_the_wrong_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""
    english = card()
    monkeypatch.setattr(i18n, "catalogue", lambda: i18n._catalogue("en"))
    assert card(language="fr") == english


@pytest.mark.parametrize("name", ["where", "sentence", "context", "one", "many", "number", "values"])
def test_a_sentence_calls_what_it_holds_as_it_likes(name: str) -> None:
    plain = environment().from_string(f'{{{{ _("At %({name})s", {name}="<door>") }}}}').render()
    counted = environment().from_string(f'{{{{ ngettext("%({name})s", "%({name})s", 2, {name}="<door>") }}}}').render()
    assert (plain, counted) == ("At &lt;door&gt;", "&lt;door&gt;")
