"""A manager writes an event's texts in several languages; whoever reads none of them reads the event's own."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import date
from typing import Any

import httpx
import pytest
from sqlmodel import select

from app.accounts.models import Visitor
from app.bookings import boxoffice
from app.bookings import queries as bookings
from app.bookings.boxoffice import Wish
from app.bookings.models import Answer, Booking
from app.bookings.rules import SoldOut
from app.core import clock, i18n
from app.core.activity import Activity
from app.core.db import Database, reading, writing
from app.events import listing, posters, queries, reviews
from app.events.actions import copying, repeating, revising, ticket_types
from app.events.actions.favourites import toggle_favourite
from app.events.models import Event, TicketType
from app.events.rules import languages, searching
from app.events.series import Series
from app.notifications import recipients
from app.payments.actions import paying
from app.tickets import pdf
from app.tickets import queries as tickets
from tests import world

Client = httpx.AsyncClient
pytestmark = pytest.mark.usefixtures("moment")
FRENCH = {"title": "Neuf pianos", "summary": "Neuf pianistes, une soirée.", "description": "Personne n’a **compté** les touches."}
DESK = "/manager/events/nine-pianos"


@pytest.fixture
async def alice(client: Client, sign_in: Callable[[Client, Any], Awaitable[None]]) -> Client:
    """Alice's browser; her event Nine Pianos is public."""
    async with writing() as tx:
        manager = await world.alice(tx)
        await world.event(tx, manager=manager)
    await sign_in(client, manager)
    return client


async def nine_pianos() -> Event:
    async with reading() as db:
        found = await queries.by_slug(db, "nine-pianos")
    assert found
    return found


async def in_french(tx: Any, event: Event, **texts: str) -> None:
    await revising.revise(tx, event, {"texts": {"fr": texts}}, section="", by=event.manager_id, booked=False, now=clock.now())


async def test_everybody_reads_their_own_language(alice: Client, open_browser: Any) -> None:
    page = await alice.get(f"{DESK}/edit/page")
    assert f'href="{DESK}/edit/texts-fr"' in page.text and "texts-en" not in page.text
    saved = await alice.post(f"{DESK}/edit/texts-fr", data=FRENCH)
    assert (saved.status_code, saved.headers["location"]) == (303, f"{DESK}/edit")
    visitor = await open_browser()
    french, italian, english = [(await visitor.get(f"{way}/events/nine-pianos")).text for way in ("/fr", "/it", "")]
    assert '<h1 lang="fr">Neuf pianos</h1>' in french
    assert "<strong>compté</strong>" in french and 'content="Neuf pianistes, une soirée."' in french
    assert '"name": "Neuf pianos"' in french
    for other in (italian, english):
        assert '<h1 lang="en">Nine Pianos</h1>' in other and "Nobody has counted the keys." in other
    assert ">Neuf pianos</a>" in (await visitor.get("/fr/events")).text
    assert ">Nine Pianos</a>" in (await visitor.get("/de/events")).text


async def test_so_do_months_feeds_files_posters_and_hearts(alice: Client, open_browser: Any) -> None:
    await alice.post(f"{DESK}/edit/texts-fr", data=FRENCH)
    visitor = await open_browser()
    month, day = "/events?view=month&month=2026-12", "/events/nine-pianos/calendar.ics"
    for path in (month, "/events.atom", "/events.ics", "/categories/music.atom", day):
        for way, title in (("/fr", "Neuf pianos"), ("/it", "Nine Pianos")):
            assert title in (await visitor.get(way + path)).text, way + path
    assert 'href="/fr/events.atom"' in (await visitor.get("/fr/events")).text
    pressed = await visitor.post("/fr/events/nine-pianos/favourite", headers={"HX-Request": "true", "HX-Request-Type": "partial"})
    assert "Neuf pianos" in pressed.text


async def test_a_poster_shows_the_title_of_the_page_that_leads_to_it(alice: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    await alice.post(f"{DESK}/edit/texts-fr", data=FRENCH)
    drawn = []

    async def png(look: posters.Look, _shape: str) -> bytes:
        drawn.append(look.title)
        return b""

    monkeypatch.setattr(posters, "png", png)
    for way, other in (("/fr", "de"), ("/it", "fr")):
        text = (await alice.get(f"{way}/events/nine-pianos")).text
        image = text.split('og:image" content="')[1].split('"')[0]
        # Whoever fetches it may speak another language.
        answer = await alice.get(image, headers={"Accept-Language": other})
        assert "immutable" in answer.headers["cache-control"]
    assert drawn == ["Neuf pianos", "Nine Pianos"]


async def test_what_is_left_empty_is_read_in_the_events_own_language(alice: Client) -> None:
    await alice.post(f"{DESK}/edit/texts-fr", data={"title": "Neuf pianos", "summary": "", "description": ""})
    french = (await alice.get("/fr/events/nine-pianos")).text
    assert '<h1 lang="fr">Neuf pianos</h1>' in french
    assert '<div class="prose" lang="en"' in french and "Nobody has counted the keys." in french
    await alice.post(f"{DESK}/edit/texts-fr", data={"title": "", "summary": "", "description": ""})
    assert (await nine_pianos()).texts == {}


GALLERY = "Gallery", "Up the stairs"


async def with_gallery() -> str:
    """Nine Pianos sells the Gallery as well, which has a note; its code."""
    async with writing() as tx:
        event = await nine_pianos_in(tx)
        kind = TicketType(
            event_id=event.id or 0,
            name=GALLERY[0],
            note=GALLERY[1],
            price_minor=0,
            capacity=2,
            sale_from=clock.now(),
            sale_to=event.starts_at,
        )
        tx.add(kind)
        await tx.flush()
        return kind.code


async def write_words(client: Client, language: str, **texts: str) -> httpx.Response:
    """Fills in the fields that stand behind these words of ticket types, as a manager finds them on the page."""
    form = (await client.get(f"{DESK}/edit/texts-{language}")).text
    labels = dict(re.findall(r'<label for="(words-\w+)">([^<]+?) ?<', form))
    return await client.post(f"{DESK}/edit/texts-{language}", data={name: texts.get(words, "") for name, words in labels.items()})


async def test_ticket_types_are_read_in_the_buyers_language_up_to_the_ticket(alice: Client, open_browser: Any) -> None:
    code = await with_gallery()
    assert (await write_words(alice, "fr", **{GALLERY[0]: "Galerie", GALLERY[1]: "En haut de l’escalier"})).status_code == 303
    assert (await nine_pianos()).texts["fr"]["=Gallery"] == "Galerie"
    bob = await open_browser()
    french, german = [(await bob.get(f"{way}/events/nine-pianos")).text for way in ("/fr", "/de")]
    assert ">Galerie</h3>" in french and ">En haut de l’escalier</p>" in french and '"name": "Galerie"' in french
    assert ' lang="en">Gallery</h3>' in german and ' lang="en">Up the stairs</p>' in german
    booking = (await bob.post("/fr/events/nine-pianos/hold", data={f"q-{code}": "2"})).headers["location"]
    assert "2 × Galerie" in (await bob.get(booking)).text
    await bob.post(f"{booking}/checkout", data={"email": "bob@example.com", "name": "Bob"})
    paid = (await bob.get(booking)).text
    assert "<strong>Galerie</strong>" in paid
    [ticket, *_more] = re.findall(r'href="/tickets/([\w-]+)"', paid)
    assert "<dd>Galerie</dd>" in (await bob.get(f"/tickets/{ticket}")).text
    async with reading() as db:
        [view, _other] = await tickets.of_booking(db, (await booked(db)).id or 0)
        about = Activity(id=1, kind="booking.paid", about=f"booking:{view.booking.id}", at=clock.now())
        [reader] = await recipients.buyer(db, about)
    assert view.line.name == "Gallery", "what was sold keeps its name"
    assert pdf.printed(view, base_url="", language="fr").entry == "Galerie"
    assert pdf.printed(view, base_url="", language="de").entry == "Gallery"
    assert (reader.language, reader.facts["lines"][0][1]) == ("fr", "Galerie")
    async with reading() as db:
        params = paying.session_params(await bookings.view(db, view.booking.id or 0), "p", now=clock.now())
    assert params["line_items"][0]["price_data"]["product_data"]["name"] == "Nine Pianos: Galerie"
    # Another browser finds nothing left, and is told so in the words that it has read.
    late = await (await open_browser()).post("/fr/events/nine-pianos/hold", data={f"q-{code}": "1"})
    assert late.status_code == 409 and "Galerie" in late.text and "Gallery" not in late.text


async def test_what_buyers_are_asked_is_read_in_their_language_and_answered_in_the_events_own(
    alice: Client, open_browser: Any
) -> None:
    code = await with_gallery()
    async with writing() as tx:
        event = await nine_pianos_in(tx)
        coming = await world.question(
            tx, event, "How do you come?", kind="choice", choices="On foot\nBy tram\nGallery", is_required=True
        )
        await world.question(tx, event, "Who told you?", position=1, ended_at=clock.now())
    form = (await alice.get(f"{DESK}/edit/texts-fr")).text
    order = [form.index(each) for each in (">Ticket types<", ">Gallery <", ">Questions to buyers<", ">By tram <")]
    assert order == sorted(order)
    assert form.count(">Gallery <") == 1 and "Who told you?" not in form
    french = {"How do you come?": "Comment venez-vous ?", "By tram": "En tram", GALLERY[0]: "Galerie"}
    assert (await write_words(alice, "fr", **french)).status_code == 303
    bob = await open_browser()
    booking = (await bob.post("/fr/events/nine-pianos/hold", data={f"q-{code}": "1"})).headers["location"]
    field, buyer = f"a-{coming.code}-0", {"email": "bob@example.com", "name": "Bob"}
    missing = await bob.post(f"{booking}/checkout", data=buyer)
    assert missing.status_code == 422 and re.search(r"Répondez à «\sComment venez-vous \?\s»", missing.text)
    assert '<option value="By tram">En tram</option>' in missing.text and ">On foot</option>" in missing.text
    wrong = await bob.post(f"{booking}/checkout", data=buyer | {field: "En tram"})
    assert wrong.status_code == 422, "a form sends what is kept"
    assert (await bob.post(f"{booking}/checkout", data=buyer | {field: "By tram"})).status_code == 303
    assert '<option selected value="By tram">En tram</option>' in (await bob.get(f"{booking}/answers")).text
    bob.cookies.delete("language")
    german = (await bob.get(f"{booking}/answers", headers={"Accept-Language": "de"})).text
    assert ">How do you come?" in german and '<option selected value="By tram">By tram</option>' in german
    async with reading() as db:
        assert [row.value for row in (await db.exec(select(Answer))).all()] == ["By tram"]
        reference = (await booked(db)).reference
    alice.cookies.set("language", "fr", domain="testserver.local", path="/")
    desk = (await alice.get(f"{DESK}/bookings/{reference}")).text
    assert "How do you come?" in desk and "By tram" in desk and "En tram" not in desk


async def test_the_box_office_refuses_in_the_words_that_were_read(database: Database) -> None:
    async with writing() as tx:
        event = await world.event(tx, capacity=1, texts={"fr": {"=Standard": "Tarif normal"}})
        [kind] = await queries.ticket_types(tx, event.id)
    with i18n.speaking("fr"), pytest.raises(SoldOut, match="Tarif normal"):
        await boxoffice.hold(Wish(event.slug, {kind.code: 2}, by=Visitor(key="bobs-browser")))


async def rename(client: Client, code: str, name: str, note: str = "") -> None:
    """Gives a ticket type other words, as a manager types them."""
    address = f"{DESK}/types/{code}"
    form = (await client.get(address)).text
    kept = dict(re.findall(r'id="(sale_from|sale_to|price|capacity|per_booking)"[^>]* value="([^"]*)"', form))
    answer = await client.post(address, data=kept | {"name": name, "note": note})
    assert answer.status_code == 303, answer.text


async def test_a_type_with_another_name_keeps_its_translations_until_its_manager_has_looked_again(alice: Client) -> None:
    code = await with_gallery()
    await write_words(alice, "fr", **{GALLERY[0]: "Galerie", GALLERY[1]: "En haut de l’escalier"})
    assert "Look again" not in (await alice.get(f"{DESK}/edit/texts-fr")).text
    await rename(alice, code, "Balcony", GALLERY[1])
    french = (await alice.get("/fr/events/nine-pianos")).text
    assert ">Galerie</h3>" in french and "Balcony" not in french
    texts = (await alice.get(f"{DESK}/edit/texts-fr")).text
    [marked] = re.findall(r'<label for="(words-\w+)">[^<]*(?:<[^l][^>]*>[^<]*)*?<p class="hint"[^>]*>Look again', texts)
    assert f'<label for="{marked}">Balcony' in texts, "the note's words are still the same"
    assert "Look again" in (await alice.get(f"{DESK}/edit/page")).text
    tickets_page = (await alice.get(f"{DESK}/edit/tickets")).text
    assert "since you translated them" in tickets_page and f'href="{DESK}/edit/texts-fr"' in tickets_page
    await write_words(alice, "fr", Balcony="Balcon", **{GALLERY[1]: "En haut de l’escalier"})
    assert ">Balcon</h3>" in (await alice.get("/fr/events/nine-pianos")).text
    for page in ("texts-fr", "page", "tickets"):
        text = (await alice.get(f"{DESK}/edit/{page}")).text
        assert "Look again" not in text and "since you translated" not in text, page


async def test_who_booked_under_the_old_name_reads_its_translation_still(database: Database) -> None:
    texts = {"fr": {"=Standard": "Tarif normal"}}
    async with writing() as tx:
        event = await world.event(tx, texts=texts)
        [kind] = await queries.ticket_types(tx, event.id)
        wish = replace(ticket_types.wish_of(kind), name="Stalls")
        await ticket_types.change_type(tx, event, kind, wish, by=event.manager_id, now=clock.now())
    with i18n.speaking("fr"):
        assert [i18n.told(words, event) for words in ("Standard", "Stalls")] == ["Tarif normal", "Tarif normal"]
    async with writing() as tx:
        await world.ticket_type(tx, event, name="Standard")
        wish = replace(wish, name="Circle")
        event = await nine_pianos_in(tx)
        [kind] = [one for one in await queries.ticket_types(tx, event.id) if one.name == "Stalls"]
        await ticket_types.change_type(tx, event, kind, wish, by=event.manager_id, now=clock.now())
        assert languages.outdated(event.texts["fr"], ["Standard", "Circle"]) == {"Standard", "Circle"}


async def test_words_that_another_type_still_bears_keep_their_translation_for_it_alone(database: Database) -> None:
    async with writing() as tx:
        event = await world.event(tx, texts={"fr": {"=Standard": "Tarif normal"}})
        kind = await world.ticket_type(tx, event, name="Standard")
        wish = replace(ticket_types.wish_of(kind), name="Stalls")
        await ticket_types.change_type(tx, event, kind, wish, by=event.manager_id, now=clock.now())
    assert event.texts == {"fr": {"=Standard": "Tarif normal"}}


async def test_what_is_said_about_access_is_read_in_each_language_too(alice: Client) -> None:
    async with writing() as tx:
        (await nine_pianos_in(tx)).access = "No steps to the hall"
    await alice.post(f"{DESK}/edit/texts-fr", data={"access": "Salle de plain-pied"})
    french, german = [(await alice.get(f"{way}/events/nine-pianos")).text for way in ("/fr", "/de")]
    assert '<dd lang="fr">Salle de plain-pied</dd>' in french
    assert '<dd lang="en">No steps to the hall</dd>' in german


async def test_a_series_is_called_what_its_dates_are_called(alice: Client) -> None:
    async with writing() as tx:
        event = await nine_pianos_in(tx)
        await repeating.repeat(tx, event, date(2026, 12, 21), quiet=False, by=event.manager_id, now=clock.now())
        await in_french(tx, await nine_pianos_in(tx), title="Neuf pianos")
    french, german = [(await alice.get(f"{way}/series/nine-pianos")).text for way in ("/fr", "/de")]
    assert '<h1 lang="fr">Neuf pianos</h1>' in french and "<title>Neuf pianos ·" in french
    assert '<h1 lang="en">Nine Pianos</h1>' in german
    event_page = (await alice.get("/fr/events/nine-pianos")).text
    assert '"superEvent": {"@type": "EventSeries", "name": "Neuf pianos"' in event_page
    async with writing() as tx:
        [series] = (await tx.exec(select(Series))).all()
        series.title = "Pianos all year"
    for path in ("/fr/series/nine-pianos", "/fr/events/nine-pianos"):
        assert "Pianos all year" in (await alice.get(path)).text, "a name of its own is nobody's translation"


async def test_nobody_overwrites_a_text_that_they_have_not_seen(alice: Client) -> None:
    form = (await alice.get(f"{DESK}/edit/texts-fr")).text
    seen = form.split('name="seen" type="hidden" value="')[1].split('"')[0]
    async with writing() as tx:
        await in_french(tx, await nine_pianos_in(tx), title="Neuf pianos noirs")
    answer = await alice.post(f"{DESK}/edit/texts-fr", data=FRENCH | {"seen": seen})
    assert answer.status_code == 409
    assert "Neuf pianos noirs" in answer.text and "Neuf pianistes" in answer.text
    assert (await nine_pianos()).texts == {"fr": {"title": "Neuf pianos noirs"}}


async def test_a_text_that_is_too_long_or_in_no_language_is_refused(alice: Client) -> None:
    answer = await alice.post(f"{DESK}/edit/texts-it", data=FRENCH | {"title": "x" * 121})
    assert answer.status_code == 422 and "Use 120 characters or fewer." in answer.text
    assert (await alice.post(f"{DESK}/edit/texts-xx", data=FRENCH)).status_code == 404
    assert (await nine_pianos()).texts == {}


async def test_the_events_own_language_is_chosen_with_its_texts(alice: Client) -> None:
    answer = await alice.post("/manager/events/new", data={"title": "Été à Turin"}, headers={"Accept-Language": "fr"})
    slug = answer.headers["location"].split("/")[3]
    async with reading() as db:
        event = await queries.by_slug(db, slug)
    assert event and event.language == "en", "the account speaks English"
    async with writing() as tx:
        event = await queries.by_slug(tx, slug)
        assert event
        await revising.revise(tx, event, {"language": "fr"}, section="", by=event.manager_id, booked=False, now=clock.now())
    page = (await alice.get(f"/manager/events/{slug}/edit/page")).text
    assert "texts-en" in page and "texts-fr" not in page


async def test_the_search_finds_every_language(database: Database) -> None:
    async with writing() as tx:
        event = await world.event(tx)
        await in_french(tx, event, title="Neuf pianos", description="Personne n’a compté les touches.")
    async with reading() as db:
        for words in ("neuf", "touches", "nine"):
            found = await listing.search(db, searching.Search(q=words), now=clock.now())
            assert [card.slug for card in found.cards] == ["nine-pianos"], words
        with i18n.speaking("fr"):
            [card] = (await listing.search(db, searching.Search(q="nine"), now=clock.now())).cards
    assert (card.title, card.language, card.summary) == ("Neuf pianos", "fr", event.summary)


async def test_a_copy_and_the_admins_comparison_know_the_texts(database: Database) -> None:
    texts = {"title": "Neuf pianos", "summary": "Une soirée.", "=Standard": "Tarif normal", "=Who?": "Qui ?"}
    async with writing() as tx:
        event = await world.event(tx)
        await world.question(tx, event, "Who?")
        before = await reviews.snapshot(tx, event)
        await in_french(tx, event, **texts)
        [difference] = reviews.snapshots.differences(before, await reviews.snapshot(tx, event)).fields
        made = await copying.duplicate(tx, event, by=event.manager_id, now=clock.now())
    after = "Français\nNeuf pianos\nUne soirée.\nStandard: Tarif normal\nWho?: Qui ?"
    assert (difference.section, difference.after) == ("page", after)
    async with reading() as db:
        copy = await queries.by_slug(db, "nine-pianos-2")
        [asked] = await bookings.questions(db, copy.id or 0 if copy else 0)
    assert made and copy and copy.texts == {"fr": texts}
    assert i18n.told_in("fr", asked.label, copy) == "Qui ?"


async def test_the_log_keeps_how_long_a_text_is_and_not_what_it_says(database: Database) -> None:
    async with writing() as tx:
        event = await world.event(tx)
        await in_french(tx, event, title="Neuf pianos")
        rows = [row for row in await tx.exec(queries.columns(Activity)) if row[0].kind == "event.revised"]
    assert rows[0][0].details["fields"] == {"texts": [0, len("Neuf pianos")]}


async def test_who_follows_a_category_is_told_in_their_language(database: Database) -> None:
    async with writing() as tx:
        bob, carol, event = await world.bob(tx), await world.carol(tx), await world.event(tx)
        bob.language = "fr"
        await in_french(tx, event, title="Neuf pianos", summary="Une soirée.")
        for person in (bob, carol):
            await toggle_favourite(tx, person.id or 0, now=clock.now(), category_id=event.category_id)
        about = Activity(id=1, kind="event.published", about=f"event:{event.id}", at=clock.now())
        told = {
            reader.user_id: (reader.facts["title"], reader.facts["summary"]) for reader in await recipients.followers(tx, about)
        }
    assert told == {bob.id: ("Neuf pianos", "Une soirée."), carol.id: ("Nine Pianos", event.summary)}


async def booked(db: Any) -> Booking:
    return (await db.exec(select(Booking))).one()


async def nine_pianos_in(tx: Any) -> Event:
    found = await queries.by_slug(tx, "nine-pianos")
    assert found
    return found
