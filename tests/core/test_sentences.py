"""Sentences in the language of the reader, and the same English word in its several meanings."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from markupsafe import Markup

from app.bookings.models import STATES as BOOKING_STATES
from app.core import i18n, jobs
from app.core.templates import environment
from app.events.models import STATES as EVENT_STATES
from app.payments.models import PAYMENT_STATES
from app.tickets.models import STATES as TICKET_STATES


@pytest.fixture
def french(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A French in which a payment and a booking that are paid are two words."""
    catalogue = Catalog(locale="fr")
    catalogue.add("Paid", "Payé")
    catalogue.add("Paid", "Payée", context="booking")
    place = tmp_path / "fr" / "LC_MESSAGES"
    place.mkdir(parents=True)
    with (place / "messages.mo").open("wb") as file:
        write_mo(file, catalogue)
    monkeypatch.setattr(i18n, "CATALOGUES", tmp_path)
    i18n._catalogue.cache_clear()
    with i18n.speaking("fr"):
        yield
    i18n._catalogue.cache_clear()


def test_a_word_with_two_meanings_has_two_translations(french: None) -> None:
    late = i18n.lazy_pgettext("booking", "Paid")
    assert (i18n.gettext("Paid"), i18n.pgettext("booking", "Paid"), str(late)) == ("Payé", "Payée", "Payée")
    assert environment().from_string('{{ pgettext("booking", "Paid") }}').render() == "Payée"
    assert "Payée" in environment().from_string("{{ ui.state('booking', 'paid') }}").render()
    with i18n.speaking("en"):
        assert (i18n.pgettext("booking", "Paid"), str(late)) == ("Paid", "Paid")


@pytest.mark.parametrize(
    ("of", "words"),
    [
        ("event", EVENT_STATES),
        ("booking", BOOKING_STATES),
        ("payment", PAYMENT_STATES),
        ("ticket", TICKET_STATES),
        ("job", jobs.STATES),
    ],
)
def test_every_state_has_a_badge_in_words(of: str, words: tuple[str, ...]) -> None:
    template = environment().from_string("{{ ui.state(of, word) }}")
    for word in words:
        badge = Markup(template.render(of=of, word=word)).striptags()
        assert badge != word and badge[0].isupper(), badge


def test_what_a_sentence_counts_is_written_as_the_language_does() -> None:
    sentence = environment().from_string('{{ ngettext("%(num)s kazoo", "%(num)s kazoos", many) }}')
    day = environment().from_string('{{ ngettext("%(num)d kazoo", "%(num)d kazoos", many) }}')
    with i18n.speaking("de"):
        assert (sentence.render(many=1284), day.render(many=1284)) == ("1.284 kazoos", "1284 kazoos")
    assert (sentence.render(many=1284), sentence.render(many=1)) == ("1,284 kazoos", "1 kazoo")


@pytest.mark.parametrize(
    ("language", "said"), [("en", "1,284"), ("fr", "1\u202f284"), ("it", "1.284"), ("de", "1.284"), ("es", "12.840")]
)
def test_so_is_what_a_sentence_made_in_code_counts(language: str, said: str) -> None:
    number = 12_840 if language == "es" else 1284
    with i18n.speaking(language):
        sentence = i18n.ngettext("%(num)s kazoo of %(name)s", "%(num)s kazoos of %(name)s", number)
        assert sentence % {"num": number, "name": "Bob"} == f"{said} kazoos of Bob"
        assert i18n.ngettext("%(num)d kazoo", "%(num)d kazoos", number) % {"num": number} == f"{number} kazoos"
