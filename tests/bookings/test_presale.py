"""Pre-sale: earlier, for accounts, with a code where one is asked for, kept until a minute that is said."""

from datetime import timedelta

import pytest
import time_machine
from sqlmodel import select

from app.accounts.models import Visitor
from app.bookings import actions
from app.bookings.models import AccessCode
from app.bookings.rules import SoldOut
from app.core import clock
from app.core.db import Database, reading, writing
from app.core.errors import NotYours, Refused
from app.events.models import Event, TicketType
from tests import world
from tests.bookings.test_hold import guest, signed_in, stock


async def presale(
    *, places: int | None = None, needs_code: bool = False, **overrides: object
) -> tuple[Event, TicketType, Visitor]:
    """An event whose pre-sale opened an hour ago and whose general sale opens in a day, and Bob, signed in."""
    now = clock.now()
    async with writing() as tx:
        event = await world.event(tx, capacity=10, **overrides)  # type: ignore[arg-type]
        kind = (await tx.exec(select(TicketType).where(TicketType.event_id == event.id))).one()
        kind.presale_from, kind.sale_from, kind.presale_places, kind.needs_code = (
            now - timedelta(hours=1),
            now + timedelta(days=1),
            places,
            needs_code,
        )
        return event, kind, signed_in(await world.bob(tx))


async def hold(event: Event, kind: TicketType, qty: int, by: Visitor, code: str = "") -> object:
    async with writing() as tx:
        return await actions.hold(tx, event, {kind.id or 0: qty}, by=by, access_code=code, now=clock.now())


async def test_a_presale_place_is_kept_until_its_pay_by_time(database: Database, moment: time_machine.Traveller) -> None:
    event, kind, bob = await presale(presale_hours=48)
    async with writing() as tx:
        booking = await actions.hold(tx, event, {kind.id or 0: 2}, by=bob, now=clock.now())
    assert booking.kind == "presale"
    assert booking.held_until == clock.now() + timedelta(hours=48)


async def test_it_is_never_kept_beyond_the_beginning_of_the_event(
    sqlite_database: Database, moment: time_machine.Traveller
) -> None:
    soon = clock.now() + timedelta(days=1, hours=6)
    event, kind, bob = await presale(presale_hours=48, starts_at=soon)
    async with writing() as tx:
        booking = await actions.hold(tx, event, {kind.id or 0: 1}, by=bob, now=clock.now())
    assert booking.held_until == soon


async def test_a_presale_needs_an_account(sqlite_database: Database) -> None:
    event, kind, _bob = await presale()
    with pytest.raises(NotYours, match="Sign in"):
        await hold(event, kind, 1, guest())


async def test_the_presale_takes_no_more_than_its_places(database: Database, moment: time_machine.Traveller) -> None:
    event, kind, bob = await presale(places=2)
    await hold(event, kind, 2, bob)
    async with writing() as tx:
        carol = signed_in(await world.carol(tx))
    with pytest.raises(SoldOut) as refusal:
        await hold(event, kind, 1, carol)
    assert refusal.value.left == {kind.id: 0}
    moment.shift(timedelta(days=1))
    await hold(event, kind, 3, carol)
    assert await stock(kind) == (5, 0)


async def test_a_type_that_asks_for_a_code_opens_only_with_it(database: Database) -> None:
    event, kind, bob = await presale(needs_code=True)
    async with writing() as tx:
        await actions.set_access_code(tx, kind.id or 0, "NINEPIANOS")
    for wrong in ("", "EIGHTPIANOS"):
        with pytest.raises(Refused, match="access code"):
            await hold(event, kind, 1, bob, wrong)
    await hold(event, kind, 1, bob, " ninepianos ")
    assert await stock(kind) == (1, 0)


async def test_a_code_is_used_as_often_as_it_may(database: Database) -> None:
    event, kind, bob = await presale(needs_code=True)
    async with writing() as tx:
        tx.add(AccessCode(ticket_type_id=kind.id or 0, code="ONCE", max_uses=1))
        carol = signed_in(await world.carol(tx))
    async with writing() as tx:
        booking = await actions.hold(tx, event, {kind.id or 0: 1}, by=bob, access_code="ONCE", now=clock.now())
    with pytest.raises(Refused, match="access code"):
        await hold(event, kind, 1, carol, "ONCE")
    async with writing() as tx:
        await actions.release(tx, booking, now=clock.now())
    await hold(event, kind, 1, carol, "ONCE")
    assert await stock(kind) == (1, 0)


async def test_presale_and_general_places_are_booked_separately(sqlite_database: Database) -> None:
    event, kind, bob = await presale()
    async with writing() as tx:
        general = await world.ticket_type(tx, event, name="Balcony")
    with pytest.raises(Refused, match="separately"):
        async with writing() as tx:
            await actions.hold(tx, event, {kind.id or 0: 1, general.id or 0: 1}, by=bob, now=clock.now())


async def test_a_presale_booking_does_not_replace_another(database: Database) -> None:
    event, kind, bob = await presale(per_buyer=4)
    await hold(event, kind, 1, bob)
    await hold(event, kind, 1, bob)
    assert await stock(kind) == (2, 0)


async def test_a_changed_code_replaces_the_old_one(sqlite_database: Database) -> None:
    event, kind, bob = await presale(needs_code=True)
    for code in ("FIRST", "SECOND"):
        async with writing() as tx:
            await actions.set_access_code(tx, kind.id or 0, code)
    with pytest.raises(Refused):
        await hold(event, kind, 1, bob, "FIRST")
    await hold(event, kind, 1, bob, "SECOND")
    async with writing() as tx:
        await actions.set_access_code(tx, kind.id or 0, "")
    with pytest.raises(Refused):
        await hold(event, kind, 1, bob, "SECOND")
    async with reading() as db:
        assert [code.max_uses for code in (await db.exec(select(AccessCode))).all()] == [1]
