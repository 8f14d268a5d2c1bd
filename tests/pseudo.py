"""Languages that nobody speaks: accents on every letter, brackets around every sentence, and 40 % longer than English.

What comes out without brackets never passed through the catalogue. Dates and numbers are in Greek, so that one which was put
together by hand is seen, too. A second one is written from right to left.
"""

import gettext
import re
from collections.abc import Iterable
from html.parser import HTMLParser
from typing import Any

import pytest

from app.core import i18n

LONG, MIRRORED = "qps", "qpm"

# Letters that the fonts of the shop and of its paper have.
_ACCENTS = str.maketrans("aceinouyACEINOUY", "àçéîñôüýÀÇÉÎÑÔÜÝ")
# What a sentence must keep as it is: its holes, tags and entities, and what would be an address.
_KEPT = re.compile(r"(%\(\w+\)[sd]|%[sd%]|<[^>]+>|&\w+;|https?://\S+)")
_WORD = re.compile(r"[A-Za-zÀ-ÖØ-öø-ÿ]{2,}")


def pseudo(sentence: str) -> str:
    """The sentence as the pseudo-language has it: "[Ñéw évéñt ~~~~]"."""
    parts = _KEPT.split(sentence)
    parts[::2] = [part.translate(_ACCENTS) for part in parts[::2]]
    text, letters = "".join(parts), sum(map(len, _KEPT.split(sentence)[::2]))
    end = len(text.rstrip())
    begin = len(text) - len(text.lstrip())
    return f"{text[:begin]}[{text[begin:end]}{' ~~~~' * -(-letters * 2 // 25)}]{text[end:]}" if sentence.strip() else sentence


class Catalogue(gettext.NullTranslations):
    """A catalogue that has every sentence."""

    def gettext(self, message: str) -> str:
        return pseudo(message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return pseudo(msgid1 if n == 1 else msgid2)

    def pgettext(self, context: str, message: str) -> str:
        return pseudo(message)


def speak(patch: pytest.MonkeyPatch) -> None:
    """The shop knows both of them from now on; their pages are at /qps/… and /qpm/…"""
    real = i18n._catalogue
    ours = {LONG: Catalogue(), MIRRORED: Catalogue()}
    patch.setattr(i18n, "_catalogue", lambda wanted: ours.get(wanted) or real(wanted))
    patch.setitem(i18n.LANGUAGES, LONG, "Long")
    patch.setitem(i18n.LANGUAGES, MIRRORED, "Mirrored")
    patch.setitem(i18n.LOCALES, LONG, "el")
    patch.setitem(i18n.LOCALES, MIRRORED, "el")
    patch.setattr(i18n, "RIGHT_TO_LEFT", (*i18n.RIGHT_TO_LEFT, MIRRORED))


def bare(text: str, data: Iterable[str] = ()) -> str:
    """The words outside all brackets, without those that are data; empty when there are none."""
    outside, depth = [], 0
    for char in text:
        depth += (char == "[") - (char == "]" and depth > 0)
        outside.append(char if depth == 0 else " ")
    left = "".join(outside)
    if not _WORD.search(left):
        return ""
    for known in data:
        left = left.replace(known, " ")
    return " ".join(left.split()) if _WORD.search(left) else ""


SAID = {"aria-label", "title", "alt", "placeholder", "label"}
SILENT = {"script", "style", "svg", "code", "kbd"}
EMPTY = {"meta", "link", "input", "img", "br", "hr", "use", "path", "wbr", "source"}


class Page(HTMLParser):
    """What a page says: `text` in reading order, and `labels` that are read out or shown by and by."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.labels: list[str] = []
        self._silent: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        classes = given.get("class", "").split()
        own = "lang" in given and tag != "html"
        if tag not in EMPTY and (self._silent or tag in SILENT or "mono" in classes or own):
            self._silent.append(tag)
        if self._silent:
            return
        self.labels += [value for name, value in given.items() if name in SAID or _is_sentence(name, value)]
        if tag == "meta" and given.get("name") == "description":
            self.labels.append(given.get("content", ""))

    def handle_endtag(self, tag: str) -> None:
        if self._silent and tag == self._silent[-1]:
            self._silent.pop()

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.text.append(data)

    def bare(self, data: Iterable[str] = ()) -> list[str]:
        """Everything that was said past the catalogue."""
        whole = "\n".join(self.text)
        # Text is looked at as a whole, because a sentence may have elements inside.
        found = [bare(line, data) for line in _outside(whole).split("\n")] + [bare(label, data) for label in self.labels]
        return [one for one in found if one]


def _is_sentence(name: str, value: str) -> bool:
    return name.startswith("data-") and " " in value.strip() and not value.startswith(("/", "{", "#"))


def _outside(text: str) -> str:
    made, depth = [], 0
    for char in text:
        depth += (char == "[") - (char == "]" and depth > 0)
        made.append(char if depth == 0 and char != "]" else "\n" if char == "\n" else " ")
    return "".join(made)


def words_of(rows: Iterable[Any]) -> list[str]:
    """The longest first, so that a part of a name is not taken out before the name."""
    return sorted({str(row) for row in rows if row and _WORD.search(str(row))}, key=len, reverse=True)
