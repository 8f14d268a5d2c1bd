"""Changing an event: guarded by what is sold, by the first booking, and by whose event it is."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import update
from sqlmodel import col, select

from app.accounts.models import User
from app.core import clock
from app.core.activity import Activity
from app.core.db import reading, writing
from app.core.errors import Refused
from app.events import queries
from app.events.actions import revising, ticket_types
from app.events.models import Event, TicketType
from app.events.rules.proposing import Place
from tests import world
from tests.events.forms import revise, type_wish, typed

Client = httpx.AsyncClient
SignIn = Callable[[Client, Any], Awaitable[None]]
pytestmark = pytest.mark.usefixtures("moment")


async def trusted_alice(tx: Any) -> User:
    """Alice, whose changes need no review; what waits for one has a file of its own."""
    alice = await world.alice(tx)
    alice.trusted_at = clock.now()
    return alice


async def _sell(tx: Any, event: Event, *, sold: int, held: int = 0) -> None:
    await tx.exec(
        update(TicketType)
        .where(col(TicketType.event_id) == event.id)
        .values(sold=sold, held=held)
        .execution_options(synchronize_session=False)
    )


async def _revise(
    tx: Any, event: Event, section: str = "basics", *, booked: bool = False, place: Place | None = None, **wanted: Any
) -> list[str]:
    by = (await trusted_alice(tx)).id or 0
    return await revising.revise(tx, event, wanted, section=section, place=place, by=by, booked=booked, now=clock.now())


async def _change(tx: Any, event: Event, kind: TicketType, **changes: Any) -> bool:
    by = (await trusted_alice(tx)).id or 0
    return await ticket_types.change_type(tx, event, kind, type_wish(kind, **changes), by=by, now=clock.now())


async def _remove(tx: Any, event: Event, kind: TicketType, *, booked: set[int]) -> None:
    by = (await trusted_alice(tx)).id or 0
    await ticket_types.remove_type(tx, event, kind, booked=booked, by=by, now=clock.now())


@pytest.mark.usefixtures("database")
async def test_capacity_never_falls_below_what_is_held_and_sold() -> None:
    async with writing() as tx:
        event = await world.event(tx, capacity=10)
        await _sell(tx, event, sold=5, held=2)
    async with writing() as tx:
        present = await tx.get_one(Event, event.id)
        assert await _change(tx, present, await world.only_type(tx, event), capacity=7)
    with pytest.raises(Refused, match="7 places of Standard are taken"):
        async with writing() as tx:
            present = await tx.get_one(Event, event.id)
            await _change(tx, present, await world.only_type(tx, event), name="Other", capacity=6)
    async with reading() as db:
        kind = await world.only_type(db, event)
    assert (kind.capacity, kind.name) == (7, "Standard")


@pytest.mark.asvs("V8.2.3")
@pytest.mark.usefixtures("database")
async def test_a_booked_type_stays_and_the_currency_with_it() -> None:
    async with writing() as tx:
        event = await world.event(tx)
        spare = await world.ticket_type(tx, event, name="Spare", position=1)
        first = (await queries.ticket_types(tx, event.id))[0]
        booked = {first.id or 0}
    with pytest.raises(Refused, match="Standard has bookings"):
        async with writing() as tx:
            await _remove(tx, event, first, booked=booked)
    with pytest.raises(Refused, match="currency is fixed"):
        async with writing() as tx:
            await _revise(tx, event, "tickets", currency="CHF", booked=True)
    async with writing() as tx:
        await _remove(tx, event, await tx.get_one(TicketType, spare.id), booked=booked)
        assert spare.name not in [kind.name for kind in await queries.ticket_types(tx, event.id)]


@pytest.mark.usefixtures("database")
async def test_a_type_with_places_held_is_not_removed_even_when_nobody_said_it_was_booked() -> None:
    async with writing() as tx:
        event = await world.event(tx)
        await _sell(tx, event, sold=0, held=1)
    with pytest.raises(Refused, match="has bookings"):
        async with writing() as tx:
            await _remove(tx, event, await world.only_type(tx, event), booked=set())


@pytest.mark.usefixtures("database")
async def test_what_changed_is_written_down_by_name_and_nothing_when_nothing_did() -> None:
    async with writing() as tx:
        event = await world.event(tx)
        assert await _revise(tx, event, title=event.title) == []
        times = {"starts_at": event.starts_at + timedelta(hours=1), "ends_at": event.ends_at + timedelta(hours=1)}
        changed = await _revise(tx, event, place=Place("Folk Club", "", "Turin"), **times)
    assert set(changed) == {"starts_at", "ends_at", "venue"}
    async with reading() as db:
        rows = (await db.exec(select(Activity).where(Activity.kind == "event.revised"))).all()
        assert "folk club" in await world.words_of(db, event.title)
    assert [set(row.details["changed"]) for row in rows] == [{"starts_at", "ends_at", "venue"}]
    assert event.version == 2


@pytest.mark.usefixtures("database")
async def test_a_sale_that_ends_when_the_event_starts_moves_with_it() -> None:
    async with writing() as tx:
        event = await world.event(tx)
        later = event.starts_at + timedelta(days=3)
        kind = await world.only_type(tx, event)
        await _change(tx, event, kind, sale_to=event.starts_at)
        fixed = await world.ticket_type(tx, event, name="Early", position=1, sale_to=event.starts_at - timedelta(days=9))
        await _revise(tx, event, starts_at=later, ends_at=later + timedelta(hours=3))
    async with reading() as db:
        moved, stayed = await queries.ticket_types(db, event.id)
    assert (moved.sale_to, stayed.sale_to) == (later, fixed.sale_to)


@pytest.mark.usefixtures("database")
async def test_a_start_before_the_sale_is_refused_in_words() -> None:
    async with writing() as tx:
        event = await world.event(tx)
        kind = await world.only_type(tx, event)
        await _change(tx, event, kind, sale_from=event.starts_at - timedelta(days=2), sale_to=event.starts_at)
    with pytest.raises(Refused, match="Standard would go on sale after the event has begun"):
        async with writing() as tx:
            await _revise(tx, event, starts_at=event.starts_at - timedelta(days=3))


@pytest.mark.usefixtures("database")
async def test_prices_keep_their_amount_in_another_currency() -> None:
    async with writing() as tx:
        event = await world.event(tx, price_minor=1800)
        await _revise(tx, event, "tickets", currency="JPY")
        assert (await world.only_type(tx, event)).price_minor == 18
        await _revise(tx, event, "tickets", currency="EUR")
        kind = await world.only_type(tx, event)
        assert kind.price_minor == 1800
        await _change(tx, event, kind, price_minor=1850)
    with pytest.raises(Refused, match="has decimals, and JPY has none"):
        async with writing() as tx:
            await _revise(tx, event, "tickets", currency="JPY")


@pytest.mark.parametrize("state", ["submitted", "called_off"])
async def test_some_states_cannot_be_changed(client: Client, sign_in: SignIn, state: str) -> None:
    async with writing() as tx:
        alice, event = await trusted_alice(tx), await world.event(tx, state=state)
    await sign_in(client, alice)
    for path in ("edit", "edit/basics", "types/new"):
        assert (await client.get(f"/manager/events/{event.slug}/{path}")).status_code == 409
    for section in ("basics", "tickets", "page", "access", "type"):
        assert (await revise(client, event.slug, section)).status_code == 409


async def test_the_form_shows_the_event_and_saves_it(client: Client, sign_in: SignIn) -> None:
    async with writing() as tx:
        alice, event = await trusted_alice(tx), await world.event(tx)
        code = (await world.only_type(tx, event)).code
    await sign_in(client, alice)
    shown = [await client.get(f"/manager/events/{event.slug}/{path}") for path in ("edit/basics", f"types/{code}")]
    for value in ('value="Nine Pianos"', 'value="2026-12-14T13:00"', 'value="18.00"', "Teatro Baretti"):
        assert value in "".join(page.text for page in shown), value
    assert (await revise(client, event.slug, "basics", title="Ten Pianos")).status_code == 303
    assert (await client.post(f"/manager/events/{event.slug}/types/{code}", data=typed("type"))).status_code == 303
    async with reading() as db:
        kind = await world.only_type(db, event)
        saved = await queries.by_slug(db, event.slug)
        assert saved
        assert (saved.title, kind.code, kind.price_minor) == ("Ten Pianos", code, 1850)


async def test_a_refusal_from_below_shows_the_form_again(client: Client, sign_in: SignIn) -> None:
    async with writing() as tx:
        alice, event = await trusted_alice(tx), await world.event(tx, capacity=100)
        code = (await world.only_type(tx, event)).code
        await _sell(tx, event, sold=50)
    await sign_in(client, alice)
    answer = await client.post(f"/manager/events/{event.slug}/types/{code}", data=typed("type", types_0_capacity="49"))
    assert answer.status_code == 422
    assert "50 places of Standard are taken" in answer.text
    assert 'value="49"' in answer.text


async def test_an_approved_event_stays_complete(client: Client, sign_in: SignIn) -> None:
    async with writing() as tx:
        alice, event = await trusted_alice(tx), await world.event(tx)
    await sign_in(client, alice)
    basics = await revise(client, event.slug, "basics", summary="", venue="", city="")
    page = await revise(client, event.slug, "page", description="")
    assert (basics.status_code, page.status_code) == (422, 422)
    for sentence in ("Enter a summary", "Enter the venue"):
        assert sentence in basics.text
    assert "Enter a description" in page.text


async def test_a_date_that_has_passed_is_a_mistake_and_one_that_stands_there_already_is_not(
    client: Client, sign_in: SignIn
) -> None:
    async with writing() as tx:
        alice = await trusted_alice(tx)
        begun = await world.event(tx, starts_at=clock.now() - timedelta(hours=1), ends_at=clock.now() + timedelta(hours=2))
    await sign_in(client, alice)
    there = {"starts": "2026-11-16T12:00", "ends": "2026-11-16T15:00"}
    assert (await revise(client, begun.slug, "basics", **there, summary="It has begun.")).status_code == 303
    assert "Starts must be in the future" in (await revise(client, begun.slug, "basics", starts="2026-11-16T11:00")).text


@pytest.mark.asvs("V8.4.1")
async def test_a_strangers_event_does_not_exist(client: Client, sign_in: SignIn) -> None:
    async with writing() as tx:
        mallory = await world.mallory(tx)
        draft = await world.event(tx, state="draft", published_at=None)
        public = await world.event(tx, title="Public")
    await sign_in(client, mallory)
    for path in ("", "/edit", "/edit/basics", "/types/new", "/call-off"):
        assert (await client.get(f"/manager/events/{public.slug}{path}")).status_code == 404
    sent = {"reason": "Mine now", **typed("basics")}
    for event, path in (
        (draft, "/edit/basics"),
        (draft, "/submit"),
        (draft, "/delete"),
        (public, "/edit/page"),
        (public, "/call-off"),
    ):
        assert (await client.post(f"/manager/events/{event.slug}{path}", data=sent)).status_code == 404
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
