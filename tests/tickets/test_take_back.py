"""What was handed over is taken back once, and what cannot be taken back is a loud mistake."""

import pytest
from sqlmodel import select

from app.accounts.models import Visitor
from app.bookings import actions as bookings
from app.bookings import queries, stock
from app.bookings.models import Booking
from app.core import clock
from app.core.db import Database, reading, writing
from app.core.steps import run
from app.tickets import actions
from app.tickets.models import Ticket
from tests import invariants, world


async def paid(*, qty: int = 2) -> tuple[Booking, list[Ticket]]:
    """A free booking with its tickets."""
    async with writing() as tx:
        event = await world.event(tx, price_minor=0)
        kind = await world.only_type(tx, event)
        booking = await bookings.hold(tx, event, {kind.id or 0: qty}, by=Visitor(key="bobs-browser"), now=clock.now())
        await actions.settle(tx, booking, now=clock.now())
    async with reading() as db:
        return booking, list((await db.exec(select(Ticket).where(Ticket.booking_id == booking.id))).all())


async def test_a_ticket_is_taken_back_once(database: Database) -> None:
    booking, (first, second) = await paid()
    async with writing() as tx:
        assert await actions.take_back_one(tx, booking, first, now=clock.now())
        assert not await actions.take_back_one(tx, booking, first, now=clock.now())
    async with reading() as db:
        assert await invariants.broken(db) == []
        (line,) = await queries.lines(db, booking.id or 0)
        present = await db.get(Ticket, second.id)
    assert (line.qty, line.returned, line.places) == (2, 1, 1)
    assert present and present.is_valid


async def test_a_line_never_returns_more_places_than_it_has(database: Database) -> None:
    booking, _tickets = await paid(qty=1)
    async with writing() as tx:
        (line,) = await queries.lines(tx, booking.id or 0)
        await run(tx, stock.unsell_one(line, line_id=line.id or 0))
    with pytest.raises(RuntimeError, match="more places than it has"):
        async with writing() as tx:
            await run(tx, stock.unsell_one(line, line_id=line.id or 0))


async def test_places_of_a_ticket_type_that_is_gone_are_a_loud_mistake(database: Database) -> None:
    booking, _tickets = await paid(qty=1)
    async with reading() as db:
        (line,) = await queries.lines(db, booking.id or 0)
    line.ticket_type_id = 999
    with pytest.raises(RuntimeError, match="is gone"):
        async with writing() as tx:
            await run(tx, stock.sell([line]))


async def test_a_booking_that_nobody_pays_does_not_stop_being_paid(database: Database) -> None:
    booking, _tickets = await paid(qty=1)
    async with writing() as tx:
        await bookings.stop_paying(tx, booking, now=clock.now())
    async with reading() as db:
        present = await queries.by_id(db, booking.id or 0)
    assert present and present.state == "paid"
