"""Evenings with guests at the door, for the tests of the check-in."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.accounts.models import Visitor
from app.bookings import actions as bookings
from app.core import clock
from app.core.codes import random_id
from app.core.db import reading, writing
from app.events.models import Event
from app.tickets import actions, queries
from app.tickets.models import Ticket
from app.tickets.rules import Verdict, read
from tests import world


@dataclass(frozen=True)
class Evening:
    """Alice's event of tonight, with Erin at its door; `codes` are those of the tickets."""

    event: Event
    codes: list[str]
    erin: int
    alice: int

    async def scan(self, code: str, **told: Any) -> Verdict:
        """Erin scans a ticket."""
        given: dict[str, Any] = {"nonce": random_id(), "by": self.erin, "now": clock.now()} | told
        async with writing() as tx:
            return await actions.check_in(tx, await tx.get_one(Event, self.event.id), read(code), **given)

    async def undo(self, scan: str, *, by: int | None = None, any_of: bool = False, now: datetime | None = None) -> Verdict:
        async with writing() as tx:
            event = await tx.get_one(Event, self.event.id)
            return await actions.undo(tx, event, scan, by=by or self.erin, any_of=any_of, now=now or clock.now())

    async def ticket(self, code: str) -> Ticket:
        async with reading() as db:
            found = await queries.by_code(db, code)
        assert found
        return found.ticket

    async def inside(self) -> tuple[int, int]:
        async with reading() as db:
            return await queries.inside(db, self.event.id or 0)


async def evening(guests: int = 2, *, title: str = "Nine Pianos", **overrides: Any) -> Evening:
    """Everybody's ticket is paid for; each guest has one."""
    async with writing() as tx:
        event = await world.event(tx, title=title, price_minor=0, per_buyer=guests, capacity=max(100, guests), **overrides)
        kind = await world.only_type(tx, event)
        kind.per_booking = min(20, max(6, guests))
        erin = await world.erin(tx)
        await world.helper(tx, event, erin, "door")
    codes: list[str] = []
    for number, start in enumerate(range(0, guests, 20)):
        async with writing() as tx:
            places = {kind.id or 0: min(20, guests - start)}
            booking = await bookings.hold(tx, event, places, by=Visitor(key=f"{title}-{number}"), now=clock.now())
            await bookings.fill_in(tx, booking, event, email=f"guest{number}@example.com", name="Ada Bianchi", by=Visitor())
            await actions.settle(tx, booking, now=clock.now())
            codes += [view.ticket.code for view in await queries.of_booking(tx, booking.id or 0)]
    return Evening(event, codes, erin.id or 0, event.manager_id)
