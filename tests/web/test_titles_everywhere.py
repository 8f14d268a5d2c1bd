"""What an event is called: whoever buys, holds or waits reads it in their language everywhere; desks know it by its own title."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import time_machine
from sqlmodel import col, select, update

from app.accounts.models import User, Visitor
from app.bookings import actions as bookings
from app.bookings import queries as bookings_found
from app.bookings.models import Booking, WaitingEntry
from app.core import clock, i18n
from app.core.activity import Activity
from app.core.db import Database, reading, writing
from app.events.actions.favourites import toggle_favourite
from app.events.decisions import Revision
from app.events.models import Event
from app.events.reminders import Reminder
from app.notifications import announcing
from app.notifications.actions import TOLD
from app.notifications.announcing import Draft
from app.notifications.models import Notification
from app.payments.actions import paying
from app.tickets.actions import settle
from tests import town, world
from tests.conftest import whole_shop
from tests.hostile import never_too_often
from tests.notifications.scenes import happened
from tests.routes import ALLOWED, RULES, Rule
from tests.tickets.test_print import pages
from tests.town import Town

# Where what an event is called is read; the other pages need not say it, and must not say it otherwise.
SAID_ON = {
    "/", "/events", "/events.atom", "/events.ics", "/events/{slug:str}", "/series/{slug:str}", "/categories/{slug:str}",
    "/venues/{slug:str}", "/cities/{slug:str}", "/managers/{slug:str}", "/events/{slug:str}/calendar.ics",
    "/events/{slug:str}/opening.ics", "/waiting-list/{code:str}", "/reminders/{token:str}", "/bookings/{code:str}",
    "/bookings/{code:str}/answers", "/bookings/{code:str}/refund", "/bookings/{code:str}/tickets",
    "/bookings/{code:str}/tickets.pdf", "/bookings/{code:str}/deadline.ics", "/bookings/{code:str}/receipts/{number:str}",
    "/tickets/{code:str}", "/me/favourites", "/me/tickets", "/me/presales", "/me/payments", "/me/notifications",
}  # fmt: skip
# These leave, and would end the visit.
LEAVING = ("/logout", "/me/data/erase")


@pytest.fixture(scope="module")
def kept_town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("town") / "town.db"


@pytest.fixture
async def french_town(
    sqlite_database: Database, moment: time_machine.Traveller, kept_town: Path, monkeypatch: pytest.MonkeyPatch
) -> Town:
    """Every event has a French title, and Bob has one of each thing on his own pages."""
    opened = await town.opened(kept_town)
    never_too_often(monkeypatch)
    async with writing() as tx:
        for event in (await tx.exec(select(Event))).all():
            event.texts = {"fr": {"title": french(event)}}
        bob = await world.bob(tx)
        mine = update(Booking).where(col(Booking.code) == opened.things["paid booking"])
        await tx.exec(mine.values(user_id=bob.id, email=bob.email, language="fr"))
        early = (await tx.exec(select(Event).where(Event.slug == opened.things["early"]))).one()
        kind = await world.only_type(tx, early)
        booker = Visitor(bob.id, bob.email, bob.name, "user", key="bobs-browser")
        await bookings.hold(tx, early, {kind.id or 0: 1}, by=booker, now=clock.now())
        await toggle_favourite(tx, bob.id or 0, now=clock.now(), event_id=early.id)
        paid = (await tx.exec(select(Booking).where(Booking.code == opened.things["paid booking"]))).one()
    await happened("booking.paid", f"booking:{paid.id}")
    return opened


def french(event: Event) -> str:
    return f"Soirée numéro {event.id}."


def open_to_bob(method: str) -> list[Rule]:
    """What Bob may open that is no desk; helping at a door is a desk's matter too."""
    desks = ("/manager/", "/admin", "/helping", *LEAVING)
    allowed = [rule for rule in RULES if rule.group[1] == ALLOWED and not rule.route.startswith(desks)]
    return [rule for rule in allowed if rule.method == method]


async def test_a_buyer_reads_no_title_but_in_their_own_language(french_town: Town) -> None:
    own = await own_titles()
    found, said = {}, set()
    async with in_language(french_town, "fr") as browser:
        for method in ("GET", "POST"):
            for rule in open_to_bob(method):
                text = text_of(await browser.request(method, rule.path(french_town, "bob")))
                if faults := [title for title in own if title in text]:
                    found[str(rule)] = faults
                if method == "GET" and "Soirée numéro " in text:
                    said.add(rule.route)
    assert found == {}
    assert SAID_ON - said == set()


async def test_who_reads_none_of_the_languages_reads_the_own_title_marked_as_what_it_is(french_town: Town) -> None:
    """The control: the same walk finds the own titles where they belong."""
    own, said = await own_titles(), set()
    async with in_language(french_town, "it") as browser:
        for rule in (one for one in open_to_bob("GET") if one.route in SAID_ON):
            text = text_of(await browser.get(rule.path(french_town, "bob")))
            assert "Soirée numéro " not in text or rule.route == "/me/notifications", rule
            if any(title in text for title in own):
                said.add(rule.route)
        tickets = (await browser.get("/me/tickets")).text
        ticket = (await browser.get(f"/tickets/{french_town.things['ticket']}")).text
    assert said == SAID_ON - {"/me/notifications"}, "what was told stays in the words in which it was told"
    assert '<span lang="en">Big House</span></a>' in tickets
    assert re.search(r'<h2 id="ticket-[\w-]+"><span lang="en">Big House</span></h2>', ticket)


async def test_desks_know_an_event_by_its_own_title(french_town: Town) -> None:
    big = french_town.things["big house"]
    async with in_language(french_town, "fr", "alice") as alice:
        for path in ("/manager/events", f"/manager/events/{big}", f"/manager/events/{big}/bookings"):
            text = (await alice.get(path)).text
            assert "Big House" in text and "Soirée numéro " not in text, path


# ---------- what is told, and what is sent to Stripe ----------

OWN, FRENCH = "Nine Pianos", "Neuf pianos"
ABOUT_EVENTS = ("event.", "waiting.", "reminder.", "booking.", "refund.")


async def test_people_are_told_by_the_title_in_their_language_and_desks_by_the_own(
    sqlite_database: Database, moment: time_machine.Traveller
) -> None:
    async with writing() as tx:
        event, booking, details = await a_scene(tx)
    wrong: dict[str, Any] = {}
    for kind, news, find in [(kind, *each) for kind, all_of_it in TOLD.items() for each in all_of_it]:
        if not kind.startswith(ABOUT_EVENTS):
            continue
        of_booking = kind.startswith(("booking.", "refund.")) or news == "waiting_offered"
        about = f"booking:{booking.id}" if of_booking else f"event:{event.id}"
        at, more = clock.now() + timedelta(hours=1), {"redated": news == "event_redated"}
        async with writing() as tx:
            # Who waits for the day of publishing is told of an event that is not public yet.
            (await tx.get_one(Event, event.id)).state = "approved" if news == "event_approved" else "published"
            readers = await find(tx, Activity(id=1, kind=kind, about=about, at=at, details=details | more))
        titles = {reader.email: reader.facts["title"] for reader in readers}
        if not titles or titles != {email: FRENCH if email == "bob@example.com" else OWN for email in titles}:
            wrong[f"{kind} {news}"] = titles
    assert wrong == {}


async def test_announcements_and_stripe_name_it_in_the_buyers_language(sqlite_database: Database) -> None:
    async with writing() as tx:
        event, booking, _details = await a_scene(tx)
        draft = Draft(code="a" * 22, subject="Doors", body="Later.", type_ids=[])
        made = await announcing.send(tx, event, draft, people=2, by=event.manager_id, now=clock.now())
        await announcing.tell_next(tx, made.id or 0, after=0, most=200)
        told = {row.email: row.facts["title"] for row in (await tx.exec(select(Notification))).all()}
        params = paying.session_params(await bookings_found.view(tx, booking.id or 0), "p", now=clock.now())
    assert told == {"bob@example.com": FRENCH, "carol@example.com": OWN}
    assert params["payment_intent_data"]["description"] == f"{FRENCH} · {booking.reference}"
    assert params["line_items"][0]["price_data"]["product_data"]["name"] == f"{FRENCH}: Standard"


async def a_scene(tx: Any) -> tuple[Event, Booking, dict[str, Any]]:
    """Nine Pianos with a French title. All have to do with it: Alice, Dora and Bob, who read French, and Carol, who does not."""
    alice, dora, bob, carol = [await person(tx) for person in (world.alice, world.dora, world.bob, world.carol)]
    for reader in (alice, dora, bob):
        reader.language = "fr"
    carol.language = "it"
    event = await world.event(tx, manager=alice, title=OWN, texts={"fr": {"title": FRENCH}})
    found = [await paid_by(tx, event, user) for user in (bob, carol)]
    for user in (bob, carol):
        await toggle_favourite(tx, user.id or 0, now=clock.now(), event_id=event.id)
    kind = await world.only_type(tx, event)
    mine = {"event_id": event.id or 0, "email": bob.email, "language": "fr", "created_at": clock.now()}
    entry = WaitingEntry(ticket_type_id=kind.id or 0, qty=1, user_id=bob.id, **mine)
    reminder = Reminder(**mine)
    revision = Revision(event_id=event.id or 0, state="declined", by_user_id=alice.id or 0, created_at=clock.now())
    tx.add_all([entry, reminder, revision])
    await tx.flush()
    ids = {"entry": entry.id, "reminder": reminder.id, "revision": revision.id}
    facts = {"phase": "sale", "changed": ["starts_at"], "minor": 100, "places": 1, "wished": 1, "nonce": "n", "note": ""}
    return event, found[0], ids | facts


async def paid_by(tx: Any, event: Event, buyer: User) -> Booking:
    kind = await world.only_type(tx, event)
    visitor = Visitor(buyer.id, buyer.email, buyer.name, buyer.role, key=f"{buyer.name}s-browser")
    with i18n.speaking(buyer.language):
        booking = await bookings.hold(tx, event, {kind.id or 0: 1}, by=visitor, now=clock.now())
    await settle(tx, booking, now=clock.now())
    booking.kind = "presale"
    return booking


async def own_titles() -> list[str]:
    """What the public events are called in their own language."""
    async with reading() as db:
        return sorted({event.title for event in (await db.exec(select(Event))).all() if event.is_public})


@asynccontextmanager
async def in_language(french_town: Town, language: str, visitor: str = "bob") -> AsyncIterator[httpx.AsyncClient]:
    async with french_town.browser(whole_shop(), visitor) as browser:
        browser.cookies.set("language", language, domain="testserver.local", path="/")
        yield browser


def text_of(answer: httpx.Response) -> str:
    """What can be read there: calendars fold their lines, and papers are no text."""
    kind = answer.headers.get("content-type", "")
    if kind.startswith("application/pdf"):
        return " ".join(pages(answer.content))
    return answer.text.replace("\r\n ", "") if kind.startswith("text/") or "xml" in kind else ""
