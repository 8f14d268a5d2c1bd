"""What people type finds the same events on both databases, and nothing that they type can break the search."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from sqlalchemy.dialects import postgresql
from sqlmodel import col, select

from app.core import clock
from app.core.db import Database, reading, writing
from app.events import listing
from app.events.actions import arranging, drafting
from app.events.actions.revising import revise
from app.events.models import Category, Event, Venue
from app.events.rules.searching import Search
from app.events.rules.words import LONGEST, found_by, wanted, words_of
from app.events.search import EventSearch, query_of, with_words
from tests import world

PIANOS, ETE, LODZ, TOKYO, RADIO = "Nine Pianos", "L’Été des Étoiles", "Łódź 100% Cotton", "東京の夜", "Ænima 3D"

# What is typed, and which of the events are found, the soonest first.
FOUND = [
    ("pianos", [PIANOS]),
    ("pia", [PIANOS]),
    ("PIA nin", [PIANOS]),
    ("pianos nine", [PIANOS]),
    ("ianos", []),
    ("pianos tables", []),
    ("ete", [ETE]),
    ("été", [ETE]),
    ("E\u0301TE\u0301", [ETE]),
    ("etoiles d'ete", [ETE]),
    ("étoil", [ETE]),
    ("lodz", [LODZ]),
    ("łódź cotton", [LODZ]),
    ("100", [LODZ]),
    ("100%", [LODZ]),
    ("aenima", [RADIO]),
    ("3d", [RADIO]),
    ("東京", [TOKYO]),
    ("京", [TOKYO]),
    ("東京 night", []),
    # Place, category and description are looked into as well.
    ("elysee", [ETE, TOKYO]),
    ("lyon theatre", [ETE]),
    ("film", [TOKYO]),
    ("fortissimo", [PIANOS]),
    ("music turin", [PIANOS, LODZ, RADIO]),
    # Nothing is a sign of a query language.
    ('"pianos"', [PIANOS]),
    ("pian*", [PIANOS]),
    ("-pianos", [PIANOS]),
    ("pianos OR cotton", []),
    ("pianos AND nine", []),
    ("NEAR(pianos nine)", []),
    ("words:pianos", []),
    ("nine' & 'pianos", [PIANOS]),
    ("pianos:*", [PIANOS]),
    ("(pianos", [PIANOS]),
    ("^pianos", [PIANOS]),
    ("pianos\\", [PIANOS]),
    # What has no word in it finds nothing.
    ("%", []),
    ("_", []),
    ('"', []),
    ("''", []),
    ("*", []),
    ("\U0001f3b9", []),
    ("\U0001f3b9 pianos", [PIANOS]),
    ("x" * 500, []),
    ("nine " * 100, [PIANOS]),
]


async def five_events() -> None:
    ahead = (clock.now() + timedelta(days=days) for days in range(1, 6))
    async with writing() as tx:
        theatre, film = await world.category(tx, "Théâtre"), await world.category(tx, "Film")
        lyon = await world.venue(tx, "Salle Élysée", city="Lyon")
        said = {"summary": "", "description": ""}
        await world.event(tx, title=PIANOS, starts_at=next(ahead), **said | {"description": "It ends **fortissimo**."})
        await world.event(tx, title=ETE, starts_at=next(ahead), category_id=theatre.id, venue_id=lyon.id, **said)
        await world.event(tx, title=LODZ, starts_at=next(ahead), **said)
        await world.event(tx, title=TOKYO, starts_at=next(ahead), category_id=film.id, venue_id=lyon.id, **said)
        await world.event(tx, title=RADIO, starts_at=next(ahead), **said)


async def found(typed: str) -> list[str]:
    async with reading() as db:
        return [card.title for card in (await listing.search(db, Search(q=typed), now=clock.now())).cards]


MANY = """
WITH made AS (INSERT INTO events ({names}) SELECT {values} FROM events, generate_series(1, 4000) AS n RETURNING id)
INSERT INTO event_search (event_id, words)
SELECT id, 'one evening two parts no speeches main street great hall ' || substr('abcdefghijkl', (id % 12 + 1)::int, 1) FROM made
"""


async def test_among_many_events_postgresql_looks_into_the_index_over_their_words(postgresql_database: Database) -> None:
    async with writing() as tx:
        await world.event(tx, title=PIANOS)
    names = [column.name for column in Event.__table__.columns if column.name != "id"]  # type: ignore[attr-defined]
    values = ["slug || n" if name == "slug" else name for name in names]
    async with postgresql_database.writer.begin() as connection:
        await connection.exec_driver_sql(MANY.format(names=", ".join(names), values=", ".join(values)))
    asked = (
        with_words()
        .params(words=query_of(["pianos"]))
        .compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})
    )
    async with postgresql_database.reader.connect() as connection:
        # As PostgreSQL does by itself after a while.
        await connection.exec_driver_sql("VACUUM ANALYZE event_search")

        async def plan() -> str:
            return str((await connection.exec_driver_sql(f"EXPLAIN {asked}")).all())

        assert "ix_event_search_words" in await plan()
        # The negative control: with PostgreSQL's own idea of disks it cuts the words of every event.
        await connection.exec_driver_sql("SET random_page_cost = 4")
        assert "Seq Scan on event_search" in await plan()
        await connection.exec_driver_sql("RESET random_page_cost")


@pytest.mark.asvs("V1.2.4")
@pytest.mark.usefixtures("database", "moment")
async def test_the_same_words_find_the_same_events_on_both_databases() -> None:
    await five_events()
    assert [(typed, await found(typed)) for typed, _expected in FOUND] == FOUND


async def renamed_event() -> None:
    async with writing() as tx:
        event = (await tx.exec(select(Event))).one()
        await revise(tx, event, {"title": "Ten Cellos"}, section="basics", by=event.manager_id, booked=False, now=clock.now())


async def rewritten_event() -> None:
    async with writing() as tx:
        event = (await tx.exec(select(Event))).one()
        new = {"description": "With cellos."}
        await revise(tx, event, new, section="page", by=event.manager_id, booked=False, now=clock.now())


async def renamed_category() -> None:
    async with writing() as tx:
        await arranging.rename_category(tx, (await tx.exec(select(Category))).one(), "Cellos", by=1)


async def corrected_venue() -> None:
    async with writing() as tx:
        venue = (await tx.exec(select(Venue))).one()
        await arranging.change_venue(tx, venue, name="House of Cellos", address="", city="Turin", by=1)


async def merged_venue() -> None:
    async with writing() as tx:
        gone, other = (await tx.exec(select(Venue))).one(), await world.venue(tx, "House of Cellos")
        await arranging.merge_venues(tx, gone, other, by=1)


@pytest.mark.usefixtures("database", "moment")
@pytest.mark.parametrize("act", [renamed_event, rewritten_event, renamed_category, corrected_venue, merged_venue])
async def test_whoever_changes_a_word_changes_what_is_found(act: Callable[[], Awaitable[None]]) -> None:
    async with writing() as tx:
        await world.event(tx)
    assert await found("cellos") == []
    await act()
    assert len(await found("cellos")) == 1
    async with reading() as db:
        event, kind, venue = (await db.exec(select(Event, Category, Venue).join(Category).join(Venue))).one()
        texts = (event.title, event.summary, venue.name, venue.city, kind.name, event.description)
        assert (await db.exec(select(EventSearch.words))).all() == [found_by(*texts)]


@pytest.mark.usefixtures("database", "moment")
async def test_a_deleted_draft_leaves_no_words() -> None:
    async with writing() as tx:
        alice = await world.alice(tx)
        await world.category(tx)
        draft = await drafting.draft(tx, "Secret Plan", by=alice.id or 0, now=clock.now())
    async with writing() as tx:
        await drafting.delete_draft(tx, await tx.get_one(Event, draft.id), by=alice.id or 0)
    async with reading() as db:
        assert (await db.exec(select(col(EventSearch.event_id)))).all() == []


def test_words_are_cut_by_one_rule() -> None:
    assert words_of("Don't—stop_now! Straße № 5, ﬁn, ½") == ["don", "t", "stop", "now", "strasse", "no", "5", "fin", "1", "2"]
    assert words_of("हिन्दी") == words_of("हिन्दी".upper())
    assert found_by("one two", "Two THREE") == "one two three"
    assert wanted("a b c d e f g h i j") == list("abcdefgh")
    assert len(wanted("y" * 500)[0]) == LONGEST
