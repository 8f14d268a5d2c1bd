"""Giving back in the browser: the buyer's page, the guest's code, and what strangers get."""

import re
from datetime import timedelta
from typing import Any

import httpx
import pytest
import time_machine
from sqlmodel import select

from app.bookings.models import Booking
from app.core import clock
from app.core.db import reading, writing
from app.core.settings import settings
from app.notifications.actions import tell
from app.notifications.mails import compose
from app.notifications.models import Delivery, Notification
from app.payments import queries, rules
from app.payments.models import RefundCode
from app.worker import Worker
from tests import world
from tests.payments.refund_story import again, an_event, bobs, codes, paid, returned, valid_tickets
from tests.payments.story import refunds_of
from tests.reading import words

# The clock stands still on a Monday at noon.
pytestmark = pytest.mark.usefixtures("moment")

PART = {"HX-Request": "true", "HX-Request-Type": "partial"}


async def digits_of(booking: Booking) -> str:
    async with reading() as db:
        code = await queries.live_code(db, booking.id or 0, now=clock.now())
    assert code
    return rules.code_digits(settings().secret_key, booking.id or 0, code.nonce)


# ---------- the buyer ----------


async def test_the_page_says_what_comes_back_until_when_and_for_which_fee(client: httpx.AsyncClient, sign_in: Any) -> None:
    bob, booking = await bobs(await an_event())
    await sign_in(client, bob)
    said = words((await client.get(f"/bookings/{booking.code}/refund")).text)
    assert "You can give tickets back until Saturday 12 December 2026, 13:00" in said
    assert "The fee is €2.00 a ticket" in said
    assert "2 tickets: €33.00 comes back" in said
    assert "Banks take up to ten days to show it." in said


async def test_every_ticket_is_chosen_until_one_is_not(client: httpx.AsyncClient, sign_in: Any) -> None:
    bob, booking = await bobs(await an_event())
    await sign_in(client, bob)
    address = f"/bookings/{booking.code}/refund"
    assert (await client.get(address)).text.count(" checked") == 2
    one = await client.get(f"{address}?chosen=1&ticket={(await codes(booking))[0]}", headers=PART)
    assert "1 ticket: €16.50 comes back" in words(one.text) and "<html" not in one.text
    none = await client.get(f"{address}?chosen=1", headers=PART)
    assert "No ticket is chosen." in words(none.text)


async def test_the_owner_gives_one_ticket_back_without_javascript(client: httpx.AsyncClient, sign_in: Any) -> None:
    bob, booking = await bobs(await an_event())
    await sign_in(client, bob)
    first, second = await codes(booking)
    answer = await client.post(f"/bookings/{booking.code}/refund", data={"ticket": [first]})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/bookings/{booking.code}")
    said = words((await client.get(f"/bookings/{booking.code}")).text)
    assert "The ticket is void, and €16.50 is on its way back to you." in said
    assert "€16.50 is on its way back since 16 Nov 2026" in said
    assert "Show my ticket" in said and "Void" in said and "Receipts" in said
    assert await codes(booking) == [second]
    (refund,) = await refunds_of(booking)
    assert (refund.reason, refund.by_user_id) == ("buyer", bob.id)
    mine = words((await client.get("/me/tickets")).text)
    assert "Void" in mine and "Valid" in mine
    twice = await client.post(f"/bookings/{booking.code}/refund", data={"ticket": [first]})
    assert twice.status_code == 409
    assert "Some of these tickets were given back already." in words(twice.text)


async def test_with_the_last_ticket_the_booking_says_that_it_was_given_back(client: httpx.AsyncClient, sign_in: Any) -> None:
    bob, booking = await bobs(await an_event())
    await sign_in(client, bob)
    await client.post(f"/bookings/{booking.code}/refund", data={"ticket": await codes(booking)})
    said = words((await client.get(f"/bookings/{booking.code}")).text)
    assert "2 tickets are void, and €33.00 is on its way back to you." in said
    assert "This booking was given back" in said
    again_and_again = words((await client.get(f"/bookings/{booking.code}/refund")).text)
    assert "This booking has no valid tickets any more." in again_and_again


async def test_free_tickets_are_given_back_in_words_without_money(client: httpx.AsyncClient, sign_in: Any) -> None:
    bob, booking = await bobs(await an_event(price_minor=0, refund_hours=None))
    await sign_in(client, bob)
    said = words((await client.get(f"/bookings/{booking.code}/refund")).text)
    assert "nothing was paid, so nothing comes back" in said and ": free" in said
    await client.post(f"/bookings/{booking.code}/refund", data={"ticket": await codes(booking)})
    assert "2 tickets are void and their places are free again." in words((await client.get(f"/bookings/{booking.code}")).text)


async def test_nothing_chosen_is_a_mistake_in_the_form(client: httpx.AsyncClient, sign_in: Any) -> None:
    bob, booking = await bobs(await an_event())
    await sign_in(client, bob)
    answer = await client.post(f"/bookings/{booking.code}/refund", data={})
    assert answer.status_code == 422
    assert "Choose at least one ticket" in words(answer.text)
    assert len(await codes(booking)) == 2


@pytest.mark.parametrize(("before", "sentence"), [(48, "is over"), (0, "The event has begun")])
async def test_too_late_is_said_and_nothing_happens(
    client: httpx.AsyncClient, sign_in: Any, moment: time_machine.Traveller, before: int, sentence: str
) -> None:
    event = await an_event()
    bob, booking = await bobs(event)
    moment.move_to(event.starts_at - timedelta(hours=before))
    await sign_in(client, bob)
    answer = await client.post(f"/bookings/{booking.code}/refund", data={"ticket": await codes(booking)})
    assert answer.status_code == 409
    assert sentence in words(answer.text)
    assert len(await codes(booking)) == 2 and await refunds_of(booking) == []


async def test_a_stranger_finds_no_booking_and_a_client_is_sent_to_the_login(client: httpx.AsyncClient, sign_in: Any) -> None:
    _bob, booking = await bobs(await an_event())
    address = f"/bookings/{booking.code}/refund"
    data = {"ticket": await codes(booking)}
    assert (await client.post(address, data=data)).headers["location"].startswith("/login")
    async with writing() as tx:
        carol = await world.carol(tx)
    await sign_in(client, carol)
    for answer in (
        await client.get(address),
        await client.post(address, data=data),
        await client.post(f"{address}/code"),
        await client.get(f"/bookings/{booking.code}/receipts"),
        await client.get(f"/bookings/{booking.code}/receipts/{booking.reference}-P1"),
    ):
        assert answer.status_code == 404
    assert len(await codes(booking)) == 2


async def test_an_owner_who_asks_for_a_code_needs_none_and_is_mailed_none(client: httpx.AsyncClient, sign_in: Any) -> None:
    bob, booking = await bobs(await an_event())
    await sign_in(client, bob)
    assert (await client.post(f"/bookings/{booking.code}/refund/code")).status_code == 303
    async with reading() as db:
        assert await db.get(RefundCode, booking.id) is None


async def test_an_admin_on_the_buyers_page_is_written_down_as_an_admin(client: httpx.AsyncClient, sign_in: Any) -> None:
    _bob, booking = await bobs(await an_event())
    async with writing() as tx:
        dora = await world.dora(tx)
    await sign_in(client, dora)
    await client.post(f"/bookings/{booking.code}/refund", data={"ticket": await codes(booking)})
    (refund,) = await refunds_of(booking)
    assert (refund.reason, refund.by_user_id, refund.amount_minor) == ("admin", dora.id, 3300)


# ---------- the guest ----------


async def test_a_guest_is_mailed_a_code_and_gives_back_with_it(client: httpx.AsyncClient) -> None:
    booking = await paid(await an_event())
    address = f"/bookings/{booking.code}/refund"
    first = words((await client.get(address)).text)
    assert "we send a code to b…@example.com" in first and "Give the chosen tickets back" not in first
    assert (await client.post(f"{address}/code")).headers["location"] == address
    second = (await client.get(address)).text
    assert "Eight digits, sent to b…@example.com" in words(second) and "bob@example.com" not in second
    answer = await client.post(address, data={"ticket": await codes(booking), "code": await digits_of(booking)})
    assert answer.status_code == 303
    assert (await again(booking)).state == "refunded"
    assert (await refunds_of(booking))[0].by_user_id is None


async def test_the_mail_shows_the_digits_and_no_row_holds_them(client: httpx.AsyncClient) -> None:
    booking = await paid(await an_event())
    await client.post(f"/bookings/{booking.code}/refund/code")
    await Worker().react()
    async with reading() as db:
        told = (await db.exec(select(Notification).where(Notification.kind == "refund_code"))).one()
        delivery = (await db.exec(select(Delivery).where(Delivery.notification_id == told.id))).one()
    digits = await digits_of(booking)
    message = compose(delivery, told, [], [], now=clock.now())
    text = message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert f"{digits[:4]} {digits[4:]}" in text
    assert f"/bookings/{booking.code}/refund" in text
    assert (told.email, told.in_panel, digits in str(told.facts)) == ("bob@example.com", False, False)
    assert digits not in str(message["Subject"])


@pytest.mark.parametrize("code", ["", "00000000", "٠٠٠٠٠٠٠٠", "1" * 20, "<script>"])
async def test_a_wrong_code_is_a_mistake_of_its_field(client: httpx.AsyncClient, code: str) -> None:
    booking = await paid(await an_event())
    address = f"/bookings/{booking.code}/refund"
    await client.post(f"{address}/code")
    answer = await client.post(address, data={"ticket": await codes(booking), "code": code})
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text and "This is not the code from the newest mail." in words(answer.text)
    assert (await again(booking)).state == "paid"


async def test_five_wrong_codes_end_it(client: httpx.AsyncClient) -> None:
    booking = await paid(await an_event())
    address = f"/bookings/{booking.code}/refund"
    await client.post(f"{address}/code")
    for _try in range(5):
        await client.post(address, data={"ticket": await codes(booking), "code": "no"})
    answer = await client.post(address, data={"ticket": await codes(booking), "code": await digits_of(booking)})
    assert (answer.status_code, (await again(booking)).state) == (422, "paid")
    assert "This code has ended. Ask for a new one." in words(answer.text)


async def test_without_asking_for_a_code_no_code_helps(client: httpx.AsyncClient) -> None:
    booking = await paid(await an_event())
    answer = await client.post(f"/bookings/{booking.code}/refund", data={"ticket": await codes(booking), "code": "12345678"})
    assert (answer.status_code, (await again(booking)).state) == (422, "paid")


async def test_a_fourth_code_in_an_hour_is_too_many_and_a_late_one_makes_no_sense(
    client: httpx.AsyncClient, moment: time_machine.Traveller
) -> None:
    event = await an_event()
    booking = await paid(event)
    address = f"/bookings/{booking.code}/refund/code"
    assert [(await client.post(address)).status_code for _time in range(4)] == [303, 303, 303, 429]
    moment.move_to(event.starts_at)
    assert (await client.post(address)).status_code == 409


# ---------- the mails ----------


async def test_the_buyer_is_told_that_tickets_are_void_and_why(client: httpx.AsyncClient) -> None:
    booking = await paid(await an_event())
    await returned(booking, (await valid_tickets(booking))[:1])
    await Worker().react()
    text = await mail("tickets_returned")
    assert f"One ticket of booking {booking.reference} is void now." in text
    assert "The singer is ill." in text and "€18.50 is on its way back" in text


@pytest.mark.parametrize(
    ("provider", "sentence"), [("stripe", "went back the way you paid it"), ("cash", "was handed back to you in cash")]
)
async def test_a_part_that_went_back_says_how_and_that_the_rest_stays(
    client: httpx.AsyncClient, provider: str, sentence: str
) -> None:
    from app.core import activity

    booking = await paid(await an_event(), provider=provider)
    await returned(booking, (await valid_tickets(booking))[:1])
    (refund,) = await refunds_of(booking)
    async with writing() as tx:
        about = f"booking:{booking.id}"
        done = await activity.record(tx, "refund.succeeded", about=about, by=None, refund=refund.id, minor=1850)
        await tell(tx, done)
    text = await mail("booking_refunded")
    assert f"€18.50 for booking {booking.reference} {sentence}" in re.sub(r"\s+", " ", text)
    assert "The tickets that were not given back stay valid." in text
    assert "The singer is ill." in text and f"/bookings/{booking.code}/receipts" in text


async def mail(kind: str) -> str:
    async with reading() as db:
        told = (await db.exec(select(Notification).where(Notification.kind == kind))).one()
        delivery = (await db.exec(select(Delivery).where(Delivery.notification_id == told.id))).one()
    message = compose(delivery, told, [], [], now=clock.now())
    return str(message.get_body(("plain",)).get_content())  # type: ignore[union-attr]
