"""What the usual categories are called in other languages."""

from app.core.i18n import LANGUAGES, speaking
from app.core.usual import CATEGORIES, category_name


def test_a_usual_category_has_a_name_in_each_language() -> None:
    said = {}
    for language in LANGUAGES:
        with speaking(language):
            said[language] = category_name("Music")
    assert said == {"en": "Music", "fr": "Musique", "it": "Musica", "de": "Musik", "es": "Música"}
    with speaking("de"):
        assert [name for name in CATEGORIES if not category_name(name)] == []


def test_any_other_name_stays_as_the_admin_wrote_it() -> None:
    with speaking("fr"):
        assert category_name("Piano bars") == "Piano bars"
