"""Reminding: the day before, and before places lapse, once each."""

from datetime import timedelta

import time_machine
from sqlmodel import select

from app.bookings.models import Booking
from app.core import clock
from app.core.activity import Activity
from app.core.db import Database, reading, writing
from app.notifications import flows
from tests import world
from tests.notifications.scenes import bought, bought_by_guest, held


async def reminded() -> list[tuple[str, str]]:
    """(kind, about) of all reminders so far."""
    async with reading() as db:
        found = await db.exec(
            select(Activity.kind, Activity.about).where(Activity.kind.in_(["booking.day_before", "booking.lapses_soon"]))
        )  # type: ignore[attr-defined]
        return list(found.all())


async def test_buyers_are_reminded_once_on_the_day_before(database: Database, moment: time_machine.Traveller) -> None:
    async with writing() as tx:
        bob, carol, event = (
            await world.bob(tx),
            await world.carol(tx),
            await world.event(tx, starts_at=clock.now() + timedelta(days=3)),
        )
    booking, guest = await bought(event, bob), await bought_by_guest(event, "gast@example.com")
    await held(event, carol)
    await flows.remind()
    assert await reminded() == []
    moment.shift(timedelta(days=2))
    await flows.remind()
    await flows.remind()
    assert await reminded() == [("booking.day_before", f"booking:{booking.id}"), ("booking.day_before", f"booking:{guest.id}")]


async def test_nobody_is_reminded_of_an_event_called_off_or_of_a_ticket_just_bought(
    database: Database, moment: time_machine.Traveller
) -> None:
    async with writing() as tx:
        bob = await world.bob(tx)
        off = await world.event(tx, starts_at=clock.now() + timedelta(days=1))
        tonight = await world.event(tx, starts_at=clock.now() + timedelta(hours=12))
    await bought(off, bob)
    async with writing() as tx:
        (await tx.get_one(type(off), off.id)).state = "called_off"
    moment.shift(timedelta(hours=7))
    await bought(tonight, bob)
    await flows.remind()
    assert await reminded() == []


async def test_a_presale_booking_is_reminded_of_six_hours_before_it_lapses(
    database: Database, moment: time_machine.Traveller
) -> None:
    long, short = await the_presales()
    moment.shift(timedelta(hours=1, minutes=55))
    await flows.remind()
    assert await reminded() == [], "half of the short one's time is not over"
    moment.shift(timedelta(minutes=5))
    await flows.remind()
    assert await reminded() == [("booking.lapses_soon", f"booking:{short.id}")]
    moment.shift(timedelta(hours=40))
    await flows.remind()
    await flows.remind()
    assert (await reminded())[1:] == [("booking.lapses_soon", f"booking:{long.id}")]


async def the_presales() -> tuple[Booking, Booking]:
    """One booking kept for 48 hours, one for four."""
    async with writing() as tx:
        bob, carol, event = await world.bob(tx), await world.carol(tx), await world.event(tx)
    long, short = await held(event, bob), await held(event, carol)
    async with writing() as tx:
        for booking, hours in ((long, 48), (short, 4)):
            kept = await tx.get_one(Booking, booking.id)
            kept.kind, kept.held_until = "presale", clock.now() + timedelta(hours=hours)
    return long, short
