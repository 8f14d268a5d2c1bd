"""Every sentence that a person sees passes through gettext; nothing is written into a template or a refusal by itself."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEMPLATES = sorted(path for path in (ROOT / "templates").rglob("*") if path.suffix in (".html", ".txt"))
SOURCES = sorted((ROOT / "app").rglob("*.py"))

# Words that are the same in every language, and the default texts of the operator's pages, which an admin replaces as a whole.
SAME_EVERYWHERE = {"PDF", "UTC", "Stripe", "EventTicket"}
OPERATORS = "templates/site/"

_HIDDEN = (
    r"{#.*?#}",
    # What becomes a class or another attribute, not text.
    r"{%\s*block bodyclass.*?endblock\s*%}",
    r"{%-?\s*macro _(?:button_class|current|described|first_control)\b.*?endmacro\s*-?%}",
    r"{%-?\s*trans\b.*?endtrans\s*-?%}",
    r"{%.*?%}",
    r"{{.*?}}",
    r"<(style|script)\b.*?</\1>",
    r"<!.*?>",
    r"<[a-zA-Z/ ](?:[^<>\"']|\"[^\"]*\"|'[^']*')*>",
    r"&\w+;",
)


def bare_words(template: str) -> list[str]:
    """Words between the tags that no translation can reach."""
    for pattern in _HIDDEN:
        template = re.sub(pattern, " ", template, flags=re.DOTALL)
    return [word for word in re.findall(r"[^\W\d_]{2,}", template) if word not in SAME_EVERYWHERE]


def bare_labels(template: str) -> list[str]:
    """Attributes that a person reads or hears, written out."""
    template = re.sub(r"{#.*?#}", " ", template, flags=re.DOTALL)
    return re.findall(r"\b(?:aria-label|placeholder|title|alt)=\"([^\"{]*[^\W\d_]{2,}[^\"{]*)\"", template)


def bare_refusals(source: str) -> list[str]:
    """Refusals whose sentence is a plain string."""
    return re.findall(r"\b(?:Refused|NotFound|NotYours|Unavailable|SoldOut|ValidationError)\(\s*f?\"[^\"]*\w[^\"]*", source)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT / "templates")))
def test_a_template_says_nothing_by_itself(path: Path) -> None:
    if OPERATORS in str(path) and path.suffix == ".txt":
        assert path.read_text().strip()
        return
    assert bare_words(path.read_text()) == []
    assert bare_labels(path.read_text()) == []


def test_refusals_are_sentences_of_the_catalogue() -> None:
    assert {str(path.relative_to(ROOT)): found for path in SOURCES if (found := bare_refusals(path.read_text()))} == {}


def test_the_checks_find_what_they_look_for() -> None:
    assert bare_words('<p class="x">{{ _("Fine") }} Forgotten</p>') == ["Forgotten"]
    assert bare_words("<p>{% trans %}Fine <b>too</b>{% endtrans %}</p>{# note #}") == []
    assert bare_labels('<nav aria-label="Main"><img alt="{{ _("x") }}">') == ["Main"]
    assert bare_refusals('raise Refused("No.")') == ['Refused("No.']
    assert bare_refusals('raise Refused(_("No."))') == []
