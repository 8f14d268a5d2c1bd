"""A manager, or an admin, gives money back: with tickets or without, in whole or in part, once; and cash by hand."""

from typing import Any

import httpx
import pytest
from sqlalchemy.exc import OperationalError
from sqlmodel import select

from app.bookings.models import Booking
from app.core.db import Database, writing
from app.core.errors import Refused
from app.events.models import Event
from app.payments.actions import asking
from app.payments.flows import give_back
from app.payments.models import Payment
from tests import world
from tests.payments.refund_story import again, an_event, bobs, codes, given, paid, returned, sign_in_as, valid_tickets
from tests.payments.story import refunds_of
from tests.reading import words

# The clock stands still on a Monday at noon.
pytestmark = pytest.mark.usefixtures("moment")


class Deadlock(Exception):
    """What PostgreSQL says of two transactions that wait for each other."""

    sqlstate = "40P01"


def desk(event: Event, booking: Booking) -> str:
    return f"/manager/events/{event.slug}/bookings/{booking.reference}/refund"


async def test_the_manager_takes_a_ticket_back_keeps_a_fee_and_says_why(client: httpx.AsyncClient, sign_in: Any) -> None:
    event = await an_event()
    booking = await paid(event)
    await sign_in_as("alice", client, sign_in)
    address = desk(event, booking)
    assert "Take tickets back" in words((await client.get(address)).text)
    first, second = await codes(booking)
    answer = await client.post(address, data={"ticket": [first], "fee": "3,50", "reason": "The balcony is closed."})
    assert (answer.status_code, answer.headers["location"]) == (303, address)
    said = words((await client.get(address)).text)
    assert "The ticket is void; €15.00 goes back." in said and "The balcony is closed." in said
    assert await codes(booking) == [second]
    (refund,) = await refunds_of(booking)
    assert (refund.amount_minor, refund.reason, refund.note) == (1500, "manager", "The balcony is closed.")
    assert "The balcony is closed." in (await client.get(f"/bookings/{booking.code}")).text
    assert (await client.post(address, data={"ticket": [first], "reason": "x"})).status_code == 409


async def test_the_manager_gives_only_money_back_once(client: httpx.AsyncClient, sign_in: Any) -> None:
    event = await an_event()
    booking = await paid(event)
    await sign_in_as("alice", client, sign_in)
    address = desk(event, booking)
    data = {"amount": "5", "why": "Bad seats.", "kept": "3700"}
    assert (await client.post(f"{address}/amount", data=data)).headers["location"] == address
    twice = await client.post(f"{address}/amount", data=data)
    assert twice.status_code == 409
    assert "Money of this booking went back meanwhile." in words(twice.text)
    assert 'name="kept" value="3200"' in twice.text
    assert ((await again(booking)).kept_minor, len(await codes(booking))) == (3200, 2)


async def test_after_a_deadlock_the_money_goes_back_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    booking = await paid(await an_event())
    tries = []

    async def ends_in_a_deadlock_first(*args: Any, **told: Any) -> None:
        await refund_money(*args, **told)
        tries.append(told)
        if len(tries) == 1:
            raise OperationalError("COMMIT", {}, Deadlock())

    refund_money = asking.refund_money
    monkeypatch.setattr(asking, "refund_money", ends_in_a_deadlock_first)
    told: dict[str, Any] = {"reason": "manager", "by": None, "note": "Bad seats."}
    await give_back.give_money(booking, 500, out_of_minor=3700, **told)
    assert len(tries) == 2
    assert [refund.amount_minor for refund in await refunds_of(booking)] == [500]
    with pytest.raises(Refused, match="went back meanwhile"):
        await give_back.give_money(booking, 500, out_of_minor=3700, **told)


@pytest.mark.parametrize("amount", ["0", "-5", "37.01", "9" * 9, "9" * 30, "NaN", "1e1", "1.005", "", "٣", "five"])
async def test_an_amount_that_is_none_changes_nothing(client: httpx.AsyncClient, sign_in: Any, amount: str) -> None:
    event = await an_event()
    booking = await paid(event)
    await sign_in_as("alice", client, sign_in)
    data = {"amount": amount, "why": "Bad seats.", "kept": "3700"}
    answer = await client.post(f"{desk(event, booking)}/amount", data=data)
    assert answer.status_code == 422
    assert "There is a problem" in answer.text and "Bad seats." in answer.text
    assert (await again(booking)).kept_minor == 3700


@pytest.mark.parametrize(
    "wrong", [{"fee": "-1"}, {"fee": "NaN"}, {"reason": ""}, {"reason": "x" * 201}, {"ticket": []}, {"ticket": ["AAAA-AAAA"]}]
)
async def test_what_is_typed_wrong_at_the_desk_is_said(client: httpx.AsyncClient, sign_in: Any, wrong: dict[str, Any]) -> None:
    event = await an_event()
    booking = await paid(event)
    await sign_in_as("alice", client, sign_in)
    data = {"ticket": await codes(booking), "fee": "", "reason": "Rain"} | wrong
    answer = await client.post(desk(event, booking), data=data)
    assert answer.status_code == 422 and "There is a problem" in answer.text
    assert len(await codes(booking)) == 2


async def test_a_ticket_of_another_booking_is_not_taken(client: httpx.AsyncClient, sign_in: Any) -> None:
    event = await an_event()
    booking, other = await paid(event), await paid(event, email="carol@example.com")
    await sign_in_as("alice", client, sign_in)
    answer = await client.post(desk(event, booking), data={"ticket": await codes(other), "reason": "Rain"})
    assert answer.status_code == 422
    assert len(await codes(other)) == len(await codes(booking)) == 2


async def test_another_manager_finds_nothing_and_an_admin_finds_it(client: httpx.AsyncClient, sign_in: Any) -> None:
    event = await an_event()
    booking = await paid(event, provider="cash")
    await returned(booking, (await valid_tickets(booking))[:1])
    (refund,) = await refunds_of(booking)
    address, cash = desk(event, booking), f"/manager/events/{event.slug}/refunds/{refund.id}/handed-back"
    await sign_in_as("mallory", client, sign_in)
    data = {"ticket": await codes(booking), "reason": "x", "amount": "1", "why": "x", "kept": "1850"}
    posts = [await client.post(path, data=data) for path in (address, f"{address}/amount", cash)]
    assert [answer.status_code for answer in (await client.get(address), *posts)] == [404] * 4
    async with writing() as tx:
        other = await world.event(tx, manager=await world.mallory(tx), title="Other Evening")
    for path in (desk(other, booking), f"/manager/events/{other.slug}/refunds/{refund.id}/handed-back"):
        assert (await client.post(path, data=data)).status_code == 404
    await sign_in_as("dora", client, sign_in)
    await client.post(f"{address}/amount", data=data)
    assert {found.reason for found in await refunds_of(booking)} == {"manager", "admin"}


async def test_cash_is_handed_back_with_a_button_once(client: httpx.AsyncClient, sign_in: Any) -> None:
    event = await an_event()
    bob, booking = await bobs(event, provider="cash")
    await returned(booking, await valid_tickets(booking))
    (refund,) = await refunds_of(booking)
    await sign_in_as("alice", client, sign_in)
    address = desk(event, booking)
    assert "€37.00 is to be handed back in cash" in words((await client.get(address)).text)
    button = f"/manager/events/{event.slug}/refunds/{refund.id}/handed-back"
    assert button in (await client.get(address)).text
    assert (await client.post(button)).headers["location"] == address
    said = words((await client.get(address)).text)
    assert "Noted: the money was handed back." in said and "€37.00 went back on 16 Nov 2026" in said
    assert (await client.post(button)).status_code == 409
    await sign_in(client, bob)
    assert "€37.00 went back on 16 Nov 2026" in words((await client.get("/me/payments")).text)


async def test_a_refund_by_card_has_no_button_for_cash(client: httpx.AsyncClient, sign_in: Any) -> None:
    event = await an_event()
    booking = await paid(event)
    await given(booking, 100)
    (refund,) = await refunds_of(booking)
    await sign_in_as("alice", client, sign_in)
    assert "handed-back" not in (await client.get(desk(event, booking))).text
    assert (await client.post(f"/manager/events/{event.slug}/refunds/{refund.id}/handed-back")).status_code == 404


async def test_a_disputed_payment_shows_no_buttons(client: httpx.AsyncClient, sign_in: Any) -> None:
    event = await an_event()
    bob, booking = await bobs(event)
    async with writing() as tx:
        (await tx.exec(select(Payment).where(Payment.booking_id == booking.id))).one().dispute = "open"
    await sign_in_as("alice", client, sign_in)
    html = (await client.get(desk(event, booking))).text
    assert "disputes this payment" in words(html) and "Take the tickets back" not in html
    await sign_in(client, bob)
    assert "Your bank is looking into this payment." in words((await client.get(f"/bookings/{booking.code}/refund")).text)
