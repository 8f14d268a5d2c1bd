"""Every sentence of the shop is translated into every language that it speaks, with its holes, its tags and its plurals."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from app.core import i18n

ROOT = Path(__file__).parents[2]
METHODS = [("app/**.py", "python"), ("templates/**", "jinja2")]
OPTIONS = {"templates/**": {"silent": "false", "trimmed": "true", "newstyle_gettext": "true"}}
KEYWORDS: dict[str, Any] = {
    "_": None, "gettext": None, "lazy": None, "ngettext": (1, 2), "pgettext": ((1, "c"), 2), "lazy_pgettext": ((1, "c"), 2),
}  # fmt: skip
Key = tuple[str, Any]


@pytest.fixture(scope="module")
def sentences() -> set[Key]:
    """Every sentence in the sources, with the context that it stands in."""
    found = extract_from_dir(str(ROOT), METHODS, options_map=OPTIONS, keywords=KEYWORDS)
    return {(context or "", words) for _file, _line, words, _comments, context in found if words}


def catalogue(language: str) -> Catalog:
    with (ROOT / f"app/locale/{language}/LC_MESSAGES/messages.po").open("rb") as file:
        return read_po(file, locale=language)


def holes(text: str) -> list[str]:
    return sorted(re.findall(r"%\(\w+\)[sd]|</?\w+[^>]*>", text))


def faults(found: Catalog, sentences: set[Key]) -> Iterator[str]:
    """Sentences that are missing, empty, guessed, or that lost or gained a placeholder or a tag."""
    present = {(message.context or "", message.id): message for message in found if message.id}
    for key in sorted(sentences - present.keys(), key=repr):
        yield f"missing: {key[1]}"
    for (_context, words), message in present.items():
        if (_context, words) not in sentences:
            continue
        one, many = words if isinstance(words, tuple) else (words, words)
        written = message.string if isinstance(message.string, tuple) else (message.string,)
        if message.fuzzy or not all(written):
            yield f"not translated: {one}"
        elif not set(holes(written[0])) <= set(holes(many)) or any(holes(text) != holes(many) for text in written[1:] or written):
            yield f"other placeholders: {one}"


@pytest.mark.parametrize("language", [code for code in i18n.LANGUAGES if code != i18n.DEFAULT])
def test_every_sentence_is_translated(sentences: set[Key], language: str) -> None:
    assert len(sentences) > 2500
    assert list(faults(catalogue(language), sentences)) == []


@pytest.mark.parametrize("language", [code for code in i18n.LANGUAGES if code != i18n.DEFAULT])
def test_what_is_served_is_what_was_written(language: str) -> None:
    """The compiled catalogue, which the shop reads, is that of the sentences beside it."""
    for message in catalogue(language):
        written = message.string if isinstance(message.string, tuple) else (message.string,)
        if not message.id or message.context or not all(written):
            continue
        with i18n.speaking(language):
            if isinstance(message.id, tuple):
                assert i18n.ngettext(*message.id, 2) == message.string[-1], "make messages"
            else:
                assert i18n.gettext(message.id) == message.string, "make messages"


def test_a_planted_gap_is_found() -> None:
    found = Catalog(locale="fr")
    found.add("Fine %(x)s", "Bien %(x)s")
    found.add("Hole %(x)s", "Trou")
    found.add("Empty", "")
    found.add("Guessed", "Peut-être", flags=["fuzzy"])
    wanted = {("", "Fine %(x)s"), ("", "Hole %(x)s"), ("", "Empty"), ("", "Guessed"), ("", "Gone")}
    assert len(list(faults(found, wanted))) == 4
