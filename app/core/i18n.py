"""Languages. Every sentence that a person sees passes through `_`; the language is that of the request or of the reader."""

import gettext as standard_gettext
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any

from babel.support import LazyProxy, Translations

CATALOGUES = Path(__file__).parents[1] / "locale"
LANGUAGES = {"en": "English"}
DEFAULT = "en"

_language: ContextVar[str] = ContextVar("language", default=DEFAULT)


def language() -> str:
    """The language that sentences come out in now, as a key of LANGUAGES."""
    return _language.get()


def locale() -> str:
    """The CLDR locale behind the language; English uses British forms of dates."""
    return "en_GB" if language() == "en" else language()


@contextmanager
def speaking(wanted: str) -> Iterator[None]:
    """Everything inside comes out in the wanted language, or in the default when we do not speak it."""
    token = _language.set(wanted if wanted in LANGUAGES else DEFAULT)
    try:
        yield
    finally:
        _language.reset(token)


@cache
def _catalogue(wanted: str) -> standard_gettext.NullTranslations:
    return Translations.load(CATALOGUES, [wanted])


def gettext(sentence: str) -> str:
    """The sentence in the current language."""
    return _catalogue(language()).gettext(sentence)


def ngettext(one: str, many: str, number: int) -> str:
    """The right plural of a sentence; the caller fills in %(num)s."""
    return _catalogue(language()).ngettext(one, many, number)


def lazy(sentence: str) -> Any:
    """A sentence that is translated when it is shown: for labels written at import time."""
    return LazyProxy(gettext, sentence, enable_cache=False)


_ = gettext
