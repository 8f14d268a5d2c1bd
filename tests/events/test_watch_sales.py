"""The sales page of an event: what is free, held and sold, the codes of the pre-sale, and places between the two sales."""

import re
from datetime import timedelta
from typing import Any

import httpx
import pytest
import time_machine
from sqlmodel import col, select, update

from app.accounts.models import User
from app.bookings import actions, queries
from app.bookings.models import AccessCode
from app.core import clock
from app.core.db import reading, writing
from app.events.models import Event, TicketType
from app.tickets.actions import settle
from tests import world
from tests.bookings.test_pages import account, known
from tests.events.forms import propose, typed
from tests.reading import words

pytestmark = pytest.mark.usefixtures("moment")


async def early(*, places: int | None = 60, **overrides: Any) -> tuple[Event, TicketType]:
    """Alice's event of a hundred places, whose pre-sale opened an hour ago and whose general sale opens in a week."""
    now = clock.now()
    async with writing() as tx:
        event = await world.event(tx, **overrides)
        kind = await world.only_type(tx, event)
        kind.presale_from, kind.sale_from, kind.presale_places = now - timedelta(hours=1), now + timedelta(days=7), places
    return event, kind


async def booked(event: Event, kind: TicketType, user: User, qty: int, code: str = "") -> Any:
    async with writing() as tx:
        wanted = {kind.id or 0: qty}
        return await actions.hold(tx, event, wanted, by=account(user), access_code=code, now=clock.now())


async def fresh(kind: TicketType) -> TicketType:
    async with reading() as db:
        return await db.get_one(TicketType, kind.id)


async def said(client: httpx.AsyncClient, event: Event) -> str:
    answer = await client.get(f"/manager/events/{event.slug}/sales")
    assert answer.status_code == 200
    return words(answer.text)


async def does(client: httpx.AsyncClient, event: Event, kind: TicketType, verb: str, **fields: str) -> httpx.Response:
    data = {f"t0-{name}": value for name, value in fields.items()}
    return await client.post(f"/manager/events/{event.slug}/sales/{kind.code}/{verb}", data=data)


@pytest.fixture
async def alices(client: httpx.AsyncClient, sign_in: Any) -> httpx.AsyncClient:
    async with writing() as tx:
        await world.category(tx)
    await sign_in(client, await known("alice"))
    return client


async def test_it_counts_what_is_free_held_and_sold_and_what_of_it_is_of_the_presale(alices: httpx.AsyncClient) -> None:
    event, kind = await early()
    await booked(event, kind, await known("bob"), 3)
    paid = await booked(event, kind, await known("carol"), 2)
    async with writing() as tx:
        await settle(tx, paid, now=clock.now())
    shown = await said(alices, event)
    assert "Places left 95 of 100 Held 3 3 in the pre-sale Sold 2 2 in the pre-sale Pre-sale 5 of 60" in shown
    assert "Open now" in shown
    assert "The pre-sale has 55 places that nobody has taken. 40 places wait for the general sale." in shown


async def test_a_type_without_a_presale_shows_only_its_general_sale(alices: httpx.AsyncClient) -> None:
    async with writing() as tx:
        event = await world.event(tx)
    shown = await said(alices, event)
    assert "Places left 100 of 100 Held 0 Sold 0 General sale" in shown
    assert "Access codes" not in shown and "Move places" not in shown


async def test_an_event_without_types_says_what_to_do(alices: httpx.AsyncClient) -> None:
    async with writing() as tx:
        event = await world.event(tx, state="draft", published_at=None)
        await tx.delete(await world.only_type(tx, event))
    assert "No ticket types yet" in await said(alices, event)


async def test_a_code_for_many_is_shared_and_withdrawn(alices: httpx.AsyncClient) -> None:
    event, kind = await early()
    answer = await does(alices, event, kind, "share", word=" friends ", max_uses="20")
    assert answer.headers["location"] == f"/manager/events/{event.slug}/sales#type-{kind.code}"
    await booked(event, kind, await known("bob"), 1, "friends")
    shown = await said(alices, event)
    assert "The pre-sale opens only with a code." in shown
    assert "FRIENDS 1 of 20 bookings" in shown
    await does(alices, event, kind, "withdraw", word="FRIENDS")
    assert "FRIENDS" not in await said(alices, event)
    assert (await fresh(kind)).needs_code, "without any code left nobody books, until the manager makes one or unticks the box"


async def test_codes_for_one_booking_are_made_seen_and_downloaded(alices: httpx.AsyncClient) -> None:
    event, kind = await early()
    await does(alices, event, kind, "codes", codes="5")
    async with reading() as db:
        found = [code.code for code in await queries.single_codes(db, kind.id or 0)]
    await booked(event, kind, await known("bob"), 1, found[0])
    assert "5 codes for one booking each See and print" in (shown := await said(alices, event))
    assert "See and print · Download as CSV 1 of 5 bookings" in shown
    address = f"/manager/events/{event.slug}/sales/{kind.code}/codes"
    printed = words((await alices.get(address)).text)
    assert all(code in printed for code in found)
    assert printed.count(" used") == 1
    file = await alices.get(f"{address}.csv")
    assert file.headers["content-type"] == "text/csv; charset=utf-8"
    assert f'filename="{event.slug}-codes.csv"' in file.headers["content-disposition"]
    rows = file.content.decode("utf-8-sig").splitlines()
    assert rows[0] == '"Code","Ticket type","State","Link"'
    assert rows[1] == f'"{found[0]}","Standard","used","http://testserver.local/events/{event.slug}?code={found[0]}"'
    assert len(rows) == 6
    await does(alices, event, kind, "withdraw")
    assert "1 code for one booking" in await said(alices, event)


async def test_a_link_with_a_code_opens_the_presale(client: httpx.AsyncClient, sign_in: Any) -> None:
    event, kind = await early()
    await sign_in(client, await known("alice"))
    await does(client, event, kind, "codes", codes="1")
    async with reading() as db:
        (code,) = (await db.exec(select(AccessCode.code))).all()
    client.cookies.clear()
    assert 'type="radio"' not in (await client.get(f"/events/{event.slug}")).text
    assert 'type="radio"' in (await client.get(f"/events/{event.slug}?code={code}")).text


@pytest.mark.asvs("V1.3.3")
async def test_no_cell_of_the_file_is_a_formula(alices: httpx.AsyncClient) -> None:
    event, kind = await early()
    await does(alices, event, kind, "share", word='=HYPERLINK("x")', max_uses="1")
    async with writing() as tx:
        await tx.exec(update(TicketType).values(name="@SUM(A1)"))
    file = await alices.get(f"/manager/events/{event.slug}/sales/{kind.code}/codes.csv")
    assert file.content.decode("utf-8-sig").splitlines()[1].startswith('"\'=HYPERLINK(""X"")","\'@SUM(A1)","unused","http')


async def test_places_move_to_the_general_sale_and_back(alices: httpx.AsyncClient) -> None:
    event, kind = await early()
    for to, places, left in (("general", "10", 50), ("presale", "5", 55), ("general", "", 0)):
        assert (await does(alices, event, kind, "move", to=to, places=places)).status_code == 303
        assert (await fresh(kind)).presale_places == left


async def test_the_general_sale_opens_now_or_at_another_minute(alices: httpx.AsyncClient, moment: time_machine.Traveller) -> None:
    event, kind = await early()
    await does(alices, event, kind, "open", at="2026-11-25T10:00")
    # Ten o'clock in Rome.
    assert (await fresh(kind)).sale_from == clock.now().replace(day=25, hour=9)
    await does(alices, event, kind, "open", do="now", at="nonsense")
    assert (await fresh(kind)).is_in_general_sale(clock.now())
    shown = await said(alices, event)
    assert "Open it now" not in shown and "Make the codes" not in shown


@pytest.mark.parametrize(
    ("verb", "fields", "sentence"),
    [
        ("share", {}, "Enter the code"),
        ("share", {"word": "X", "max_uses": "0"}, "Enter a number from 1 to 1,000,000"),
        ("share", {"word": "X" * 41}, "Use 40 characters or fewer."),
        ("codes", {}, "Enter a number from 1 to 500"),
        ("codes", {"codes": "501"}, "Enter a number from 1 to 500"),
        ("codes", {"codes": "-1"}, "Enter a number from 1 to 500"),
        ("move", {"places": "1"}, "Choose which sale gets the places"),
        ("move", {"places": "61", "to": "general"}, "The pre-sale of Standard has 60 places to move."),
        ("withdraw", {"word": "NEVER"}, "That code was withdrawn before."),
        ("open", {}, "Enter when the general sale opens"),
        ("open", {"at": "soon"}, "Enter a date and a time such as 2026-12-12 20:30"),
        ("open", {"at": "2026-11-15T10:00"}, "Choose a moment in the future for Standard."),
    ],
)
async def test_what_is_wrong_is_said_and_nothing_changes(
    alices: httpx.AsyncClient, verb: str, fields: dict[str, str], sentence: str
) -> None:
    event, kind = await early()
    answer = await does(alices, event, kind, verb, **fields)
    assert answer.status_code == 422
    assert sentence in words(answer.text)
    after = await fresh(kind)
    assert (after.presale_places, after.sale_from, after.needs_code) == (kind.presale_places, kind.sale_from, False)
    async with reading() as db:
        assert (await db.exec(select(AccessCode))).all() == []


@pytest.mark.parametrize("state", ["submitted", "called_off"])
async def test_an_event_that_waits_or_is_called_off_is_only_looked_at(alices: httpx.AsyncClient, state: str) -> None:
    event, kind = await early(state=state)
    assert "Make the codes" not in await said(alices, event)
    answer = await does(alices, event, kind, "codes", codes="1")
    assert answer.status_code == 422
    assert "This event cannot be changed now." in words(answer.text)


async def test_a_type_of_another_event_is_not_there(alices: httpx.AsyncClient) -> None:
    event, _kind = await early()
    _other, foreign = await early(title="Other Evening", manager=await known("mallory"))
    assert (await does(alices, event, foreign, "codes", codes="1")).status_code == 404
    assert (await alices.get(f"/manager/events/{event.slug}/sales/{foreign.code}/codes.csv")).status_code == 404


@pytest.mark.asvs("V8.4.1")
async def test_another_manager_sees_and_changes_nothing(client: httpx.AsyncClient, sign_in: Any) -> None:
    event, kind = await early()
    await sign_in(client, await known("mallory"))
    assert (await client.get(f"/manager/events/{event.slug}/sales")).status_code == 404
    assert (await does(client, event, kind, "move", to="general")).status_code == 404
    assert (await fresh(kind)).presale_places == 60


# ---------- what stands in the event's form ----------


def presale_form(**fields: str) -> dict[str, str]:
    return {"types_0_presale_from": "2026-11-20T10:00", "types_0_sale_from": "2026-11-24T10:00", **fields}


async def proposed(client: httpx.AsyncClient, **fields: str) -> tuple[Event, TicketType]:
    answer = await propose(client, **presale_form(**fields))
    assert answer.status_code == 303, words(answer.text)
    async with reading() as db:
        event = (await db.exec(select(Event).order_by(col(Event.id).desc()).limit(1))).one()
        return event, await world.only_type(db, event)


async def test_the_form_keeps_a_presale_closed_that_has_only_codes_for_one_booking(alices: httpx.AsyncClient) -> None:
    event, kind = await proposed(alices)
    assert not kind.needs_code
    await does(alices, event, kind, "codes", codes="2")
    address = f"/manager/events/{event.slug}/types/{kind.code}"
    html = (await alices.get(address)).text
    assert re.search(r'<input[^>]*\bchecked\b[^>]*name="needs_code"', html)
    edited = typed("type", **presale_form(types_0_name="Another name", types_0_needs_code="y"))
    assert (await alices.post(address, data=edited)).status_code == 303
    assert (await fresh(kind)).needs_code
    assert "2 codes for one booking each" in await said(alices, event)
    edited.pop("needs_code")
    await alices.post(address, data=edited)
    assert not (await fresh(kind)).needs_code


async def test_the_form_asks_for_the_limit_of_the_presale(alices: httpx.AsyncClient) -> None:
    event, _kind = await proposed(alices, per_buyer="4", presale_per_buyer="2")
    assert event.presale_per_buyer == 2
    assert (
        'name="presale_per_buyer" type="number" value="2"'
        in (await alices.get(f"/manager/events/{event.slug}/edit/tickets")).text
    )
    assert "Most tickets per buyer in the pre-sale 2" in words((await alices.get(f"/manager/events/{event.slug}")).text)
    answer = await propose(alices, **presale_form(per_buyer="4", presale_per_buyer="5"))
    assert "The pre-sale cannot allow a buyer more tickets than the event does" in words(answer.text)


async def test_a_draft_is_deleted_with_its_codes(alices: httpx.AsyncClient) -> None:
    event, kind = await proposed(alices)
    await does(alices, event, kind, "codes", codes="2")
    assert (await alices.post(f"/manager/events/{event.slug}/delete")).status_code == 303


# ---------- what buyers read ----------


async def test_the_picker_says_until_when_places_are_kept_and_how_many_a_buyer_gets(client: httpx.AsyncClient) -> None:
    event, _kind = await early(presale_hours=48, presale_per_buyer=2)
    shown = words((await client.get(f"/events/{event.slug}")).text)
    assert "Pre-sale until Mon 23 Nov, 13:00" in shown
    assert "Booked now, they stay yours until Wednesday 18 November 2026, 13:00." in shown
    assert "Each buyer gets 2 tickets in the pre-sale at most." in shown


async def test_the_code_is_not_lost_on_the_way_through_the_login(client: httpx.AsyncClient) -> None:
    event, kind = await early()
    async with writing() as tx:
        tx.add(AccessCode(ticket_type_id=kind.id or 0, code="FRIENDS OF US"))
        await tx.exec(update(TicketType).where(col(TicketType.id) == kind.id).values(needs_code=True))
    html = (await client.get(f"/events/{event.slug}", params={"code": "friends of us"})).text
    (address,) = re.findall(r'href="(/login\?next=[^"]+)"', html)
    login = (await client.get(address)).text
    assert f'value="/events/{event.slug}?code=FRIENDS%20OF%20US"' in login


async def test_a_locked_presale_says_how_it_opens_and_when_everybody_may_buy(client: httpx.AsyncClient) -> None:
    event, kind = await early()
    async with writing() as tx:
        await tx.exec(update(TicketType).where(col(TicketType.id) == kind.id).values(needs_code=True))
    shown = words((await client.get(f"/events/{event.slug}")).text)
    assert "Pre-sale, needs a code General sale Mon 23 Nov, 13:00" in shown
    assert "The pre-sale opens with an access code." in shown


async def test_a_full_presale_says_when_the_general_sale_opens(client: httpx.AsyncClient) -> None:
    event, kind = await early(places=2)
    await booked(event, kind, await known("bob"), 2)
    shown = words((await client.get(f"/events/{event.slug}")).text)
    assert "Pre-sale full On sale Mon 23 Nov, 13:00" in shown
    assert "Sold out" not in shown
