"""The booking's page: two fields while places are held, and in plain words whatever becomes of it."""

import dataclasses
import re
from datetime import timedelta
from typing import Any

import httpx
import pytest
import time_machine
from sqlmodel import col, select, update

from app.accounts.models import User, Visitor
from app.bookings import actions, queries
from app.bookings.models import Booking
from app.core import clock
from app.core.db import reading, writing
from app.core.settings import settings, use
from app.events.models import Event, TicketType
from app.payments.models import Payment, Refund
from app.tickets.actions import settle
from tests import world
from tests.reading import words

# The clock stands still on a Monday at noon.
pytestmark = pytest.mark.usefixtures("moment")

PART = {"HX-Request": "true", "HX-Request-Type": "partial"}
BUYER = {"email": "bob@example.com", "name": "Bob Buyer"}


async def held(*, by: Visitor | None = None, price_minor: int = 1800, **overrides: Any) -> Booking:
    """Two places that a guest, or somebody else, holds."""
    async with writing() as tx:
        event = await world.event(tx, price_minor=price_minor, **overrides)
        kind = await world.only_type(tx, event)
        return await actions.hold(tx, event, {kind.id or 0: 2}, by=by or Visitor(key="bobs-browser"), now=clock.now())


def account(user: User) -> Visitor:
    return Visitor(user.id, user.email, user.name, user.role, key=f"{user.name}s-browser")


async def known(name: str) -> User:
    async with writing() as tx:
        user: User = await getattr(world, name)(tx)
        return user


async def becomes(booking: Booking, state: str, **columns: Any) -> None:
    async with writing() as tx:
        await tx.exec(update(Booking).where(col(Booking.id) == booking.id).values(state=state, **columns))


async def attempt(booking: Booking, state: str) -> Payment:
    now = clock.now()
    async with writing() as tx:
        payment = Payment(
            booking_id=booking.id or 0,
            state=state,
            amount_minor=booking.total_minor,
            currency="EUR",
            session_id=f"cs_test_{booking.id}",
            captured_minor=booking.total_minor if state == "captured" else 0,
            pay_until=now + timedelta(minutes=30),
            created_at=now,
        )
        tx.add(payment)
    return payment


async def now_is(booking: Booking) -> Booking:
    async with reading() as db:
        found = await queries.by_id(db, booking.id or 0)
    assert found
    return found


async def page(client: httpx.AsyncClient, booking: Booking) -> str:
    answer = await client.get(f"/bookings/{booking.code}")
    assert answer.status_code == 200
    return words(answer.text)


# ---------- what it says ----------


async def test_held_places_ask_for_two_fields_and_say_their_minute(client: httpx.AsyncClient) -> None:
    booking = await held()
    html = (await client.get(f"/bookings/{booking.code}")).text
    said = words(html)
    assert "2 tickets held for you until 13:15" in said
    assert "Where should we send your tickets?" in said
    assert "Pay €36.00" in said
    assert re.findall(r'name="(email|name)"', html) == ["email", "name"]
    assert "<title>Your details, held until 13:15" in html


async def test_every_button_works_without_javascript(client: httpx.AsyncClient) -> None:
    booking = await held()
    html = (await client.get(f"/bookings/{booking.code}")).text
    forms = re.findall(r'<form[^>]*method="post" action="(/bookings/[^"]+)"', html)
    assert forms == [f"/bookings/{booking.code}/extend", f"/bookings/{booking.code}/checkout"]
    assert f'formaction="/bookings/{booking.code}/release"' in html


async def test_while_it_is_paid_the_minute_is_said(client: httpx.AsyncClient) -> None:
    booking = await held()
    await attempt(booking, "open")
    await becomes(booking, "paying")
    said = await page(client, booking)
    assert "Your tickets are locked while you pay" in said
    assert "You have until 13:30 to pay. Nothing was taken so far." in said


async def test_while_the_bank_thinks_it_says_so_and_looks_again(client: httpx.AsyncClient) -> None:
    booking = await held()
    await attempt(booking, "processing")
    await becomes(booking, "processing")
    html = (await client.get(f"/bookings/{booking.code}")).text
    assert "Your bank is confirming" in words(html)
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in html
    assert 'hx-trigger="every 3s"' in html


async def test_after_a_payment_that_failed_the_places_are_still_there(client: httpx.AsyncClient) -> None:
    booking = await held()
    await attempt(booking, "failed")
    assert "The last payment did not go through. Nothing was taken, and your tickets are still held until 13:15." in await page(
        client, booking
    )


async def test_all_tickets_of_a_booking_stand_on_one_page_and_in_one_file(client: httpx.AsyncClient) -> None:
    booking = await paid_by_guest()
    shown = await client.get(f"/bookings/{booking.code}/tickets")
    count = shown.text.count("QR code of ticket")
    assert count == shown.text.count("A link for this ticket alone") > 1
    file = await client.get(f"/bookings/{booking.code}/tickets.pdf")
    assert (file.headers["content-type"], file.content[:5]) == ("application/pdf", b"%PDF-")
    assert file.headers["cache-control"] == "no-store"


async def test_a_booking_that_is_not_paid_has_no_tickets(client: httpx.AsyncClient) -> None:
    booking = await held()
    for address in ("tickets", "tickets.pdf"):
        assert (await client.get(f"/bookings/{booking.code}/{address}")).status_code == 404


async def test_a_paid_booking_shows_its_tickets(client: httpx.AsyncClient) -> None:
    booking = await paid_by_guest()
    html = (await client.get(f"/bookings/{booking.code}")).text
    said = words(html)
    assert "You’re going" in said and "Paid €36.00" in said
    assert "We are sending the tickets to bob@example.com." in said
    assert len(set(re.findall(r'href="/tickets/([\w-]{22})\.pdf"', html))) == 2
    assert "Keep your tickets in one place" in said


async def test_a_lapsed_hold_says_so_before_any_sweep_and_offers_the_same_again(
    client: httpx.AsyncClient, moment: time_machine.Traveller
) -> None:
    booking = await held()
    moment.shift(timedelta(minutes=15))
    html = (await client.get(f"/bookings/{booking.code}")).text
    assert "Nothing was charged. The places went back on sale at 13:15." in words(html)
    again = dict(re.findall(r'<input type="hidden" name="(q-[^"]+)" value="(\d+)">', html))
    answer = await client.post(await _hold_address(booking), data=again)
    assert answer.status_code == 303
    assert answer.headers["location"] != f"/bookings/{booking.code}"


async def _hold_address(booking: Booking) -> str:
    async with reading() as db:
        event = await db.get(Event, booking.event_id)
    assert event
    return f"/events/{event.slug}/hold"


async def test_released_places_are_on_sale_again(client: httpx.AsyncClient) -> None:
    booking = await held()
    answer = await client.post(f"/bookings/{booking.code}/release")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/bookings/{booking.code}")
    assert "You released these tickets" in await page(client, booking)
    async with reading() as db:
        assert (await db.exec(select(TicketType.held))).one() == 0


async def test_a_refunded_booking_says_where_the_money_is(client: httpx.AsyncClient) -> None:
    booking = await paid_by_guest()
    await becomes(booking, "refunded", ended_at=clock.now())
    assert "This booking was given back Its tickets are void." in await page(client, booking)


async def test_a_called_off_event_says_what_happens_with_the_money(client: httpx.AsyncClient) -> None:
    booking = await held()
    await becomes(booking, "called_off", ended_at=clock.now())
    assert "This event was called off" in await page(client, booking)
    assert "Nothing was charged." in await page(client, booking)
    payment = await attempt(booking, "captured")
    await refund(payment, "requested")
    said = await page(client, booking)
    assert "You get all your money back, the way you paid it." in said
    assert "€36.00 is on its way back since" in said


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ("succeeded", "€36.00 went back on 16 Nov 2026"),
        ("failed", "A refund of €36.00 failed. We are looking into it."),
        ("pending", "€36.00 is on its way back since 16 Nov 2026"),
    ],
)
async def test_each_refund_is_listed_with_its_state(client: httpx.AsyncClient, state: str, sentence: str) -> None:
    booking = await paid_by_guest()
    await refund(await attempt(booking, "captured"), state)
    assert sentence in await page(client, booking)


async def refund(payment: Payment, state: str) -> None:
    now = clock.now()
    async with writing() as tx:
        tx.add(
            Refund(
                payment_id=payment.id,
                amount_minor=3600,
                state=state,
                reason="called_off",
                created_at=now,
                next_try_at=now,
                ended_at=now,
            )
        )


async def paid_by_guest() -> Booking:
    booking = await held()
    async with writing() as tx:
        fresh = await queries.by_id(tx, booking.id or 0)
        assert fresh
        fresh.email, fresh.name = BUYER["email"], BUYER["name"]
        await settle(tx, fresh, now=clock.now())
    return booking


async def test_the_part_that_moves_comes_alone(client: httpx.AsyncClient) -> None:
    booking = await held()
    part = await client.get(f"/bookings/{booking.code}", headers=PART)
    assert part.text.partition("</title>")[2].lstrip().startswith('<div class="wrap w62" id="live">')
    assert "<html" not in part.text


# ---------- checkout ----------


async def test_two_fields_are_all_it_takes_for_free_places(client: httpx.AsyncClient) -> None:
    booking = await held(price_minor=0)
    answer = await client.post(f"/bookings/{booking.code}/checkout", data=BUYER)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/bookings/{booking.code}")
    assert "You’re going" in await page(client, booking)
    assert (await now_is(booking)).email == "bob@example.com"


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"email": "", "name": "Bob Buyer"}, "Enter your email address"),
        ({"email": "bob@", "name": "Bob Buyer"}, "Enter an email address in the format name@example.com"),
        ({"email": "bob@example.com", "name": " "}, "Enter your full name"),
        ({"email": "bob@example.com", "name": "x" * 101}, "Use 100 characters or fewer."),
        ({"email": "bob@example.com", "name": "Bob\x00Buyer"}, "Remove the characters that cannot be printed."),
    ],
)
async def test_a_mistake_is_said_beside_its_field_and_what_was_typed_is_kept(
    client: httpx.AsyncClient, typed: dict[str, str], sentence: str
) -> None:
    booking = await held()
    answer = await client.post(f"/bookings/{booking.code}/checkout", data=typed)
    assert answer.status_code == 422
    assert answer.text.count(sentence) == 2, "in the summary and beside the field"
    assert "<title>Error: " in answer.text
    for value in typed.values():
        assert not value.strip().isprintable() or value.strip() in answer.text
    assert (await now_is(booking)).email == ""


async def test_checking_a_field_changes_nothing(client: httpx.AsyncClient) -> None:
    booking = await held(price_minor=0)
    answer = await client.post(f"/bookings/{booking.code}/checkout?check=1", data=BUYER)
    assert answer.status_code == 200
    assert "There is a problem" not in answer.text
    fresh = await now_is(booking)
    assert (fresh.state, fresh.email) == ("held", "")


async def test_checking_a_wrong_field_says_so_and_changes_nothing(client: httpx.AsyncClient) -> None:
    booking = await held()
    answer = await client.post(f"/bookings/{booking.code}/checkout?check=1", data={"email": "bob@", "name": "Bob"}, headers=PART)
    assert answer.status_code == 422
    assert "Enter an email address in the format name@example.com" in answer.text
    assert (await now_is(booking)).name == ""


async def test_a_lapsed_hold_takes_no_details(client: httpx.AsyncClient, moment: time_machine.Traveller) -> None:
    booking = await held(price_minor=0)
    moment.shift(timedelta(minutes=15))
    answer = await client.post(f"/bookings/{booking.code}/checkout", data=BUYER)
    assert answer.status_code == 409
    assert "Your hold ran out" in words(answer.text)
    assert (await now_is(booking)).state == "held"


async def test_a_shop_without_a_key_says_that_it_cannot_take_money(client: httpx.AsyncClient) -> None:
    use(dataclasses.replace(settings(), stripe_api_key=""))
    booking = await held()
    said = await page(client, booking)
    assert "Online payment is not set up in this shop. Your places are kept until the minute shown." in said
    assert "Pay €36.00" not in said
    answer = await client.post(f"/bookings/{booking.code}/checkout", data=BUYER)
    assert answer.status_code == 503
    assert "Online payment is not set up" in words(answer.text)


async def test_an_account_buys_with_its_own_address_only(client: httpx.AsyncClient, sign_in: Any) -> None:
    bob = await known("bob")
    booking = await held(by=account(bob), price_minor=0)
    await sign_in(client, bob)
    assert 'type="email"' not in (await client.get(f"/bookings/{booking.code}")).text
    await client.post(f"/bookings/{booking.code}/checkout", data={"email": "somebody@else.example", "name": "Bob"})
    fresh = await now_is(booking)
    assert (fresh.state, fresh.email) == ("paid", bob.email)


# ---------- more time ----------


async def test_more_time_is_given_three_times(client: httpx.AsyncClient) -> None:
    booking = await held()
    for minute in ("13:25", "13:35", "13:45"):
        assert (await client.post(f"/bookings/{booking.code}/extend")).status_code == 303
        assert f"until {minute}" in await page(client, booking)
    refused = await client.post(f"/bookings/{booking.code}/extend")
    assert refused.status_code == 409
    assert "This hold cannot be made longer." in words(refused.text)
    assert "I need more time" not in await page(client, booking)


async def test_htmx_gets_the_new_minute_at_once(client: httpx.AsyncClient) -> None:
    booking = await held()
    part = await client.post(f"/bookings/{booking.code}/extend", headers=PART)
    assert part.status_code == 200
    assert "until 13:25" in words(part.text) and 'id="hold"' in part.text


@pytest.mark.asvs("V2.3.1")
async def test_a_paid_booking_cannot_be_released_by_its_link(client: httpx.AsyncClient) -> None:
    booking = await paid_by_guest()
    answer = await client.post(f"/bookings/{booking.code}/release")
    assert answer.status_code == 409
    assert (await now_is(booking)).state == "paid"


# ---------- whose it is ----------


async def test_a_guests_booking_opens_by_its_link_in_any_browser(client: httpx.AsyncClient, sign_in: Any) -> None:
    booking = await held()
    assert "2 tickets held for you" in await page(client, booking)
    await sign_in(client, await known("carol"))
    assert "2 tickets held for you" in await page(client, booking)


@pytest.mark.asvs("V8.2.2")
async def test_an_accounts_booking_is_unknown_to_everybody_else(client: httpx.AsyncClient, sign_in: Any) -> None:
    booking = await held(by=account(await known("bob")))
    address = f"/bookings/{booking.code}"
    assert (await client.get(address)).headers["location"] == f"/login?next={address}"
    await sign_in(client, await known("mallory"))
    answers = [await client.get(address), await client.get(f"{address}/deadline.ics")]
    answers += [await client.post(f"{address}/{verb}", data=BUYER) for verb in ("checkout", "extend", "release")]
    assert [answer.status_code for answer in answers] == [404] * 5
    assert {"There is no such booking. Check the link in your mail." in answer.text for answer in answers} == {True}
    assert (await now_is(booking)).state == "held"


async def test_an_admin_may_look_at_an_accounts_booking(client: httpx.AsyncClient, sign_in: Any) -> None:
    booking = await held(by=account(await known("bob")))
    await sign_in(client, await known("dora"))
    assert "2 tickets held for you" in await page(client, booking)
