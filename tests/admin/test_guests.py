"""Dora does for guests what they cannot do themselves without an account: hands over what the shop keeps, and erases it."""

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta

import httpx
import pytest
import time_machine
from sqlmodel import col, select

from app.accounts.models import User, Visitor
from app.bookings import actions as bookings
from app.bookings.models import Booking
from app.core import clock
from app.core.db import reading, writing
from app.core.errors import Refused
from app.privacy import flows
from tests import world
from tests.admin.logbook import said
from tests.payments.refund_story import an_event, paid

SignIn = Callable[[httpx.AsyncClient, User], Awaitable[None]]
GUEST = "bob@example.com"


@pytest.fixture
async def dora(client: httpx.AsyncClient, sign_in: SignIn, moment: time_machine.Traveller) -> User:
    """Dora, signed in."""
    async with writing() as tx:
        user = await world.dora(tx)
    await sign_in(client, user)
    return user


async def addresses() -> list[str]:
    async with reading() as db:
        return list((await db.exec(select(Booking.email).order_by(col(Booking.id)))).all())


async def over(client: httpx.AsyncClient, sign_in: SignIn, dora: User, moment: time_machine.Traveller) -> None:
    """The evening is over, and Dora has just signed in."""
    moment.shift(timedelta(days=40))
    await sign_in(client, dora)


async def test_a_guest_is_found_by_address_and_handed_a_copy(client: httpx.AsyncClient, dora: User) -> None:
    event = await an_event()
    booking, _other = await paid(event), await paid(event, email="carol@example.com")
    found = (await client.get("/admin/users", params={"q": GUEST})).text
    assert found.count(f'href="/admin/guests/{booking.reference}"') == 1
    shown = (await client.get(f"/admin/guests/{booking.reference}")).text
    assert GUEST in shown
    assert "carol@" not in shown
    answer = await client.post(f"/admin/guests/{booking.reference}/export")
    assert answer.headers["content-disposition"] == f'attachment; filename="guest-{booking.reference}.json"'
    told = json.loads(answer.content)
    assert [one["reference"] for one in told["bookings"]] == [booking.reference]
    assert told["bookings"][0]["payments"][0]["amount_minor"] == booking.total_minor
    assert "carol@" not in answer.text
    assert (await said())[-2:] == [
        f"Dora (dora@example.com) opened the page of the guest of booking {booking.reference}.",
        f"Dora (dora@example.com) took away a copy of what the shop keeps about the guest of booking {booking.reference}.",
    ]


async def test_a_guest_is_erased_once_the_address_is_typed_and_nothing_is_live(
    client: httpx.AsyncClient, sign_in: SignIn, dora: User, moment: time_machine.Traveller
) -> None:
    event = await an_event()
    booking, _again, _other = await paid(event), await paid(event), await paid(event, email="carol@example.com")
    page = f"/admin/guests/{booking.reference}"
    assert "You have tickets for an event that is not over" in (await client.get(page)).text
    assert (await client.post(f"{page}/erase", data={"typed": GUEST})).status_code == 409
    await over(client, sign_in, dora, moment)
    wrong = await client.post(f"{page}/erase", data={"typed": "carol@example.com"})
    assert wrong.status_code == 422
    assert 'value="carol@example.com"' in wrong.text
    assert await addresses() == [GUEST, GUEST, "carol@example.com"]
    assert (await client.post(f"{page}/erase", data={"typed": "Bob@Example.com"})).headers["location"] == "/admin/users"
    assert await addresses() == ["", "", "carol@example.com"]
    assert (await client.get(page)).status_code == 404
    assert "Dora (dora@example.com) erased" in (await said())[-1]


async def test_whoever_has_an_account_by_now_is_erased_there(
    client: httpx.AsyncClient, sign_in: SignIn, dora: User, moment: time_machine.Traveller
) -> None:
    booking = await paid(await an_event())
    async with writing() as tx:
        bob = await world.bob(tx)
    await over(client, sign_in, dora, moment)
    answer = await client.get(f"/admin/guests/{booking.reference}")
    assert answer.headers["location"] == f"/admin/users/{bob.code}"
    refused = await client.post(f"/admin/guests/{booking.reference}/erase", data={"typed": GUEST})
    assert (refused.status_code, "account with this address" in refused.text) == (409, True)
    with pytest.raises(Refused):
        await flows.erase_guest(GUEST, by=dora.id or 0)
    assert await addresses() == [GUEST]


async def test_a_booking_of_an_account_leads_to_no_guest(client: httpx.AsyncClient, dora: User) -> None:
    event = await an_event()
    async with writing() as tx:
        bob, kind = await world.bob(tx), await world.only_type(tx, event)
        by = Visitor(bob.id, bob.email, bob.name, "user", key="bobs")
        booking = await bookings.hold(tx, event, {kind.id or 0: 1}, by=by, now=clock.now())
    for reference in (booking.reference, "NONE-SUCH"):
        for answer in (
            await client.get(f"/admin/guests/{reference}"),
            await client.post(f"/admin/guests/{reference}/export"),
            await client.post(f"/admin/guests/{reference}/erase", data={"typed": GUEST}),
        ):
            assert answer.status_code == 404
