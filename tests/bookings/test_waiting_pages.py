"""The waiting list on pages: the box of a sold-out event, the place in line, and the manager's desk."""

import csv
import io
import re
from collections.abc import Awaitable, Callable

import httpx
import pytest
from sqlmodel import select

from app.accounts.models import User
from app.bookings import flows, queries
from app.bookings.models import WaitingEntry
from app.core.activity import Activity
from app.core.db import reading, writing
from app.events.models import Event
from tests import world
from tests.bookings.test_wait import gives_back, kind_of, line_of, offers_of, sold_out, waits
from tests.reading import words

SignIn = Callable[[httpx.AsyncClient, User], Awaitable[None]]

# These pages need no second database: what the database decides is tested beside.
pytestmark = pytest.mark.usefixtures("sqlite_database")


async def wish(event: Event, **more: str) -> dict[str, str]:
    return {"type": (await kind_of(event)).code, "email": "carol@example.com", "places": "1"} | more


async def person(name: str) -> User:
    async with writing() as tx:
        found: User = await getattr(world, name)(tx)
        return found


async def entry_of(email: str) -> WaitingEntry:
    async with reading() as db:
        return (await db.exec(select(WaitingEntry).where(WaitingEntry.email == email))).one()


# ---------- whoever waits ----------


async def test_a_sold_out_event_shows_the_line_instead_of_the_picker(client: httpx.AsyncClient) -> None:
    event, _booking = await sold_out()
    page = (await client.get(f"/events/{event.slug}")).text
    assert "Sold out, but keep a place in line" in page and "waiting-list" in page
    assert f'action="/events/{event.slug}/hold"' not in page
    names = re.findall(r'<input[^>]* name="([^"]+)"', page.partition('id="wait"')[2].partition("</form>")[0])
    assert dict.fromkeys(names) == dict.fromkeys(["type", "email", "places"])


async def test_whoever_was_a_moment_too_late_hears_that_and_can_wait(client: httpx.AsyncClient) -> None:
    """The page of before was open while the last place went."""
    event, _booking = await sold_out()
    kind = await kind_of(event)
    answer = await client.post(f"/events/{event.slug}/hold", data={f"q-{kind.code}": "1"})
    assert answer.status_code == 409
    assert "just sold out" in answer.text and "Join waiting list" in answer.text


async def test_an_event_that_is_not_sold_out_has_no_line(client: httpx.AsyncClient) -> None:
    async with writing() as tx:
        event = await world.event(tx, capacity=5)
    assert "Join waiting list" not in (await client.get(f"/events/{event.slug}")).text
    answer = await client.post(f"/events/{event.slug}/waiting-list", data=await wish(event))
    assert answer.status_code == 409 and "is not sold out" in answer.text
    assert await line_of(event) == []


async def test_a_closed_list_is_not_offered(client: httpx.AsyncClient) -> None:
    event, _booking = await sold_out(is_waiting_list_open=False)
    assert "Join waiting list" not in (await client.get(f"/events/{event.slug}")).text
    answer = await client.post(f"/events/{event.slug}/waiting-list", data=await wish(event))
    assert answer.status_code == 409 and "The waiting list is closed." in answer.text


async def test_a_guest_joins_with_one_field_and_learns_how_many_are_before(client: httpx.AsyncClient) -> None:
    event, _booking = await sold_out()
    await waits(event, "dave")
    answer = await client.post(f"/events/{event.slug}/waiting-list", data=await wish(event))
    assert (answer.status_code, answer.headers["location"]) == (303, f"/events/{event.slug}")
    assert await line_of(event) == [("dave", "waiting"), ("carol", "waiting")]
    page = words((await client.get(f"/events/{event.slug}")).text)
    assert "You are in line. At most one person gets a turn before you." in page


async def test_a_stranger_cannot_ask_whether_an_address_waits(client: httpx.AsyncClient) -> None:
    """The answer about Dave, who waits since yesterday, is the one about somebody new; and his code is not in it."""
    event, _booking = await sold_out()
    dave = await waits(event, "dave")
    said = []
    for email in ("carol@example.com", "dave@example.com"):
        answer = await client.post(f"/events/{event.slug}/waiting-list", data=await wish(event, email=email))
        page = await client.get(f"/events/{event.slug}")
        assert dave.code not in answer.text + page.text + str(answer.headers)
        said.append((answer.status_code, answer.headers["location"], "At most one person gets a turn" in page.text))
    assert said[0] == said[1]


@pytest.mark.parametrize("wrong", [{"email": "carol at example"}, {"places": "0"}, {"places": "21"}, {"type": "nothing"}])
async def test_a_wish_that_cannot_be_is_said_and_kept(client: httpx.AsyncClient, wrong: dict[str, str]) -> None:
    event, _booking = await sold_out()
    answer = await client.post(f"/events/{event.slug}/waiting-list", data=await wish(event, **wrong))
    assert answer.status_code == 422 and 'id="errors"' in answer.text
    assert f'value="{wrong.get("email", "carol@example.com")}"' in answer.text
    assert await line_of(event) == []


async def test_mails_to_one_address_are_limited(client: httpx.AsyncClient) -> None:
    event, _booking = await sold_out()
    sent = await wish(event)
    statuses = [(await client.post(f"/events/{event.slug}/waiting-list", data=sent)).status_code for _time in range(6)]
    assert statuses == [303] * 5 + [429]


async def test_carol_who_is_signed_in_sees_her_place_and_leaves(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    event, _booking = await sold_out()
    await waits(event, "dave")
    carol = await person("carol")
    await sign_in(client, carol)
    assert "We write to" in (await client.get(f"/events/{event.slug}")).text
    answer = await client.post(f"/events/{event.slug}/waiting-list", data=await wish(event, email="other@example.com"))
    entry = await entry_of("carol@example.com")
    assert (answer.headers["location"], entry.user_id) == (f"/waiting-list/{entry.code}", carol.id)
    assert "You are number 2 in line" in (await client.get(f"/waiting-list/{entry.code}")).text
    assert (await client.post(f"/waiting-list/{entry.code}/leave")).status_code == 303
    assert "You are not in line any more" in (await client.get(f"/waiting-list/{entry.code}")).text
    assert (await client.post(f"/waiting-list/{entry.code}/leave")).status_code == 409


async def test_the_link_leads_to_the_offer_and_says_until_when(client: httpx.AsyncClient) -> None:
    event, booking = await sold_out()
    entry = await waits(event, "carol")
    await gives_back(booking)
    await flows.pass_on()
    page = (await client.get(f"/waiting-list/{entry.code}")).text
    link = re.search(r'href="(/bookings/[^"]+)"', page)
    assert "It is your turn" in page and link
    offer = words((await client.get(link[1])).text)
    assert "Offered to you until" in offer and "Leave them to the next" in offer
    assert (await client.post(f"{link[1]}/release")).status_code == 303
    assert "go to the next in line" in words((await client.get(link[1])).text)


async def test_an_offer_stands_among_my_presales(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    event, booking = await sold_out()
    carol = await person("carol")
    await sign_in(client, carol)
    await client.post(f"/events/{event.slug}/waiting-list", data=await wish(event))
    await gives_back(booking)
    await flows.pass_on()
    assert "From the waiting list" in (await client.get("/me/presales")).text


async def test_some_types_are_sold_out_and_others_are_not(client: httpx.AsyncClient) -> None:
    event, _booking = await sold_out()
    async with writing() as tx:
        await world.ticket_type(tx, event, name="Balcony", capacity=10)
    page = (await client.get(f"/events/{event.slug}")).text
    assert f'action="/events/{event.slug}/hold"' in page and f'action="/events/{event.slug}/waiting-list"' in page


# ---------- its manager ----------


async def test_alice_sees_who_waits_in_which_order(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    event, _booking = await sold_out()
    await waits(event, "dave", 2)
    await waits(event, "carol")
    await sign_in(client, await person("alice"))
    page = words((await client.get(f"/manager/events/{event.slug}/waiting-list")).text)
    assert page.index("dave@example.com") < page.index("carol@example.com")
    assert "for 3 places" in page
    file = await client.get(f"/manager/events/{event.slug}/waiting-list.csv")
    rows = list(csv.reader(io.StringIO(file.content.decode("utf-8-sig"))))
    assert [row[1:4] for row in rows[1:]] == [["1", "dave@example.com", "2"], ["2", "carol@example.com", "1"]]


async def test_alice_adds_places_and_the_first_have_an_offer_at_once(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    event, _booking = await sold_out()
    await waits(event, "dave")
    await waits(event, "carol")
    await sign_in(client, await person("alice"))
    kind = await kind_of(event)
    where = f"/manager/events/{event.slug}/waiting-list/{kind.code}/add"
    assert (await client.post(where, data={"places": "0"})).status_code == 422
    assert (await client.post(where, data={"places": "1"})).status_code == 303
    assert await offers_of(event) == [("dave", 1, "held")]
    assert (await kind_of(event)).capacity == 3
    page = words((await client.get(f"/manager/events/{event.slug}/waiting-list")).text)
    assert "1 person has an offer now." in page and "Offered now" in page


async def test_alice_offers_what_is_free_now(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    event, booking = await sold_out()
    await waits(event, "dave")
    await gives_back(booking)
    await sign_in(client, await person("alice"))
    await client.post(f"/manager/events/{event.slug}/waiting-list/offer")
    assert await offers_of(event) == [("dave", 1, "held")]


async def test_alice_closes_the_list_and_says_how_long_offers_last(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    event, _booking = await sold_out()
    await waits(event, "dave")
    await sign_in(client, await person("alice"))
    where = f"/manager/events/{event.slug}/waiting-list"
    assert (await client.post(where, data={"hours": "169", "do": "open"})).status_code == 422
    await client.post(where, data={"hours": "3", "do": "close"})
    async with reading() as db:
        present = await db.get_one(Event, event.id)
    assert (present.is_waiting_list_open, present.offer_hours) == (False, 3)
    assert await line_of(event) == [("dave", "waiting")]
    await client.post(where, data={"hours": "3", "do": "open"})
    assert "Join waiting list" in (await client.get(f"/events/{event.slug}")).text


async def test_an_admin_who_looks_is_noted(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    event, _booking = await sold_out()
    await sign_in(client, await person("dora"))
    await client.get(f"/manager/events/{event.slug}/waiting-list")
    async with reading() as db:
        looks = (await db.exec(select(Activity).where(Activity.kind == "admin.looked"))).all()
    assert [look.details["page"] for look in looks] == ["waiting"]


async def test_a_type_that_was_waited_for_cannot_be_removed(client: httpx.AsyncClient) -> None:
    event, _booking = await sold_out()
    async with writing() as tx:
        balcony = await world.ticket_type(tx, event, name="Balcony", capacity=1)
        since = event.created_at
        tx.add(WaitingEntry(event_id=event.id, ticket_type_id=balcony.id, email="x@example.com", qty=1, created_at=since))
    async with reading() as db:
        assert balcony.id in await queries.booked_types(db, event.id or 0)
