"""A manager writes a draft: all mistakes at once, what was typed is kept, times are the venue's."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from sqlmodel import select

from app.bookings import queries as bookings
from app.core.activity import Activity
from app.core.db import reading, writing
from app.events import queries
from app.events.models import Event
from tests import world
from tests.events.forms import typed

Client = httpx.AsyncClient
SignIn = Callable[[Client, Any], Awaitable[None]]
PRESALE = {"types_0_presale_from": "2026-11-20T10:00", "types_0_sale_from": "2026-11-25T10:00"}
pytestmark = pytest.mark.usefixtures("moment")


@pytest.fixture
async def alice(client: Client, sign_in: SignIn) -> Client:
    """Alice's browser."""
    async with writing() as tx:
        manager = await world.alice(tx)
        await world.category(tx)
    await sign_in(client, manager)
    return client


async def _only_event() -> Event:
    async with reading() as db:
        return (await db.exec(select(Event))).one()


async def test_a_draft_holds_what_was_typed(alice: Client) -> None:
    presale = {"types_0_presale_from": "2026-11-18T10:00", "types_0_presale_places": "20", "types_0_access_code": "secret"}
    answer = await alice.post("/manager/events/new", data=typed(types_0_sale_from="2026-11-20T10:00", **presale))
    assert (answer.status_code, answer.headers["location"]) == (303, "/manager/events/ete-a-turin")
    event = await _only_event()
    assert (event.title, event.state, event.starts_at) == ("Été à Turin", "draft", datetime(2026, 12, 12, 19, 30, tzinfo=UTC))
    assert event.ends_at == datetime(2026, 12, 12, 22, 30, tzinfo=UTC)
    assert "ete a turin" in event.search_text
    assert "teatro carignano turin music" in event.search_text
    async with reading() as db:
        kind = (await queries.ticket_types(db, event.id))[0]
        assert (kind.price_minor, kind.capacity, kind.presale_places, kind.needs_code) == (1850, 100, 20, True)
        assert (kind.sale_from, kind.sale_to) == (datetime(2026, 11, 20, 9, tzinfo=UTC), event.starts_at)
        assert list((await bookings.access_codes(db, event.id or 0)).values()) == ["SECRET"]
        venue = await queries.venue(db, event)
        assert venue
        assert (venue.name, venue.city) == ("Teatro Carignano", "Turin")
        written = (await db.exec(select(Activity).where(Activity.about == f"event:{event.id}"))).all()
        assert [row.kind for row in written] == ["event.drafted"]
    page = await alice.get("/manager/events/ete-a-turin")
    for words in ("Draft", "Send for approval", "€18.50", "Teatro Carignano", "<strong>scarf</strong>"):
        assert words in page.text


async def test_two_events_with_one_title_have_two_addresses(alice: Client) -> None:
    for slug in ("ete-a-turin", "ete-a-turin-2"):
        assert (await alice.post("/manager/events/new", data=typed())).headers["location"].endswith(f"/{slug}")
    assert (await alice.post("/manager/events/new", data=typed(title="New"))).headers["location"].endswith("/new-2")


async def test_all_mistakes_come_at_once_and_nothing_typed_is_lost(alice: Client) -> None:
    wrong = typed(
        title="",
        category="",
        starts="2026-02-30T20:30",
        types_0_price="ten",
        types_0_capacity="many",
        description="Keep me",
        city="",
    )
    answer = await alice.post("/manager/events/new", data=wrong)
    assert answer.status_code == 422
    for sentence in (
        "There is a problem",
        "Enter the event&#39;s title",
        "Choose a category",
        "Enter a date and a time such as",
        "Enter a price such as 18.50 or 0",
        "Enter the venue and its city, or neither",
    ):
        assert sentence in answer.text, sentence
    for kept in ("Keep me", 'value="ten"', 'value="many"', "Teatro Carignano", 'value="2026-02-30T20:30"'):
        assert kept in answer.text, kept
    assert "<title>Error:" in answer.text
    async with reading() as db:
        assert (await db.exec(select(Event))).first() is None


@pytest.mark.asvs("V2.2.1", "V2.2.3")
@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"starts": "2026-11-01T20:30"}, "Starts must be in the future"),
        ({"starts": "2027-03-28T02:30"}, "Clocks skip this hour"),
        ({"starts": "9999-12-12T20:30"}, "Enter a year from 2000 to 2100"),
        ({"ends": "2026-12-12T20:30"}, "Ends must be after Starts"),
        ({"doors": "2026-12-12T21:00"}, "Doors must open before it starts"),
        ({"publish_at": "2026-12-13T10:00"}, "Publish at must be before Starts"),
        ({"per_buyer": "9" * 30}, "Enter a number from 1 to 1,000"),
        ({"presale_hours": "0"}, "Enter 1 to 720 hours"),
        ({"title": "Nul\x00"}, "Remove the characters that cannot be printed"),
        ({"types_0_price": "-1"}, "Enter a price such as"),
        ({"types_0_price": "18.505"}, "Enter a price such as"),
        ({"types_0_price": "1e99"}, "Enter a price such as"),
        ({"currency": "JPY"}, "Enter a price such as"),
        ({"types_0_capacity": "-1"}, "up to 1,000,000"),
        ({"types_0_sale_from": "2026-12-01T10:00", "types_0_sale_to": "2026-12-01T10:00"}, "The sale must end after it begins"),
        ({"types_0_sale_from": "2026-12-01T10:00", "types_0_presale_from": "2026-12-02T10:00"}, "The pre-sale must begin before"),
        ({"types_0_presale_places": "5"}, "Say when the pre-sale begins"),
        (PRESALE | {"types_0_presale_places": "101"}, "more places than there are"),
        ({"category": "nonsense"}, "Not a valid choice"),
        ({"zone": "Europe/Nowhere"}, "Not a valid choice"),
        ({"hue": "mud"}, "Not a valid choice"),
    ],
)
async def test_what_cannot_be_is_refused_in_words(alice: Client, changes: dict[str, str], sentence: str) -> None:
    answer = await alice.post("/manager/events/new", data=typed(**changes))
    assert answer.status_code == 422
    assert sentence in answer.text


async def test_ticket_types_are_added_and_removed_without_losing_anything(alice: Client) -> None:
    more = await alice.post("/manager/events/new", data=typed(do="add", title=""))
    assert more.status_code == 200
    assert 'name="types-1-name"' in more.text
    assert 'value="Stalls"' in more.text
    assert "There is a problem" not in more.text
    two = typed(
        do="remove-0", **{"types-1-name": "Gallery", "types-1-price": "12", "types-1-capacity": "50", "types-1-per_booking": "6"}
    )
    less = await alice.post("/manager/events/new", data=two)
    assert 'name="types-1-name"' not in less.text
    assert 'name="types-0-name" type="text" value="Gallery"' in less.text
    one = await alice.post("/manager/events/new", data=typed(do="remove-0"))
    assert 'value="Stalls"' in one.text


@pytest.mark.asvs("V15.3.3")
@pytest.mark.parametrize("name", ["types-²-name", "types-" + "9" * 5000 + "-name", "types--name", "types-0", "types-x-name"])
async def test_field_names_that_we_never_wrote_break_nothing(alice: Client, name: str) -> None:
    assert (await alice.post("/manager/events/new", data=typed(**{name: "x"}))).status_code == 303


async def test_the_poster_is_previewed_with_and_without_javascript(alice: Client) -> None:
    part = await alice.post("/manager/events/poster", data=typed(), headers={"HX-Request": "true", "HX-Request-Type": "partial"})
    assert part.text.strip().startswith('<div id="poster-preview">')
    assert 'class="card hue-plum tone-night"' in part.text
    whole = await alice.post("/manager/events/new", data=typed(do="preview", hue="fern"))
    assert 'class="card hue-fern tone-night"' in whole.text


async def test_one_field_is_looked_at_again(alice: Client) -> None:
    answer = await alice.post("/manager/events/new?check=1", data=typed())
    assert answer.status_code == 200
    async with reading() as db:
        assert (await db.exec(select(Event))).first() is None


async def test_only_managers_propose(client: Client, sign_in: SignIn) -> None:
    assert (await client.get("/manager/events/new")).headers["location"] == "/login?next=/manager/events/new"
    async with writing() as tx:
        bob = await world.bob(tx)
    await sign_in(client, bob)
    assert (await client.get("/manager/events/new")).status_code == 403
    assert (await client.post("/manager/events/new", data=typed())).status_code == 403
    assert (await client.get("/manager")).status_code == 403
