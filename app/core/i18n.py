"""Languages. Every sentence that a person sees passes through `_`; the language is that of the request or of the reader."""

import gettext as standard_gettext
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Protocol

from babel.core import get_global
from babel.numbers import format_decimal
from babel.support import LazyProxy, Translations

CATALOGUES = Path(__file__).parents[1] / "locale"
DEFAULT = "en"
LANGUAGES = {"en": "English", "fr": "Français", "it": "Italiano", "de": "Deutsch", "es": "Español"}
# CLDR knows English of many places; dates are written as in Britain.
LOCALES = {"en": "en_GB"}
RIGHT_TO_LEFT = ("ar", "fa", "he", "ur")

# What anybody may read has an address in each language, /events and /fr/events; so have the ways in. The rest has one address
# and speaks the visitor's language (docs/decisions/0022-languages.md).
IN_EACH_LANGUAGE = {
    "", "events", "events.atom", "events.ics", "series", "categories", "venues", "cities", "managers", "favourites",
    "imprint", "terms", "privacy", "accessibility",
    "login", "register", "password",
}  # fmt: skip

_FIRST_PART = re.compile(r"/([^/?#]*)")
_WEIGHT = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)", re.IGNORECASE)

_language: ContextVar[str] = ContextVar("language", default=DEFAULT)


def language() -> str:
    """The language that sentences come out in now, as a key of LANGUAGES."""
    return _language.get()


def locale() -> str:
    """The CLDR locale behind the language."""
    return LOCALES.get(language(), language())


def direction() -> str:
    """ "ltr" or "rtl", for the dir of whatever holds sentences."""
    return "rtl" if language() in RIGHT_TO_LEFT else "ltr"


def to(address: str) -> str:
    """The address of one of our own pages in the present language: "/fr/events?city=Turin".

    English and pages without an address of their own in each language come back as they are; so does what leads elsewhere.
    """
    return address_in(language(), address)


def address_in(wanted: str, address: str) -> str:
    """The same in the language that is wanted."""
    found = _FIRST_PART.match(address)
    if wanted == DEFAULT or not found or found[1] not in IN_EACH_LANGUAGE or address.startswith("//"):
        return address
    return f"/{wanted}{address if found[1] else address[1:]}"


class Translated(Protocol):
    """What its writer has put into several languages: `texts` by language, and in each by the name of a column or by word_key."""

    texts: dict[str, dict[str, str]]


def word_key(words: str) -> str:
    """Under what a translation of some words stands, such as the name of a ticket type, which is no column."""
    return f"={words}"


def told(words: str, by: Translated) -> str:
    """The words in the present language, where whoever wrote them wrote that too; else as they are."""
    return told_in(language(), words, by)


def told_in(wanted: str, words: str, by: Translated) -> str:
    """The same in the language that is wanted."""
    return by.texts.get(wanted, {}).get(word_key(words)) or words


class Titled(Translated, Protocol):
    """What is called something as well, in the language in which it is written itself."""

    title: str
    language: str


def titled(event: Titled) -> str:
    """What an event is called in the present language, where its manager wrote that; else its own title."""
    return titled_in(language(), event)


def titled_in(wanted: str, event: Titled) -> str:
    """The same in the language that is wanted."""
    return event.texts.get(wanted, {}).get("title") or event.title


def title_language(event: Titled) -> str:
    """In which language titled() comes out, for the lang of its element; "" where that is the page's."""
    read = language()
    return "" if event.language == read or event.texts.get(read, {}).get("title") else event.language


def parted(path: str) -> tuple[str, str]:
    """The language that a path names, or "", and the path without it: ("fr", "/events") of "/fr/events"."""
    _empty, _slash, rest = path.partition("/")
    named, slash, rest = rest.partition("/")
    if named == DEFAULT or named not in LANGUAGES:
        return "", path
    return named, slash + rest or "/"


@lru_cache(maxsize=1024)
def preferred(accepted: str) -> str:
    """The language of ours that an Accept-Language header likes best: "de" of "de-AT, en;q=0.8". English when it likes none."""
    liked: dict[str, int] = {}
    for wish in accepted[:200].split(","):
        tag, _semicolon, weight = wish.partition(";")
        spoken = tag.strip().lower().split("-")[0]
        if spoken in LANGUAGES:
            liked[spoken] = max(_weight(weight), liked.get(spoken, 0))
    # Of two that are liked as much the first one counts.
    best = max(liked, key=lambda spoken: liked[spoken], default=DEFAULT)
    return best if liked.get(best) else DEFAULT


def _weight(text: str) -> int:
    """In thousandths: 800 of "q=0.8", 1000 of nothing, 0 of what cannot be read."""
    found = _WEIGHT.fullmatch(text.replace(" ", ""))
    return int(found[1].replace(".", "").ljust(4, "0")) if found else 0 if text.strip() else 1000


def regional() -> str:
    """The locale with a region, as OpenGraph wants it: "en_GB", "fr_FR"."""
    return _with_region(locale())


@cache
def _with_region(locale: str) -> str:
    likely = get_global("likely_subtags").get(locale, locale)
    return locale if "_" in locale else f"{locale}_{likely.rpartition('_')[2]}"


@contextmanager
def speaking(wanted: str) -> Iterator[None]:
    """Everything inside comes out in the wanted language, or in the default when we do not speak it."""
    token = _language.set(wanted if wanted in LANGUAGES else DEFAULT)
    try:
        yield
    finally:
        _language.reset(token)


def catalogue() -> standard_gettext.NullTranslations:
    """The sentences of the present language; there is one of each language, so that it can stand for it as a key."""
    return _catalogue(language())


@cache
def _catalogue(wanted: str) -> standard_gettext.NullTranslations:
    return Translations.load(CATALOGUES, [wanted])


def gettext(sentence: str) -> str:
    """The sentence in the current language."""
    return catalogue().gettext(sentence)


def ngettext(one: str, many: str, number: int) -> str:
    """The right plural of a sentence; the caller fills in %(num)s, and numbers are written as the language does."""
    return _Counting(catalogue().ngettext(one, many, number))


class Counted(int):
    """A number in a sentence: "%(num)s" is written as the language does, "1,284"; "%(num)d" is the bare one."""

    def __str__(self) -> str:
        return _decimal(int(self), locale())


class _Counting(str):
    """A sentence that counts: the whole numbers that are filled in are Counted."""

    __slots__ = ()

    def __mod__(self, values: Any) -> str:
        return super().__mod__(_Filled(values))


class _Filled:
    """What is filled in, by its name."""

    def __init__(self, values: Any) -> None:
        self.values = values

    def __getitem__(self, name: str) -> Any:
        value = self.values[name]
        return Counted(value) if type(value) is int else value


@lru_cache(maxsize=4096)
def _decimal(value: int, locale: str) -> str:
    return str(format_decimal(value, locale=locale))


def pgettext(context: str, sentence: str) -> str:
    """The sentence where the same English means something else elsewhere: the context tells translators what it is said of.

    The same in templates, where placeholders follow: pgettext("people", "Left").
    """
    return catalogue().pgettext(context, sentence)


def lazy(sentence: str) -> Any:
    """A sentence that is translated when it is shown: for labels written at import time."""
    return LazyProxy(gettext, sentence, enable_cache=False)


def lazy_pgettext(context: str, sentence: str) -> Any:
    """pgettext for labels written at import time."""
    return LazyProxy(pgettext, context, sentence, enable_cache=False)


_ = gettext
