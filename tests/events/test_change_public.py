"""A manager changes what the public has seen: date, place and prices wait for an admin, everything else is live at once."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
import time_machine
from sqlmodel import col, select

from app.accounts.actions import managers
from app.core import clock
from app.core.db import Database, reading, writing
from app.core.errors import Refused
from app.events import flows, reviews
from app.events.actions import deciding, ticket_types, waiting
from app.events.decisions import Revision
from app.events.models import Event, TicketType, Venue
from app.notifications.models import Notification
from app.worker import Worker
from tests import world
from tests.events.changing import DAY, agrees, hold, kind_of, kinds, now_is, postponed_by, prices, public, saves, states, waits
from tests.payments.refund_story import again, paid

Client = httpx.AsyncClient
SignIn = Callable[[Client, Any], Awaitable[None]]
pytestmark = pytest.mark.usefixtures("moment")

# ---------- what waits, and what does not ----------


async def test_words_pictures_and_more_places_are_live_at_once(database: Database) -> None:
    event = await public(capacity=100)
    await saves(event, title="Ten Pianos", picture="/pictures/x.webp", description="Longer.", per_buyer=8)
    await prices(event, capacity=150, name="Stalls")
    present, kind = await now_is(event), await kind_of(event)
    assert (present.title, present.picture, present.per_buyer) == ("Ten Pianos", "/pictures/x.webp", 8)
    assert (kind.capacity, kind.name) == (150, "Stalls")
    assert await waits(event) == {}


@pytest.mark.parametrize("state", ["published", "approved"])
async def test_another_date_waits_and_the_page_keeps_the_old_one(database: Database, state: str) -> None:
    event = await public(state=state)
    await saves(event, title="Ten Pianos", starts_at=event.starts_at + DAY, ends_at=event.ends_at + DAY)
    present = await now_is(event)
    assert (present.title, present.starts_at, present.ends_at) == ("Ten Pianos", event.starts_at, event.ends_at)
    later = event.starts_at + DAY, event.ends_at + DAY
    assert await waits(event) == {"event": dict(zip(("starts_at", "ends_at"), (at.isoformat() for at in later), strict=True))}
    await agrees(event)
    present = await now_is(event)
    assert (present.starts_at, present.ends_at) == later
    assert await states(event) == ["approved"]
    assert await kinds() == ["change_asked", "revised", "revised", "change_approved"]


async def test_another_price_waits_and_never_touches_what_is_held(database: Database) -> None:
    event = await public(price_minor=1800)
    held = await hold(event)
    await prices(event, price_minor=2500, capacity=120)
    assert ((await kind_of(event)).price_minor, (await kind_of(event)).capacity) == (1800, 120)
    assert (await hold(event, "daves-browser")).total_minor == 3600
    await agrees(event)
    assert (await kind_of(event)).price_minor == 2500
    assert (await again(held)).total_minor == 3600
    assert (await hold(event, "erins-browser")).total_minor == 5000


async def test_a_new_ticket_type_waits_with_its_price(database: Database) -> None:
    event = await public()
    async with writing() as tx:
        alice, present = await world.alice(tx), await tx.get_one(Event, event.id)
        wish = replace(ticket_types.wish_of(await world.only_type(tx, event)), name="Gallery", price_minor=900, capacity=20)
        assert await ticket_types.add_type(tx, present, wish, by=alice.id or 0, now=clock.now()) is None
    assert (await kind_of(event)).name == "Standard"
    await agrees(event)
    async with reading() as db:
        rows = (await db.exec(select(TicketType).where(TicketType.event_id == event.id).order_by(col(TicketType.id)))).all()
    assert [(kind.name, kind.price_minor, kind.capacity) for kind in rows] == [("Standard", 1800, 100), ("Gallery", 900, 20)]


async def test_fewer_places_wait_and_never_fall_below_what_is_held_and_sold(database: Database) -> None:
    event = await public(capacity=10)
    await prices(event, capacity=3)
    assert (await kind_of(event)).capacity == 10
    await hold(event)
    await hold(event, "daves-browser")
    with pytest.raises(Refused, match="4 places of Standard are taken"):
        await agrees(event)
    assert await states(event) == ["waiting"], "the admin can still decline it"
    await prices(event, capacity=12)
    assert (await kind_of(event)).capacity == 12
    assert await waits(event) == {}


@pytest.mark.parametrize("who", ["trusted", "admin"])
async def test_who_needs_no_review_changes_everything_at_once(database: Database, who: str) -> None:
    event = await public()
    async with writing() as tx:
        if who == "trusted":
            await managers.trust(tx, await world.alice(tx), by=(await world.dora(tx)).id or 0, now=clock.now())
    await postponed_by(event, 1, "dora" if who == "admin" else "alice")
    assert (await now_is(event)).starts_at == event.starts_at + DAY
    assert await waits(event) == {}


async def test_drafts_are_their_managers_alone(database: Database) -> None:
    event = await public(state="draft", published_at=None)
    await postponed_by(event, 1)
    await prices(event, price_minor=2500)
    assert ((await now_is(event)).starts_at, (await kind_of(event)).price_minor) == (event.starts_at + DAY, 2500)


# ---------- one change for an event ----------


async def test_what_is_changed_next_joins_what_waits(database: Database) -> None:
    event = await public()
    await postponed_by(event, 1)
    await prices(event, price_minor=2500)
    found = await waits(event)
    assert set(found) == {"event", "types"}
    assert await states(event) == ["replaced", "waiting"]
    await agrees(event)
    assert ((await now_is(event)).starts_at, (await kind_of(event)).price_minor) == (event.starts_at + DAY, 2500)


async def test_the_newer_date_takes_the_place_of_the_older_and_setting_it_back_ends_it(database: Database) -> None:
    event = await public()
    await postponed_by(event, 1)
    await postponed_by(event, 2)
    assert (await waits(event))["event"]["starts_at"] == (event.starts_at + 2 * DAY).isoformat()
    await postponed_by(event, 2)
    assert await states(event) == ["replaced", "waiting"], "the same again changes nothing"
    await postponed_by(event, 0)
    assert await waits(event) == {}
    assert await states(event) == ["replaced", "withdrawn"]
    assert (await kinds())[-1] == "change_withdrawn"


async def test_the_form_shows_what_the_manager_last_wanted(database: Database) -> None:
    event = await public()
    await postponed_by(event, 1)
    await prices(event, price_minor=2500)
    async with reading() as db:
        shown = await reviews.as_wanted(db, await db.get_one(Event, event.id))
        kind = await reviews.type_as_wanted(db, event, await world.only_type(db, event))
    assert (shown.starts_at, shown.title, kind.price_minor) == (event.starts_at + DAY, event.title, 2500)
    assert (await now_is(event)).starts_at == event.starts_at


async def test_an_event_that_is_called_off_takes_its_change_with_it(database: Database) -> None:
    event = await public()
    await postponed_by(event, 1)
    async with writing() as tx:
        alice = await world.alice(tx)
        await deciding.call_off(tx, await tx.get_one(Event, event.id), reason="Rain.", by=alice.id or 0, now=clock.now())
    assert await states(event) == ["withdrawn"]


async def test_a_date_that_has_passed_is_not_agreed_to(database: Database, moment: time_machine.Traveller) -> None:
    event = await public()
    await postponed_by(event, -20)
    moment.shift(timedelta(days=10))
    with pytest.raises(Refused, match="has passed"):
        await agrees(event)
    assert await states(event) == ["waiting"]


async def test_its_time_to_be_published_comes_while_a_change_waits(database: Database, moment: time_machine.Traveller) -> None:
    event = await public(state="approved", published_at=None, publish_at=clock.now() + timedelta(hours=1))
    await postponed_by(event, 1)
    moment.shift(timedelta(hours=2))
    await flows.publish_due()
    present = await now_is(event)
    assert (present.state, present.starts_at) == ("published", event.starts_at)
    await agrees(event)
    assert (await now_is(event)).starts_at == event.starts_at + DAY


# ---------- who is told ----------


async def test_holders_are_told_of_the_date_when_it_is_agreed_and_not_before(database: Database) -> None:
    event = await public()
    await paid(event, email="bob@example.com")
    async with writing() as tx:
        hall = Venue(name="Other Hall", city="Turin", address="Via Po 1")
        tx.add(hall)
        await tx.flush()
    present = await now_is(event)
    await saves(event, starts_at=present.starts_at + DAY, ends_at=present.ends_at + DAY, venue_id=hall.id)
    await Worker().react()
    assert await told() == [("event_change_asked", "dora@example.com")]
    await agrees(event)
    await Worker().react()
    assert (await told())[1:] == [("event_changed", "bob@example.com"), ("event_change_approved", "alice@example.com")]
    async with reading() as db:
        mail = (await db.exec(select(Notification).where(Notification.kind == "event_changed"))).one()
    assert (mail.facts["venue"], mail.facts["changed"]) == ("Other Hall", ["ends_at", "starts_at", "venue"])


async def told() -> list[tuple[str, str]]:
    async with reading() as db:
        rows = (await db.exec(select(Notification).order_by(col(Notification.id)))).all()
    return [(row.kind, row.email) for row in rows if row.kind.startswith("event_")]


# ---------- pages ----------


async def test_an_admin_sees_the_change_and_agrees(client: Client, open_browser: Any, sign_in: SignIn) -> None:
    event = await public()
    async with writing() as tx:
        alice, dora = await world.alice(tx), await world.dora(tx)
    await postponed_by(event, 1)
    await prices(event, price_minor=2500)
    await sign_in(client, alice)
    mine = (await client.get(f"/manager/events/{event.slug}")).text
    for words in (
        "Your change waits for an admin",
        "Monday 14 December 2026, 13:00",
        "Tuesday 15 December 2026, 13:00",
        "€25.00",
    ):
        assert words in mine
    assert "15 December" not in (await (await open_browser()).get(f"/events/{event.slug}")).text
    doras = await open_browser()
    await sign_in(doras, dora)
    assert "Alice asked for a change 0 minutes ago" in (await doras.get("/admin/events")).text
    page = (await doras.get(f"/admin/events/{event.slug}")).text
    for words in ("A change waits", "Tuesday 15 December 2026, 13:00", "Ticket type Standard", "€18.00", "€25.00"):
        assert words in page
    async with reading() as db:
        code = (await db.exec(select(Revision.code).where(Revision.state == "waiting"))).one()
    assert (await doras.post(f"/admin/events/{event.slug}/changes/{code}/approve")).status_code == 303
    assert (await doras.post(f"/admin/events/{event.slug}/changes/{code}/approve")).status_code == 409
    assert "15 December" in (await (await open_browser()).get(f"/events/{event.slug}")).text


async def test_a_change_is_declined_with_a_reason(client: Client, sign_in: SignIn) -> None:
    event = await public()
    async with writing() as tx:
        dora = await world.dora(tx)
    await postponed_by(event, 1)
    await sign_in(client, dora)
    async with reading() as db:
        code = (await db.exec(select(Revision.code))).one()
    path = f"/admin/events/{event.slug}/changes/{code}/decline"
    empty = await client.post(path, data={"reason": " "})
    assert empty.status_code == 422
    assert "Say why" in empty.text
    assert (await client.post(path, data={"reason": "The hall is taken."})).status_code == 303
    assert (await client.post(path, data={"reason": "Again."})).status_code == 409
    assert await states(event) == ["declined"]
    await Worker().react()
    async with reading() as db:
        mail = (await db.exec(select(Notification).where(Notification.kind == "event_change_declined"))).one()
    assert (mail.email, mail.facts["reason"]) == ("alice@example.com", "The hall is taken.")


async def test_the_manager_reads_why_until_something_else_is_changed(client: Client, sign_in: SignIn) -> None:
    event = await public()
    await postponed_by(event, 1)
    async with writing() as tx:
        dora, alice = await world.dora(tx), await world.alice(tx)
        present = await tx.get_one(Event, event.id)
        asked = await reviews.waiting(tx, present)
        assert asked
        reason = "The hall <b>is</b> taken."
        await waiting.decline(tx, present, asked, reason=reason, by=dora.id or 0, now=clock.now())
    await sign_in(client, alice)
    assert "The hall &lt;b&gt;is&lt;/b&gt; taken." in (await client.get(f"/manager/events/{event.slug}")).text
    assert "taken" not in (await client.get(f"/events/{event.slug}")).text
    await postponed_by(event, 2)
    assert "taken" not in (await client.get(f"/manager/events/{event.slug}")).text


async def test_a_manager_takes_the_change_back(client: Client, sign_in: SignIn) -> None:
    event = await public()
    async with writing() as tx:
        alice = await world.alice(tx)
    await postponed_by(event, 1)
    await sign_in(client, alice)
    assert (await client.post(f"/manager/events/{event.slug}/changes/withdraw")).status_code == 303
    assert (await client.post(f"/manager/events/{event.slug}/changes/withdraw")).status_code == 409
    assert "waits for an admin" not in (await client.get(f"/manager/events/{event.slug}")).text


async def test_an_admin_agrees_only_to_the_change_that_they_look_at(client: Client, sign_in: SignIn) -> None:
    event = await public()
    async with writing() as tx:
        dora = await world.dora(tx)
    await postponed_by(event, 1)
    async with reading() as db:
        code = (await db.exec(select(Revision.code))).one()
    await postponed_by(event, 5)
    await sign_in(client, dora)
    answer = await client.post(f"/admin/events/{event.slug}/changes/{code}/approve")
    assert answer.status_code == 409
    assert "does not wait any more" in answer.text
    assert (await now_is(event)).starts_at == event.starts_at
