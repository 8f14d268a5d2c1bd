"""Pure rules about the texts of an event in several languages: `event.texts` holds them by language and name."""

from collections.abc import Iterator, Mapping

from app.events.models import Event

# What an event says in words that can be written in other languages than its own.
TEXTS = ("title", "summary", "description")


def read_in(event: Event, language: str) -> Event:
    """The event as it is read in a language: a copy that no session keeps, where its manager wrote something in it."""
    written = {name: text for name, text in event.texts.get(language, {}).items() if text}
    return Event(**event.model_dump() | written) if written else event


def language_of(event: Event, language: str) -> dict[str, str]:
    """In which language each text is read there: in the wanted one where it is written in it, else in the event's own."""
    written = event.texts.get(language, {})
    return {name: language if written.get(name) else event.language for name in TEXTS}


def in_others(texts: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """What is written in other languages: titles and summaries first, for a long description may use up all that is kept."""
    for name in TEXTS:
        yield from (written.get(name, "") for written in texts.values())
