"""Pure rules about the texts of an event in several languages: `event.texts` holds them by language and name.

The words of its ticket types and questions stand there as well, by the words themselves (i18n.told): so whatever bears them, a
line of a booking or a date that was copied, is read in every language with nothing else at hand than its event.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from app.core.i18n import word_key
from app.events.models import Event, Question, TicketType
from app.events.rules import asking
from app.events.series import Series

# What an event says in words that can be written in other languages than its own.
TEXTS = ("title", "summary", "description", "access")
_SEARCHED = ("title", "summary", "description")


def read_in(event: Event, language: str) -> Event:
    """The event as it is read in a language: a copy that no session keeps, where its manager wrote something in it."""
    written = {name: text for name in TEXTS if (text := event.texts.get(language, {}).get(name))}
    return Event(**event.model_dump() | written) if written else event


def series_as(series: Series, event: Event, read: Event) -> Series:
    """A series as it is read where one of its dates is: a title that is the date's is translated with it."""
    return Series(**series.model_dump() | {"title": read.title}) if series.title == event.title else series


def language_of(event: Event, language: str) -> dict[str, str]:
    """In which language each text is read there: in the wanted one where it is written in it, else in the event's own."""
    written = event.texts.get(language, {})
    return {name: language if written.get(name) else event.language for name in TEXTS}


def words_of(types: Sequence[TicketType], questions: Sequence[Question] = ()) -> list[str]:
    """What the ticket types are called and say, and what buyers are asked with the answers that they choose from, each once."""
    said = [words for kind in types for words in (kind.name, kind.note)]
    asked = [words for question in questions for words in (question.label, *asking.choices(question.choices))]
    return list(dict.fromkeys(words for words in (*said, *asked) if words))


def carried(
    texts: Mapping[str, Mapping[str, str]], kind: TicketType, columns: Mapping[str, Any], others: Sequence[TicketType]
) -> dict[str, dict[str, str]]:
    """The texts when this ticket type becomes `columns`: what was written for its old words stands behind the new ones too.

    The old ones stay, for whoever has booked under them. What another type is called as well remains its own.
    """
    elsewhere = {words for other in others if other.id != kind.id for words in (other.name, other.note)}
    words = [(getattr(kind, name), columns[name]) for name in ("name", "note")]
    renamed = [(word_key(old), word_key(new)) for old, new in words if old and new and old != new and old not in elsewhere]
    return {code: {**{new: written[old] for old, new in renamed if old in written}, **written} for code, written in texts.items()}


def outdated(written: Mapping[str, str], words: Collection[str]) -> set[str]:
    """Those of these words whose translation was carried over from others, which nothing bears any more."""
    present = {word_key(each) for each in words}
    carried_from = {text for key, text in written.items() if key.startswith(word_key("")) and key not in present and text}
    return {each for each in words if written.get(word_key(each)) in carried_from}


def in_others(texts: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """What the search knows of other languages: titles and summaries first: a long description may use up all that is kept."""
    for name in _SEARCHED:
        yield from (written.get(name, "") for written in texts.values())
