"""Pure rules about the texts of an event in several languages: `event.texts` holds them by language and name.

The words of its ticket types stand there as well, by the words themselves (i18n.told): so whatever bears them, a line of a
booking or a date that was copied, is read in every language with nothing else at hand than its event.
"""

from collections.abc import Iterator, Mapping, Sequence

from app.events.models import Event, TicketType
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


def words_of(types: Sequence[TicketType]) -> list[str]:
    """What the ticket types are called and say, each once."""
    return list(dict.fromkeys(words for kind in types for words in (kind.name, kind.note) if words))


def in_others(texts: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """What the search knows of other languages: titles and summaries first: a long description may use up all that is kept."""
    for name in _SEARCHED:
        yield from (written.get(name, "") for written in texts.values())
