"""A shop in the middle of its work, with something of every kind in its books; and a hand that spoils them."""

import sqlite3
from datetime import timedelta
from typing import Any

import asyncpg
from sqlmodel import select

from app.accounts.models import Visitor
from app.bookings import actions, waiting
from app.bookings.models import AccessCode, Booking
from app.core import clock
from app.core.db import Database, writing
from app.events.actions import quotas
from app.events.models import Event, Quota, TicketType
from app.payments.actions import money
from app.payments.models import Notice, Payment
from app.tickets import actions as tickets
from tests import world


async def kept() -> None:
    """Bookings that are held, being paid, paid, refunded, and held in a pre-sale with an access code."""
    now = clock.now()
    async with writing() as tx:
        event = await world.event(tx, capacity=20)
        kind = await world.only_type(tx, event)
        tx.add(quota := Quota(event_id=event.id or 0, name="House", capacity=20))
        await tx.flush()
        await quotas.put_into(tx, kind, quota.id)
        await _hold(tx, event, kind, "anna")
        paying = await _hold(tx, event, kind, "paolo")
        await actions.start_paying(tx, paying, now=now)
        tx.add_all([_payment(paying, "expired"), _payment(paying, "open")])
        paid = await _paid(tx, event, kind, "petra")
        await _paid(tx, event, kind, "pavel")
        refunded = await _paid(tx, event, kind, "rosa")
        await tickets.take_back(tx, refunded, to="refunded", now=now)
        await money.set_right(tx, refunded.id or 0, now=now)
        tx.add(Notice(id="evt_1", kind="refund.updated", received_at=now, next_try_at=now))
        assert paid.total_minor > 0
        await _presale(tx)
        await _waiting_list(tx)


async def spoil(database: Database, statement: str, *, without: str = "", **values: Any) -> None:
    """Runs a statement past foreign keys and checks. `without` names what stands in its way on PostgreSQL, table first."""
    if database.is_sqlite:
        connection = sqlite3.connect(database.path, isolation_level=None)
        connection.execute("PRAGMA ignore_check_constraints=on")
        connection.execute(statement, {name: str(value)[:26] for name, value in values.items()})
        connection.close()
        return
    postgresql = await asyncpg.connect(database.url.replace("postgresql+asyncpg://", "postgresql://"))
    await postgresql.execute("SET session_replication_role = replica")
    if without:
        table, constraint = without.split()
        await postgresql.execute(f"ALTER TABLE {table} DROP CONSTRAINT {constraint}")
    for name in values:
        statement = statement.replace(f":{name}", "$1")
    await postgresql.execute(statement, *values.values())
    await postgresql.close()


async def _hold(tx: Any, event: Event, kind: TicketType, who: str) -> Booking:
    by = Visitor(key=f"{who}s-browser")
    booking: Booking = await actions.hold(tx, event, {kind.id or 0: 2}, by=by, now=clock.now())
    booking = await tx.get_one(Booking, booking.id)
    await actions.fill_in(tx, booking, event, email=f"{who}@example.com", name=who.title(), by=by)
    return booking


async def _paid(tx: Any, event: Event, kind: TicketType, who: str) -> Booking:
    booking = await _hold(tx, event, kind, who)
    tx.add(_payment(booking, "captured"))
    await tx.flush()
    await tickets.settle(tx, booking, now=clock.now())
    await tx.refresh(booking)
    return booking


async def _presale(tx: Any) -> None:
    now = clock.now()
    event = await world.event(tx, title="Early Birds", capacity=20)
    kind = (await tx.exec(select(TicketType).where(TicketType.event_id == event.id))).one()
    kind.presale_from, kind.sale_from, kind.needs_code = now - timedelta(hours=1), now + timedelta(days=1), True
    tx.add(AccessCode(ticket_type_id=kind.id, code="EARLY"))
    await tx.flush()
    bob = await world.bob(tx)
    by = Visitor(bob.id, bob.email, bob.name, "user", key="bobs-browser")
    await actions.hold(tx, event, {kind.id: 2}, by=by, access_code="EARLY", now=now)


async def _waiting_list(tx: Any) -> None:
    """Nobody has taken the one place, and it is offered to the first of two; the other one waits."""
    now = clock.now()
    event = await world.event(tx, title="Full House", capacity=1)
    kind = await world.only_type(tx, event)
    held = await actions.hold(tx, event, {kind.id or 0: 1}, by=Visitor(key="a-browser"), now=now)
    for who in ("olga", "oskar"):
        await waiting.join(tx, event.slug, kind.code, email=f"{who}@example.com", qty=1, by=Visitor(), now=now)
    await actions.release(tx, held, now=now)
    await waiting.offer_next(tx, event.slug, most=200, now=now)


def _payment(booking: Booking, state: str) -> Payment:
    now = clock.now()
    name = f"{state}_{booking.id}"
    came = {"captured_minor": booking.total_minor, "captured_at": now, "payment_intent": f"pi_{name}"}
    return Payment(
        booking_id=booking.id or 0,
        state=state,
        amount_minor=booking.total_minor,
        currency="EUR",
        session_id=f"cs_{name}",
        pay_until=now + timedelta(minutes=30),
        created_at=now,
        **(came if state == "captured" else {}),
    )
