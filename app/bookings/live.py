"""What is left of an event, told to every page that shows it as soon as it changes.

One task of a process looks into the database for all the events that are watched, however many watch; a stream only waits for
it and holds no database session. The numbers are a comfort: the guard decides who gets a place.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel.ext.asyncio.session import AsyncSession

from app.bookings import queries as bookings
from app.core import clock, i18n
from app.core.db import Database, database, reading
from app.core.templates import render
from app.events import queries
from app.events.models import Event
from app.events.rules import offering
from app.events.rules.offering import Offer

log = structlog.get_logger()

LOOK_SECONDS = 2
# Proxies end what is silent for a minute.
BEAT_SECONDS = 20
# A browser asks again by itself, so whoever has vanished without a word is forgotten.
LONGEST_SECONDS = 600
# The server takes 1,024 connections; most are for people who buy. Beyond these a page asks every 30 seconds instead.
MOST = 400
# Some networks put a university behind one address.
MOST_OF_AN_ADDRESS = 40


@dataclass
class Watched:
    """What is known of one event. `changed` is set when there is something new, and made anew then."""

    event: Event | None = None
    offers: Sequence[Offer] = ()
    mark: str = ""
    readers: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    texts: dict[str, str] = field(default_factory=dict)

    def see(self, event: Event, offers: Sequence[Offer]) -> None:
        mark = offering.mark(offers)
        if mark != self.mark:
            self.event, self.offers, self.mark, self.texts = event, offers, mark, {}
            self.tell()

    def tell(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()

    def text(self) -> str:
        """The numbers in the present language; made once for all who read it."""
        assert self.event
        return self.texts.get(i18n.language()) or self.texts.setdefault(i18n.language(), numbers(self.event, self.offers)[1])


@dataclass
class Room:
    """All the streams of a process."""

    watched: dict[int, Watched] = field(default_factory=dict)
    addresses: Counter[str] = field(default_factory=Counter)
    looking: asyncio.Task[None] | None = None
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    def has_place(self, address: str) -> bool:
        return not self.closing.is_set() and self.addresses.total() < MOST and self.addresses[address] < MOST_OF_AN_ADDRESS

    async def follow(self, event_id: int, *, seen: str, address: str, language: str) -> AsyncGenerator[tuple[str, str], None]:
        """(mark, text) whenever the numbers differ from those `seen`; ("", "") as a sign of life. Ends after ten minutes."""
        if not self.has_place(address):
            return
        now = asyncio.get_running_loop().time
        end = now() + LONGEST_SECONDS
        here = self._enter(event_id, address)
        try:
            while not self.closing.is_set() and now() < end:
                changed = here.changed
                if here.mark and here.mark != seen:
                    seen = here.mark
                    with i18n.speaking(language):
                        text = here.text()
                    yield seen, text
                elif not await _set_within(changed, BEAT_SECONDS):
                    yield "", ""
        finally:
            self._leave(event_id, address)

    def close(self) -> None:
        """Every stream ends now; the server could not end before them."""
        self.closing.set()
        for watched in self.watched.values():
            watched.tell()

    async def end(self) -> None:
        """Closes, and waits for the look that is under way."""
        self.close()
        if self.looking:
            await asyncio.wait({self.looking})

    def _enter(self, event_id: int, address: str) -> Watched:
        self.addresses[address] += 1
        here = self.watched.setdefault(event_id, Watched())
        here.readers += 1
        if not self.looking or self.looking.done():
            self.looking = asyncio.create_task(self._look())
        return here

    def _leave(self, event_id: int, address: str) -> None:
        self.addresses[address] -= 1
        self.addresses += Counter()
        self.watched[event_id].readers -= 1
        if not self.watched[event_id].readers:
            del self.watched[event_id]

    async def _look(self) -> None:
        """Looks for all at once every two seconds, while anybody watches."""
        while self.watched and not self.closing.is_set():
            try:
                async with reading() as db:
                    found = await _offers_of(db, sorted(self.watched))
            except (SQLAlchemyError, OSError) as error:
                log.warning("what is left could not be read", error=type(error).__name__)
                found = []
            for event, offers in found:
                if here := self.watched.get(event.id or 0):
                    here.see(event, offers)
            await _set_within(self.closing, LOOK_SECONDS)


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True


async def _offers_of(db: AsyncSession, event_ids: Sequence[int]) -> list[tuple[Event, list[Offer]]]:
    now, found = clock.now(), await queries.with_stock(db, event_ids)
    free_at = await bookings.free_at(db, [kind for _event, types in found for kind in types], now=now)
    return [(event, offering.offers(event, types, free_at=free_at, now=now)) for event, types in found]


async def offers_of(db: AsyncSession, event: Event) -> list[Offer]:
    """What everybody is offered of one event now."""
    now, types = clock.now(), await queries.ticket_types(db, event.id)
    return offering.offers(event, types, free_at=await bookings.free_at(db, types, now=now), now=now)


def numbers(event: Event, offers: Sequence[Offer]) -> tuple[str, str]:
    """(mark, HTML) of what everybody sees of an event's stock, in the present language."""
    return offering.mark(offers), render("events/_numbers.html", {"event": event, "offers": offers})


# A process has one database; tests have one after the other.
_rooms: WeakKeyDictionary[Database, Room] = WeakKeyDictionary()


def room() -> Room:
    """The one of this process and its database; it is left before the database is."""
    here = database()
    if here not in _rooms:
        _rooms[here] = Room()
        here.at_the_end(_rooms[here].end)
    return _rooms[here]


def close() -> None:
    """Ends all streams of this process, whatever they follow."""
    for each in list(_rooms.values()):
        each.close()
