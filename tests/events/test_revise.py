"""Changing an event: guarded by what is sold, by the first booking, and by whose event it is."""

from collections.abc import Awaitable, Callable
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import update
from sqlmodel import col, select

from app.core import clock
from app.core.activity import Activity
from app.core.db import reading, writing
from app.core.errors import Refused
from app.events import queries
from app.events.actions import revising
from app.events.models import Event, TicketType
from app.events.rules.proposing import EventWish, TypeWish
from tests import world
from tests.events.forms import typed

Client = httpx.AsyncClient
SignIn = Callable[[Client, Any], Awaitable[None]]
pytestmark = pytest.mark.usefixtures("moment")


def _type_wish(kind: TicketType, **changes: Any) -> TypeWish:
    names = (
        "code",
        "name",
        "note",
        "price_minor",
        "capacity",
        "per_booking",
        "sale_from",
        "sale_to",
        "presale_from",
        "presale_places",
    )
    return replace(TypeWish(**{name: getattr(kind, name) for name in names}, access_code=""), **changes)


async def _wish(tx: Any, event: Event, **changes: Any) -> EventWish:
    venue = await queries.venue(tx, event)
    assert venue
    kinds = tuple(_type_wish(kind) for kind in await queries.ticket_types(tx, event.id))
    here = {"venue": venue.name, "address": venue.address, "city": venue.city, "types": kinds}
    same = {field.name: getattr(event, field.name) for field in fields(EventWish) if field.name not in here}
    return replace(EventWish(**same, **here), **changes)


async def _sell(tx: Any, event: Event, *, sold: int, held: int = 0) -> None:
    await tx.exec(
        update(TicketType)
        .where(col(TicketType.event_id) == event.id)
        .values(sold=sold, held=held)
        .execution_options(synchronize_session=False)
    )


@pytest.mark.usefixtures("database")
async def test_capacity_never_falls_below_what_is_held_and_sold() -> None:
    async with writing() as tx:
        alice, event = await world.alice(tx), await world.event(tx, capacity=10)
        await _sell(tx, event, sold=5, held=2)
    async with writing() as tx:
        wish = await _wish(tx, event)
        enough = replace(wish, types=(replace(wish.types[0], capacity=7),))
        assert await revising.revise(tx, event, enough, by=alice.id, booked=set(), now=clock.now()) == ["types"]
    with pytest.raises(Refused, match="7 places of Standard are held or sold"):
        async with writing() as tx:
            less = replace(wish, title="Other", types=(replace(wish.types[0], capacity=6),))
            await revising.revise(tx, event, less, by=alice.id, booked=set(), now=clock.now())
    async with reading() as db:
        assert (await world.only_type(db, event)).capacity == 7
        kept = await queries.by_slug(db, event.slug)
        assert kept
        assert kept.title == "Nine Pianos"


@pytest.mark.asvs("V8.2.3")
@pytest.mark.usefixtures("database")
async def test_a_booked_type_stays_and_the_currency_with_it() -> None:
    async with writing() as tx:
        alice, event = await world.alice(tx), await world.event(tx)
        spare = await world.ticket_type(tx, event, name="Spare", position=1)
        booked = {(await queries.ticket_types(tx, event.id))[0].id or 0}
        wish = await _wish(tx, event)
    for wrong, match in (
        (replace(wish, types=wish.types[1:]), "Standard has bookings"),
        (replace(wish, currency="CHF"), "currency is fixed"),
    ):
        with pytest.raises(Refused, match=match):
            async with writing() as tx:
                await revising.revise(tx, event, wrong, by=alice.id, booked=booked, now=clock.now())
    async with writing() as tx:
        await revising.revise(tx, event, replace(wish, types=wish.types[:1]), by=alice.id, booked=booked, now=clock.now())
        assert spare.name not in [kind.name for kind in await queries.ticket_types(tx, event.id)]


@pytest.mark.usefixtures("database")
async def test_a_type_with_places_held_is_not_removed_even_when_nobody_said_it_was_booked() -> None:
    async with writing() as tx:
        alice, event = await world.alice(tx), await world.event(tx)
        await world.ticket_type(tx, event, name="Spare", position=1)
        wish = await _wish(tx, event)
        await _sell(tx, event, sold=0, held=1)
    with pytest.raises(Refused, match="has bookings"):
        async with writing() as tx:
            await revising.revise(tx, event, replace(wish, types=wish.types[:1]), by=alice.id, booked=set(), now=clock.now())


@pytest.mark.usefixtures("database")
async def test_what_changed_is_written_down_by_name_and_nothing_when_nothing_did() -> None:
    async with writing() as tx:
        alice, event = await world.alice(tx), await world.event(tx)
        wish = await _wish(tx, event)
        assert await revising.revise(tx, event, wish, by=alice.id, booked=set(), now=clock.now()) == []
        later = replace(
            wish, starts_at=wish.starts_at + timedelta(hours=1), ends_at=wish.ends_at + timedelta(hours=1), venue="Folk Club"
        )
        changed = await revising.revise(tx, event, later, by=alice.id, booked=set(), now=clock.now())
    assert set(changed) == {"starts_at", "ends_at", "venue"}
    async with reading() as db:
        rows = (await db.exec(select(Activity).where(Activity.kind == "event.revised"))).all()
    assert [set(row.details["changed"]) for row in rows] == [{"starts_at", "ends_at", "venue"}]
    assert "folk club" in event.search_text


@pytest.mark.parametrize("state", ["submitted", "called_off"])
async def test_some_states_cannot_be_changed(client: Client, sign_in: SignIn, state: str) -> None:
    async with writing() as tx:
        alice, event = await world.alice(tx), await world.event(tx, state=state)
    await sign_in(client, alice)
    assert (await client.get(f"/manager/events/{event.slug}/edit")).status_code == 409
    assert (await client.post(f"/manager/events/{event.slug}/edit", data=typed())).status_code == 409


async def test_the_form_shows_the_event_and_saves_it(client: Client, sign_in: SignIn) -> None:
    async with writing() as tx:
        alice, event = await world.alice(tx), await world.event(tx)
        code = (await world.only_type(tx, event)).code
    await sign_in(client, alice)
    page = await client.get(f"/manager/events/{event.slug}/edit")
    for value in ('value="Nine Pianos"', 'value="2026-12-14T13:00"', 'value="18.00"', "Teatro Baretti", f'value="{code}"'):
        assert value in page.text, value
    changes = typed(title="Ten Pianos", types_0_code=code, types_0_name="Standard")
    answer = await client.post(f"/manager/events/{event.slug}/edit", data=changes)
    assert answer.status_code == 303
    async with reading() as db:
        kind = await world.only_type(db, event)
        saved = await queries.by_slug(db, event.slug)
        assert saved
        assert (saved.title, kind.code, kind.price_minor) == ("Ten Pianos", code, 1850)


async def test_a_refusal_from_below_shows_the_form_again(client: Client, sign_in: SignIn) -> None:
    async with writing() as tx:
        alice, event = await world.alice(tx), await world.event(tx, capacity=100)
        code = (await world.only_type(tx, event)).code
        await _sell(tx, event, sold=50)
    await sign_in(client, alice)
    answer = await client.post(f"/manager/events/{event.slug}/edit", data=typed(types_0_code=code, types_0_capacity="49"))
    assert answer.status_code == 422
    assert "50 places of Standard are held or sold" in answer.text
    assert 'value="49"' in answer.text


async def test_an_approved_event_stays_complete(client: Client, sign_in: SignIn) -> None:
    async with writing() as tx:
        alice, event = await world.alice(tx), await world.event(tx)
    await sign_in(client, alice)
    answer = await client.post(f"/manager/events/{event.slug}/edit", data=typed(summary="", description="", venue="", city=""))
    assert answer.status_code == 422
    for sentence in ("Enter a summary", "Enter a description", "Enter the venue"):
        assert sentence in answer.text


async def test_one_row_sent_twice_becomes_two_types(client: Client, sign_in: SignIn) -> None:
    async with writing() as tx:
        alice, event = await world.alice(tx), await world.event(tx)
        code = (await world.only_type(tx, event)).code
    await sign_in(client, alice)
    twice = {
        "types-1-code": code,
        "types-1-name": "Twin",
        "types-1-price": "1",
        "types-1-capacity": "5",
        "types-1-per_booking": "1",
    }
    assert (await client.post(f"/manager/events/{event.slug}/edit", data=typed(types_0_code=code, **twice))).status_code == 303
    async with reading() as db:
        assert [kind.name for kind in await queries.ticket_types(db, event.id)] == ["Stalls", "Twin"]


@pytest.mark.asvs("V8.4.1")
async def test_a_strangers_event_does_not_exist(client: Client, sign_in: SignIn) -> None:
    async with writing() as tx:
        mallory = await world.mallory(tx)
        draft = await world.event(tx, state="draft", published_at=None)
        public = await world.event(tx, title="Public")
    await sign_in(client, mallory)
    for path in ("", "/edit", "/call-off"):
        assert (await client.get(f"/manager/events/{public.slug}{path}")).status_code == 404
    for event, path in ((draft, "/edit"), (draft, "/submit"), (draft, "/delete"), (public, "/edit"), (public, "/call-off")):
        assert (await client.post(f"/manager/events/{event.slug}{path}", data=typed(reason="Mine now"))).status_code == 404
    assert "Public" not in (await client.get("/manager/events?all=1")).text
    async with reading() as db:
        assert {event.state for event in (await db.exec(select(Event))).all()} == {"draft", "published"}


async def test_an_admin_opens_every_managers_event(client: Client, sign_in: SignIn) -> None:
    async with writing() as tx:
        dora, event = await world.dora(tx), await world.event(tx)
    await sign_in(client, dora)
    assert (await client.get(f"/manager/events/{event.slug}")).status_code == 200
    assert "Nine Pianos" not in (await client.get("/manager/events")).text
    assert "Nine Pianos" in (await client.get("/manager/events?all=1")).text
