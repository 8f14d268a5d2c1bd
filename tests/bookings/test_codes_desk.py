"""The codes of an event on its manager's desk, and what buyers see once they have typed one."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
import time_machine
from sqlmodel import select

from app.accounts.models import User
from app.bookings import codes
from app.bookings.codes import PromoTerms, VoucherTerms
from app.bookings.models import Booking, PromoCode, Voucher
from app.core import clock
from app.core.activity import Activity
from app.core.db import reading, writing
from app.core.limits import Limit
from app.events.models import Event, TicketType
from tests import invariants, world
from tests.bookings.test_pages import known
from tests.reading import words

pytestmark = pytest.mark.usefixtures("moment")

SignIn = Callable[[httpx.AsyncClient, User], Awaitable[None]]


@pytest.fixture
async def alices(client: httpx.AsyncClient, sign_in: SignIn) -> httpx.AsyncClient:
    await sign_in(client, await known("alice"))
    return client


async def an_event(**columns: Any) -> tuple[Event, TicketType]:
    async with writing() as tx:
        event = await world.event(tx, price_minor=2000, **columns)
        return event, await world.only_type(tx, event)


async def promo(event: Event, word: str = "spring", **terms: Any) -> None:
    async with writing() as tx:
        made = PromoTerms(**{"percent": 20} | terms)
        await codes.make_promos(tx, event, made, word=word, by=event.manager_id, now=clock.now())


async def voucher(event: Event, kind: TicketType, word: str = "friends", **terms: Any) -> None:
    async with writing() as tx:
        made = VoucherTerms(**{"places": 3} | terms)
        await codes.make_vouchers(tx, event, kind, made, word=word, by=event.manager_id, now=clock.now())


async def makes(browser: httpx.AsyncClient, event: Event, what: str, **fields: str) -> httpx.Response:
    form = "promo" if what == "promo" else "voucher"
    data = {f"{form}-{name}": value for name, value in fields.items()}
    return await browser.post(f"/manager/events/{event.slug}/codes/{what}", data=data)


async def desk(browser: httpx.AsyncClient, event: Event) -> str:
    answer = await browser.get(f"/manager/events/{event.slug}/codes")
    assert answer.status_code == 200
    return words(answer.text)


# ---------- the manager ----------


async def test_the_manager_makes_a_code_with_a_word(alices: httpx.AsyncClient) -> None:
    event, kind = await an_event()
    assert "No codes yet." in await desk(alices, event)
    terms = {"word": "Spring", "percent": "20", "kind": kind.code, "uses": "100", "per_buyer": "1", "least": "2"}
    answer = await makes(alices, event, "promo", **terms, until="2026-11-20T20:00")
    assert answer.status_code == 303
    said = await desk(alices, event)
    for fact in ("The code SPRING is ready.", "20 % off · Standard", "0 of 100 bookings", "one booking a buyer",
                 "from 2 tickets on", "until Fri 20 Nov, 20:00"):  # fmt: skip
        assert fact in said, fact
    async with reading() as db:
        made = (await db.exec(select(PromoCode))).one()
        assert "SPRING" not in str([row.details for row in (await db.exec(select(Activity))).all()])
    assert (made.percent, made.off_minor, made.ticket_type_id, made.max_uses) == (20, None, kind.id, 100)


async def test_many_codes_are_one_line_and_one_file(alices: httpx.AsyncClient) -> None:
    event, _kind = await an_event()
    await makes(alices, event, "promo", amount="5", number="12", uses="1")
    await makes(alices, event, "promo", word="alone", percent="5", number="1")
    said = await desk(alices, event)
    assert "12 codes" in said and "€5.00 off each ticket" in said and "0 of 12 bookings" in said
    async with reading() as db:
        batch = (await db.exec(select(PromoCode.batch).where(PromoCode.batch != "").limit(1))).one()
    whole = (await alices.get(f"/manager/events/{event.slug}/codes.csv")).text
    some = (await alices.get(f"/manager/events/{event.slug}/codes.csv?batch={batch}")).text
    assert (len(whole.splitlines()), len(some.splitlines())) == (14, 13)
    assert "ALONE" in whole and "ALONE" not in some
    assert f"/events/{event.slug}?code=" in some


async def test_vouchers_say_what_they_keep_and_what_is_not_free(alices: httpx.AsyncClient) -> None:
    event, kind = await an_event(capacity=10)
    answer = await makes(alices, event, "vouchers", number="2", places="3", kind=kind.code, price="0", uses="1")
    assert answer.status_code == 303
    said = await desk(alices, event)
    assert "3 places of Standard · free" in said and "6 places aside" in said
    full = await makes(alices, event, "vouchers", places="5", kind=kind.code)
    assert "Only 4 places of Standard are free." in words(full.text)
    assert 'value="5"' in full.text, "what was typed is kept"
    async with reading() as db:
        assert await invariants.broken(db) == []


@pytest.mark.parametrize(
    "what, fields, sentence",
    [
        ("promo", {"word": "x"}, "Enter a percentage or an amount, one of them"),
        ("promo", {"word": "x", "percent": "10", "amount": "5"}, "Enter a percentage or an amount, one of them"),
        ("promo", {"word": "x", "percent": "101"}, "Enter a number from 1 to 100"),
        ("promo", {"word": "x", "amount": "five"}, "Enter an amount such as 18.50"),
        ("promo", {"word": "x", "percent": "10", "number": "2"}, "Many codes get words of their own"),
        ("promo", {"word": "x", "percent": "10", "until": "2026-11-01T10:00"}, "Choose a moment in the future"),
        ("promo", {"word": "spring", "percent": "10"}, "There is a code SPRING already."),
        ("vouchers", {"word": "x"}, "Enter a number from 1 to 10,000"),
        ("vouchers", {"word": "x", "places": "1", "price": "-1"}, "Enter an amount such as 18.50"),
        ("vouchers", {"word": "x", "places": "1", "kind": "nothing"}, "Not a valid choice."),
    ],
)
async def test_what_cannot_be_made_is_said(alices: httpx.AsyncClient, what: str, fields: dict[str, str], sentence: str) -> None:
    event, kind = await an_event()
    await promo(event)
    answer = await makes(alices, event, what, **{"number": "1"} | ({"kind": kind.code} if what == "vouchers" else {}) | fields)
    assert answer.status_code == 422
    assert sentence in words(answer.text)


async def test_codes_are_paused_resumed_and_withdrawn(alices: httpx.AsyncClient) -> None:
    event, kind = await an_event()
    await promo(event)
    await voucher(event, kind)
    act = f"/manager/events/{event.slug}/codes"
    for verb, code, sentence in (
        ("pause", "spring", "Paused. Nobody can use it"),
        ("resume", "spring", "It works again."),
        ("withdraw", "friends", "Withdrawn. 3 places are on sale again."),
        ("withdraw", "spring", "Withdrawn. Bookings made with it stay."),
    ):
        assert (await alices.post(f"{act}/{verb}", data={"code": code})).status_code == 303
        assert sentence in await desk(alices, event), verb
    assert (await alices.post(f"{act}/withdraw", data={"code": "spring"})).status_code == 409
    assert (await alices.post(f"{act}/pause", data={"code": "never"})).status_code == 409
    async with reading() as db:
        assert await invariants.broken(db) == []
        assert (await db.exec(select(Voucher.aside))).one() == 0


async def test_nothing_is_made_for_an_event_that_is_over(alices: httpx.AsyncClient, moment: time_machine.Traveller) -> None:
    event, _kind = await an_event(starts_at=clock.now() - timedelta(hours=2, minutes=50))
    moment.shift(timedelta(minutes=15))
    assert "New promo code" not in await desk(alices, event)
    answer = await makes(alices, event, "promo", percent="10", number="1")
    assert "This event cannot be changed now." in words(answer.text)


# ---------- buyers ----------


async def test_a_link_with_a_code_shows_the_lower_price(client: httpx.AsyncClient) -> None:
    event, kind = await an_event()
    assert "I have a code" not in words((await client.get(f"/events/{event.slug}")).text), "nobody can have one"
    await promo(event)
    assert "I have a code" in words((await client.get(f"/events/{event.slug}")).text)
    page = words((await client.get(f"/events/{event.slug}?code=spring")).text)
    assert "SPRING takes 20 % off." in page and "instead of €20 €16" in page
    chosen = {f"q-{kind.code}": "2", "code": "spring"}
    assert "€32.00" in words((await client.post(f"/events/{event.slug}/quote", data=chosen)).text)
    held = await client.post(f"/events/{event.slug}/hold", data=chosen)
    checkout = words((await client.get(held.headers["location"])).text)
    assert "at €16.00 instead of €20.00" in checkout and "Pay €32.00" in checkout


async def test_one_field_takes_every_code(client: httpx.AsyncClient) -> None:
    event, kind = await an_event(capacity=3)
    await voucher(event, kind, unit_minor=1000)
    assert "Sold out" in words((await client.get(f"/events/{event.slug}")).text)
    answer = await client.post(f"/events/{event.slug}/unlock", data={"code": "friends"})
    assert answer.headers["location"] == f"/events/{event.slug}?code=FRIENDS#tickets"
    page = words((await client.get(answer.headers["location"])).text)
    assert "FRIENDS keeps 3 places for you." in page and "€10" in page
    held = await client.post(f"/events/{event.slug}/hold", data={f"q-{kind.code}": "3", "code": "FRIENDS"})
    assert held.status_code == 303
    async with reading() as db:
        assert (await db.exec(select(Booking.total_minor))).one() == 3000


async def test_the_numbers_that_are_asked_for_again_know_the_code(client: httpx.AsyncClient) -> None:
    event, kind = await an_event(capacity=3)
    await voucher(event, kind)
    page = (await client.get(f"/events/{event.slug}?code=friends")).text
    assert "/availability?seen=" in page and "&amp;code=FRIENDS" in page
    with_it = await client.get(f"/events/{event.slug}/availability?code=FRIENDS")
    assert "3 left" in words(with_it.text)
    assert "Sold out" in words((await client.get(f"/events/{event.slug}/availability")).text)


async def test_who_is_too_late_with_a_code_keeps_the_choice(client: httpx.AsyncClient) -> None:
    event, kind = await an_event()
    await promo(event, max_uses=1)
    chosen = {f"q-{kind.code}": "2", "code": "spring"}
    assert (await client.post(f"/events/{event.slug}/hold", data=chosen)).status_code == 303
    client.cookies.clear()
    answer = await client.post(f"/events/{event.slug}/hold", data=chosen)
    said = words(answer.text)
    assert answer.status_code == 422 and "The code SPRING is used up." in said
    assert "€40.00" in said, "two tickets are still chosen, at their usual price"
    again = {name: value for name, value in chosen.items() if name != "code"}
    assert 'name="code" type="hidden" value=""' in answer.text
    assert (await client.post(f"/events/{event.slug}/hold", data=again)).status_code == 303


@pytest.mark.parametrize("word, sentence", [("SPRING", "The code SPRING is used up."), ("wrong", "No ticket type of this event")])
async def test_a_code_that_does_nothing_says_why(client: httpx.AsyncClient, word: str, sentence: str) -> None:
    event, kind = await an_event()
    await promo(event, max_uses=1)
    await client.post(f"/events/{event.slug}/hold", data={f"q-{kind.code}": "1", "code": "spring"})
    answer = await client.post(f"/events/{event.slug}/unlock", data={"code": word})
    assert answer.status_code == 422 and sentence in words(answer.text)


@pytest.mark.asvs("V2.4.1")
async def test_whoever_guesses_codes_at_the_price_has_to_stop_too(client: httpx.AsyncClient) -> None:
    """Also where nothing is held: the price would tell which codes there are. Without the count nobody is stopped."""
    event, kind = await an_event()
    await promo(event)
    guesses = [{f"q-{kind.code}": "1", "code": f"guess-{number}"} for number in range(20)]
    for guess in guesses:
        assert (await client.post(f"/events/{event.slug}/quote", data=guess)).status_code == 200
    right = {f"q-{kind.code}": "1", "code": "spring"}
    assert (await client.post(f"/events/{event.slug}/quote", data=right)).status_code == 429
    async with writing() as tx:
        for row in (await tx.exec(select(Limit).where(Limit.key.startswith("wrong access code")))).all():  # type: ignore[attr-defined]
            await tx.delete(row)
    assert "€16.00" in words((await client.post(f"/events/{event.slug}/quote", data=right)).text)
