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
from app.events.models import Event, Venue
from tests import world
from tests.events.forms import SECTIONS, propose, revise, slug_in, typed

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


async def test_a_title_is_enough_for_a_draft(alice: Client) -> None:
    answer = await alice.post("/manager/events/new", data={"title": "Été à Turin"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/manager/events/ete-a-turin/edit")
    event = await _only_event()
    assert (event.title, event.state, event.saved_sections) == ("Été à Turin", "draft", "")
    # The clock stands on Monday 16 November 2026: in four weeks at eight in the evening, where winter has come.
    assert event.starts_at == datetime(2026, 12, 14, 19, tzinfo=UTC)
    listed = (await alice.get("/manager/events/ete-a-turin/edit")).text
    assert listed.count("Not started") == 4
    assert "Look through the basics and save them" in listed
    assert (await alice.post("/manager/events/ete-a-turin/submit")).status_code == 409


async def test_a_draft_holds_what_was_typed(alice: Client) -> None:
    presale = {"types_0_presale_from": "2026-11-18T10:00", "types_0_presale_places": "20", "types_0_access_code": "secret"}
    answer = await propose(alice, types_0_sale_from="2026-11-20T10:00", minimum_age="16", **presale)
    assert (answer.status_code, answer.headers["location"]) == (303, "/manager/events/ete-a-turin/edit/tickets")
    event = await _only_event()
    assert (event.title, event.state, event.starts_at) == ("Été à Turin", "draft", datetime(2026, 12, 12, 19, 30, tzinfo=UTC))
    assert (event.ends_at, event.minimum_age) == (datetime(2026, 12, 12, 22, 30, tzinfo=UTC), 16)
    async with reading() as db:
        assert {*["ete", "a", "turin", "teatro", "carignano", "music"]} <= {*(await world.words_of(db, event.title)).split()}
        kind = (await queries.ticket_types(db, event.id))[0]
        assert (kind.price_minor, kind.capacity, kind.presale_places, kind.needs_code) == (1850, 100, 20, True)
        assert (kind.sale_from, kind.sale_to) == (datetime(2026, 11, 20, 9, tzinfo=UTC), event.starts_at)
        assert list((await bookings.access_codes(db, event.id or 0)).values()) == ["SECRET"]
        venue = await queries.venue(db, event)
        assert venue
        assert (venue.name, venue.city) == ("Teatro Carignano", "Turin")
        written = (await db.exec(select(Activity).where(Activity.about == f"event:{event.id}"))).all()
        assert [row.kind for row in written] == ["event.drafted", *["event.revised"] * 4]
    page = await alice.get("/manager/events/ete-a-turin")
    for words in ("Draft", "Send for approval", "€18.50", "Teatro Carignano", "<strong>scarf</strong>"):
        assert words in page.text
    assert (await alice.get("/manager/events/ete-a-turin/edit")).text.count("Done") == 4


async def test_nine_answers_lead_from_an_empty_account_to_the_admin(alice: Client) -> None:
    """Title, summary, category, start, venue, city, description, price and places; everything else has a sensible value."""
    await alice.post("/manager/events/new", data={"title": "Été à Turin"})
    desk = "/manager/events/ete-a-turin"
    kept = {"zone": "Europe/Rome", "ends": "", "doors": ""}
    basics = {name: SECTIONS["basics"][name] for name in ("title", "summary", "category", "starts", "venue", "city")}
    look = {"hue": "plum", "tone": "night", "motif": "stars"}
    for path, data in (
        ("edit/basics", basics | kept),
        ("edit/page", {"description": "Bring a scarf.", **look}),
        ("types/new", {"price": "18.50", "capacity": "100", "per_booking": "6"}),
        ("submit", {}),
    ):
        assert (await alice.post(f"{desk}/{path}", data=data)).status_code == 303, path
    assert (await _only_event()).state == "submitted"


async def test_a_shop_without_categories_says_what_is_missing_and_keeps_the_title(client: Client, sign_in: SignIn) -> None:
    async with writing() as tx:
        manager = await world.alice(tx)
    await sign_in(client, manager)
    answer = await client.post("/manager/events/new", data={"title": "Été à Turin"})
    assert answer.status_code == 409
    assert "This shop has no categories yet." in answer.text
    assert 'value="Été à Turin"' in answer.text


async def test_a_section_is_saved_with_half_of_its_answers(alice: Client) -> None:
    await alice.post("/manager/events/new", data={"title": "Été à Turin"})
    assert (await revise(alice, "ete-a-turin", "basics", summary="", venue="", city="")).status_code == 303
    listed = (await alice.get("/manager/events/ete-a-turin/edit")).text
    assert ("In progress" in listed, listed.count("Not started")) == (True, 3)
    assert 'value="2026-12-12T20:30"' in (await alice.get("/manager/events/ete-a-turin/edit/basics")).text


async def test_the_next_draft_resembles_the_last_event(alice: Client) -> None:
    await propose(alice, currency="CHF", zone="Europe/Zurich", refund_hours="24", starts="2026-12-12T20:30")
    await alice.post("/manager/events/new", data={"title": "Another"})
    form = (await alice.get("/manager/events/another/edit/basics")).text
    assert 'value="Teatro Carignano"' in form
    assert '<option selected value="Europe/Zurich">' in form
    tickets = (await alice.get("/manager/events/another/edit/tickets")).text
    assert '<option selected value="CHF">' in tickets
    assert 'name="refund_hours" type="number" value="24"' in tickets


async def test_a_venue_that_the_shop_knows_needs_no_address(alice: Client) -> None:
    async with writing() as tx:
        tx.add_all(
            Venue(name=name, address="Via Po 1", city=city)
            for name, city in (("Hall", "Turin"), ("Hall", "Rome"), ("Loft", "Rome"))
        )
    await alice.post("/manager/events/new", data=typed("new"))
    form = (await alice.get("/manager/events/ete-a-turin/edit/basics")).text
    assert '<option value="Loft">Via Po 1, Rome</option>' in form
    nowhere = {"address": "", "city": ""}
    assert (await revise(alice, "ete-a-turin", "basics", venue="loft", **nowhere)).status_code == 303
    async with reading() as db:
        venue = await queries.venue(db, await _only_event())
    assert venue and (venue.name, venue.address, venue.city) == ("Loft", "Via Po 1", "Rome")
    # Two cities have a Hall, and nobody knows the Cellar.
    for unclear in ("Hall", "Cellar"):
        assert (await revise(alice, "ete-a-turin", "basics", venue=unclear, **nowhere)).status_code == 422


async def test_two_events_with_one_title_have_two_addresses(alice: Client) -> None:
    for slug in ("ete-a-turin", "ete-a-turin-2"):
        assert slug_in(await alice.post("/manager/events/new", data=typed("new"))) == slug
    for title, slug in (("New", "new-2"), ("Description", "description-2")):
        assert slug_in(await alice.post("/manager/events/new", data=typed("new", title=title))) == slug


async def test_all_mistakes_of_a_section_come_at_once_and_nothing_typed_is_lost(alice: Client) -> None:
    wrong = {"title": "", "category": "", "starts": "2026-02-30T20:30", "summary": "Keep me", "city": ""}
    await alice.post("/manager/events/new", data=typed("new"))
    answer = await revise(alice, "ete-a-turin", "basics", **wrong)
    assert answer.status_code == 422
    for sentence in (
        "There is a problem",
        "Enter the event’s title",
        "Choose a category",
        "Enter a date and a time such as",
        "Enter the venue and its city, or neither",
    ):
        assert sentence in answer.text, sentence
    for kept in ("Keep me", "Teatro Carignano", 'value="2026-02-30T20:30"'):
        assert kept in answer.text, kept
    assert "<title>Error:" in answer.text
    kind = await revise(alice, "ete-a-turin", "type", types_0_price="ten", types_0_capacity="many")
    assert kind.status_code == 422
    for words in ("Enter a price such as 18.50 or 0", 'value="ten"', 'value="many"'):
        assert words in kind.text, words
    assert (await _only_event()).summary == ""


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
        ({"currency": "JPY", "types_0_price": "18.50"}, "Enter a price such as"),
        ({"starts": "2027-10-31T02:30"}, "Clocks show this hour twice"),
        ({"types_0_sale_to": "2027-10-31T02:30"}, "Clocks show this hour twice"),
        ({"title": "x" * 121}, "Use 120 characters or fewer"),
        ({"summary": "x" * 201}, "Use 200 characters or fewer"),
        ({"description": "x" * 20_001}, "Use 20000 characters or fewer"),
        ({"minimum_age": "100"}, "Enter an age from 1 to 99"),
        ({"is_online": "y", "online_url": "javascript:alert(1)"}, "Enter a link that begins with https://"),
        ({"online_url": "https://meet.example.org/x"}, "Say that it takes place online"),
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
    answer = await propose(alice, **changes)
    assert answer.status_code == 422
    assert sentence in answer.text


async def test_texts_of_the_greatest_length_are_taken(alice: Client) -> None:
    longest = {"title": "x" * 120, "summary": "ü" * 200, "description": "y" * 20_000, "access": "z" * 500}
    assert (await propose(alice, **longest)).status_code == 303
    event = await _only_event()
    assert {name: getattr(event, name) for name in longest} == longest


async def test_ticket_types_are_added_one_by_one_up_to_twenty(alice: Client) -> None:
    await propose(alice)
    for number in range(19):
        assert (await revise(alice, "ete-a-turin", "type", types_0_name=f"Row {number}")).status_code == 303
    refused = await revise(alice, "ete-a-turin", "type", types_0_name="Row 500")
    assert refused.status_code == 422
    assert "An event has 20 ticket types at most." in refused.text
    assert 'value="Row 500"' in refused.text
    assert "An event has 20 ticket types at most." in (await alice.get("/manager/events/ete-a-turin/edit/tickets")).text


async def test_a_ticket_type_is_removed(alice: Client) -> None:
    await propose(alice)
    event = await _only_event()
    async with reading() as db:
        code = (await world.only_type(db, event)).code
    assert (await alice.post(f"/manager/events/ete-a-turin/types/{code}/remove")).status_code == 303
    assert (await alice.get(f"/manager/events/ete-a-turin/types/{code}")).status_code == 404
    assert "Add a ticket type." in (await alice.get("/manager/events/ete-a-turin/edit")).text


@pytest.mark.asvs("V15.3.3")
@pytest.mark.parametrize("name", ["types-²-name", "types-" + "9" * 5000 + "-name", "types--name", "types-0", "version", "state"])
async def test_field_names_that_we_never_wrote_break_nothing(alice: Client, name: str) -> None:
    await alice.post("/manager/events/new", data=typed("new") | {name: "x"})
    sent = await alice.post("/manager/events/ete-a-turin/edit/basics", data=typed("basics") | {name: "x"})
    assert sent.status_code == 303


async def test_poster_and_description_are_previewed_with_and_without_javascript(alice: Client) -> None:
    await alice.post("/manager/events/new", data=typed("new"))
    part = {"HX-Request": "true", "HX-Request-Type": "partial"}
    poster = await alice.post("/manager/events/poster", data=typed("page"), headers=part)
    assert poster.text.strip().startswith('<div id="poster-preview">')
    assert 'class="card hue-plum tone-night"' in poster.text
    text = await alice.post("/manager/events/description", data=typed("page"), headers=part)
    assert "Bring a <strong>scarf</strong>." in text.text
    whole = await revise(alice, "ete-a-turin", "page", do="preview", hue="fern")
    assert whole.status_code == 200
    assert 'class="card hue-fern tone-night"' in whole.text
    assert "Bring a <strong>scarf</strong>." in whole.text
    assert (await _only_event()).description == ""


async def test_one_field_is_looked_at_again(alice: Client) -> None:
    answer = await alice.post("/manager/events/new?check=1", data=typed("new"))
    assert answer.status_code == 200
    async with reading() as db:
        assert (await db.exec(select(Event))).first() is None


async def test_a_section_that_does_not_exist_is_not_found(alice: Client) -> None:
    await propose(alice)
    assert (await alice.get("/manager/events/ete-a-turin/edit/seats")).status_code == 404


async def test_only_managers_propose(client: Client, sign_in: SignIn) -> None:
    assert (await client.get("/manager/events/new")).headers["location"] == "/login?next=/manager/events/new"
    async with writing() as tx:
        bob = await world.bob(tx)
    await sign_in(client, bob)
    assert (await client.get("/manager/events/new")).status_code == 403
    assert (await client.post("/manager/events/new", data=typed("new"))).status_code == 403
    assert (await client.get("/manager")).status_code == 403
