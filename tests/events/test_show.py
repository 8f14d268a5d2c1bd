"""The event page: what it says in each state, and how places are chosen and held from it."""

import json
import re
from datetime import timedelta
from typing import Any

import httpx
import pytest
import time_machine
from sqlmodel import col, select, update

from app.accounts.models import Visitor
from app.bookings import actions as bookings
from app.bookings.models import Booking
from app.core import clock
from app.core.db import reading, writing
from app.events.models import Event, TicketType
from tests import world
from tests.reading import words

# The clock stands still on a Monday at noon.
pytestmark = pytest.mark.usefixtures("moment")

PART = {"HX-Request": "true", "HX-Request-Type": "partial"}


async def an_event(*, kind: dict[str, Any] | None = None, **overrides: Any) -> tuple[Event, TicketType]:
    """An event on sale with one ticket type; `kind` are columns of that type."""
    async with writing() as tx:
        event = await world.event(tx, **overrides)
        if kind:
            await tx.exec(update(TicketType).where(col(TicketType.event_id) == event.id).values(**kind))
        return event, await world.only_type(tx, event)


def before_the_sale(**more: Any) -> dict[str, Any]:
    return {"sale_from": clock.now() + timedelta(days=1), **more}


def in_presale(**more: Any) -> dict[str, Any]:
    return before_the_sale(presale_from=clock.now() - timedelta(hours=1), **more)


async def picker(client: httpx.AsyncClient, event: Event) -> str:
    answer = await client.get(f"/events/{event.slug}", headers=PART)
    assert answer.status_code == 200
    return words(answer.text)


async def page(client: httpx.AsyncClient, event: Event) -> str:
    answer = await client.get(f"/events/{event.slug}")
    assert answer.status_code == 200
    return words(answer.text)


async def held(event: Event, kind: TicketType, qty: int, *, key: str = "carols-browser") -> Booking:
    async with writing() as tx:
        return await bookings.hold(tx, event, {kind.id or 0: qty}, by=Visitor(key=key), now=clock.now())


# ---------- what it says ----------


async def test_an_open_event_says_price_time_and_place(client: httpx.AsyncClient) -> None:
    event, _kind = await an_event(doors_at=clock.now() + timedelta(days=27, hours=23))
    said = await page(client, event)
    for fact in (
        "Nine Pianos",
        "Monday 14 December 2026, 13:00",
        "Doors 12:00",
        "Teatro Baretti",
        "Turin",
        "€18",
        "Choose tickets",
    ):
        assert fact in said, fact
    assert "No account needed. We hold your tickets for 15 minutes." in said
    assert " left" not in await picker(client, event)


async def test_the_last_places_are_counted(client: httpx.AsyncClient) -> None:
    event, kind = await an_event(capacity=30, per_buyer=50)
    await held(event, kind, 6)
    assert " left" not in await picker(client, event)
    await held(event, kind, 6, key="daves-browser")
    assert "18 left" in await picker(client, event)


async def test_nobody_can_choose_more_than_are_left(client: httpx.AsyncClient) -> None:
    event, kind = await an_event(capacity=8)
    await held(event, kind, 5)
    html = (await client.get(f"/events/{event.slug}")).text
    assert re.findall(rf'name="q-{kind.code}" value="(\d+)"', html) == ["0", "1", "2", "3"]


async def test_a_sold_out_event_says_so_and_offers_nothing(client: httpx.AsyncClient) -> None:
    event, kind = await an_event(capacity=2)
    await held(event, kind, 2)
    html = (await client.get(f"/events/{event.slug}")).text
    assert "Sold out" in words(html)
    assert f"q-{kind.code}" not in html
    assert "Continue" not in await picker(client, event)


async def test_places_that_are_only_held_come_back_and_it_says_when(
    client: httpx.AsyncClient, moment: time_machine.Traveller
) -> None:
    event, kind = await an_event(capacity=2, is_waiting_list_open=False)
    await held(event, kind, 2)
    moment.shift(timedelta(minutes=4))
    assert "All held, look again in 11 minutes" in await page(client, event)
    async with writing() as tx:
        await tx.exec(update(TicketType).values(held=0, sold=2))
    assert "All held" not in await page(client, event)
    assert "Sold out" in await picker(client, event)


async def test_before_the_sale_it_says_when_it_opens(client: httpx.AsyncClient) -> None:
    event, _kind = await an_event(kind=before_the_sale())
    said = await picker(client, event)
    assert "Not on sale yet" in said
    assert "On sale Tue 17 Nov, 13:00" in said
    assert "Continue" not in said


async def test_before_the_presale_it_says_when_that_opens(client: httpx.AsyncClient) -> None:
    event, _kind = await an_event(kind=before_the_sale(presale_from=clock.now() + timedelta(hours=2)))
    assert "Pre-sale opens Mon 16 Nov, 15:00" in await picker(client, event)


async def test_a_client_learns_that_the_presale_needs_an_account(client: httpx.AsyncClient) -> None:
    event, _kind = await an_event(kind=in_presale())
    html = (await client.get(f"/events/{event.slug}")).text
    assert "Pre-sale places are kept for accounts." in words(html)
    assert f'href="/login?next=/events/{event.slug}"' in html


async def test_a_user_learns_until_when_a_presale_place_is_kept(client: httpx.AsyncClient, sign_in: Any) -> None:
    event, _kind = await an_event(kind=in_presale())
    async with writing() as tx:
        bob = await world.bob(tx)
    await sign_in(client, bob)
    assert "we keep your places until Wednesday 18 November 2026, 13:00. Pay now or later." in await picker(client, event)


async def test_a_presale_with_a_code_asks_for_it(client: httpx.AsyncClient) -> None:
    event, _kind = await an_event(kind=in_presale(needs_code=True))
    html = (await client.get(f"/events/{event.slug}")).text
    assert "Pre-sale, needs a code" in words(html)
    assert "I have a code" in words(html)
    assert 'type="radio"' not in html


async def test_a_called_off_event_keeps_its_page_and_says_why(client: httpx.AsyncClient) -> None:
    event, _kind = await an_event(state="called_off", called_off_reason="The ninth piano fell off the stage.")
    said = await page(client, event)
    assert "This event was called off. The ninth piano fell off the stage." in said
    assert "Everybody who paid gets the full price back." in said
    assert "No tickets are sold any more." in said
    assert "Add to calendar" not in said and "Continue" not in said


async def test_an_event_that_is_over_says_so(client: httpx.AsyncClient, moment: time_machine.Traveller) -> None:
    event, _kind = await an_event()
    moment.shift(timedelta(days=29))
    said = await page(client, event)
    assert "This event is over." in said
    assert "There are no tickets to buy." in said
    assert "Continue" not in said


async def test_a_draft_has_no_page(client: httpx.AsyncClient) -> None:
    event, _kind = await an_event(state="draft", published_at=None)
    assert (await client.get(f"/events/{event.slug}")).status_code == 404


async def test_the_calendar_file_has_the_evening(client: httpx.AsyncClient) -> None:
    event, _kind = await an_event()
    answer = await client.get(f"/events/{event.slug}/calendar.ics")
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    assert "SUMMARY:Nine Pianos" in answer.text


# ---------- choosing and holding ----------


async def test_holding_leads_to_the_booking(client: httpx.AsyncClient) -> None:
    event, kind = await an_event()
    answer = await client.post(f"/events/{event.slug}/hold", data={f"q-{kind.code}": "2"})
    booking = await only_booking()
    assert (answer.status_code, answer.headers["location"]) == (303, f"/bookings/{booking.code}")
    assert booking.total_minor == 3600


async def test_htmx_is_told_to_go_to_the_booking(client: httpx.AsyncClient) -> None:
    event, kind = await an_event()
    answer = await client.post(f"/events/{event.slug}/hold", data={f"q-{kind.code}": "1"}, headers=PART)
    assert answer.headers["hx-redirect"] == f"/bookings/{(await only_booking()).code}"


async def test_the_same_browsers_second_hold_replaces_its_first(client: httpx.AsyncClient) -> None:
    event, kind = await an_event(capacity=4)
    await client.post(f"/events/{event.slug}/hold", data={f"q-{kind.code}": "3"})
    await client.post(f"/events/{event.slug}/hold", data={f"q-{kind.code}": "4"})
    async with reading() as db:
        assert [booking.state for booking in (await db.exec(select(Booking).order_by(col(Booking.id)))).all()] == [
            "released",
            "held",
        ]
        assert (await world.only_type(db, event)).held == 4


async def test_nothing_chosen_is_said_and_nothing_happens(client: httpx.AsyncClient) -> None:
    event, _kind = await an_event()
    answer = await client.post(f"/events/{event.slug}/hold")
    assert answer.status_code == 422
    assert "There is a problem" in answer.text and "Choose at least one ticket." in answer.text


async def test_when_places_went_meanwhile_it_says_what_is_left_and_keeps_the_choice(client: httpx.AsyncClient) -> None:
    async with writing() as tx:
        event = await world.event(tx, capacity=5)
        first = await world.only_type(tx, event)
        gallery = await world.ticket_type(tx, event, name="Gallery")
    await held(event, first, 3)
    answer = await client.post(f"/events/{event.slug}/hold", data={f"q-{first.code}": "4", f"q-{gallery.code}": "2"})
    assert answer.status_code == 409
    assert "Standard: 2 places are left." in words(answer.text)
    assert chosen(answer.text) == {first.code: "2", gallery.code: "2"}
    async with reading() as db:
        fresh = await db.get(TicketType, gallery.id)
        assert fresh and fresh.held == 0


async def test_what_just_sold_out_is_said_by_name(client: httpx.AsyncClient) -> None:
    event, kind = await an_event(capacity=2)
    await held(event, kind, 2)
    answer = await client.post(f"/events/{event.slug}/hold", data={f"q-{kind.code}": "1"})
    assert answer.status_code == 409
    assert "Standard just sold out." in words(answer.text)


@pytest.mark.asvs("V2.3.2")
async def test_more_than_a_buyer_may_have_is_refused_with_the_number(client: httpx.AsyncClient) -> None:
    event, kind = await an_event(per_buyer=3)
    answer = await client.post(f"/events/{event.slug}/hold", data={f"q-{kind.code}": "4"})
    assert answer.status_code == 422
    assert "3 tickets for this event at most" in words(answer.text)
    assert chosen(answer.text) == {kind.code: "4"}


@pytest.mark.asvs("V2.2.1", "V2.2.2")
@pytest.mark.parametrize("qty", ["-1", "21", "1.5", "two", "9" * 30])
async def test_amounts_that_no_radio_has_are_refused(client: httpx.AsyncClient, qty: str) -> None:
    event, kind = await an_event()
    answer = await client.post(f"/events/{event.slug}/hold", data={f"q-{kind.code}": qty})
    assert answer.status_code == 422
    async with reading() as db:
        assert (await db.exec(select(Booking))).all() == []


async def test_the_sum_follows_the_choice_and_nothing_is_held(client: httpx.AsyncClient) -> None:
    event, kind = await an_event()
    answer = await client.post(f"/events/{event.slug}/quote", data={f"q-{kind.code}": "3"}, headers=PART)
    assert words(answer.text).split() == ["3", "tickets", "€54.00"]
    assert "<output" in answer.text and "<html" not in answer.text
    async with reading() as db:
        assert (await world.only_type(db, event)).held == 0


async def only_booking() -> Booking:
    async with reading() as db:
        return (await db.exec(select(Booking))).one()


def chosen(html: str) -> dict[str, str]:
    """The checked radio of each ticket type."""
    return dict(re.findall(r'name="q-([^"]+)" value="(\d+)" checked', html))


# ---------- numbers that move ----------


async def seen_by(client: httpx.AsyncClient, event: Event) -> str:
    found = re.search(r"availability\?seen=(\w+)", (await client.get(f"/events/{event.slug}")).text)
    assert found
    return found[1]


async def test_while_nothing_changes_the_page_hears_nothing(client: httpx.AsyncClient) -> None:
    event, kind = await an_event(capacity=100)
    seen = await seen_by(client, event)
    await held(event, kind, 2)
    answer = await client.get(f"/events/{event.slug}/availability?seen={seen}", headers=PART)
    assert (answer.status_code, answer.content) == (204, b"")


async def test_when_few_are_left_the_numbers_come_out_of_band(client: httpx.AsyncClient) -> None:
    event, kind = await an_event(capacity=21)
    seen = await seen_by(client, event)
    await held(event, kind, 4)
    answer = await client.get(f"/events/{event.slug}/availability?seen={seen}", headers=PART)
    assert answer.status_code == 200
    assert f'id="left-{kind.code}" hx-swap-oob="true"' in answer.text
    assert "17 left" in words(answer.text)
    assert seen not in answer.text


# ---------- access codes ----------


async def locked(code: str = "NINEPIANOS") -> tuple[Event, TicketType]:
    event, kind = await an_event(kind=in_presale(needs_code=True))
    async with writing() as tx:
        await bookings.replace_code(tx, kind.id or 0, was="", code=code, by=None)
    return event, kind


async def test_the_right_code_opens_the_presale_in_any_spelling(client: httpx.AsyncClient) -> None:
    event, kind = await locked()
    opened = await client.post(f"/events/{event.slug}/unlock", data={"code": " ninepianos "})
    assert opened.status_code == 303
    html = (await client.get(opened.headers["location"])).text
    assert f'name="q-{kind.code}"' in html
    assert 'name="code" type="hidden" value="NINEPIANOS"' in html


async def test_htmx_gets_the_opened_picker(client: httpx.AsyncClient) -> None:
    event, kind = await locked()
    opened = await client.post(f"/events/{event.slug}/unlock", data={"code": "NINEPIANOS"}, headers=PART)
    assert opened.status_code == 200
    assert opened.text.lstrip().startswith(f"<title>{event.title}, ")
    assert opened.text.partition("</title>")[2].lstrip().startswith('<div class="panel" id="picker">')
    assert f'name="q-{kind.code}"' in opened.text


@pytest.mark.parametrize("code", ["EIGHTPIANOS", "", "%", "' OR 1=1 --"])
async def test_a_wrong_code_opens_nothing(client: httpx.AsyncClient, code: str) -> None:
    event, kind = await locked()
    answer = await client.post(f"/events/{event.slug}/unlock", data={"code": code})
    assert answer.status_code == 422
    assert ("No ticket type of this event opens with that code." if code else "Enter your code") in words(answer.text)
    assert f'name="q-{kind.code}"' not in answer.text


async def test_a_signed_in_user_books_the_presale_with_the_code(client: httpx.AsyncClient, sign_in: Any) -> None:
    event, kind = await locked()
    async with writing() as tx:
        bob = await world.bob(tx)
    await sign_in(client, bob)
    refused = await client.post(f"/events/{event.slug}/hold", data={f"q-{kind.code}": "1", "code": "WRONG"})
    assert refused.status_code == 422
    assert "needs an access code that still works" in words(refused.text)
    assert (
        await client.post(f"/events/{event.slug}/hold", data={f"q-{kind.code}": "1", "code": "NINEPIANOS"})
    ).status_code == 303
    assert (await only_booking()).kind == "presale"


async def test_without_an_account_the_presale_takes_no_booking(client: httpx.AsyncClient) -> None:
    event, kind = await locked()
    answer = await client.post(f"/events/{event.slug}/hold", data={f"q-{kind.code}": "1", "code": "NINEPIANOS"})
    assert answer.status_code == 422
    assert "Pre-sale places are kept for accounts." in words(answer.text)


# ---------- what machines read ----------

HOSTILE = "</script><script>alert(1)</script><!-- \"'& \u2028"


@pytest.mark.asvs("V1.2.3")
async def test_no_title_can_close_the_script(client: httpx.AsyncClient) -> None:
    event, _kind = await an_event(title=HOSTILE, slug="hostile", summary=HOSTILE, description=HOSTILE, access=HOSTILE)
    assert (await json_ld(client, event))["name"] == HOSTILE
    html = (await client.get("/events/hostile")).text
    assert "<script>alert" not in html
    assert len(re.findall("<script", html)) == len(re.findall("</script>", html)) == 2


async def json_ld(client: httpx.AsyncClient, event: Event) -> Any:
    html = (await client.get(f"/events/{event.slug}")).text
    found = re.search(r'<script type="application/ld\+json">(.*?)</script>', html, flags=re.DOTALL)
    assert found
    return json.loads(found[1])
